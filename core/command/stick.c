/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * stick: a volume for images in the rest of the stick that efi-img was started from (edit/stick.h).
 */
#include "base/size.h"
#include "cli/command.h"
#include "disk/selector.h"
#include "edit/stick.h"

static const struct option options[] = {
	{ 0, "dry-run", NULL, "print what would be done, and write nothing" },
	{ 0 },
};

static const char notes[] =
	"The image of the stick is smaller than the stick. This makes a FAT32 volume,\n" STICK_LABEL
	", in the space after its last partition, and changes nothing else on it.\n"
	"After a restart from the stick, or after map -r in the UEFI shell, list shows\n"
	"it.\n";

static int run(const struct console *console, struct arguments *arguments)
{
	char name[SELECTOR_BYTES];
	struct out_buffer text;
	struct stick_room room;
	struct error err;
	bool dry_run = arguments_has(arguments, "dry-run");

	if (arguments->n_operands > 0) {
		error_set(&err, "stick takes no operands, but \"%s\" is given",
			  arguments->operands[0]);
		return command_misused(console, "stick", &err);
	}
	if (stick_find_room(console->storage, &room, &err) != ST_OK)
		return command_failed(console, &err);
	out_buffer_init(&text, name, sizeof name);
	if (!dry_run && stick_make_volume(console->storage, &room, &err) != ST_OK)
		return command_failed(console, &err);
	out_text(console->out, dry_run ? "a volume of " : STICK_LABEL ": a volume of ");
	size_print(console->out, room.room.size_bytes);
	selector_print(&console->storage->inventory, &(struct selection){ .disk = room.disk },
		       &text.out);
	out_printf(console->out, " %s made on %s, the boot disk%s\n", dry_run ? "can be" : "was",
		   name, dry_run ? "" : "; restart from it, or use map -r in the UEFI shell");
	return EXIT_OK;
}

const struct command command_stick = {
	.name = "stick",
	.purpose = PURPOSE_DISKS,
	.summary = "make a volume for images in the rest of the boot stick",
	.usage = "[OPTIONS]",
	.options = options,
	.notes = notes,
	.example = "stick --dry-run\n"
		   "stick\n",
	.run = run,
};
