/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * A mounted file system, as described by EFI_FILE_SYSTEM_INFO (UEFI 2.10, 13.5), and for FAT by its
 * boot sector.
 */
struct file_system {
	bool read_only;
	uint64_t size_bytes;
	uint64_t free_bytes;       /* a hint: FAT32 takes it from a sector that may be stale */
	uint64_t file_limit_bytes; /* the largest file */
	uint32_t cluster_bytes;    /* files occupy multiples of this; > 0 */
	char *label;               /* "" without one */
};

/*
 * Opens the root directory of the volume on a handle. The caller closes it. Statuses:
 * ST_UNSUPPORTED (no file system is mounted there), those of the firmware.
 */
[[nodiscard]] enum status file_system_root(EFI_HANDLE, EFI_FILE_PROTOCOL **ret);

/*
 * Flushes the firmware's caches of all volumes on a device, a disk or a partition. Volumes that are
 * mounted read-only have nothing to flush. Statuses: ST_NO_MEMORY, those of a write.
 */
[[nodiscard]] enum status file_system_settle(EFI_HANDLE device);

/*
 * Describes the volume whose root directory is open. The caller frees *ret with file_system_free(),
 * on failure as well. Statuses: ST_NO_MEMORY, ST_IO, those of the firmware.
 */
[[nodiscard]] enum status file_system_look(EFI_HANDLE, EFI_FILE_PROTOCOL *root,
					   struct file_system *ret);
void file_system_free(struct file_system *);

/*
 * EFI_FILE_PROTOCOL.GetInfo() for a type of variable length. The caller frees *ret with mem_free().
 * EDK2's FAT driver flushes the whole volume at each call, so this does not belong into a loop.
 */
[[nodiscard]] enum status file_get_info(EFI_FILE_PROTOCOL *, EFI_GUID *type, void **ret,
					size_t *ret_bytes);
