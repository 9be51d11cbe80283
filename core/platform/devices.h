/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/status.h"

/* The block devices of the machine. */

struct blk;

/* A file system that the firmware has mounted on a device. */
struct volume_info {
	bool present;
	bool read_only;
	char *label; /* "" without one */
	uint64_t size_bytes;
	uint64_t free_bytes;
};

enum { DEVICE_NO_PARENT = -1 };

/*
 * A disk, or a partition that the firmware shows as a device of its own. Strings are never NULL, ""
 * where nothing is known.
 */
struct device {
	uintptr_t id;       /* what the platform knows it by; equal: the same device */
	uint32_t medium_id; /* of the medium in it now */
	char **names;       /* its map names, best first: "fs0:", "blk1:" */
	size_t n_names;
	char *path;           /* device path in its text form */
	int parent;           /* a partition: the index of its disk; a disk: DEVICE_NO_PARENT */
	uint64_t start_bytes; /* a partition: where it begins on its disk */
	const char *bus;      /* "NVMe", "SATA", "USB", "SCSI", "virtio", "SD", ...; static */
	char *model;
	char *serial;
	uint64_t size_bytes; /* 0 without a medium */
	uint32_t block_bytes;
	bool removable;
	bool read_only;
	bool medium;       /* there is a medium in the drive */
	bool started_from; /* efi-img was started from this device */
	bool current;      /* the current directory is on it */
	bool flushes;      /* a flush is passed on to the drive, as far as can be told */
	struct volume_info volume;
	struct blk *blk; /* for reading; NULL without a medium */
};

struct device_list {
	struct device *device; /* disks before their partitions, in the order of the map names */
	size_t n;
};

/*
 * Every block device that the machine has, drivers connected first. All of it is the caller's then,
 * on failure too.
 */
enum status platform_devices(struct device_list *ret, struct error *);

/*
 * Opens a device of platform_devices(), which has a medium, for reading: blk_writes() counts from
 * here on. The caller closes it. Errors: those of platform_open() for a device.
 */
enum status platform_open_device(const struct device *, struct blk **ret, struct error *);

/*
 * The device that a file, or the place for a new one, is on, or that a name of the map means.
 * False: none that platform_devices() has.
 */
bool platform_device_of(const char *name, uintptr_t *ret_id);

/*
 * Opens a device of platform_devices() to be written over, for nobody else until it is closed: what
 * the firmware has mounted on it is taken down before, and mounted again then. Each write makes
 * sure that it is still the device that was listed, with the same medium. A device that is gone, or
 * exchanged, is ST_MEDIUM_CHANGED from then on, whatever comes in its place. Other blks on it, or
 * on its partitions, may only be closed meanwhile. Errors: ST_DENIED, ST_MEDIUM_CHANGED,
 * ST_READ_ONLY, ST_NO_MEDIUM, ST_NO_MEMORY.
 */
enum status platform_open_target(const struct device *, struct blk **ret, struct error *);
