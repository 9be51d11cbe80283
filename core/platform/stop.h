/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Ctrl-C where efi-img owns the console: a question, while the work continues. */

enum { STOP_CTRL_C = 3, STOP_WAIT_SECONDS = 10 };

/* The question, and as a line on a console. */
#define STOP_QUESTION "Stop? y = yes, any other key = no. The work continues meanwhile."
#define STOP_LINE     "\n" STOP_QUESTION "\n"

enum stop_state {
	STOP_NOT_ASKED,
	STOP_ASKED,     /* "Stop? y/n" is shown and not answered yet */
	STOP_CONFIRMED, /* the answer was yes; stays so until stop_forget() */
};

struct stop {
	enum stop_state state;
	uint64_t asked_ns;
	/* Shows the question (`asked`), or removes it. */
	void (*show)(void *user, bool asked);
	/*
	 * Returns the next key that was pressed, as a character; 0: none. Keys that are no
	 * characters come as any other than 'y', 'Y' and STOP_CTRL_C.
	 */
	uint32_t (*next)(void *user);
	void *user;
	/* Gets the keys that neither ask nor answer; NULL: they are dropped. */
	void (*other)(void *user, uint32_t key);
	void *other_user;
};

/* Reads all keys pressed since the last call; returns whether the work is to stop. */
bool stop_look(struct stop *);

/* Removes the question if it is shown, and forgets that stopping was confirmed. */
void stop_forget(struct stop *);
