/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * commit: merges an image into its backing file, or into one further down the chain
 * (edit/commit.h).
 */
#include "base/text.h"
#include "cli/command.h"
#include "cli/progress_option.h"
#include "cli/ignored_options.h"
#include "cli/image_options.h"
#include "edit/commit.h"
#include "record/finished.h"
#include "storage/storage.h"

static const struct option options[] = {
	{ 'f', "format", "FMT", "format of the image (default: detected)" },
	{ 't', "cache", "CACHE", OPTION_IGNORED },
	{ 'b', "base", "BASE",
	  "merge into this file of the backing chain (default: the\nbacking file of FILE); implies "
	  "-d" },
	{ 'r', "rate-limit", "RATE", OPTION_IGNORED },
	{ 'd', "drop", NULL, "do not empty FILE" },
	{ 'p', "progress", NULL, "show progress" },
	{ 'q', "quiet", NULL, "print errors only" },
	{ 0 },
};

static const char notes[] =
	"Copies the data of FILE into its backing file, or into BASE further down the\n"
	"backing chain, and empties FILE. The contents of other images change that have\n"
	"the merged file, or one between, as backing file.\n";

/* The index of the image to merge into. */
static enum status find_base(struct storage *storage, const struct arguments *arguments,
			     const struct chain *chain, size_t *ret, struct error *err)
{
	const char *name = arguments_value(arguments, "b");

	if (name == NULL && chain->n < 2)
		return fail(err, ST_INVALID, "%s: it has no backing file to merge it into",
			    chain->link[0].name);
	if (name == NULL) {
		*ret = 1;
		return ST_OK;
	}
	for (size_t i = 1; i < chain->n; i++)
		if (storage_same(storage, chain->link[i].name, name) ||
		    text_equal(chain->link[i - 1].image->backing_name, name)) {
			*ret = i;
			return ST_OK;
		}
	return fail(err, ST_INVALID,
		    "%s: no file that it builds on is %s; `efi-img info --backing-chain` lists "
		    "them",
		    chain->link[0].name, name);
}

static enum status open_images(struct storage *storage, const struct arguments *arguments,
			       struct commit_job *job, struct chain *ret, struct error *err)
{
	const struct image_format *format;
	struct chain chain;
	enum status st = cache_option(arguments, "-t", err);

	if (st == ST_OK)
		st = rate_option(arguments, err);
	if (st == ST_OK)
		st = format_option(arguments, "-f", &format, err);
	if (st == ST_OK)
		st = chain_open(storage, ROLE_IMAGE, arguments->operands[0], format, true, &chain,
				err);
	if (st != ST_OK)
		return st;
	st = find_base(storage, arguments, &chain, &job->base, err);
	chain_close(&chain);
	storage_forget_reads(storage);
	return st == ST_OK ? chain_open_writable(storage, arguments->operands[0], format, job->base,
						 ret, err)
			   : st;
}

static int run(const struct console *console, struct arguments *arguments)
{
	bool quiet = arguments_has(arguments, "q");
	struct commit_job job = { .keep = arguments_has(arguments, "d") ||
					  arguments_has(arguments, "b") };
	struct console_progress shown;
	struct progress progress = { 0 };
	struct chain chain;
	struct error err;
	enum status st;

	if (arguments->n_operands != 1) {
		error_set(&err, "one image file is expected, but %zu are given",
			  arguments->n_operands);
		return command_misused(console, "commit", &err);
	}
	st = open_images(console->storage, arguments, &job, &chain, &err);
	if (st != ST_OK)
		return command_failed(console, &err);
	job.chain = &chain;
	progress.sink = progress_option(console, arguments, &shown);
	job.progress = &progress;
	st = commit_run(&job, &err);
	progress_end(&progress);
	st = finished_close_chain(&chain, st, &err);
	if (st != ST_OK)
		return command_failed(console, &err);
	if (!quiet)
		out_text(console->out, "Image committed.\n");
	return EXIT_OK;
}

const struct command command_commit = {
	.name = "commit",
	.purpose = PURPOSE_EXPERT,
	.summary = "merge an image into its backing file",
	.usage = "[OPTIONS] FILE",
	.options = options,
	.notes = notes,
	.example = "commit fs0:\\overlay.qcow2\n",
	.run = run,
};
