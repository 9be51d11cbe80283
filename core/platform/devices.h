/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/status.h"
#include "platform/drive.h"

/* The block devices of the machine: disks, and partitions that the firmware shows as devices. */

struct blk;

/* The file system that the firmware has mounted on a device. */
struct volume_info {
	bool present; /* false: none is mounted; the other members are 0 then, and label is "" */
	bool read_only;
	char *label; /* "" without one */
	uint64_t size_bytes;
	uint64_t free_bytes;
};

enum { DEVICE_NO_PARENT = -1 };

/* A disk or a partition. Strings are never NULL; "" where nothing is known. */
struct device {
	uintptr_t id;       /* identifies the device until the machine is reset */
	uint32_t medium_id; /* changes with the medium in it */
	char **names; /* names in the firmware's map, the preferred one first: "fs0:", "blk1:" */
	size_t n_names;
	char *path; /* device path as text (UEFI 2.10, 10.6); on Linux, of the device file */
	int parent; /* partition: index of its disk in the list; disk: DEVICE_NO_PARENT */
	uint64_t start_bytes; /* partition: offset on its disk; disk: 0 */
	const char *bus;      /* "NVMe", "SATA", "USB", "SCSI", "virtio", "SD", ...; static */
	char *model;
	char *serial;
	uint64_t size_bytes;  /* 0 without a medium */
	uint32_t block_bytes; /* the unit that the device reads and writes */
	bool removable;
	bool read_only;
	bool medium;              /* there is a medium in the drive */
	bool started_from;        /* efi-img was started from it: the boot disk, or its partition */
	bool current;             /* the current directory is on this device */
	bool flushes;             /* a flush reaches the drive, as far as that can be found out */
	struct drive_facts drive; /* of a disk */
	struct volume_info volume;
	struct blk *blk; /* for reading; NULL without a medium */
};

struct device_list {
	struct device *device; /* disks before their partitions, in the order of the map names */
	size_t n;
	struct idle_controller idle[IDLE_CONTROLLERS_MAX]; /* whose disks are not in the list */
	size_t n_idle;
};

/*
 * Lists all block devices of the machine, after connecting the drivers of every controller that can
 * lead to one. The caller owns everything in *ret, on failure as well, and frees it with
 * inventory_free() (disk/inventory.h). Statuses: ST_NO_MEMORY, ST_IO.
 */
enum status platform_devices(struct device_list *ret, struct error *);

/*
 * Opens a device that platform_devices() has listed, and that has a medium, for reading. Writes to
 * the device are counted from here on, in blk->device->n_writes. The caller closes *ret. Statuses:
 * those of platform_open() for a device.
 */
enum status platform_open_device(const struct device *, struct blk **ret, struct error *);

/*
 * Finds the device that a file is on, or would be created on, or that a map name ("blk2:") stands
 * for. False: it is on none of the devices that platform_devices() lists, or does not exist.
 */
bool platform_device_of(const char *name, uintptr_t *ret_id);

/*
 * Opens a device that platform_devices() has listed for writing, exclusively: file systems on it
 * are unmounted now, and mounted anew when *ret is closed. Other blks on the device or its
 * partitions may only be closed meanwhile. The device must be permitted (platform/permit.h).
 *
 * Each write checks first that this is the device that was listed, with the same medium. If it has
 * gone or been exchanged, this write and all later ones fail with ST_MEDIUM_CHANGED, even if the
 * device returns.
 *
 * Statuses: ST_DENIED (something else uses the device exclusively), ST_MEDIUM_CHANGED,
 * ST_READ_ONLY, ST_NO_MEDIUM, ST_NO_MEMORY.
 */
enum status platform_open_target(const struct device *, struct blk **ret, struct error *);
