/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A name becomes something that holds bytes, in one place for every command. A name is that of a file, with its parts
 * where it is split; of a device as the shell's map calls it; or of a disk or partition by what it is. The inventory of
 * the machine belongs to the command: a disk is opened anew from it each time that it is read, since whoever opens it
 * closes it, and counts the writes to it from then on.
 */
#include "storage/storage.h"

#include "base/path.h"
#include "blk/window.h"
#include "part/selector.h"
#include "storage/split.h"
#include "storage/unfinished.h"

void storage_begin(struct storage *storage)
{
	*storage = (struct storage){ 0 };
}

void storage_end(struct storage *storage)
{
	if (storage->has_inventory)
		inventory_free(&storage->inventory);
	storage->has_inventory = false;
}

enum status storage_inventory(struct storage *storage, const struct inventory **ret, struct error *err)
{
	enum status st = storage->has_inventory ? ST_OK : inventory_read(&storage->inventory, err);

	storage->has_inventory = st == ST_OK;
	*ret = &storage->inventory;
	return st;
}

static enum status open_device(const struct device *device, const char *name, struct blk **ret, struct error *err)
{
	struct error why;
	enum status st = device->medium ? platform_open_device(device, ret, &why) : ST_NO_MEDIUM;

	if (st == ST_OK)
		return ST_OK;
	return fail(err, st, "%s: it cannot be opened: %s", name, status_text(st));
}

/*
 * A partition is opened as the device that the firmware has for it, so that writes are counted that go to it and not
 * to the disk; where there is none, as a window of the disk.
 */
static enum status open_selection(const struct selection *selection, const char *name, struct blk **ret, struct error *err)
{
	const struct inventory_part *part = selection->part;
	bool own = part != NULL && part->device != NULL && part->device->blk != NULL &&
		   part->device->size_bytes == part->size_bytes;
	struct blk *disk;
	enum status st = open_device(own ? part->device : selection->disk->device, name, &disk, err);

	if (st != ST_OK)
		return st;
	*ret = disk;
	if (part == NULL || own)
		return ST_OK;
	*ret = window_open(disk, &(struct window_kind){ .start = part->start_bytes, .size = part->size_bytes,
							.limit = part->size_bytes, .owns = true });
	if (*ret != NULL)
		return ST_OK;
	blk_close(disk);
	return fail_no_memory(err);
}

static enum status open_selected(struct storage *storage, const char *name, struct blk **ret, struct error *err)
{
	const struct inventory *inventory;
	struct selection selection;
	enum status st = storage_inventory(storage, &inventory, err);

	if (st == ST_OK)
		st = selector_find(inventory, name, &selection, err);
	return st == ST_OK ? open_selection(&selection, name, ret, err) : st;
}

enum status storage_open(struct storage *storage, const char *name, enum open_mode mode, struct blk **ret, struct error *err)
{
	struct blk *file;
	enum status st;

	if (path_is_selector(name) && mode == OPEN_WRITE)
		return fail(err, ST_UNSUPPORTED, "%s is a disk or a partition, which only convert and dd write to, "
			    "as their target", name);
	if (path_is_selector(name))
		return open_selected(storage, name, ret, err);
	st = mode == OPEN_WRITE ? platform_check_rewrite(name, err) : ST_OK;
	if (st == ST_OK)
		st = platform_open(name, mode, &file, err);
	if (st != ST_OK)
		return st;
	st = storage_is_device(name) ? ST_OK : unfinished_refuse(file, name, err);
	if (st == ST_OK)
		return split_open(name, mode, file, ret, err);
	blk_close(file);
	return st;
}

bool storage_same(struct storage *storage, const char *a, const char *b)
{
	const struct inventory *inventory;
	struct selection of_a, of_b;
	struct error ignored; /* a name that leads nowhere is never the same */

	if (!path_is_selector(a) && !path_is_selector(b))
		return platform_same(a, b);
	return storage_inventory(storage, &inventory, &ignored) == ST_OK &&
	       selector_find(inventory, a, &of_a, &ignored) == ST_OK &&
	       selector_find(inventory, b, &of_b, &ignored) == ST_OK && of_a.disk == of_b.disk && of_a.part == of_b.part;
}

bool storage_is_device(const char *name)
{
	size_t n = path_volume_length(name);

	return path_is_selector(name) || (n > 0 && name[n] == '\0');
}
