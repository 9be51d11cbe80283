/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * list: the disks of the machine, with their partitions and contents.
 */
#include "cli/command.h"
#include "cli/list.h"
#include "cli/output_options.h"
#include "disk/drive_note.h"

static const struct option options[] = {
	OPTION_PAGE,
	{ 0, "output", "STYLE", "human (default) or json" },
	{ 0 },
};

/* The JSON is an array of disks, in which nothing else has a place. */
static void warn_of_idle(const struct console *console, const struct device_list *devices)
{
	struct error text;
	struct out_buffer words;

	for (size_t i = 0; i < devices->n_idle; i++) {
		out_buffer_init(&words, text.text, sizeof text.text);
		idle_controller_print(&devices->idle[i], &words.out);
		command_warn(console, "warning: the list may lack disks. %s", text.text);
	}
}

static int run(const struct console *console, struct arguments *arguments)
{
	const struct inventory *inventory;
	struct error err;
	bool json;

	if (arguments->n_operands > 0) {
		error_set(&err, "list takes no operands, but \"%s\" is given",
			  arguments->operands[0]);
		return command_misused(console, "list", &err);
	}
	if (output_style(arguments, &json, &err) != ST_OK)
		return command_misused(console, "list", &err);
	page_option(console, arguments);
	if (storage_inventory(console->storage, &inventory, &err) != ST_OK)
		return command_failed(console, &err);
	if (json) {
		inventory_print_json(inventory, console->out);
		warn_of_idle(console, &inventory->devices);
	} else {
		inventory_print_text(inventory, console->out);
	}
	return EXIT_OK;
}

const struct command command_list = {
	.name = "list",
	.purpose = PURPOSE_DISKS,
	.summary = "show the disks of this machine and what is on them",
	.usage = "[OPTIONS]",
	.options = options,
	.notes = "Lists each disk with its partitions below it. Other commands take the names on\n"
		 "the left (fs0:, blk1:; - means none), which may change at the next start, and\n"
		 "the names that do not change: serial=..., otherwise guid=... or path=..., with\n"
		 ":3 after it for partition 3. Errors in a partition table are marked by an\n"
		 "exclamation mark.\n",
	.example = "list\n"
		   "list --output=json\n",
	.run = run,
};
