/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * What a mounted file system says of itself (EFI_FILE_SYSTEM_INFO, UEFI 2.10, 13.5), and what its
 * boot sector adds.
 */
struct file_system {
	bool read_only;
	uint64_t size_bytes;
	uint64_t free_bytes;       /* a hint: it may come from a stale FSInfo sector */
	uint64_t file_limit_bytes; /* the largest file */
	uint32_t cluster_bytes;    /* files occupy multiples of it, > 0 */
	char *label;               /* "" without one */
};

/*
 * The root directory of the volume on this handle, closed by the caller. Errors: ST_UNSUPPORTED (no
 * file system there), those of the firmware.
 */
[[nodiscard]] enum status file_system_root(EFI_HANDLE, EFI_FILE_PROTOCOL **ret);

/*
 * Has the firmware write out what it holds of the volumes on a device: a disk, or a partition. One
 * that is mounted but cannot be written to holds nothing. Errors: ST_NO_MEMORY, those of writing.
 */
[[nodiscard]] enum status file_system_settle(EFI_HANDLE device);

/* The caller frees, on failure too. */
[[nodiscard]] enum status file_system_look(EFI_HANDLE, EFI_FILE_PROTOCOL *root,
					   struct file_system *ret);
void file_system_free(struct file_system *);

/*
 * EFI_FILE_PROTOCOL.GetInfo for one of the types of variable length, freed with mem_free(). With
 * the EDK2 FAT driver this flushes the whole volume, so it is for occasions, not for loops.
 */
[[nodiscard]] enum status file_get_info(EFI_FILE_PROTOCOL *, EFI_GUID *type, void **ret,
					size_t *ret_bytes);
