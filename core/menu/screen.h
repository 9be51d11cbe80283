/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "platform/terminal.h"

/*
 * The screen, from the top: a line with where the user is, a frame with lines of text in it and a
 * heading in its border, a line with a question or a note, and a line with the keys. It is composed
 * anew each time, and only what has changed is printed.
 */
enum {
	SCREEN_COLUMNS = 79,
	SCREEN_ROWS_MAX = 60,
	SCREEN_TEXT_COLUMNS = SCREEN_COLUMNS - 4, /* within the frame; a bare one has all columns */
	SCREEN_OTHER_ROWS = 5,                    /* the title, the frame, and two lines below it */
};

struct cell {
	uint16_t c;
	uint8_t style;
};

struct screen {
	struct terminal *terminal; /* the caller's */
	unsigned rows;
	bool bare; /* the frame has no sides */
	struct cell want[SCREEN_ROWS_MAX][SCREEN_COLUMNS], shown[SCREEN_ROWS_MAX][SCREEN_COLUMNS];
};

/* Clears the terminal. */
void screen_init(struct screen *, struct terminal *);

/* Return the number of lines within the frame, and of their columns. */
unsigned screen_lines(const struct screen *);
unsigned screen_columns(const struct screen *);

/* What is around the text. */
struct surround {
	const char *title;   /* where the user is, and what is chosen so far */
	const char *right;   /* at the end of the title's line; "": nothing */
	const char *heading; /* in the upper border of the frame; "": nothing */
	enum style style;    /* of the heading */
	const char *keys;
	bool bare; /* the frame has no sides, for text of up to 79 columns */
};

/* Begins an empty frame. */
void screen_begin(struct screen *, const struct surround *);

/*
 * Sets a line within the frame, 0 the first; one that is longer than the frame ends in "...".
 * STYLE_CHOSEN fills the rest of the line, too.
 */
void screen_line(struct screen *, unsigned line, enum style, const char *text);

/*
 * Sets text within the frame from a column on; returns the column after it. What does not fit is
 * cut.
 */
unsigned screen_put(struct screen *, unsigned line, unsigned column, enum style, const char *text);

/* Sets one character within the frame; outside of it, nothing. */
void screen_cell(struct screen *, unsigned line, unsigned column, enum style, uint16_t c);

/* Sets the line below the frame. Of a longer text, the end is shown. */
void screen_ask(struct screen *, enum style, const char *text);

/* Prints what has changed since the last call. */
void screen_show(struct screen *);

/*
 * Returns how many bytes of `text` fit into one line of `columns` columns, broken between words
 * where possible. *ret_next is the text after the line, without the blanks or the end of line that
 * separate them, or the NUL.
 */
size_t screen_break(const char *text, size_t columns, const char **ret_next);
