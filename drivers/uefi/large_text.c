/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Large text: the glyphs of the firmware's font (UEFI 2.10, 34.1), each pixel as a square of
 * several, drawn by Blt() (12.9).
 *
 * The firmware's text console has glyphs of 8 by 19 pixels whatever the screen: 80 by 25 of them
 * are a stamp on a panel of 3840 by 2160. Another mode of the screen would make them larger, but
 * the firmware's console measures the screen only when it is connected, and restoring the mode is
 * one more thing that can fail. Here no mode is changed: what was drawn is gone with the next
 * ClearScreen() of the console.
 */
#include <efi.h>

#include "large_text.h"

#include <stdbool.h>
#include <stddef.h>

#include "firmware.h"
#include "protocol/hii_font.h"

enum { GLYPH_WIDTH = 8, GLYPH_HEIGHT = 19, SCALE_MAX = 8 };

/* One character, one after the other. */
static EFI_GRAPHICS_OUTPUT_BLT_PIXEL pixels[GLYPH_WIDTH * SCALE_MAX * GLYPH_HEIGHT * SCALE_MAX];

static EFI_GRAPHICS_OUTPUT_BLT_PIXEL colour(UINTN number)
{
	UINT8 level = (number & 8) != 0 ? 0xff : 0x98;
	EFI_GRAPHICS_OUTPUT_BLT_PIXEL ret = { .Blue = (number & 1) != 0 ? level : 0,
					      .Green = (number & 2) != 0 ? level : 0,
					      .Red = (number & 4) != 0 ? level : 0 };

	return ret;
}

static bool same(EFI_GRAPHICS_OUTPUT_BLT_PIXEL a, EFI_GRAPHICS_OUTPUT_BLT_PIXEL b)
{
	return a.Blue == b.Blue && a.Green == b.Green && a.Red == b.Red;
}

/*
 * Returns a glyph in the firmware's own colours, since EDK2 has no glyph in others for a font that
 * is not named. The caller frees it with glyph_free(). NULL: there is none.
 */
static EFI_IMAGE_OUTPUT *glyph_of(EFI_HII_FONT_PROTOCOL *font, CHAR16 c)
{
	EFI_IMAGE_OUTPUT *glyph = NULL;

	/* a warning is a glyph as well: that of an unknown character */
	(void)font->GetGlyph(font, c, NULL, &glyph, NULL);
	return glyph != NULL && glyph->Bitmap != NULL ? glyph : NULL;
}

static void glyph_free(EFI_IMAGE_OUTPUT *glyph)
{
	if (glyph != NULL)
		firmware_free(glyph->Bitmap);
	firmware_free(glyph);
}

/* Returns whether the font has glyphs: a blank, which tells its background, and one with more. */
static bool has_glyphs(struct large_text *text)
{
	EFI_IMAGE_OUTPUT *blank = glyph_of(text->font, ' '), *letter = glyph_of(text->font, 'A');
	bool ret = false;

	if (blank != NULL && letter != NULL) {
		text->background = blank->Bitmap[0];
		for (unsigned i = 0; i < (unsigned)letter->Width * letter->Height; i++)
			ret = ret || !same(letter->Bitmap[i], text->background);
	}
	glyph_free(blank);
	glyph_free(letter);
	return ret;
}

void large_text_begin(EFI_GRAPHICS_OUTPUT_PROTOCOL *screen, unsigned columns, unsigned rows,
		      struct large_text *ret)
{
	UINTN width, height, scale;

	ret->screen = NULL;
	ret->font = LOCATE(EFI_HII_FONT_PROTOCOL);
	if (screen == NULL || screen->Mode == NULL || screen->Mode->Info == NULL ||
	    ret->font == NULL)
		return;
	width = screen->Mode->Info->HorizontalResolution;
	height = screen->Mode->Info->VerticalResolution;
	scale = width / ((UINTN)columns * GLYPH_WIDTH);
	if (scale > height / ((UINTN)rows * GLYPH_HEIGHT))
		scale = height / ((UINTN)rows * GLYPH_HEIGHT);
	if (scale > SCALE_MAX)
		scale = SCALE_MAX;
	if (scale < 2 || !has_glyphs(ret))
		return;
	ret->screen = screen;
	ret->scale = (unsigned)scale;
	ret->left = (width - (UINTN)columns * GLYPH_WIDTH * scale) / 2;
	ret->top = (height - (UINTN)rows * GLYPH_HEIGHT * scale) / 2;
}

/* A failure here and below only changes how the screen looks. */
void large_text_clear(const struct large_text *text)
{
	const EFI_GRAPHICS_OUTPUT_MODE_INFORMATION *mode = text->screen->Mode->Info;
	EFI_GRAPHICS_OUTPUT_BLT_PIXEL black = { 0 };

	(void)text->screen->Blt(text->screen, &black, EfiBltVideoFill, 0, 0, 0, 0,
				mode->HorizontalResolution, mode->VerticalResolution, 0);
}

/* Fills `pixels` with a glyph; NULL: a blank. */
static void enlarge(const struct large_text *text, const EFI_IMAGE_OUTPUT *glyph,
		    EFI_GRAPHICS_OUTPUT_BLT_PIXEL ink, EFI_GRAPHICS_OUTPUT_BLT_PIXEL paper)
{
	EFI_GRAPHICS_OUTPUT_BLT_PIXEL *to = pixels;

	for (unsigned y = 0; y < GLYPH_HEIGHT * text->scale; y++)
		for (unsigned x = 0; x < GLYPH_WIDTH * text->scale; x++) {
			unsigned from_x = x / text->scale, from_y = y / text->scale;
			bool is_ink = glyph != NULL && from_x < glyph->Width &&
				      from_y < glyph->Height &&
				      !same(glyph->Bitmap[from_y * glyph->Width + from_x],
					    text->background);

			*to++ = is_ink ? ink : paper;
		}
}

void large_text_print(const struct large_text *text, unsigned column, unsigned row, UINTN attribute,
		      const CHAR16 *units)
{
	EFI_GRAPHICS_OUTPUT_BLT_PIXEL ink = colour(attribute & 15),
				      paper = colour(attribute >> 4 & 7);
	UINTN width = GLYPH_WIDTH * (UINTN)text->scale, height = GLYPH_HEIGHT * (UINTN)text->scale;

	for (UINTN i = 0; units[i] != 0; i++) {
		EFI_IMAGE_OUTPUT *glyph = units[i] != ' ' ? glyph_of(text->font, units[i]) : NULL;

		enlarge(text, glyph, ink, paper);
		glyph_free(glyph);
		(void)text->screen->Blt(text->screen, pixels, EfiBltBufferToVideo, 0, 0,
					text->left + (column + i) * width, text->top + row * height,
					width, height, 0);
	}
}
