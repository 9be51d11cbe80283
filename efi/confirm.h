/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/words.h"
#include "cli/console.h"

/*
 * A person's consent to command lines that nobody has typed (START_IF_CONFIRMED, cli/start.h). All
 * of them are shown, no more at a time than fit on a screen, and then Y has to be pressed.
 */
struct confirmation {
	const struct console *console; /* the caller's */
	unsigned rows;                 /* printed since the last question */
	bool refused;
};

/* Begins to ask for `what`, for example "the script fs0:\job.txt". */
struct confirmation confirm_begin(const struct console *, const char *what);

/* Shows a command line. One that is too long to be taken in is refused, with a message. */
void confirm_line(struct confirmation *, const struct words *);

/* Asks. Returns whether all was shown and confirmed; without a keyboard, it is not. */
bool confirm_end(struct confirmation *);
