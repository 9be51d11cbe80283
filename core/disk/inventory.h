/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "disk/drive_note.h"
#include "disk/part.h"
#include "fs/fs.h"
#include "platform/devices.h"

/*
 * All disks of the machine and their contents: the devices of the firmware, joined with the
 * partition tables as this program reads them.
 */

/* What a physical volume of LVM has; of anything else there are none. */
struct logical_volumes {
	struct fs_volume *volume;
	size_t n;
};

/* A partition in the table, a device of the firmware, or both. */
struct inventory_part {
	/* NULL: only the firmware has it (an El Torito image on a CD, for example) */
	const struct part *entry;
	/* NULL: the firmware has no device for it (an extended partition, a damaged table) */
	const struct device *device;
	uint64_t start_bytes;
	uint64_t size_bytes;
	struct fs volume; /* recognised by its first blocks */
	struct logical_volumes logical;
};

struct inventory_disk {
	const struct device *device;
	struct part_table table;
	struct fs volume; /* of a disk without a table, which may be one volume */
	struct logical_volumes logical;
	struct inventory_part *part; /* sorted by start */
	size_t n;
	/* efi-img was started from the disk, or from a partition of it */
	bool started_from;
	/* it is larger than its GPT was made for as well; that is no note of the table then */
	bool unused_end;
	/* what the drive says that makes an image worthless or incomplete (drive_note.h); "" */
	char drive_note[DRIVE_NOTE];
	/* another disk that a system takes for this one, and what to do; "": there is none */
	char twin_note[DRIVE_NOTE];
};

/* Pointers within lead to `devices` and to the tables. */
struct inventory {
	struct device_list devices;
	struct inventory_disk *disk;
	size_t n;
};

/*
 * Reads all disks of the machine. One that cannot be read is no failure; the note of its table has
 * the reason. The caller frees *ret with inventory_free(); it is empty on failure. Statuses:
 * ST_NO_MEMORY, those of platform_devices().
 */
enum status inventory_read(struct inventory *ret, struct error *);
void inventory_free(struct inventory *);
