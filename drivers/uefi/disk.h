/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/status.h"
#include "blk/blk.h"

/*
 * A disk or partition as a blk, over EFI_BLOCK_IO_PROTOCOL (UEFI 2.10, 13.9), for reading only. The
 * medium that is in at this moment is the one that is read: exchanging it, or pulling the device
 * out, ends in ST_MEDIUM_CHANGED. Its flush is file_system_settle(). Errors: ST_MEDIUM_CHANGED (the
 * device is gone already), ST_NO_MEDIUM, ST_UNSUPPORTED (a device that disk_is_usable() is false
 * of), ST_CORRUPT (an impossible size), ST_NO_MEMORY.
 */
[[nodiscard]] enum status disk_open(EFI_HANDLE, struct blk **ret);

/*
 * Counts a write to a device, or to a volume on it, for all open disks that have something in
 * common with it (blk->device->n_writes). Every write of this program goes with such a call.
 */
void disk_count_write(EFI_HANDLE device);

/*
 * Whether a device is one whose blocks efi-img can deal with: a power of two, from 512 bytes to 1
 * MiB. Others are no disks, such as iPXE's virtual volume with blocks of one byte, or an audio CD.
 * Where no medium is in it, the length means nothing, and the answer is true.
 */
bool disk_is_usable(const EFI_BLOCK_IO_MEDIA *);

/*
 * The handle of the whole disk that a device is, or is a partition of: what its path leads to above
 * the nodes of partitions. NULL: the handle has no Block I/O, as that of a volume on the network.
 */
EFI_HANDLE disk_whole(EFI_HANDLE device);

/* The bytes of the medium, 0 without one or where the firmware's numbers are impossible. */
uint64_t disk_size(const EFI_BLOCK_IO_PROTOCOL *);

/*
 * Whether a block of a device that could be read before still can be. If not, the device is gone,
 * or dead: drivers need long to see that themselves, and till then there is an error for each
 * block. True where it cannot be found out.
 */
bool disk_answers(EFI_HANDLE, uint64_t offset);

/*
 * Reads whole blocks, and takes nothing for read that was not; disk_read_by(): by that function of
 * the driver.
 */
EFI_STATUS disk_read_by(EFI_BLOCK_READ, EFI_BLOCK_IO_PROTOCOL *, uint32_t media_id, uint64_t lba,
			void *buf, size_t len);
EFI_STATUS disk_read_blocks(EFI_BLOCK_IO_PROTOCOL *, uint32_t media_id, uint32_t block_bytes,
			    uint64_t offset, void *buf, size_t len);
