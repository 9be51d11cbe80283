/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * rebase: gives an image another backing file (edit/rebase.h).
 */
#include "base/memory.h"
#include "cli/command.h"
#include "cli/progress_option.h"
#include "cli/ignored_options.h"
#include "cli/image_options.h"
#include "edit/rebase.h"
#include "platform/files.h"
#include "platform/path.h"
#include "record/finished.h"
#include "storage/storage.h"

static const struct option options[] = {
	{ 'b', "backing", "FILE",
	  "the new backing file, named relative to the image;\n\"\": none any more" },
	{ 'F', "backing-format", "FMT", "format of the new backing file" },
	{ 'B', "backing-format", "FMT", "the same, as in newer versions of qemu-img" },
	{ 'c', "compress", NULL, "compress the clusters that are copied" },
	{ 'u', "backing-unsafe", NULL, "only change the name: what shows through may change" },
	{ 'f', "format", "FMT", "format of the image (default: detected)" },
	{ 't', "cache", "CACHE", OPTION_IGNORED },
	{ 'T', "backing-cache", "CACHE", OPTION_IGNORED },
	{ 'p', "progress", NULL, "show progress" },
	{ 'q', "quiet", NULL, "print errors only" },
	{ 'U', "force-share", NULL, OPTION_IGNORED },
	{ 0 },
};

static const char notes[] =
	"Copies data in which the old and the new backing file differ into FILE, so that\n"
	"the disk stays the same. With -u nothing is copied: for a backing file that was\n"
	"only renamed.\n";

static enum status check_options(const struct arguments *arguments, struct rebase_job *job,
				 struct error *err)
{
	const struct image_format *format;
	enum status st = cache_option(arguments, "-t", err);

	if (st == ST_OK)
		st = cache_option(arguments, "-T", err);
	if (st == ST_OK)
		st = format_option(arguments, "-F", &format, err);
	if (st != ST_OK)
		return st;
	job->unsafe = arguments_has(arguments, "u");
	job->compress = arguments_has(arguments, "c");
	job->name = arguments_value(arguments, "b");
	if (job->name == NULL && !job->unsafe)
		return fail(err, ST_INVALID,
			    "the new backing file is missing: -b FILE, or -b \"\" for none");
	if (job->name == NULL || job->name[0] == '\0') {
		job->name = NULL;
		return ST_OK;
	}
	if (format == NULL)
		return fail(err, ST_INVALID, "%s: give the format of the backing file with -F",
			    job->name);
	job->format = format->name;
	return ST_OK;
}

/* Opens the new backing file and those that it has in turn; its name is relative to the image. */
static enum status open_new(const struct rebase_job *job, struct chain *ret, struct error *err)
{
	char *name = path_relative_to(job->image->name, job->name);
	struct error why;
	enum status st;

	if (name == NULL)
		return fail_no_memory(err);
	st = chain_open_disk(job->image->storage, name, image_format_find(job->format), ret, &why);
	mem_free(name);
	if (st != ST_OK)
		return fail(err, st, "the new backing file: %s", why.text);
	return ST_OK;
}

static enum status rebase(const struct rebase_job *given, struct image *image, struct error *err)
{
	struct rebase_job job = *given;
	struct chain backing = { 0 };
	enum status st = ST_OK;

	job.image = image;
	if (job.name != NULL && !job.unsafe)
		st = open_new(&job, &backing, err);
	if (st == ST_OK) {
		job.backing = backing.n > 0 ? backing.link[0].image : NULL;
		st = rebase_run(&job, err);
	}
	chain_close(&backing);
	return st;
}

/* With -u, the old backing file may be gone. */
static enum status open_and_rebase(struct storage *storage, const struct rebase_job *job,
				   const char *name, const struct image_format *format,
				   struct error *err)
{
	struct chain chain = { 0 };
	struct image *image;
	enum status st;

	if (!job->unsafe) {
		st = chain_open_writable(storage, name, format, 0, &chain, err);
		if (st == ST_OK)
			st = rebase(job, chain.link[0].image, err);
		return finished_close_chain(&chain, st, err);
	}
	st = image_open_file(storage, ROLE_IMAGE, name, format, OPEN_WRITE, &image, err);
	if (st != ST_OK)
		return st;
	st = image_load(image, err);
	if (st == ST_OK)
		st = rebase(job, image, err);
	return finished_close_image(image, st, err);
}

static int run(const struct console *console, struct arguments *arguments)
{
	struct rebase_job job = { 0 };
	struct console_progress shown;
	const struct image_format *format;
	struct error err;
	enum status st;

	if (arguments->n_operands != 1) {
		error_set(&err, "one image file is expected, but %zu are given",
			  arguments->n_operands);
		return command_misused(console, "rebase", &err);
	}
	job.progress = progress_option(console, arguments, &shown);
	st = check_options(arguments, &job, &err);
	if (st == ST_OK)
		st = format_option(arguments, "-f", &format, &err);
	if (st == ST_OK)
		st = open_and_rebase(console->storage, &job, arguments->operands[0], format, &err);
	return st == ST_OK ? EXIT_OK : command_failed(console, &err);
}

const struct command command_rebase = {
	.name = "rebase",
	.purpose = PURPOSE_EXPERT,
	.summary = "give an image another backing file, or none",
	.usage = "-b FILE [OPTIONS] FILE",
	.options = options,
	.notes = notes,
	.example = "rebase -b newbase.qcow2 -F qcow2 fs0:\\overlay.qcow2\nrebase -b \"\" "
		   "fs0:\\overlay.qcow2\n",
	.run = run,
};
