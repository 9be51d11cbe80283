/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"
#include "copy/target.h"

/*
 * Copies onto a disk or partition, or with --dry-run prints the plan of that. `create`: the image
 * that is made there, with its options (the size among them), otherwise NULL. Takes the options
 * --erase, --no-table, --dry-run and --output. Errors: those of target_decide(), create_prepare()
 * and target_run().
 */
enum status copy_to_disk(const struct console *, const struct arguments *, struct target_job *,
			 struct convert_job *, struct create_job *create, struct error *);

/*
 * Prints the error of a copy, if it failed, and returns the exit code. `disk`: there is a disk on
 * either side, and each kind of failure has an exit code of its own (record/outcome.h).
 */
int copy_ended(const struct console *, enum status, bool disk, const struct error *);
