/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rest of the boot disk. It is the one case in which that disk is written to as a disk: only
 * after the last partition, and to both copies of the GPT.
 */
#include "edit/stick.h"

#include "base/bytes.h"
#include "blk/window.h"
#include "disk/fat_format.h"
#include "disk/gpt_move.h"
#include "format/new_guid.h"
#include "platform/devices.h"

/* Windows, Linux and firmware mount a volume of this type. */
static const struct guid basic_data = { { 0xa2, 0xa0, 0xd0, 0xeb, 0xe5, 0xb9, 0x33, 0x44, 0x87,
					  0xc0, 0x68, 0xb6, 0xb7, 0x26, 0x99, 0xc7 } };

enum status stick_find_room(struct storage *storage, struct stick_room *ret, struct error *err)
{
	const struct inventory *inventory;
	const struct device *device;
	struct error why;
	enum status st = storage_inventory(storage, &inventory, err);

	*ret = (struct stick_room){ 0 };
	for (size_t i = 0; st == ST_OK && i < inventory->n; i++)
		if (inventory->disk[i].started_from)
			ret->disk = &inventory->disk[i];
	if (st != ST_OK)
		return st;
	if (ret->disk == NULL || ret->disk->device->blk == NULL)
		return fail(err, ST_NOT_FOUND, "the disk that efi-img was started from is unknown");
	device = ret->disk->device;
	if (device->read_only)
		return fail(err, ST_REFUSED, "the boot disk is write-protected");
	st = gpt_find_room(device->blk, device->block_bytes, &ret->room, &why);
	if (st != ST_OK)
		return fail(err, st, "the boot disk cannot get another volume: %s", why.text);
	if (ret->room.size_bytes < FAT_FORMAT_BYTES_MIN)
		return fail(err, ST_UNSUPPORTED,
			    "the boot disk has no unused space for another volume: %ju bytes "
			    "after its last partition",
			    ret->room.size_bytes);
	return ST_OK;
}

static enum status format(struct blk *disk, const struct stick_room *room, const struct guid *guid,
			  struct error *err)
{
	const struct window_kind kind = { .start = room->room.start_bytes,
					  .size = room->room.size_bytes };
	uint32_t block_bytes = room->disk->device->block_bytes;
	const struct fat_format volume = {
		.sector_bytes = block_bytes,
		.first_sector = room->room.start_bytes / block_bytes,
		.serial = (uint32_t)bytes_from_le(guid->b, 4),
		.label = STICK_LABEL,
	};
	struct blk *window = window_open(disk, &kind);
	enum status st;

	if (window == NULL)
		return fail_no_memory(err);
	st = fat_format(window, &volume, err);
	blk_close(window);
	return st;
}

enum status stick_make_volume(struct storage *storage, const struct stick_room *room,
			      struct error *err)
{
	const struct device *device = room->disk->device;
	struct gpt_new_part part = { .type = basic_data, .label = "efi-img images" };
	struct blk *disk;
	enum status st = storage_use_room(storage, room->disk, &room->room, err);

	if (st != ST_OK)
		return st;
	new_guid(device->path, 0, &part.guid);
	st = platform_open_target(device, &disk, err);
	if (st != ST_OK)
		return st;
	st = format(disk, room, &part.guid, err);
	if (st == ST_OK)
		st = gpt_add(disk, device->block_bytes, &room->room, &part, err);
	blk_close(disk);
	return st;
}
