/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What commands that copy have in common: what becomes of the plan, and the exit code. All
 * decisions are those of copy/plan.c.
 */
#include "cli/copy_options.h"

#include "cli/plan_option.h"
#include "record/outcome.h"

/* The plan of a copy as what the code that runs the command can print. */
struct decided {
	struct plan plan;
	const struct copy_plan *copy;
	enum status st;
	const struct error *err;
};

static void print(const struct plan *plan, bool json, struct out *out)
{
	const struct decided *decided = (const struct decided *)plan;

	copy_plan_print(decided->copy, decided->st, decided->err, json, out);
}

static void take(struct copy_plan_sink *sink, const struct copy_plan *copy, enum status st,
		 const struct error *err)
{
	const struct copy_plan_option *option = (const struct copy_plan_option *)sink;
	const struct decided decided = { { print }, copy, st, err };
	struct error ignored; /* the command has checked --output before */

	(void)plan_option(option->console, option->arguments, &decided.plan, &ignored);
}

void copy_plan_option_init(struct copy_plan_option *option, const struct console *console,
			   const struct arguments *arguments)
{
	*option = (struct copy_plan_option){ { take }, console, arguments };
}

int copy_ended(const struct console *console, enum status st, bool disk, const struct error *err)
{
	if (st == ST_OK)
		return EXIT_OK;
	(void)command_failed(console, err); /* a disk has codes of its own */
	return disk ? (int)outcome_of(st) : EXIT_ERROR;
}
