/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks and partitions for reading (EFI_BLOCK_IO_PROTOCOL, UEFI 2.10, 13.9), and what a disk's
 * handle tells about it.
 *
 * A driver's answer is not taken on trust:
 * - The protocol may be uninstalled when the device goes, so that it is looked up before each
 * transfer, and
 *   compared with the one that was opened.
 * - Some drivers, virtio's for one, ignore the MediaId that they are handed; it is compared here.
 * - A driver may report success for a read that has transferred nothing (disk_read_by()).
 *
 * Transfers are 1 MiB: larger ones are hardly faster, and Ctrl-C would be noticed later.
 */
#include <efi.h>

#include "disk.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "device_path.h"
#include "file_system.h"
#include "firmware.h"
#include "status.h"

enum {
	TRANSFER_BYTES = 1 << 20,
	PAGE_BYTES = 4096,
	BLOCK_BYTES_MIN = 512,
};

struct disk {
	struct blk blk; /* first: a struct blk * that comes in is a struct disk * */
	EFI_HANDLE handle;
	EFI_BLOCK_IO_PROTOCOL *io; /* dangling once the device is gone */
	uint32_t media_id;         /* of the medium that was opened */
	uint64_t last_good_offset; /* of a block that could be read; UINT64_MAX: none so far */
	struct blk_device device;
	struct disk *next;
};

static struct disk *opened; /* list of all open disks, for disk_count_write() */

/*
 * What is put into each block of a buffer before a read. It is the same for all reads, and made of
 * addresses of the firmware, so that no disk can be made that has it.
 */
static uint64_t mark_of_unread(void)
{
	uint64_t here = (uintptr_t)firmware.system ^ (uint64_t)(uintptr_t)firmware.services << 20;

	return (here + 0x9e3779b97f4a7c15) * 6364136223846793005 + 1442695040888963407;
}

/*
 * EDK2's AHCI driver (202011 to 202302) reports success for a read that the drive has failed, and
 * leaves the buffer as it was. So does U-Boot 2025.01, which then has that buffer in its cache, and
 * answers the next read of the block from there, also of the next program. A block that has the
 * mark after a read was not read.
 */
EFI_STATUS disk_read_by(EFI_BLOCK_READ read, EFI_BLOCK_IO_PROTOCOL *io, uint32_t media_id,
			uint64_t lba, void *buf, size_t len)
{
	uint32_t block_bytes = io->Media->BlockSize;
	uint8_t *bytes = buf;
	EFI_STATUS efi;
	uint64_t mark = mark_of_unread(), found;

	if (buf == NULL || block_bytes < BLOCK_BYTES_MIN || len % block_bytes != 0)
		return read(io, media_id, lba, len, buf); /* which refuses */
	for (size_t i = 0; i < len; i += block_bytes)
		__builtin_memcpy(bytes + i, &mark, sizeof mark); /* inline: no call per block */
	efi = read(io, media_id, lba, len, buf);
	for (size_t i = 0; efi == EFI_SUCCESS && i < len; i += block_bytes) {
		__builtin_memcpy(&found, bytes + i, sizeof found);
		if (found == mark)
			efi = EFI_DEVICE_ERROR;
	}
	return efi;
}

EFI_STATUS disk_read_blocks(EFI_BLOCK_IO_PROTOCOL *io, uint32_t media_id, uint32_t block_bytes,
			    uint64_t offset, void *buf, size_t len)
{
	return disk_read_by(io->ReadBlocks, io, media_id, offset / block_bytes, buf, len);
}

bool disk_answers(EFI_HANDLE handle, uint64_t offset)
{
	EFI_BLOCK_IO_PROTOCOL *io = PROTOCOL(handle, EFI_BLOCK_IO_PROTOCOL);
	uint32_t n = io != NULL && disk_is_usable(io->Media) ? io->Media->BlockSize : 0;
	void *block = n > 0 ? io_alloc(n) : NULL;
	bool answers = true;

	if (block != NULL)
		answers = disk_read_blocks(io, io->Media->MediaId, n, offset, block, n) ==
			  EFI_SUCCESS;
	io_free(block, n);
	return answers;
}

static enum status disk_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct disk *disk = (struct disk *)blk;
	EFI_BLOCK_IO_PROTOCOL *io = disk->io;
	enum status st;

	if (PROTOCOL(disk->handle, EFI_BLOCK_IO_PROTOCOL) != io)
		return ST_MEDIUM_CHANGED;
	if (!io->Media->MediaPresent)
		return ST_NO_MEDIUM;
	if (io->Media->MediaId != disk->media_id)
		return ST_MEDIUM_CHANGED;
	st = status_from_efi(
		disk_read_blocks(io, disk->media_id, blk->block_bytes, offset, buf, len));
	if (st == ST_OK)
		disk->last_good_offset = offset;
	else if (st == ST_IO && disk->last_good_offset != UINT64_MAX &&
		 !disk_answers(disk->handle, disk->last_good_offset))
		st = ST_MEDIUM_CHANGED;
	return st;
}

