/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is in use of a disk that is a source: for copies of it, and for the measure of such a copy.
 * engine/used_blocks.c finds it, and is told here whether a name is that of a disk or a partition,
 * which has no table.
 */
#include "edit/used.h"

#include "disk/selector.h"

enum status used_of_device(struct used_blocks *used, struct storage *storage, const char *name,
			   struct image *image, struct error *err)
{
	const struct inventory *inventory;
	struct selection found;
	enum status st = storage_inventory(storage, &inventory, err);

	*used = (struct used_blocks){ 0 };
	if (st == ST_OK)
		st = selector_find(inventory, name, &found, err);
	return st == ST_OK ? used_blocks_of_disk(used, image, found.part != NULL, err) : st;
}

void used_warn(const struct used_blocks *used, const char *name, struct warnings *warnings)
{
	if (used->why[0] != '\0')
		warn(warnings, "%s: all of it is copied: %s", name, used->why);
	for (size_t i = 0; i < used->n; i++) {
		const struct used_part *part = &used->part[i];
		const char *all = part->map == NULL ? "all of it is copied: " : "";

		if (part->why.text[0] == '\0')
			continue;
		if (part->number > 0)
			warn(warnings, "%s: partition %u: %s: %s%s", name, part->number,
			     part->fs.type, all, part->why.text);
		else
			warn(warnings, "%s: %s: %s%s", name, part->fs.type, all, part->why.text);
	}
}
