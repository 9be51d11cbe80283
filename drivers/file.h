#pragma once

#include "base/platform.h"
#include "blk/blk.h"

/*
 * An open file as a blk, which owns it from then on: blk_close() closes it. For OPEN_READ the blk has no write,
 * resize or flush. `volume`: the handle that it is on. NULL: no memory, and the file still belongs to the caller.
 */
struct blk *file_blk(EFI_FILE_PROTOCOL *, EFI_HANDLE volume, uint64_t size, enum open_mode);

/* What the file system knows of a file. Freed with mem_free(). */
[[nodiscard]] enum status file_info(EFI_FILE_PROTOCOL *, EFI_FILE_INFO **ret);

/* Cuts a file to `size`, at most its present one, and gives the clusters behind it back. */
[[nodiscard]] enum status file_shrink(EFI_FILE_PROTOCOL *, uint64_t size);
