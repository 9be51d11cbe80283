/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * clone: one disk or partition onto another. The copy itself is that of convert -n
 * (core/cli/copy_command.h).
 */
#include "cli/copy_command.h"

static const struct option options[] = {
	OPTION_ERASE,
	OPTION_ALL,
	OPTION_SALVAGE,
	OPTION_GPT,
	OPTION_NO_VERIFY,
	OPTION_DRY_RUN,
	OPTION_SECTION("More options"),
	OPTION_MAP,
	OPTION_QUIET,
	OPTION_PLAN_STYLE,
	{ 0 },
};

static const char notes[] =
	"TO is overwritten from its beginning, and compared with FROM. If there is\n"
	"anything on it, --erase must repeat its name. If it is larger than FROM, the\n"
	"backup of a GPT is moved to its end (--gpt). FROM and TO are disks or\n"
	"partitions, as list names them. TO keeps what it had where no file system of\n"
	"FROM uses the blocks. Afterwards both have the same identifiers: start the\n"
	"machine with only one of them connected.\n";

static enum status take_options(struct copy_command *command, struct error *err)
{
	const struct arguments *arguments = command->arguments;
	struct copy_request *r = &command->request;
	enum status st = copy_command_operands(command, true, true, err);

	command->salvage = arguments_has(arguments, "salvage");
	r->used_only = !arguments_has(arguments, "all");
	r->map = arguments_value(arguments, "map");
	return st == ST_OK ? copy_gpt_option(arguments, r, err) : st;
}

static int run(const struct console *console, struct arguments *arguments)
{
	return copy_command(console, arguments, "clone", take_options);
}

const struct command command_clone = {
	.name = "clone",
	.purpose = PURPOSE_DISKS,
	.summary = "copy a disk or a partition onto another one",
	.usage = "[OPTIONS] FROM TO",
	.options = options,
	.notes = notes,
	.example = "clone serial=S4X9NG0R12 serial=WD-77 --erase=WD-77\n"
		   "clone --salvage --map=fs0:\\bad.map serial=S4X9NG0R12 serial=WD-77\n",
	.run = run,
};
