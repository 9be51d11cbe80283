/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk or partition that is overwritten (platform/devices.h).
 *
 * The target is opened EXCLUSIVE on its Block I/O, which makes the firmware disconnect the drivers
 * on top of it: partitions and file systems go, the disk stays. Otherwise the FAT driver would
 * write its cache over what was restored. (DisconnectController() could remove the disk itself.)
 * Closing connects the drivers again, which find the new partitions.
 *
 * Each write compares the device with the one that was listed and confirmed: protocol, medium, path
 * and size. A serial number costs commands to the drive, so it is compared at every flush (there is
 * one right before the first byte), and after every 32 MiB in between. After the first difference
 * the target is gone for good, whatever device takes its place.
 */
#include <efi.h>

#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "base/zero.h"
#include "blk/blk.h"
#include "device_path.h"
#include "disk.h"
#include "file_path.h"
#include "firmware.h"
#include "flush.h"
#include "identity.h"
#include "nvme.h"
#include "platform/devices.h"
#include "platform/person.h"
#include "sata.h"
#include "scsi.h"
#include "status.h"

enum { BYTES_BETWEEN_SERIALS = 32 << 20, ZERO_BYTES_MIN = 1 << 20 };

struct target {
	struct blk blk; /* first: a struct blk * that comes in is a struct target * */
	struct blk_device device;
	EFI_HANDLE handle;
	EFI_HANDLE disk; /* the whole disk of `handle` */
	EFI_BLOCK_IO_PROTOCOL *io;
	EFI_DEVICE_PATH_PROTOCOL *path;
	char *serial;
	uint32_t medium_id;
	uint64_t since_serial;
	struct nvme_zeroing zeroing;
	bool gone; /* for good, even if a device takes its place */
};

/* ---- Identity ---- */

static bool same_path(const struct target *target)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(target->handle);
	size_t n = device_path_length(path);

	return n == device_path_length(target->path) && memcmp(path, target->path, n) == 0;
}

static bool same_serial(struct target *target)
{
	char *model, *serial;
	bool same = identity_of(target->disk, &model, &serial) == ST_OK &&
		    text_equal(serial, target->serial);

	mem_free(model);
	mem_free(serial);
	target->since_serial = 0;
	return same;
}

/*
 * Checks that the device is still the one that was opened. Drivers of removable media may replace
 * the protocol itself when the medium changes.
 */
static enum status check_same(struct target *target, bool serial)
{
	const EFI_BLOCK_IO_MEDIA *media;

	if (target->gone || PROTOCOL(target->handle, EFI_BLOCK_IO_PROTOCOL) != target->io)
		goto gone;
	media = target->io->Media;
	if (!media->MediaPresent || media->MediaId != target->medium_id ||
	    media->BlockSize != target->blk.block_bytes ||
	    disk_size(target->io->Media) != target->blk.size || !same_path(target))
		goto gone;
	if (serial && !same_serial(target))
		goto gone;
	return media->ReadOnly ? ST_READ_ONLY : ST_OK;
gone:
	target->gone = true;
	return ST_MEDIUM_CHANGED;
}

/*
 * The status of a transfer. A device error may be the first sign that the device is gone: then it
 * does not return its serial number either.
 */
static enum status status_of(struct target *target, EFI_STATUS efi)
{
	enum status st = status_from_efi(efi);

	if (st == ST_IO && check_same(target, true) == ST_MEDIUM_CHANGED)
		return ST_MEDIUM_CHANGED;
	if (st != ST_MEDIUM_CHANGED && st != ST_NO_MEDIUM)
		return st;
	target->gone = true;
	return ST_MEDIUM_CHANGED;
}

/* ---- The blk ---- */

static enum status target_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct target *target = (struct target *)blk;
	enum status st = check_same(target, false);

	if (st == ST_OK || st == ST_READ_ONLY)
		st = status_of(target, disk_read_blocks(target->io, target->medium_id,
							blk->block_bytes, offset, buf, len));
	return st;
}

static enum status target_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct target *target = (struct target *)blk;
	VOID *bytes = (VOID *)(uintptr_t)buf; /* only read by the firmware */
	enum status st;

	target->since_serial += len;
	st = check_same(target, target->since_serial > BYTES_BETWEEN_SERIALS);
	if (st != ST_OK)
		return st;
	disk_count_write(target->handle);
	return status_of(target, target->io->WriteBlocks(target->io, target->medium_id,
							 offset / blk->block_bytes, len, bytes));
}

/* Reads a block back and returns whether it is all zeros. */
static bool is_zero_block(struct target *target, uint64_t offset, void *block)
{
	return target_read(&target->blk, offset, block, target->blk.block_bytes) == ST_OK &&
	       is_zero(block, target->blk.block_bytes);
}

/*
 * Zeroes blocks by the drive's command. Some drives report success and do nothing, so the first and
 * the last block are read back.
 */
static enum status zero_blocks(struct target *target, uint64_t offset, uint64_t len)
{
	uint32_t n = target->blk.block_bytes;
	uint8_t *block = io_alloc(n);
	bool done = block != NULL &&
		    nvme_zero(&target->zeroing, offset / n, (uint32_t)(len / n)) == ST_OK;

	done = done && is_zero_block(target, offset, block) &&
	       is_zero_block(target, offset + len - n, block);
	io_free(block, n);
	return done ? ST_OK : ST_UNSUPPORTED;
}

