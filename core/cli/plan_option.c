/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Plans: printed by --dry-run, or told to the code that runs the command. There is one plan a
 * command, made by the functions that would do the work, and it is the one that is run.
 */
#include "cli/plan_option.h"

#include "cli/output_options.h"

enum status plan_option(const struct console *console, const struct arguments *arguments,
			const struct plan *plan, struct error *err)
{
	bool json;
	enum status st;

	if (arguments_has(arguments, "dry-run")) {
		st = output_style(arguments, &json, err);
		if (st != ST_OK)
			return st;
		plan->print(plan, json, console->out);
	} else if (console->events != NULL && console->events->plan != NULL) {
		console->events->plan(console->events, plan);
	}
	return ST_OK;
}

struct new_image_plan {
	struct plan plan;
	const struct create_job *job;
	const struct chain *source;
	size_t n;
	enum status st;
	const struct error *err;
};

static void print(const struct plan *plan, bool json, struct out *out)
{
	const struct new_image_plan *p = (const struct new_image_plan *)plan;

	(json ? create_print_json : create_print_text)(p->job, p->source, p->n, p->st, p->err, out);
}

enum status plan_new_image(const struct console *console, const struct arguments *arguments,
			   const struct create_job *job, const struct chain *source, size_t n,
			   enum status st, struct error *err)
{
	const struct new_image_plan plan = { { print }, job, source, n, st, err };
	struct error why;
	enum status bad = plan_option(console, arguments, &plan.plan, &why);

	if (bad == ST_OK)
		return st;
	*err = why;
	return bad;
}
