/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

struct EFI_HII_FONT_PROTOCOL;

/* Text on a screen whose own characters would be too small to be read at arm's length. */
struct large_text {
	EFI_GRAPHICS_OUTPUT_PROTOCOL *screen; /* NULL: the console prints text itself */
	struct EFI_HII_FONT_PROTOCOL *font;
	unsigned scale; /* pixels of the screen, each way, for one of a glyph */
	EFI_GRAPHICS_OUTPUT_BLT_PIXEL background; /* of its glyphs */
	UINTN left, top;                          /* of the text, in pixels */
};

/*
 * Finds out whether `columns` by `rows` characters of at least twice the usual size fit on the
 * screen, and the firmware has its font as bitmaps. If not, ret->screen is NULL.
 */
void large_text_begin(EFI_GRAPHICS_OUTPUT_PROTOCOL *, unsigned columns, unsigned rows,
		      struct large_text *ret);

void large_text_clear(const struct large_text *);

/* Prints text from (column, row) on; `attribute` has colours as for SetAttribute(). */
void large_text_print(const struct large_text *, unsigned column, unsigned row, UINTN attribute,
		      const CHAR16 *text);
