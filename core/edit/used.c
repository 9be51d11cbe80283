/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is in use of a disk that is a source: for copies of it, and for the measure of such a copy.
 * engine/used_blocks.c finds it, and is told here whether a name is that of a disk or a partition,
 * which has no table; also what else in the machine needs all of it, such as a hibernated Linux.
 */
#include "edit/used.h"

#include "base/out.h"
#include "disk/inventory.h"
#include "disk/selector.h"

/* Whether a volume of another disk needs all that is in this one. */
static bool binds(const struct inventory_disk *disk, const struct fs *volume,
		  const struct selection *found)
{
	return volume->binds == FS_BINDS_MACHINE ||
	       (volume->binds == FS_BINDS_DISK && disk == found->disk);
}

/*
 * Looks for what binds the source, outside of it: of its own parts used_blocks_of_disk() does so.
 * Returns NULL if there is nothing.
 */
static const struct fs *find_binding(const struct inventory *inventory,
				     const struct selection *found)
{
	for (size_t i = 0; i < inventory->n; i++) {
		const struct inventory_disk *disk = &inventory->disk[i];

		if (disk == found->disk && found->part == NULL)
			continue;
		if (binds(disk, &disk->volume, found))
			return &disk->volume;
		for (size_t k = 0; k < disk->n; k++)
			if (&disk->part[k] != found->part &&
			    binds(disk, &disk->part[k].volume, found))
				return &disk->part[k].volume;
	}
	return NULL;
}

/* The partition in its table; NULL: it is a disk. */
static const struct part *part_of(const struct selection *found)
{
	static const struct part unlisted = { .type_name = "" };

	if (found->part == NULL)
		return NULL;
	return found->part->entry != NULL ? found->part->entry : &unlisted;
}

enum status used_of_device(struct used_blocks *used, struct storage *storage, const char *name,
			   struct image *image, struct error *err)
{
	const struct inventory *inventory;
	const struct fs *binding;
	struct selection found;
	struct out_buffer why;
	enum status st = storage_inventory(storage, &inventory, err);

	*used = (struct used_blocks){ 0 };
	if (st == ST_OK)
		st = selector_find(inventory, name, &found, err);
	if (st != ST_OK)
		return st;
	binding = find_binding(inventory, &found);
	if (binding == NULL)
		return used_blocks_of_disk(used, image, part_of(&found), err);
	*used = (struct used_blocks){ .image = image, .keeps = true };
	out_buffer_init(&why, used->why, sizeof used->why);
	out_printf(&why.out, "%s elsewhere in this machine: %s", binding->type, binding->note);
	return ST_OK;
}

void used_warn(const struct used_blocks *used, const char *name, struct warnings *warnings)
{
	if (used->why[0] != '\0')
		warn(warnings, "%s: all of it is copied: %s", name, used->why);
	for (size_t i = 0; used->why[0] == '\0' && i < used->n; i++) {
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
