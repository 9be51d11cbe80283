/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "blk/blk.h"

/* the longest label read is 256 bytes; as UTF-8 each may take 3 */
enum { VOLUME_LABEL = 256 * 3 + 1 };

/* What a partition, or a disk without a table, contains. */
struct volume {
	const char *type; /* "FAT32", "NTFS", "ext", "LUKS" ...; "" unknown; static */
	/* UTF-8; "" without one, or where it is not kept in the first blocks */
	char label[VOLUME_LABEL];
};

/*
 * Recognises a file system (or what else fills a partition) in [start, start + size) of a blk by
 * its first blocks. The range lies in the blk. Errors: those of reading, ST_NO_MEMORY.
 */
enum status volume_recognise(struct blk *, uint64_t start, uint64_t size, struct volume *ret);

/*
 * Whether these first bytes of a disk are the boot sector of a file system, which may look like an
 * MBR.
 */
_Bool volume_is_boot_sector(const uint8_t sector[static 512]);
