/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "menu/screen.h"

/*
 * Screens that ask: a list to choose from, and a text with something to type, or just a key, below
 * it.
 */

/* Where a screen leads to. */
enum way {
	WAY_NEXT,
	WAY_BACK,
	WAY_QUIT,  /* out of the menu, with what struct ui says */
	WAY_AGAIN, /* the list is to be made anew */
	WAY_KEY,   /* one of the letters that a list has beside its own */
};

struct ui {
	struct screen screen;
	bool gone; /* there is no keyboard any more */
};

/* ---- lists ---- */

struct item {
	char text[4 * SCREEN_TEXT_COLUMNS]; /* one line */
	char detail[320];                   /* lines below it; "": none */
	char why[320];                      /* the reason why it is not possible; "": it is */
};

enum { LIST_NONE = -1 };

struct list {
	const char *title, *step;
	const char *head;    /* lines above it: what was chosen before; "": none */
	const char *columns; /* the names of the columns; "": none */
	const char *ask;     /* the question */
	const char *empty;   /* what stands there without any item */
	const char *help;
	const char *letters;      /* further keys; "": none */
	const char *letters_help; /* and what stands about them among the keys */
	struct item *item;
	size_t n;
	/* in: where the mark of the arrows stands at first, 0 or LIST_NONE; out: the item */
	int chosen;
	bool first; /* there is no screen to go back to */
	/* Enter without a mark is an answer as well, and `chosen` LIST_NONE then */
	bool enter;
	char key; /* with WAY_KEY */
};

enum way list_ask(struct ui *, struct list *);

/* ---- texts ---- */

#define PAGE_LOUD "\1" /* begins a line that stands out */

struct page {
	const char *title, *step;
	const char *text; /* lines, broken as needed */
	/* what stands before what is typed; or about the keys, if there is nothing to type */
	const char *ask;
	const char *help;
	/* NULL: any key goes on. In: what stands there at first, ASCII as all that is typed */
	char *typed;
	size_t capacity;
	bool last;  /* begins with the end of the text */
	bool plain; /* b and q are keys like all others */
	bool bare;  /* for lines of up to 79 columns */
	bool loud;  /* `ask` stands out */
	bool enter; /* with nothing to type: only Enter continues */
};

/*
 * Typed is what stands in `typed` when Enter is pressed; b, q and ? alone are what they are
 * everywhere.
 */
enum way page_ask(struct ui *, struct page *);

/* Shows a page, and waits for nothing. */
void page_show(struct ui *, const struct page *);

/*
 * The same for what was not there before, as after a long job: keys that were typed before it could
 * be read, and in the second after that, are no answer to it.
 */
enum way page_ask_settled(struct ui *, struct page *);

/* Forgets the keys that were typed while something took long. */
void forget_typed(struct ui *);

/* A question that only `y` answers with yes. */
bool sure(struct ui *, const char *question);

#define STOP_QUESTION "Stop? y = yes, any other key = no. The work continues meanwhile."

/* For platform_cancel_ask(), while something takes long that is not shown; the user is the struct
 * ui. */
void show_stop_question(void *ui, bool asked);

/* A line while something takes long: "Looking at disk 3 of 4 ...". */
void tell(struct ui *, const char *text);
