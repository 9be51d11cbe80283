/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What Ctrl-C does where a person sits at the machine: it asks, while the work continues. */

enum { STOP_CTRL_C = 3, STOP_WAIT_SECONDS = 10 };

enum stop_state {
	STOP_NOT_ASKED,
	STOP_ASKED,     /* "Stop? y/n" is shown, and not answered yet */
	STOP_CONFIRMED, /* the answer was yes; it stays so until stop_forget() */
};

struct stop {
	enum stop_state state;
	uint64_t asked_ns;
	/* Shows the question, or takes it away. */
	void (*show)(void *user, bool asked);
	/* Takes a waiting key, a character; 0: none waits. Other keys are characters that mean
	 * nothing. */
	uint32_t (*next)(void *user);
	void *user;
};

/* Takes all keys that wait, and returns whether the work is to stop. */
bool stop_look(struct stop *);

/* Takes the question away if it is shown, and forgets that stopping was confirmed. */
void stop_forget(struct stop *);
