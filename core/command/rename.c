/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * rename: an image with all files that have its name (edit/rename.h), which mv of the UEFI shell
 * does not know.
 */
#include "base/words.h"
#include "cli/command.h"
#include "edit/plan.h"
#include "edit/rename.h"

static const struct option options[] = {
	{ 0, "dry-run", NULL, "print which files would be renamed, and rename none" },
	{ 'q', "quiet", NULL, "print errors only" },
	{ 0 },
};

static const char notes[] =
	"Renames the file, the parts of a split image, FILE.bmap, and FILE.manifest, in\n"
	"which the new name is entered. NAME is without a directory: the image stays\n"
	"where it is. No file is replaced. After a power failure, the same command does\n"
	"the rest.\n"
	"\n"
	"Refused are an image that names its own files, as a VMDK in several files does\n"
	"('convert' makes one of another name), and one whose capture or restore was\n"
	"interrupted. Images in the same directory that have FILE as their backing file\n"
	"are listed: 'rebase -u' tells them the new name.\n";

static void warn_of_users(const struct console *console, const char *name,
			  const struct renaming *renaming)
{
	/* of an image of which parts were renamed before, it is not known */
	const char *format = renaming->format != NULL ? renaming->format : "FORMAT";

	for (size_t i = 0; i < renaming->n_users; i++) {
		char *user = renaming->user[i], text[1024];
		char *const words[] = { "efi-img",
					"rebase",
					"-u",
					"-F",
					(char *)(uintptr_t)format,
					"-b",
					(char *)(uintptr_t)name,
					user };
		struct out_buffer line;

		out_buffer_init(&line, text, sizeof text);
		words_print(words, sizeof words / sizeof words[0], &line.out);
		command_warn(console,
			     "%s has this image as its backing file, and cannot be read until it "
			     "has the new name: %s",
			     user, text);
	}
}

static void print_plan(const struct console *console, const struct renaming *renaming)
{
	for (size_t i = 0; i < renaming->n; i++)
		out_printf(console->out, "renames: %s to %s\n", renaming->step[i].from,
			   renaming->step[i].to);
	if (renaming->manifest != NULL)
		out_printf(console->out, "renames: %s to %s, with the new name in it\n",
			   renaming->manifest, renaming->new_manifest);
	for (size_t i = 0; i < renaming->n_users; i++)
		out_printf(console->out,
			   "warning: %s has it as its backing file, and cannot be read until it "
			   "has the new name (rebase -u)\n",
			   renaming->user[i]);
	plan_verdict_text(ST_OK, NULL, console->out);
}

static int rename_files(const struct console *console, const struct arguments *arguments,
			const struct renaming *renaming)
{
	const char *image = arguments->operands[0], *name = arguments->operands[1];
	size_t n = renaming->n_done + renaming->n + (renaming->manifest != NULL);
	struct error err;

	if (arguments_has(arguments, "dry-run")) {
		print_plan(console, renaming);
		return EXIT_OK;
	}
	if (renaming_run(renaming, &err) != ST_OK)
		return command_failed(console, &err);
	warn_of_users(console, name, renaming);
	if (!arguments_has(arguments, "q"))
		out_printf(console->out, "%s was renamed to %s: %zu file%s\n", image, name, n,
			   n == 1 ? "" : "s");
	return EXIT_OK;
}

static int run(const struct console *console, struct arguments *arguments)
{
	struct renaming renaming;
	struct error err;
	int code;

	if (arguments->n_operands != 2) {
		error_set(&err, "the name of one image and its new name are expected");
		return command_misused(console, "rename", &err);
	}
	if (renaming_plan(console->storage, arguments->operands[0], arguments->operands[1],
			  &renaming, &err) == ST_OK)
		code = rename_files(console, arguments, &renaming);
	else
		code = command_failed(console, &err);
	renaming_free(&renaming);
	return code;
}

const struct command command_rename = {
	.name = "rename",
	.purpose = PURPOSE_EXPERT,
	.summary = "rename an image with all its files",
	.usage = "[OPTIONS] FILE NAME",
	.options = options,
	.notes = notes,
	.example = "rename --dry-run fs0:\\pc.qcow2 office.qcow2\n"
		   "rename fs0:\\pc.qcow2 office.qcow2\n",
	.run = run,
};
