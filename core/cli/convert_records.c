/* SPDX-License-Identifier: BSD-2-Clause */
#include "base/text.h"
#include "cli/command.h"
#include "cli/convert_records.h"
#include "storage/storage.h"

/* ---- map ---- */

/* What the target has already, if it goes on from an earlier copy. */
static enum status check_map(const struct arguments *arguments, const struct convert_job *job,
			     const struct image_format *format, bool to_disk, struct error *err)
{
	const char *name = job->map->file.name;

	if (!rescue_map_began(job->map, job->map->size))
		return ST_OK;
	if (!arguments_has(arguments, "n") || (to_disk && !format->flat))
		return fail(err, ST_INVALID,
			    "option --map: as %s says, a part of the disk is copied already: name "
			    "the target that has it, with -n; or another map for a copy from the "
			    "beginning",
			    name);
	if (job->compress || job->target_is_zero || job->bitmaps ||
	    arguments_has(arguments, "manifest"))
		return fail(err, ST_INVALID,
			    "options -c, --target-is-zero, --bitmaps and --manifest: as %s says, a "
			    "part of the disk is copied already, without them",
			    name);
	return ST_OK;
}

static enum status begin_map(struct storage *storage, const struct arguments *arguments,
			     const struct image_format *format, uint64_t size,
			     struct rescue_map *map, struct convert_job *job, struct error *err)
{
	enum status st;

	if (!arguments_has(arguments, "map"))
		return ST_OK;
	job->map = map;
	st = rescue_map_open(map, storage, arguments_value(arguments, "map"), size, err);
	if (st == ST_OK)
		st = check_map(arguments, job, format,
			       storage_is_device(arguments->operands[job->n_sources]), err);
	return st;
}

/* ---- manifest ---- */

/* Whether there can be one; job->manifest is opened then. */
static enum status begin_manifest(struct storage *storage, const struct arguments *arguments,
				  uint64_t size, struct manifest *manifest, struct convert_job *job,
				  struct error *err)
{
	enum status st;

	if (!arguments_has(arguments, "manifest"))
		return ST_OK;
	if (arguments_has(arguments, "B"))
		return fail(err, ST_INVALID,
			    "options --manifest and -B: what a backing file has is not read, and "
			    "has no hash");
	st = manifest_plan(storage, arguments_value(arguments, "manifest"),
			   arguments_has(arguments, "force"), err);
	if (st == ST_OK)
		st = manifest_open(manifest, size, err);
	if (st == ST_OK)
		job->manifest = manifest;
	return st;
}

static enum status end_manifest(struct storage *storage, const struct arguments *arguments,
				const struct image_format *format, struct convert_job *job,
				struct error *err)
{
	struct manifest_facts facts = {
		.storage = storage,
		.image = arguments->operands[job->n_sources],
		.format = format->name,
		.source = arguments->operands,
		.n_sources = job->n_sources,
		.salvage = job->salvage,
	};

	if (job->manifest == NULL || arguments_has(arguments, "dry-run"))
		return ST_OK;
	return manifest_write(job->manifest, &facts, arguments_value(arguments, "manifest"),
			      arguments_has(arguments, "force"), err);
}

/* ---- journal ---- */

static bool can_resume(const struct arguments *arguments, const struct convert_job *job,
		       const struct image_format *format, bool to_disk)
{
	if (arguments->n_operands != 2 || job->map != NULL || job->bitmaps ||
	    arguments_has(arguments, "B"))
		return false;
	return to_disk ? format->flat && !storage_is_device(arguments->operands[0])
		       : storage_is_device(arguments->operands[0]) &&
				 !arguments_has(arguments, "n");
}

/* Those that decide what is written, in one order. */
static void print_options(const struct arguments *arguments, struct out *out)
{
	const struct option *options = command_find("convert")->options;
	static const char *const deciding[] = { "f", "O", "o", "c", "S", "l", "split" };
	const char *before = "";

	for (size_t i = 0; i < sizeof deciding / sizeof deciding[0]; i++)
		for (size_t k = 0; k < arguments->n_values; k++) {
			const struct option *option = &options[arguments->values[k].option];

			if (!text_equal(option->name, deciding[i]) &&
			    !(option->letter == deciding[i][0] && deciding[i][1] == '\0'))
				continue;
			out_printf(out, option->letter != 0 ? "%s-%s" : "%s--%s", before,
				   deciding[i]);
			if (option->value != NULL)
				out_printf(out, " %s", arguments->values[k].value);
			before = " ";
		}
}

/* Sets job->journal where there can be one; the caller closes it. */
static enum status begin_journal(struct convert_records *records, const struct console *console,
				 const struct arguments *arguments,
				 const struct image_format *format, uint64_t size,
				 struct convert_job *job, struct error *err)
{
	static const char too_long[] =
		"the options that decide what is written are longer than a journal holds";
	char **name = arguments->operands;
	bool to_disk = storage_is_device(name[arguments->n_operands - 1]),
	     resume = arguments_has(arguments, "resume");
	struct journal_facts facts = { .to_disk = to_disk, .size = size };
	struct out_buffer text;
	enum status st;

	if (!can_resume(arguments, job, format, to_disk))
		return !resume ? ST_OK
			       : fail(err, ST_INVALID,
				      "option --resume: it is for a copy of a disk into a new "
				      "image in a file, or of an image onto a disk, without --map, "
				      "-B and --bitmaps");
	if (resume && arguments_has(arguments, "force"))
		return fail(err, ST_INVALID,
			    "options --resume and --force: go on with what is there, or replace "
			    "it?");
	out_buffer_init(&text, facts.options, sizeof facts.options);
	print_options(arguments, &text.out);
	if (text.out.failed && resume)
		return fail(err, ST_INVALID, "option --resume: %s", too_long);
	st = journal_open(console->storage, &facts, name[to_disk], name[!to_disk], resume,
			  &records->warnings.warnings, &records->journal, err);
	if (st == ST_OK && text.out.failed)
		journal_give_up(records->journal, ST_TOO_LARGE, too_long);
	job->journal = records->journal;
	return st;
}

enum status convert_records_begin(struct convert_records *records, const struct console *console,
				  const struct arguments *arguments,
				  const struct image_format *format, uint64_t size,
				  struct convert_job *job, struct error *err)
{
	enum status st = begin_map(console->storage, arguments, format, size, &records->map, job,
				   err);

	console_warnings_init(&records->warnings, console);
	if (st == ST_OK)
		st = begin_journal(records, console, arguments, format, size, job, err);
	if (job->salvage != NULL)
		job->salvage->map = job->map;
	if (st == ST_OK)
		st = begin_manifest(console->storage, arguments, size, &records->manifest, job,
				    err);
	return st;
}

enum status convert_records_end(struct convert_records *records, const struct console *console,
				const struct arguments *arguments,
				const struct image_format *format, struct convert_job *job,
				enum status st, struct error *err)
{
	const char *target = arguments->operands[job->n_sources];

	st = journal_close(records->journal, target, st, err);
	if (st == ST_OK)
		st = end_manifest(console->storage, arguments, format, job, err);
	manifest_close(&records->manifest);
	if (job->map != NULL) {
		st = rescue_map_end(&records->map, target, st, err);
		rescue_map_close(&records->map);
	}
	return st;
}
