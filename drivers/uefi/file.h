/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"
#include "platform/files.h"

/*
 * Makes a blk of an open file of `size` bytes on `volume`; blk_close() closes the file. With
 * OPEN_READ the blk has no write, resize or flush. After the volume was unplugged, every call fails
 * with ST_MEDIUM_CHANGED. NULL: no memory; the caller still owns the file.
 */
struct blk *file_blk(EFI_FILE_PROTOCOL *, EFI_HANDLE volume, uint64_t size, enum open_mode);

/*
 * Returns size, attributes and name of an open file. The caller frees with mem_free(). Statuses:
 * ST_NO_MEMORY, ST_IO, and others of the firmware.
 */
[[nodiscard]] enum status file_info(EFI_FILE_PROTOCOL *, EFI_FILE_INFO **ret);

/*
 * Truncates a file to `size`, at most its present size, and releases the clusters past the new end.
 * Statuses: those of file_info(); ST_MISMATCH (the file system reported success, but the size is
 * another).
 */
[[nodiscard]] enum status file_shrink(EFI_FILE_PROTOCOL *, uint64_t size);