static enum status disk_settle(struct blk *blk)
{
	return file_system_settle(((struct disk *)blk)->handle);
}

static void disk_close(struct blk *blk)
{
	struct disk **at = &opened;

	while (*at != (struct disk *)blk)
		at = &(*at)->next;
	*at = (*at)->next;
	mem_free(blk);
}

static const struct blk_ops disk_ops = {
	.read = disk_read,
	.flush = disk_settle,
	.close = disk_close,
};

/* Whether two handles are the same device, or one is a part of the other. */
static bool overlap(EFI_HANDLE a, EFI_HANDLE b)
{
	const EFI_DEVICE_PATH_PROTOCOL *path_a = device_path_of(a), *path_b = device_path_of(b);

	if (a == b || path_a == NULL || path_b == NULL)
		return a == b;
	return device_path_is_below(path_a, path_b) || device_path_is_below(path_b, path_a);
}

void disk_count_write(EFI_HANDLE device)
{
	for (struct disk *disk = opened; disk != NULL; disk = disk->next)
		if (overlap(disk->handle, device))
			disk->device.n_writes++;
}

bool disk_is_usable(const EFI_BLOCK_IO_MEDIA *media)
{
	uint32_t n = media->BlockSize;

	return !media->MediaPresent ||
	       (is_power_of_two(n) && n >= BLOCK_BYTES_MIN && n <= TRANSFER_BYTES);
}

EFI_HANDLE disk_whole(EFI_HANDLE device)
{
	EFI_BLOCK_IO_PROTOCOL *io = PROTOCOL(device, EFI_BLOCK_IO_PROTOCOL);
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(device);
	EFI_DEVICE_PATH_PROTOCOL *above = NULL;

	if (io == NULL || !io->Media->LogicalPartition)
		return io != NULL ? device : NULL;
	FOR_EACH_NODE(node, path)
	{
		if (node->Type == MEDIA_DEVICE_PATH) {
			above = device_path_copy(path, (size_t)((const uint8_t *)node -
								(const uint8_t *)path));
			break;
		}
	}
	if (above != NULL)
		device = device_path_locate(above, &(EFI_GUID)EFI_BLOCK_IO_PROTOCOL_GUID);
	mem_free(above);
	return device;
}

uint64_t disk_size(const EFI_BLOCK_IO_MEDIA *media)
{
	uint64_t n_blocks, size;

	if (!media->MediaPresent || !add_ok(media->LastBlock, 1, &n_blocks))
		return 0;
	if (!mul_ok(n_blocks, media->BlockSize, &size))
		return 0;
	return size <= SIZE_LIMIT ? size : 0;
}

/* A copy of what the device says of its medium, and its protocol. NULL: it is gone. */
static EFI_BLOCK_IO_PROTOCOL *look(EFI_HANDLE handle, EFI_BLOCK_IO_MEDIA *ret)
{
	UINTN level = firmware_hold();
	EFI_BLOCK_IO_PROTOCOL *io = PROTOCOL(handle, EFI_BLOCK_IO_PROTOCOL);

	if (io != NULL)
		*ret = *io->Media;
	firmware_release(level);
	return io;
}

enum status disk_open(EFI_HANDLE handle, struct blk **ret)
{
	EFI_BLOCK_IO_MEDIA media;
	EFI_BLOCK_IO_PROTOCOL *io = look(handle, &media);
	struct disk *disk;
	uint32_t align;

	if (io == NULL)
		return ST_MEDIUM_CHANGED;
	/* 0 and 1 both mean any alignment (UEFI 2.10, 13.9) */
	align = media.IoAlign > 1 ? media.IoAlign : 1;
	if (!media.MediaPresent)
		return ST_NO_MEDIUM;
	if (!disk_is_usable(&media))
		return ST_UNSUPPORTED;
	if (!is_power_of_two(align) || align > PAGE_BYTES)
		return ST_UNSUPPORTED;
	if (disk_size(&media) == 0)
		return ST_CORRUPT;
	disk = mem_alloc(sizeof *disk);
	if (disk == NULL)
		return ST_NO_MEMORY;
	disk->blk = (struct blk){
		.ops = &disk_ops,
		.size = disk_size(&media),
		.block_bytes = media.BlockSize,
		.buffer_align = align,
		.transfer_bytes = TRANSFER_BYTES,
		.device = &disk->device,
	};
	disk->device.id = (uintptr_t)handle;
	disk->handle = handle;
	disk->last_good_offset = UINT64_MAX;
	disk->io = io;
	disk->media_id = media.MediaId;
	disk->next = opened;
	opened = disk;
	*ret = &disk->blk;
	return ST_OK;
}
