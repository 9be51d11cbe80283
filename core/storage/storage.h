/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "storage/access.h"

/*
 * What the names of one command lead to. The machine's disks are looked at once, the first time
 * that a name needs them, and stay as they were found until the command ends: two names of a disk
 * are compared in one inventory, and a slow controller is asked once.
 */
struct storage {
	struct inventory inventory; /* use storage_inventory() */
	bool has_inventory;
	struct access access; /* all that the command reads and changes */
	const struct permit *before;
};

/*
 * From here to storage_end(), nothing may be changed but what is in the access set. `outer`: the
 * storage of whoever runs the command, NULL: nobody; it changes nothing meanwhile. Ended on failure
 * too. Errors: ST_NO_MEMORY.
 */
enum status storage_begin(struct storage *, const struct storage *outer, struct error *);
void storage_end(struct storage *);

/* The disks of the machine; *ret is the storage's. Errors: those of inventory_read(), which is
 * tried again then. */
enum status storage_inventory(struct storage *, const struct inventory **ret, struct error *);

/*
 * Opens what a name leads to: a file, a device of the map, or a disk or partition by what it is
 * (selector.h), which can only be read: what writes to disks is copy/target.h. A file that is split
 * (split.h) is opened with all its parts. The caller closes *ret. Errors: those of platform_open(),
 * split_open() and selector_find(); ST_UNSUPPORTED, a disk for writing; ST_REFUSED, a file that is
 * an unfinished image (unfinished.h).
 */
enum status storage_open(struct storage *, enum access_role, const char *name, enum open_mode,
			 struct blk **ret, struct error *);

/*
 * Adds to the access set what will be made or changed later under a name, a file or a device, with
 * the parts that an existing file has. Errors: those of access_add() and of finding it.
 */
enum status storage_use(struct storage *, enum access_role, enum access_use, const char *name,
			struct error *);

/* The same for a new file that is split as it grows: all names of parts are taken. */
enum status storage_use_split(struct storage *, enum access_role, const char *name, struct error *);

/* The same for a disk or partition that is written over; `selection` is in the storage's inventory.
 */
enum status storage_use_target(struct storage *, const char *name, const struct selection *,
			       const struct device *opened, struct error *);

/* Opens what is in the access set already. */
enum status storage_reopen(struct storage *, const char *name, enum open_mode, struct blk **ret,
			   struct error *);

/* Forgets the images that were opened for reading: they are closed, and may be opened for writing.
 */
void storage_forget_reads(struct storage *);

/* Whether both names lead to the same existing file, disk or partition, however they are written.
 */
bool storage_same(struct storage *, const char *a, const char *b);

/* Whether a name is that of a disk, a partition or a volume, not of a file on one:
 * "serial=S4X9NG0R12", "blk2:". */
bool storage_is_device(const char *name);
