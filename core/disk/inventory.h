/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "disk/part.h"
#include "disk/volume.h"
#include "platform/devices.h"

/*
 * The machine's disks with what is on them: the devices of the firmware joined with the partition
 * tables that this program reads itself.
 */

/* A partition that the table has, the firmware shows, or both. */
struct inventory_part {
	/* NULL: the firmware alone knows it (an El Torito image on a CD, say) */
	const struct part *entry;
	/* NULL: the firmware shows none for it (an extended one, a damaged table) */
	const struct device *device;
	uint64_t start_bytes;
	uint64_t size_bytes;
	struct volume volume; /* as its first blocks say */
};

struct inventory_disk {
	const struct device *device;
	struct part_table table;
	struct volume volume;        /* of a disk without a table that is a volume as a whole */
	struct inventory_part *part; /* by start */
	size_t n;
	/* efi-img was started from the disk or from a partition of it */
	bool started_from;
};

/* Everything points into `devices` and into the tables. */
struct inventory {
	struct device_list devices;
	struct inventory_disk *disk;
	size_t n;
};

/*
 * A disk that cannot be read is no failure, it says so in the note of its table. Errors:
 * ST_NO_MEMORY and those of platform_devices().
 */
enum status inventory_read(struct inventory *ret, struct error *);
void inventory_free(struct inventory *);
