/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/status.h"
#include "blk/blk.h"

/*
 * Opens a disk or partition for reading, as a blk over EFI_BLOCK_IO_PROTOCOL (UEFI 2.10, 13.9). The
 * caller closes it. The medium present now is the one that is read: when it is exchanged, or the
 * device unplugged, reads fail with ST_MEDIUM_CHANGED. blk_flush() calls file_system_settle().
 * Statuses: ST_MEDIUM_CHANGED (the device is gone already), ST_NO_MEDIUM, ST_UNSUPPORTED (not
 * disk_is_usable()), ST_CORRUPT (an impossible size), ST_NO_MEMORY.
 */
[[nodiscard]] enum status disk_open(EFI_HANDLE, struct blk **ret);

/*
 * Counts a write to a device, or to a volume on it, in every open disk that overlaps it
 * (blk->device->n_writes). Comes before every write of this program.
 */
void disk_count_write(EFI_HANDLE device);

/*
 * Returns whether efi-img can use a device with such blocks: a power of two from 512 bytes to 1
 * MiB. Others are no disks: iPXE's virtual volume has blocks of one byte, audio CDs of 2352.
 * Without a medium the block size has no meaning, and the result is true.
 */
bool disk_is_usable(const EFI_BLOCK_IO_MEDIA *);

/*
 * Returns the handle of the whole disk that a device is, or is a partition of: its path without the
 * nodes of partitions. NULL: the handle has no Block I/O (a volume on the network).
 */
EFI_HANDLE disk_whole(EFI_HANDLE device);

/*
 * Returns the size of the medium in bytes; 0: no medium, or the firmware's numbers are impossible.
 */
uint64_t disk_size(const EFI_BLOCK_IO_MEDIA *);

/*
 * Returns whether a block that could be read before can still be read. If not, the device is gone
 * or dead: drivers notice that late, and report a device error for each block until then. True
 * where that cannot be found out.
 */
bool disk_answers(EFI_HANDLE, uint64_t offset);

/*
 * Reads whole blocks, and fails with EFI_DEVICE_ERROR if the driver reports success although it has
 * read nothing (see disk.c). disk_read_by() calls the given function of the driver.
 */
EFI_STATUS disk_read_by(EFI_BLOCK_READ, EFI_BLOCK_IO_PROTOCOL *, uint32_t media_id, uint64_t lba,
			void *buf, size_t len);
EFI_STATUS disk_read_blocks(EFI_BLOCK_IO_PROTOCOL *, uint32_t media_id, uint32_t block_bytes,
			    uint64_t offset, void *buf, size_t len);
