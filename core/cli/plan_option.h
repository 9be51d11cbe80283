/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"
#include "edit/create.h"

/*
 * Takes the option --dry-run, with --output: prints the plan. Without it, the plan goes to
 * console->events. Errors: ST_INVALID, --output.
 */
enum status plan_option(const struct console *, const struct arguments *, const struct plan *,
			struct error *);

/*
 * The same for the plan of a new image in a file, as create_prepare() has left it, which ended in
 * `st` with *err; with the sources that will be copied into it. Returns `st`, or ST_INVALID for
 * --output.
 */
enum status plan_new_image(const struct console *, const struct arguments *,
			   const struct create_job *, const struct chain *source, size_t n,
			   enum status st, struct error *err);
