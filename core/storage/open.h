#pragma once

#include "base/platform.h"

/*
 * Opens what a name leads to: a file, a device of the map, or a disk or partition by what it is (selector.h), which
 * can only be read: what writes to disks is job/target.h. A file that is split (storage/split.h) is opened with all its
 * parts. Errors: those of platform_open(), split_open() and selector_find();
 * ST_UNSUPPORTED.
 */
enum status storage_open(const char *name, enum open_mode, struct blk **ret, struct error *);

/* platform_same() for such names. */
bool storage_same(const char *a, const char *b);

/* Whether a name is that of a disk, a partition or a volume, not of a file on one: "serial=S4X9NG0R12", "blk2:". */
bool storage_is_device(const char *name);