/* After the first failure the command is not used again: zeros are written instead. */
static enum status target_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	struct target *target = (struct target *)blk;
	uint64_t end = offset + len, n;
	enum status st = ST_OK;

	if (target->zeroing.protocol == NULL || len < ZERO_BYTES_MIN ||
	    (offset | len) % blk->block_bytes != 0)
		return ST_UNSUPPORTED;
	for (; st == ST_OK && offset < end; offset += n) {
		n = min_u64(end - offset, NVME_ZERO_BLOCKS_MAX * (uint64_t)blk->block_bytes);
		target->since_serial += n;
		st = platform_cancelled()
			     ? ST_CANCELLED
			     : check_same(target, target->since_serial > BYTES_BETWEEN_SERIALS);
		if (st != ST_OK)
			return st;
		disk_count_write(target->handle);
		st = zero_blocks(target, offset, n);
	}
	if (st != ST_OK)
		target->zeroing.protocol = NULL;
	return st;
}

static enum status target_flush(struct blk *blk)
{
	struct target *target = (struct target *)blk;
	enum status st = check_same(target, true);

	if (st == ST_OK)
		st = status_of(target, target->io->FlushBlocks(target->io));
	return st == ST_OK ? flush_drive(target->disk) : st;
}

/* Connects the drivers that EXCLUSIVE has disconnected, so that they find what is on it now. */
static void reconnect(EFI_HANDLE handle)
{
	/* fails where no driver recognises anything, on an empty disk for example */
	(void)firmware.services->ConnectController(handle, NULL, NULL, TRUE);
}

static void target_close(struct blk *blk)
{
	struct target *target = (struct target *)blk;

	/* fails only if the device is gone */
	(void)firmware.services->CloseProtocol(target->handle,
					       &(EFI_GUID)EFI_BLOCK_IO_PROTOCOL_GUID,
					       firmware.image, NULL);
	reconnect(target->handle);
	mem_free(target->serial);
	mem_free(target->path);
	mem_free(target);
}

/* ---- Opening ---- */

/* Stores the identity of the device, and checks that it is the one that was listed. */
static enum status take_identity(struct target *target, const struct device *device)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(target->handle);
	char *text = device_path_text(path), *model;
	enum status st;

	target->medium_id = device->medium_id;
	target->disk = disk_whole(target->handle);
	target->path = path != NULL ? device_path_copy(path, device_path_length(path)) : NULL;
	st = identity_of(target->disk, &model, &target->serial);
	mem_free(model);
	target->zeroing = nvme_zeroing_of(target->handle);
	target->blk.zero_bytes = target->zeroing.protocol != NULL ? ZERO_BYTES_MIN : 0;
	if (st != ST_OK || text == NULL)
		st = ST_NO_MEMORY;
	else if (!text_equal(text, device->path) || target->blk.size != device->size_bytes ||
		 target->blk.block_bytes != device->block_bytes ||
		 (device->parent == DEVICE_NO_PARENT &&
		  !text_equal(target->serial, device->serial)))
		st = ST_MEDIUM_CHANGED;
	mem_free(text);
	return st == ST_OK ? check_same(target, false) : st;
}

static enum status open_exclusively(struct target *target)
{
	static const struct blk_ops ops = {
		.read = target_read,
		.write = target_write,
		.zero = target_zero,
		.flush = target_flush,
		.close = target_close,
	};
	VOID *interface = NULL;
	struct blk *reading;
	EFI_STATUS efi;
	enum status st;

	if (PROTOCOL(target->handle, EFI_BLOCK_IO_PROTOCOL) == NULL)
		return ST_MEDIUM_CHANGED;
	sata_watch(target->handle);
	scsi_reset_begin(disk_whole(target->handle));
	efi = firmware.services->OpenProtocol(target->handle, &(EFI_GUID)EFI_BLOCK_IO_PROTOCOL_GUID,
					      &interface, firmware.image, NULL,
					      EFI_OPEN_PROTOCOL_EXCLUSIVE);
	scsi_reset_end();
	if (efi != EFI_SUCCESS)
		return status_from_efi(efi);
	target->io = interface;
	/* the requirements for reading are those for writing */
	st = disk_open(target->handle, &reading);
	if (st != ST_OK) {
		(void)firmware.services->CloseProtocol(target->handle,
						       &(EFI_GUID)EFI_BLOCK_IO_PROTOCOL_GUID,
						       firmware.image, NULL);
		return st;
	}
	target->blk = *reading;
	target->blk.ops = &ops;
	target->blk.device = &target->device;
	target->device.id = (uintptr_t)target->handle;
	blk_close(reading);
	return ST_OK;
}

enum status platform_open_target(const struct device *device, struct blk **ret, struct error *err)
{
	struct target *target = mem_alloc(sizeof *target);
	enum status st;

	device_permitted(device->id);
	if (target == NULL)
		return fail_no_memory(err);
	target->handle = (EFI_HANDLE)device->id;
	st = open_exclusively(target);
	if (st != ST_OK) {
		reconnect(target->handle);
		mem_free(target);
	} else {
		st = take_identity(target, device);
		if (st != ST_OK)
			target_close(&target->blk);
	}
	if (st == ST_DENIED)
		return fail(err, st, "%s: a driver of the firmware does not release it",
			    device->path);
	if (st != ST_OK)
		return fail(err, st, "%s: cannot open it for writing: %s", device->path,
			    status_text(st));
	*ret = &target->blk;
	return ST_OK;
}
