/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * amend: other options for an existing image (edit/amend.h).
 */
#include "cli/command.h"
#include "cli/progress_option.h"
#include "cli/ignored_options.h"
#include "cli/image_options.h"
#include "edit/amend.h"
#include "record/finished.h"

static const struct option options[] = {
	{ 'o', "options", "LIST",
	  "the new values: name=value,name=value;\n-o help lists the options that can be changed" },
	{ 'f', "format", "FMT", "format of the image (default: detected)" },
	{ 't', "cache", "CACHE", OPTION_IGNORED },
	{ 'p', "progress", NULL, "show progress" },
	{ 'q', "quiet", NULL, "print errors only" },
	{ 0, "force", NULL, "allow the disk to shrink: data past its new end is\nlost" },
	{ 0 },
};

static const char notes[] =
	"All options are checked before anything is written. The contents of the disk\n"
	"and of its snapshots stay the same. compat=0.10 is for QEMU older than 1.1.\n";

static enum status refuse_format(const struct image_format *format, struct error *err)
{
	if (format->change.amend != NULL)
		return ST_OK;
	return fail(err, ST_UNSUPPORTED, "the options of images of format %s cannot be changed",
		    format->name);
}

/* Finds the format that -f names, otherwise that of the file. */
static enum status find_format(struct storage *storage, const struct arguments *arguments,
			       const struct image_format **ret, struct error *err)
{
	struct image *image;
	enum status st = format_option(arguments, "-f", ret, err);

	if (st != ST_OK || *ret != NULL)
		return st;
	if (arguments->n_operands == 0)
		return fail(err, ST_INVALID, "-o help needs a format (-f FMT) or an image file");
	st = image_open(storage, arguments->operands[0], NULL, &image, err);
	if (st == ST_OK)
		*ret = image->format;
	if (st == ST_OK)
		image_close(image);
	return st;
}

static enum status explain(const struct console *console, const struct arguments *arguments,
			   struct error *err)
{
	const struct image_format *format;
	enum status st = find_format(console->storage, arguments, &format, err);

	if (st == ST_OK)
		st = refuse_format(format, err);
	if (st == ST_OK)
		create_options_explain(format->create.options, format->name, OPTIONS_AMEND,
				       console->out);
	return st;
}

static enum status amend(const struct console *console, const struct arguments *arguments,
			 struct image *image, struct error *err)
{
	struct create_values values;
	struct console_progress shown;
	struct amend_job job = { .image = image,
				 .values = &values,
				 .may_shrink = arguments_has(arguments, "force") };
	enum status st = refuse_format(image->format, err);

	if (st == ST_OK)
		st = create_values_init(image->format->name, image->format->create.options,
					OPTIONS_AMEND, &values, err);
	if (st != ST_OK)
		return st;
	job.progress = progress_option(console, arguments, &shown);
	st = format_options(arguments, &values, err);
	if (st == ST_OK)
		st = amend_run(&job, err);
	create_values_free(&values);
	return st;
}

static enum status open_and_amend(const struct console *console, const struct arguments *arguments,
				  struct error *err)
{
	const struct image_format *format;
	struct chain chain;
	enum status st = cache_option(arguments, "-t", err);

	if (st == ST_OK)
		st = format_option(arguments, "-f", &format, err);
	if (st == ST_OK)
		st = chain_open_writable(console->storage, arguments->operands[0], format, 0,
					 &chain, err);
	if (st != ST_OK)
		return st;
	st = amend(console, arguments, chain.link[0].image, err);
	return finished_close_chain(&chain, st, err);
}

static int run(const struct console *console, struct arguments *arguments)
{
	bool help = format_options_want_help(arguments);
	struct error err;
	enum status st;

	if (!arguments_has(arguments, "o")) {
		error_set(&err, "-o name=value is missing; -o help lists the options that can be "
				"changed");
		return command_misused(console, "amend", &err);
	}
	if (!help && arguments->n_operands != 1) {
		error_set(&err, "one image file is expected, but %zu are given",
			  arguments->n_operands);
		return command_misused(console, "amend", &err);
	}
	st = help ? explain(console, arguments, &err) : open_and_amend(console, arguments, &err);
	return st == ST_OK ? EXIT_OK : command_failed(console, &err);
}

const struct command command_amend = {
	.name = "amend",
	.purpose = PURPOSE_EXPERT,
	.summary = "change options of an image, such as its version",
	.usage = "-o LIST [OPTIONS] FILE",
	.options = options,
	.notes = notes,
	.example = "amend -o compat=1.1,lazy_refcounts=on fs0:\\old.qcow2\namend -o "
		   "refcount_bits=64 fs0:\\mydisk.qcow2\n",
	.run = run,
};
