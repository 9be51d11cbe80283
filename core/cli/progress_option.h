/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"
#include "cli/progress_line.h"
#include "cli/progress_steps.h"

/*
 * Shows the progress of a command on its console: to console->events if that wants it, else as
 * steps on a plain console, else as a line that is written over.
 */
struct console_progress {
	struct progress_sink sink;
	const struct console *console; /* the owner's */
	bool in_out;                   /* the line goes to console->out, otherwise to err */
	struct progress_line line;
	struct progress_steps steps;
};

void console_progress_init(struct console_progress *, const struct console *, bool in_out);

/* Shows one event; `in_out` as above. */
void console_progress_show(struct console_progress *, bool in_out, const struct progress_event *);

/*
 * Takes the options -p and -q: returns the sink for the progress of the command, which is in `ret`
 * and lives as long as that; NULL: no progress is wanted.
 */
struct progress_sink *progress_option(const struct console *, const struct arguments *,
				      struct console_progress *ret);
