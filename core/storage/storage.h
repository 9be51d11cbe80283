#pragma once

#include "part/inventory.h"

/*
 * What the names of one command lead to. The machine's disks are looked at once, the first time that a name needs
 * them, and stay as they were found until the command ends: two names of a disk are compared in one inventory, and a
 * slow controller is asked once.
 */
struct storage {
	struct inventory inventory; /* use storage_inventory() */
	bool has_inventory;
};

void storage_begin(struct storage *);
void storage_end(struct storage *);

/* The disks of the machine; *ret is the storage's. Errors: those of inventory_read(), which is tried again then. */
enum status storage_inventory(struct storage *, const struct inventory **ret, struct error *);

/*
 * Opens what a name leads to: a file, a device of the map, or a disk or partition by what it is
 * (selector.h), which can only be read: what writes to disks is job/target.h. A file that is split
 * (split.h) is opened with all its parts. The caller closes *ret. Errors: those of platform_open(),
 * split_open() and selector_find(); ST_UNSUPPORTED, a disk for writing; ST_REFUSED, a file that is
 * an unfinished image (unfinished.h).
 */
enum status storage_open(struct storage *, const char *name, enum open_mode, struct blk **ret, struct error *);

/* Whether both names lead to the same existing file, disk or partition, however they are written. */
bool storage_same(struct storage *, const char *a, const char *b);

/* Whether a name is that of a disk, a partition or a volume, not of a file on one: "serial=S4X9NG0R12", "blk2:". */
bool storage_is_device(const char *name);
