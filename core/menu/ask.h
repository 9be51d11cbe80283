/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "menu/screen.h"
#include "platform/stop.h"

/* Screens that ask: a list to choose from, and a page of text with an answer to type, or a key. */

/* Where an answer leads to. */
enum way {
	WAY_NEXT,
	WAY_BACK,
	WAY_QUIT,  /* out of the menu */
	WAY_AGAIN, /* the list has to be made again */
	WAY_KEY,   /* one of the list's own letters was pressed */
};

struct ui {
	struct screen screen;
	bool gone;        /* the keyboard is gone */
	uint32_t pending; /* a key that came right after Esc; 0: none */
};

/* ---- lists ---- */

struct item {
	char text[4 * SCREEN_TEXT_COLUMNS]; /* one line */
	char detail[640];                   /* lines below it; "": none */
	char why[320];                      /* why it cannot be chosen; "": it can */
};

enum { LIST_NONE = -1 };

struct list {
	const char *title, *step;
	const char *head;    /* lines above the list; "": none */
	const char *columns; /* the names of the columns; "": none */
	const char *ask;     /* the question, as the heading */
	const char *empty;   /* shown instead of an empty list */
	const char *help;
	const char *letters;      /* keys of its own; "": none */
	const char *letters_help; /* their text in the line with the keys */
	struct item *item;
	size_t n;
	/*
	 * the item that Enter chooses, moved by the arrows; in: LIST_NONE is the first that can be
	 * chosen
	 */
	int mark;
	int chosen; /* out, with WAY_NEXT */
	bool first; /* there is no screen to go back to */
	char key;   /* out, with WAY_KEY: the letter */
};

/* Shows a list until an item is chosen or the user goes elsewhere. */
enum way list_ask(struct ui *, struct list *);

/* ---- texts ---- */

#define PAGE_LOUD "\1" /* begins a line that stands out */

struct page {
	const char *title, *step, *heading;
	enum style style; /* of the heading */
	const char *text; /* wrapped as needed */
	/* the text before what is typed; with nothing to type, what to press */
	const char *ask;
	const char *help;
	/* the answer: ASCII, `capacity` bytes with the NUL, in and out; NULL: a key continues */
	char *typed;
	size_t capacity;
	const char *suggested; /* the answer if nothing is typed; NULL: there is none */
	bool last;             /* shows the end of the text first */
	bool plain;            /* any key continues, b, q and ? as well */
	bool bare;             /* for text of up to 79 columns */
	bool loud;             /* `ask` stands out */
	bool enter;            /* with nothing to type: only Enter continues */
	const char *letters;   /* with `enter`: keys of its own; NULL: none */
	const char *letters_help;
	char key; /* out, with WAY_KEY: the letter */
};

/* Shows a page until Enter, or a key. Esc leads back, except from a page that wants Enter. */
enum way page_ask(struct ui *, struct page *);

/* Shows a page without waiting. */
void page_show(struct ui *, const struct page *);

/*
 * page_ask() for a page that comes as a surprise, as after a long job: ignores the keys that were
 * typed before it could be read, and those of the second after that.
 */
enum way page_ask_settled(struct ui *, struct page *);

/* Drops the keys that were typed during a long operation. */
void forget_typed(struct ui *);

/* Asks a question that only `y` answers with yes. */
bool sure(struct ui *, const char *question);

/* For platform_cancel_ask(), during operations without a page; `ui` is a struct ui. */
void show_stop_question(void *ui, bool asked);

/* Shows a line during a long operation: "Looking at the disks ...". */
void tell(struct ui *, const char *text);
