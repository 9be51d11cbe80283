/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Asks a person whether what was found on a stick or in a boot entry shall run. What is confirmed
 * is exactly what was shown: command lines are in memory by then, none is left out, and none can
 * scroll away before a key was pressed.
 */
#include <efi.h>

#include "confirm.h"

#include "cli/start.h"
#include "console.h"

enum { ROWS = 16 }; /* of command lines at a time; a screen has 25 rows */

struct confirmation confirm_begin(const struct console *console, const char *what)
{
	console_clear();
	out_printf(console->out, "\nSecure Boot is on, and %s is not signed.\n", what);
	out_text(console->out, "It runs only if you confirm it:\n\n");
	return (struct confirmation){ .console = console };
}

void confirm_line(struct confirmation *c, const struct words *words)
{
	unsigned rows;

	if (c->refused)
		return;
	if (c->rows >= ROWS) {
		c->rows = 0;
		c->refused = !console_wait_for_key("\nPress any key to see the rest.\n\n", 0);
	}
	rows = start_show(words, c->console->out);
	c->rows += rows;
	if (rows == 0) {
		command_warn(c->console, "a command line is too long to be confirmed");
		console_let_read();
		c->refused = true;
	}
}

bool confirm_end(struct confirmation *c)
{
	return !c->refused && console_confirm("\nY = run this, any other key = do not run it\n");
}
