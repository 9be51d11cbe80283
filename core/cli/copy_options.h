/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"
#include "copy/run.h"

/* What commands that copy have in common. */

/* Takes the plan of a copy: prints it with --dry-run, otherwise tells console->events. */
struct copy_plan_option {
	struct copy_plan_sink sink;
	const struct console *console;
	const struct arguments *arguments;
};

/* `console` and `arguments` are the caller's. */
void copy_plan_option_init(struct copy_plan_option *, const struct console *,
			   const struct arguments *);

/*
 * Prints the error of a copy, if it failed, and returns the exit code. `disk`: there is a disk on
 * either side, and each kind of failure has an exit code of its own (record/outcome.h).
 */
int copy_ended(const struct console *, enum status, bool disk, const struct error *);
