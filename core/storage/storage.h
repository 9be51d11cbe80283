/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/gpt_add.h"
#include "storage/access.h"

/*
 * What one command opens by name, and all that it touches. The disks of the machine are listed
 * once, when a name first needs them, and the list is kept until the command ends: two names of a
 * disk are found in the same inventory, and a slow controller is asked once.
 *
 * Whether something is a device is asked of its blk once it is open: blk->device (blk/blk.h).
 * Before that, storage_is_device() asks the name.
 */
struct storage {
	struct inventory inventory; /* use storage_inventory() */
	bool has_inventory;
	struct access access; /* all that the command reads and changes */
	const struct permit *before;
};

/*
 * Begins a command: until storage_end(), only what is in the access set may be changed. `outer`:
 * the storage of the script or menu that runs the command, which changes nothing meanwhile; NULL:
 * none. storage_end() is due on failure, too. Errors: ST_NO_MEMORY.
 */
enum status storage_begin(struct storage *, const struct storage *outer, struct error *);

/* Ends a command, and gives the permit back to the outer storage. All blks are closed before. */
void storage_end(struct storage *);

/*
 * The disks of the machine; the storage owns *ret. After a failure, which is one of
 * inventory_read()'s, *ret is empty, and the next call tries again.
 */
enum status storage_inventory(struct storage *, const struct inventory **ret, struct error *);

/*
 * Opens a name, and adds it to the access set: a file, with all parts of a split set (split.h); a
 * file in an archive, with the archive (archive.h), for reading only; a device by its name in the
 * map; a disk or partition by a selector (disk/selector.h). Devices are opened for reading only;
 * copy/target_run.h writes to them. The caller closes *ret. Errors: those of platform_open(),
 * split_open(), selector_find() and access_add(); ST_UNSUPPORTED, a device for writing; ST_REFUSED,
 * an unfinished image (unfinished.h).
 */
enum status storage_open(struct storage *, enum access_role, const char *name, enum open_mode,
			 struct blk **ret, struct error *);

/*
 * Finds the disk of a virtual machine in an archive of this name (archive_find_disk()): *ret is its
 * name for storage_open(), which the caller frees. ST_NOT_FOUND: it is no such archive, and the
 * error is not set; ST_UNSUPPORTED, and others of archive_find_disk().
 */
enum status storage_find_disk(const char *name, char **ret, struct error *);

/*
 * Adds a file, with the parts that it has, or a device to the access set, to be opened, created or
 * removed later. Errors: those of access_add(), selector_find() and platform_identify().
 */
enum status storage_use(struct storage *, enum access_role, enum access_use, const char *name,
			struct error *);

/* The same for a data file or extent of the image `owner`, which messages name. */
enum status storage_use_of(struct storage *, enum access_role, enum access_use, const char *name,
			   const char *owner, struct error *);

/* The same for a new file that is split as it grows: every file that may become a part is added. */
enum status storage_use_split(struct storage *, enum access_role, const char *name, struct error *);

/*
 * The same for a disk or partition that is overwritten; `selection` is of the storage's inventory,
 * `opened` is the device of it that platform_open_target() opens.
 */
enum status storage_use_target(struct storage *, const char *name, const struct selection *,
			       const struct device *opened, struct error *);

/*
 * The same for unused space of the boot disk, after its last partition, and the GPT of the disk
 * (disk/gpt_add.h): volumes on its partitions may be in use. `disk` is of the storage's inventory.
 */
enum status storage_use_room(struct storage *, const struct inventory_disk *disk,
			     const struct gpt_room *, struct error *);

/* Opens a name that is in the access set already; otherwise as storage_open(). */
enum status storage_reopen(struct storage *, const char *name, enum open_mode, struct blk **ret,
			   struct error *);

/*
 * Removes files that were opened for reading from the access set, so that they may be opened for
 * writing. The caller has closed them.
 */
void storage_forget_reads(struct storage *);

/* Whether both names are those of one existing file, disk or partition. */
bool storage_same(struct storage *, const char *a, const char *b);

/*
 * Tells what disks are called here to somebody who has named one as an operating system does
 * (path_is_foreign_disk()): no file of such a name is there to be read, and none is created or
 * changed. Returns ST_NOT_FOUND.
 */
enum status storage_refuse_foreign_disk(const char *name, struct error *);

/*
 * Whether a name, by its form, is that of a disk, partition or volume, not of a file on one:
 * "serial=S4X9NG0R12", "blk2:".
 */
bool storage_is_device(const char *name);
