/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * create: a new image in a file. Everything is decided by create_prepare() (edit/create.h) before
 * the first write; its result is the plan of --dry-run.
 */
#include "base/text.h"
#include "cli/command.h"
#include "cli/image_options.h"
#include "cli/split_option.h"
#include "cli/copy_options.h"
#include "cli/plan_option.h"
#include "edit/create.h"
#include "format/image_name.h"

static const struct option options[] = {
	{ 'f', "format", "FMT",
	  "format of the image (default: raw);\nqcow2, vmdk, vhdx, vdi ...: help all lists them" },
	{ 'o', "options", "LIST",
	  "options of the format: name=value,name=value;\n-o help lists them" },
	{ 'b', "backing", "FILE",
	  "backing file, for what is not allocated in the image;\nthe name is relative "
	  "to the image" },
	{ 'F', "backing-format", "FMT", "format of the backing file" },
	{ 'B', "backing-format", "FMT", "the same, as in newer versions of qemu-img" },
	{ 'u', "backing-unsafe", NULL, "do not open the backing file (SIZE must be given)" },
	{ 0, "split", "SIZE",
	  "split the image into files of at most this size: FILE,\nFILE.001 ...; efi-img opens "
	  "them as one image\n(default: one file)" },
	{ 0, "dry-run", NULL, "only print what would be done, or why it is refused" },
	{ 0, "output", "STYLE", "of --dry-run: human (default) or json" },
	{ 'q', "quiet", NULL, "print errors only" },
	{ 0, "force", NULL, "replace FILE (and the data file) if it exists" },
	{ 0 },
};

static const char notes[] =
	"SIZE is the size of the virtual disk in bytes, or with a suffix: k, M, G, T, P\n"
	"or E (powers of 1024), such as 1.5G. It is rounded up to 512 bytes. It may be\n"
	"omitted if there is a backing file: the default is the size of that.\n";

static enum status parse_options(const struct arguments *arguments, struct create_job *job,
				 struct error *err)
{
	enum status st = new_image_options(arguments, job->format, "b", &job->options, err);

	if (st == ST_OK && arguments->n_operands == 2) {
		if (create_value(&job->options, "size")->text != NULL)
			return fail(err, ST_INVALID,
				    "the size of the disk is given twice: %s, and -o size=%s",
				    arguments->operands[1],
				    create_value(&job->options, "size")->text);
		st = create_values_set(&job->options, "size", arguments->operands[1], err);
	}
	return st;
}

static int create(const struct console *console, const struct arguments *arguments,
		  struct create_job *job)
{
	struct error err;
	enum status st = parse_options(arguments, job, &err);

	if (st == ST_OK)
		st = split_option(arguments, false, job, &err);
	if (st == ST_OK)
		st = create_prepare(job, &err);
	st = plan_new_image(console, arguments, job, NULL, 0, st, &err);
	if (arguments_has(arguments, "dry-run"))
		return copy_ended(console, st, false, &err);
	if (st == ST_OK)
		st = create_check_rewrite(job, &err);
	if (st != ST_OK)
		return command_failed(console, &err);
	if (!arguments_has(arguments, "q")) {
		out_printf(console->out, "Formatting '%s', fmt=%s", arguments->operands[0],
			   job->format->name);
		create_values_print(&job->options, console->out);
		out_text(console->out, "\n");
	}
	if (create_run(job, &err) != ST_OK)
		return command_failed(console, &err);
	if (!arguments_has(arguments, "q"))
		split_print(console, job->file_name, create_n_files(job));
	return EXIT_OK;
}

static int run(const struct console *console, struct arguments *arguments)
{
	const char *format_name = arguments_has(arguments, "f") ? arguments_value(arguments, "f")
								: "raw";
	struct create_job job = {
		.storage = console->storage,
		.trust_backing = arguments_has(arguments, "u"),
		.replace = arguments_has(arguments, "force"),
	};
	struct error err;
	int code;

	if (image_format_get(format_name, "-f", &job.format, &err) != ST_OK ||
	    image_format_check_new(job.format, &err) != ST_OK)
		return command_failed(console, &err);
	if (format_options_want_help(arguments)) {
		create_options_explain(job.format->create.options, job.format->name, OPTIONS_CREATE,
				       console->out);
		return EXIT_OK;
	}
	if (arguments->n_operands < 1 || arguments->n_operands > 2) {
		error_set(&err, arguments->n_operands == 0 ? "no image file given"
							   : "too many operands: one file and its "
							     "size are expected");
		return command_misused(console, "create", &err);
	}
	job.file_name = image_name_plain(arguments->operands[0]);
	code = create(console, arguments, &job);
	create_job_free(&job);
	return code;
}

const struct command command_create = {
	.name = "create",
	.purpose = PURPOSE_IMAGES,
	.summary = "create a new, empty disk image",
	.usage = "[OPTIONS] FILE [SIZE]",
	.options = options,
	.notes = notes,
	.example = "create -f qcow2 fs0:\\mydisk.qcow2 50G\n"
		   "create -f qcow2 -b base.qcow2 -F qcow2 fs0:\\vm\\overlay.qcow2\n"
		   "create fs0:\\disk.raw 64M\n",
	.run = run,
};
