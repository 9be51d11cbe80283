/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/command.h"
#include "cli/list.h"
#include "cli/output_options.h"

static const struct option options[] = {
	OPTION_PAGE,
	{ 0, "output", "STYLE", "human (preset) or json" },
	{ 0 },
};

static int run(const struct console *console, struct arguments *arguments)
{
	const struct inventory *inventory;
	struct error err;
	bool json;

	if (arguments->n_operands > 0) {
		error_set(&err, "list takes no names, but was given \"%s\"",
			  arguments->operands[0]);
		return command_misused(console, "list", &err);
	}
	if (output_style(arguments, &json, &err) != ST_OK)
		return command_misused(console, "list", &err);
	page_option(console, arguments);
	if (storage_inventory(console->storage, &inventory, &err) != ST_OK)
		return command_failed(console, &err);
	if (json)
		inventory_print_json(inventory, console->out);
	else
		inventory_print_text(inventory, console->out);
	return EXIT_OK;
}

const struct command command_list = {
	.name = "list",
	.purpose = PURPOSE_LOOK,
	.summary = "show the disks of this machine and what is on them",
	.usage = "[OPTIONS]",
	.options = options,
	.notes = "Disks are shown with their partitions under them. Other commands take the names\n"
		 "at the left (fs0:, blk1:; - stands for none), which may change with the next\n"
		 "start, and those that stay right: serial=..., or else guid=... or path=...,\n"
		 "with :3 behind it for partition 3.\n"
		 "What is wrong with a partition table stands after an exclamation mark.\n",
	.example = "list\n"
		   "list --output=json\n",
	.run = run,
};
