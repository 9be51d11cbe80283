/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/gpt_add.h"
#include "storage/storage.h"

/*
 * The stick that efi-img was started from: a volume for images in the space that nothing uses,
 * because the image of the stick is smaller than the stick.
 */

#define STICK_LABEL "IMAGES" /* of the volume */

struct stick_room {
	const struct inventory_disk *disk; /* the boot disk; the storage's */
	struct gpt_room room;
};

/*
 * Finds the unused space of the boot disk. Writes nothing. Errors: ST_NOT_FOUND (the boot disk is
 * unknown), ST_REFUSED (it is write-protected), ST_UNSUPPORTED, with the reason (no GPT, no free
 * entry, less than 64 MiB), those of storage_inventory() and of reading.
 */
enum status stick_find_room(struct storage *, struct stick_room *ret, struct error *);

/*
 * Makes a FAT32 volume of it: the file system first, then the partition (disk/gpt_add.h), so that
 * after a power failure there is either the volume, whole, or none. Nothing that a partition has
 * is written. The firmware mounts the volumes of the stick anew meanwhile, so that open files on
 * them are lost; it shows the new one after the next start at the latest. Errors: those of
 * storage_use_room(), platform_open_target(), fat_format() and gpt_add().
 */
enum status stick_make_volume(struct storage *, const struct stick_room *, struct error *);
