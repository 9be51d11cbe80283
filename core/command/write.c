/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * write: the bytes of a file onto a disk, as they are: installers, which are made to be written so.
 * What is an image of another format than raw is refused: its bytes are not those of a disk. The
 * copy itself is that of convert -n -f raw (core/cli/copy_command.h).
 */
#include "cli/copy_command.h"

static const struct option options[] = {
	OPTION_ERASE,    OPTION_NO_VERIFY, OPTION_DRY_RUN, OPTION_SECTION("More options"),
	OPTION_NO_TABLE, OPTION_TRUNCATED, OPTION_QUIET,   OPTION_PLAN_STYLE,
	{ 0 },
};

static const char notes[] =
	"Writes an installer (.iso, .img) onto a stick: every byte of FILE as it is, and\n"
	"nothing else, compared afterwards. If there is anything on DISK, --erase must\n"
	"repeat its name. A compressed file, or an image of another format than raw, is\n"
	"refused; restore writes the disk in an image, and adapts its GPT to DISK.\n";

static enum status take_options(struct copy_command *command, struct error *err)
{
	command->as_it_is = true;
	command->request.no_table = arguments_has(command->arguments, "no-table");
	command->request.truncated = arguments_has(command->arguments, "truncated");
	command->request.has_gpt = true;
	command->request.gpt = GPT_KEEP;
	return copy_command_operands(command, false, true, err);
}

static int run(const struct console *console, struct arguments *arguments)
{
	return copy_command(console, arguments, "write", take_options);
}

const struct command command_write = {
	.name = "write",
	.purpose = PURPOSE_DISKS,
	.summary = "write an installer (.iso, .img) onto a disk, as it is",
	.usage = "[OPTIONS] FILE DISK",
	.options = options,
	.notes = notes,
	.example = "write fs0:\\debian.iso serial=USB-0004 --erase=USB-0004\n",
	.run = run,
};
