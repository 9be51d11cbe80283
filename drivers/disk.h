#pragma once

#include "base/status.h"
#include "blk/blk.h"

/*
 * A disk or partition as a blk, over EFI_BLOCK_IO_PROTOCOL (UEFI 2.10, 13.9), for reading only. The medium that is
 * in at this moment is the one that is read: exchanging it ends in ST_MEDIUM_CHANGED. Its flush is file_system_settle().
 * Errors: ST_NO_MEDIUM,
 * ST_UNSUPPORTED (a block size that is no power of two, as of an audio CD), ST_CORRUPT (an impossible size),
 * ST_NO_MEMORY.
 */
[[nodiscard]] enum status disk_open(EFI_HANDLE, EFI_BLOCK_IO_PROTOCOL *, struct blk **ret);

/*
 * Counts a write to a device, or to a volume on it, for all open disks that have something in common with it
 * (blk_writes()). Every write of this program goes with such a call.
 */
void disk_count_write(EFI_HANDLE device);

/* The bytes of the medium, 0 without one or where the firmware's numbers are impossible. */
uint64_t disk_size(const EFI_BLOCK_IO_PROTOCOL *);

/* Reads whole blocks, and takes nothing for read that was not. */
EFI_STATUS disk_read_blocks(EFI_BLOCK_IO_PROTOCOL *, uint32_t media_id, uint32_t block_bytes, uint64_t offset, void *buf, size_t len);
