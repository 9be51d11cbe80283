/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "platform/terminal.h"

/*
 * What stands on the screen: a frame with a title, lines in it, below it a line that asks, and a
 * line with the keys. It is composed anew each time, and only what has changed is printed.
 */
enum {
	SCREEN_COLUMNS = 79,
	SCREEN_ROWS_MAX = 60,
	SCREEN_TEXT_COLUMNS = SCREEN_COLUMNS - 4, /* within the frame; a bare one has all columns */
	SCREEN_OTHER_ROWS = 4,                    /* the frame, and what is below it */
};

struct cell {
	uint16_t c;
	uint8_t style;
};

struct screen {
	struct terminal *terminal;
	unsigned rows;
	bool bare; /* nothing stands at the sides */
	struct cell want[SCREEN_ROWS_MAX][SCREEN_COLUMNS], shown[SCREEN_ROWS_MAX][SCREEN_COLUMNS];
};

/* Clears the terminal. */
void screen_init(struct screen *, struct terminal *);

/* Lines within the frame, and their columns. */
unsigned screen_lines(const struct screen *);
unsigned screen_columns(const struct screen *);

/*
 * Begins a new one: an empty frame; `bare`: without its sides, for what has lines of up to 79
 * columns. `right` stands at the end of the title's line.
 */
void screen_begin(struct screen *, const char *title, const char *right, const char *keys,
		  bool bare);

/*
 * A line within the frame, 0 the first; what is longer than the frame ends in "...". The rest of
 * the line has the style too where it is STYLE_CHOSEN.
 */
void screen_line(struct screen *, unsigned line, enum style, const char *text);

/* The line that asks. Of what is too long, the end shows. */
void screen_ask(struct screen *, enum style, const char *text);

/* Prints what has changed since the last time. */
void screen_show(struct screen *);

/*
 * How many bytes of `text` go into one line of so many columns, broken between words where
 * possible; *ret_next is what follows, without the blanks or the end of line that divide them, or
 * the NUL.
 */
size_t screen_break(const char *text, size_t columns, const char **ret_next);
