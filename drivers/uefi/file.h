/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"
#include "platform/files.h"

/*
 * An open file on `volume` as a blk, which owns it from then on: blk_close() closes it. For
 * OPEN_READ the blk has no write, resize or flush. When the volume has been pulled out, it all ends
 * in ST_MEDIUM_CHANGED. NULL: no memory, and the file still belongs to the caller.
 */
struct blk *file_blk(EFI_FILE_PROTOCOL *, EFI_HANDLE volume, uint64_t size, enum open_mode);

/* What the file system knows of a file. Freed with mem_free(). */
[[nodiscard]] enum status file_info(EFI_FILE_PROTOCOL *, EFI_FILE_INFO **ret);

/*
 * Cuts a file to `size`, at most its present one, and releases the clusters after it. ST_MISMATCH:
 * the file system said so, and has not.
 */
[[nodiscard]] enum status file_shrink(EFI_FILE_PROTOCOL *, uint64_t size);
