#include "storage/open.h"

#include "base/path.h"
#include "storage/split.h"
#include "blk/window.h"
#include "part/selector.h"

/* Takes what is selected out of the inventory, as a blk for reading that the caller closes. */
static enum status take(struct inventory *inventory, const struct selection *selection, struct blk **ret)
{
	const struct inventory_part *part = selection->part;
	/* A partition as what it is, where the firmware has a device for it: it counts what is written to that, not to the disk. */
	bool own = part != NULL && part->device != NULL && part->device->blk != NULL && part->device->size_bytes == part->size_bytes;
	const struct device *device = own ? part->device : selection->disk->device;
	struct blk **to = &inventory->devices.device[device - inventory->devices.device].blk, *blk = *to;

	if (blk == NULL)
		return device->medium ? ST_IO : ST_NO_MEDIUM;
	if (part != NULL && !own) {
		uint64_t size = part->size_bytes;

		blk = window_open(blk, &(struct window_kind){ .start = part->start_bytes, .size = size, .limit = size, .owns = true });
		if (blk == NULL)
			return ST_NO_MEMORY;
	}
	*to = NULL;
	*ret = blk;
	return ST_OK;
}

static enum status open_selected(const char *name, struct blk **ret, struct error *err)
{
	struct selection selection;
	struct inventory inventory;
	enum status st = inventory_read(&inventory, err);

	if (st != ST_OK)
		return st;
	st = selector_find(&inventory, name, &selection, err);
	if (st == ST_OK) {
		st = take(&inventory, &selection, ret);
		if (st != ST_OK)
			error_set(err, "%s: it cannot be opened: %s", name, status_text(st));
	}
	inventory_free(&inventory);
	return st;
}

enum status storage_open(const char *name, enum open_mode mode, struct blk **ret, struct error *err)
{
	if (!path_is_selector(name)) {
		struct blk *file;
		enum status st = platform_open(name, mode, &file, err);

		return st == ST_OK ? split_open(name, mode, file, ret, err) : st;
	}
	if (mode == OPEN_WRITE)
		return fail(err, ST_UNSUPPORTED, "%s is a disk or a partition, which only convert and dd write to, as their target", name);
	return open_selected(name, ret, err);
}

bool storage_same(const char *a, const char *b)
{
	struct selection of_a, of_b;
	struct inventory inventory;
	struct error ignored; /* a name that leads nowhere is never the same */
	bool same;

	if (!path_is_selector(a) && !path_is_selector(b))
		return platform_same(a, b);
	if (inventory_read(&inventory, &ignored) != ST_OK)
		return false;
	same = selector_find(&inventory, a, &of_a, &ignored) == ST_OK && selector_find(&inventory, b, &of_b, &ignored) == ST_OK &&
	       of_a.disk == of_b.disk && of_a.part == of_b.part;
	inventory_free(&inventory);
	return same;
}

bool storage_is_device(const char *name)
{
	size_t n = path_volume_length(name);

	return path_is_selector(name) || (n > 0 && name[n] == '\0');
}
