/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "blk/blk.h"

/* a label of 256 bytes, each of which may become 3 in UTF-8, and a NUL */
enum { VOLUME_LABEL = 256 * 3 + 1 };

/* The contents of a partition, or of a disk without a table. */
struct volume {
	const char *type; /* "FAT32", "NTFS", "ext", "LUKS" ...; "" unknown; static */
	/* UTF-8; "": none, or not in the first blocks */
	char label[VOLUME_LABEL];
};

/*
 * Recognises a file system, or what else fills a partition, in [start, start + size) of a blk by
 * its first blocks. The range lies within the blk. Statuses: those of reading, ST_NO_MEMORY.
 */
enum status volume_recognise(struct blk *, uint64_t start, uint64_t size, struct volume *ret);

/* Returns whether the first sector of a disk is the boot sector of a file system, not an MBR. */
_Bool volume_is_boot_sector(const uint8_t sector[static 512]);
