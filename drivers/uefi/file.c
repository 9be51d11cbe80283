/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files as blks (EFI_FILE_PROTOCOL, UEFI 2.10, 13.5). The behaviour of real file system drivers
 * decides what is done here:
 *
 * - Setting the position past the end of the file and writing there exposes stale clusters in
 *   the gap (EDK2's FAT), or fails (U-Boot's). So a file grows only by a write at its end, and new
 *   bytes are written as zeros.
 * - A seek back makes FAT walk the chain of clusters from the start of the file. So the position is
 *   tracked, and set only where an access does not continue the last one.
 * - Close() hides errors. So flush is an operation of its own.
 * - Flush() ends at the driver of the disk, and most of these do not pass it on to the drive. So
 * the
 *   drive's own command follows (flush.h).
 * - U-Boot's FAT truncates a file after each write. Such volumes are recognised before anything is
 *   written (rewrite.h), and refused here as a last resort.
 */
#include <efi.h>

#include "file.h"

#include "base/memory.h"
#include "base/range.h"
#include "disk.h"
#include "file_system.h"
#include "firmware.h"
#include "flush.h"
#include "rewrite.h"
#include "status.h"

/* four to six times as fast as 64 KiB; larger gains little and delays Ctrl-C */
enum { TRANSFER_BYTES = 1 << 20 };

#define POSITION_UNKNOWN UINT64_MAX

struct file {
	struct blk blk; /* first: a struct blk * that comes in is a struct file * */
	EFI_FILE_PROTOCOL *file;
	EFI_HANDLE volume;
	uint64_t position; /* of the firmware in the file, or POSITION_UNKNOWN */
};

/*
 * File systems report a device that is gone as a device error. Their first block could be read when
 * they were mounted, so a read of it tells the two apart.
 */
static enum status status_of(const struct file *file, EFI_STATUS efi)
{
	enum status st = status_from_efi(efi);

	if (st == ST_IO && (PROTOCOL(file->volume, EFI_SIMPLE_FILE_SYSTEM_PROTOCOL) == NULL ||
			    !disk_answers(file->volume, 0)))
		st = ST_MEDIUM_CHANGED;
	return st;
}

static enum status seek(struct file *file, uint64_t offset)
{
	enum status st;

	if (file->position == offset)
		return ST_OK;
	st = status_of(file, file->file->SetPosition(file->file, offset));
	file->position = st == ST_OK ? offset : POSITION_UNKNOWN;
	return st;
}

static enum status file_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct file *file = (struct file *)blk;
	uint8_t *to = buf;
	enum status st = seek(file, offset);

	while (st == ST_OK && len > 0) {
		UINTN n = len;

		st = status_of(file, file->file->Read(file->file, &n, to));
		if (st == ST_OK && (n == 0 || n > len))
			st = ST_IO; /* the file is shorter than its directory entry says */
		if (st != ST_OK)
			break;
		file->position += n;
		to += n;
		len -= n;
	}
	if (st != ST_OK)
		file->position = POSITION_UNKNOWN;
	return st;
}

static enum status file_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct file *file = (struct file *)blk;
	UINTN n = len;
	EFI_STATUS efi;
	enum status st = seek(file, offset);

	if (st != ST_OK)
		return st;
	if (offset + len < blk->size && rewrite_truncates(file->volume))
		return ST_UNSUPPORTED; /* the bytes after these would be lost */
	disk_count_write(file->volume);
	/* the interface lacks const; the buffer is only read */
	efi = file->file->Write(file->file, &n, (void *)(uintptr_t)buf);
	if (efi == EFI_SUCCESS && n == len) {
		file->position += len;
		blk->size = max_u64(blk->size, file->position);
		return ST_OK;
	}
	file->position = POSITION_UNKNOWN;
	if (efi == EFI_SUCCESS)
		/* a short write without an error: the volume is full */
		return ST_NO_SPACE;
	/* FAT reports files of 4 GiB and more as unsupported */
	return efi == EFI_UNSUPPORTED ? ST_TOO_LARGE : status_of(file, efi);
}

static enum status file_flush(struct blk *blk)
{
	struct file *file = (struct file *)blk;
	EFI_HANDLE disk = disk_whole(file->volume);
	enum status st = status_of(file, file->file->Flush(file->file));

	return st == ST_OK && disk != NULL ? flush_drive(disk) : st;
}

enum status file_info(EFI_FILE_PROTOCOL *file, EFI_FILE_INFO **ret)
{
	EFI_FILE_INFO *info;
	size_t bytes;
	enum status st = file_get_info(file, &(EFI_GUID)EFI_FILE_INFO_ID, (void **)&info, &bytes);

	if (st != ST_OK)
		return st;
	if (bytes < SIZE_OF_EFI_FILE_INFO + sizeof *info->FileName ||
	    ((uint8_t *)info)[bytes - 1] != 0 || ((uint8_t *)info)[bytes - 2] != 0) {
		mem_free(info);
		return ST_IO;
	}
	*ret = info;
	return ST_OK;
}

enum status file_shrink(EFI_FILE_PROTOCOL *file, uint64_t size)
{
	EFI_FILE_INFO *info;
	enum status st = file_info(file, &info);

	if (st != ST_OK)
		return st;
	info->FileSize = size;
	st = status_from_efi(
		file->SetInfo(file, &(EFI_GUID)EFI_FILE_INFO_ID, (UINTN)info->Size, info));
	mem_free(info);
	/* verified: stale bytes past the new end would become contents of the file as it grows */
	if (st == ST_OK)
		st = file_info(file, &info);
	if (st != ST_OK)
		return st;
	st = info->FileSize == size ? ST_OK : ST_MISMATCH;
	mem_free(info);
	return st;
}

/* Every kind of preallocation is the same: FAT has no holes, so new bytes are always written. */
static enum status file_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct file *file = (struct file *)blk;
	enum status st;

	(void)prealloc;
	if (size > blk->size)
		return blk_write_zeros(blk, blk->size, size - blk->size);
	if (size == blk->size)
		return ST_OK;
	st = file_shrink(file->file, size);
	file->position = POSITION_UNKNOWN; /* it may be past the end now */
	if (st == ST_OK)
		blk->size = size;
	return st;
}

static enum status file_allocated(struct blk *blk, uint64_t *ret)
{
	struct file *file = (struct file *)blk;
	EFI_FILE_INFO *info;
	enum status st = file_info(file->file, &info);

	if (st != ST_OK)
		return st;
	*ret = info->PhysicalSize;
	mem_free(info);
	return ST_OK;
}

static void file_close(struct blk *blk)
{
	struct file *file = (struct file *)blk;

	(void)file->file->Close(file->file); /* always succeeds; errors were reported by flush */
	mem_free(file);
}

static const struct blk_ops reading = {
	.read = file_read,
	.allocated = file_allocated,
	.close = file_close,
};

static const struct blk_ops writing = {
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.resize = file_resize,
	.allocated = file_allocated,
	.close = file_close,
};

struct blk *file_blk(EFI_FILE_PROTOCOL *efi_file, EFI_HANDLE volume, uint64_t size,
		     enum open_mode mode)
{
	struct file *file = mem_alloc(sizeof *file);

	if (file == NULL)
		return NULL;
	file->blk = (struct blk){
		.ops = mode == OPEN_WRITE ? &writing : &reading,
		.size = size,
		.block_bytes = 1,
		.buffer_align = 1,
		.transfer_bytes = TRANSFER_BYTES,
	};
	file->file = efi_file;
	file->volume = volume;
	file->position = POSITION_UNKNOWN;
	return &file->blk;
}
