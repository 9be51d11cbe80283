/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * remove: an image with all its files (edit/remove.h), which rm of the UEFI shell does not know.
 */
#include "base/size.h"
#include "cli/command.h"
#include "edit/plan.h"
#include "edit/remove.h"

static const struct option options[] = {
	{ 0, "dry-run", NULL, "print which files would be removed, and remove none" },
	{ 'q', "quiet", NULL, "print errors only" },
	{ 0 },
};

static const char notes[] =
	"Removes the file, the parts of a split image, the files that the image names as\n"
	"its extents or its data file, FILE.manifest, FILE.bmap, and the journals of\n"
	"interrupted copies. Nothing is removed if one of them is in another directory,\n"
	"or belongs to another image as well. A file that only has such a name stays.\n"
	"Backing files are not removed; images that have FILE as their backing file\n"
	"cannot be read any more.\n";

static int remove_files(const struct console *console, const struct arguments *arguments,
			const struct removal *removal)
{
	const char *name = arguments->operands[0];
	struct error err;

	if (removal->unopened)
		command_warn(console, "%s; if it has extents or a data file, these stay",
			     removal->why_unopened.text);
	if (arguments_has(arguments, "dry-run")) {
		out_printf(console->out, "removes: %s (", name);
		size_print(console->out, removal->bytes);
		out_printf(console->out, " in %zu file%s)\n", removal->n,
			   removal->n == 1 ? "" : "s");
		plan_access_text(console->storage, console->out);
		plan_verdict_text(ST_OK, NULL, console->out);
		return EXIT_OK;
	}
	if (removal_run(removal, &err) != ST_OK)
		return command_failed(console, &err);
	if (!arguments_has(arguments, "q"))
		out_printf(console->out, "%s was removed: %zu file%s\n", name, removal->n,
			   removal->n == 1 ? "" : "s");
	return EXIT_OK;
}

static int run(const struct console *console, struct arguments *arguments)
{
	struct removal removal;
	struct error err;
	int code;

	if (arguments->n_operands != 1) {
		error_set(&err, "the name of one image is expected");
		return command_misused(console, "remove", &err);
	}
	if (removal_plan(console->storage, arguments->operands[0], &removal, &err) == ST_OK)
		code = remove_files(console, arguments, &removal);
	else
		code = command_failed(console, &err);
	removal_free(&removal);
	return code;
}

const struct command command_remove = {
	.name = "remove",
	.purpose = PURPOSE_EXPERT,
	.summary = "remove an image with all its files",
	.usage = "[OPTIONS] FILE",
	.options = options,
	.notes = notes,
	.example = "remove --dry-run fs0:\\old.vmdk\nremove fs0:\\old.vmdk\n",
	.run = run,
};
