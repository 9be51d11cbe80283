/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/*
 * A text screen with a keyboard: that of the firmware, or one of a test. Nothing is said by a style
 * alone: a serial line may show all of them alike.
 */
enum style {
	STYLE_PLAIN,
	STYLE_TITLE,
	STYLE_CHOSEN,
	STYLE_DIM,
	STYLE_LOUD,
	N_STYLES,
};

/* Keys: characters as they are, and others, which are no characters. */
enum {
	KEY_BACKSPACE = 8,
	KEY_ENTER = '\r',
	KEY_ESCAPE = 27,
	KEY_NONE = 0x110000, /* the time is over */
	KEY_UP,
	KEY_DOWN,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_OTHER, /* one that means nothing here */
	KEY_GONE,  /* there is no keyboard, and there will be none */
};

struct terminal {
	/*
	 * at least 80 and 24; nothing is printed into the last column, which might scroll the
	 * screen
	 */
	unsigned columns, rows;
	void (*clear)(struct terminal *);
	void (*print)(struct terminal *, unsigned column, unsigned row, enum style,
		      const char *text);
	/* Waits for a key; 0 milliseconds: for ever. */
	uint32_t (*key)(struct terminal *, unsigned milliseconds);
	/* Forgets the keys that were pressed till now, and those that come in so many milliseconds
	 * from now on. */
	void (*forget_keys)(struct terminal *, unsigned milliseconds);
};
