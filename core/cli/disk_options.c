/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Copies onto disks as commands run them: options, plan, run, and what a person has to be told
 * afterwards. All decisions are those of copy/target.c.
 */
#include "cli/disk_options.h"

#include "cli/output_options.h"
#include "cli/plan_option.h"
#include "record/outcome.h"

/*
 * Decides everything before the first write. create_prepare() comes last, since it needs the size
 * of the target.
 */
static enum status plan_copy(struct target_job *target, struct create_job *create,
			     struct error *err)
{
	enum status st = target_decide(target, err);

	if (st != ST_OK || create == NULL)
		return st;
	create->device_bytes = target->size_bytes;
	return create_prepare(create, err);
}

struct disk_plan {
	struct plan plan;
	const struct target_job *target;
	enum status st;
	const struct error *err;
};

static void print(const struct plan *plan, bool json, struct out *out)
{
	const struct disk_plan *p = (const struct disk_plan *)plan;

	(json ? target_print_json : target_print_text)(p->target, p->st, p->err, out);
}

/* What a person has to know of a disk that was written. */
static void warn_of_target(const struct console *console, const struct target_job *target)
{
	if (target->gpt_fate == GPT_FATE_ODD)
		command_warn(console,
			     "%s: the GPT is on it as it was in the source, which is not right "
			     "there: %s",
			     target->name, target->gpt_why);
	if (!target->device->flushes)
		command_warn(console,
			     "%s: everything is written, but the firmware cannot tell this drive "
			     "to empty its own cache: leave it connected and powered for a while",
			     target->name);
}

enum status copy_to_disk(const struct console *console, const struct arguments *arguments,
			 struct target_job *target, struct convert_job *job,
			 struct create_job *create, struct error *err)
{
	struct error why;
	bool json;
	enum status st = output_style(arguments, &json, err);

	if (st != ST_OK)
		return st;
	target->erase = arguments_has(arguments, "erase") ? arguments_value(arguments, "erase")
							  : NULL;
	target->no_table = arguments_has(arguments, "no-table");
	st = plan_copy(target, create, err);
	/* --output was checked above */
	(void)plan_option(console, arguments,
			  &(struct disk_plan){ { print }, target, st, err }.plan, &why);
	if (st != ST_OK || arguments_has(arguments, "dry-run"))
		return st;
	st = target_run(target, job, create, err);
	if (st == ST_OK)
		warn_of_target(console, target);
	return st;
}

int copy_ended(const struct console *console, enum status st, bool disk, const struct error *err)
{
	if (st == ST_OK)
		return EXIT_OK;
	(void)command_failed(console, err); /* a disk has codes of its own */
	return disk ? (int)outcome_of(st) : EXIT_ERROR;
}
