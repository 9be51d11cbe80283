/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A short description of what a disk contains, for the question before it is overwritten. Labels
 * come from the disk: they are cut here, and made printable where they are shown.
 */
#include "disk/contents.h"

/* `whole`: nothing else is said of it. */
static void say_volume(const struct fs *volume, const struct device *device, bool whole,
		       struct out *out)
{
	const char *label = volume->label[0] == '\0' && device != NULL && device->volume.present
				    ? device->volume.label
				    : volume->label;

	if (volume->type[0] != '\0')
		out_text(out, volume->type);
	else if (device != NULL && device->volume.present)
		out_text(out, "a volume");
	else if (whole && volume->has_data)
		out_text(out, "data of an unknown kind, perhaps encrypted");
	else
		return;
	if (label[0] != '\0')
		out_printf(out, " \"%.40s\"", label);
}

static void say_table(const struct inventory_disk *disk, struct out *out)
{
	const char *before = " (";

	if (disk->table.kind == PART_NONE) {
		out_text(out, "a damaged partition table");
		return;
	}
	out_printf(out, "%s with %zu partition%s",
		   disk->table.kind == PART_GPT ? "a GPT" : "an MBR", disk->n,
		   disk->n == 1 ? "" : "s");
	for (size_t i = 0; i < disk->n; i++) {
		char text[80];
		struct out_buffer volume;

		out_buffer_init(&volume, text, sizeof text);
		say_volume(&disk->part[i].volume, disk->part[i].device, false, &volume.out);
		if (volume.length == 0)
			continue;
		out_printf(out, "%s%s", before, text);
		before = ", ";
	}
	if (before[0] == ',')
		out_text(out, ")");
}

void contents_say(const struct inventory_disk *disk, const struct inventory_part *part,
		  struct out *out)
{
	if (part != NULL)
		say_volume(&part->volume, part->device, true, out);
	else if (disk->table.kind != PART_NONE || disk->table.note[0] != '\0')
		say_table(disk, out);
	else
		say_volume(&disk->volume, disk->device, true, out);
}
