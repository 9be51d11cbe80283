/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/*
 * A text screen with a keyboard: the firmware's, Linux's, or that of a test.
 *
 * Styles only support what the text says: a serial terminal may show all of them alike.
 */
enum style {
	STYLE_PLAIN,
	STYLE_TITLE,
	STYLE_CHOSEN,
	STYLE_DIM,
	STYLE_LOUD,
	STYLE_GOOD,
	STYLE_BAD,
	N_STYLES,
};

/*
 * The characters beyond ASCII that every UEFI console has to show, as far as they are used here
 * (UEFI 2.10, 12.4.3, "related definitions").
 */
enum drawing {
	DRAW_HORIZONTAL = 0x2500,
	DRAW_VERTICAL = 0x2502,
	DRAW_DOWN_RIGHT = 0x250c,
	DRAW_DOWN_LEFT = 0x2510,
	DRAW_UP_RIGHT = 0x2514,
	DRAW_UP_LEFT = 0x2518,
	DRAW_GRID = 0x256c,
	DRAW_FULL = 0x2588,
	DRAW_LIGHT = 0x2591,
	DRAW_POINTER = 0x25ba,
};

/*
 * Returns the ASCII character that stands for a drawing character on a terminal that may not have
 * it; other characters are returned unchanged.
 */
uint16_t drawing_in_ascii(uint16_t c);

/* Keys: Unicode characters, and above those, keys that are no characters. */
enum {
	KEY_BACKSPACE = 8,
	KEY_ENTER = '\r',
	KEY_ESCAPE = 27,
	KEY_NONE = 0x110000, /* no key was pressed in time */
	KEY_UP,
	KEY_DOWN,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_OTHER, /* a key without a meaning here */
	KEY_GONE,  /* there is no keyboard (any more) */
};

struct terminal {
	/* At least 80 by 24. Do not print into the last column: the screen might scroll. */
	unsigned columns, rows;
	void (*clear)(struct terminal *);
	/* Prints UTF-8 text from (column, row) on, both counted from 0, within that row. */
	void (*print)(struct terminal *, unsigned column, unsigned row, enum style,
		      const char *text);
	/* Waits for a key and returns it; 0 milliseconds: without limit. */
	uint32_t (*key)(struct terminal *, unsigned milliseconds);
	/* Drops keys pressed so far, and those pressed within the next `milliseconds`. */
	void (*forget_keys)(struct terminal *, unsigned milliseconds);
};
