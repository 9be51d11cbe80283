/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

#include "base/error.h"

struct blk;

/* The fewest bytes that a FAT32 file system is made of; below, the clusters are too few for it. */
#define FAT_FORMAT_BYTES_MIN (UINT64_C(64) << 20)

struct fat_format {
	uint32_t sector_bytes; /* of the disk: 512 to 4096 */
	uint64_t first_sector; /* of the volume on its disk */
	uint32_t serial;       /* of the volume */
	const char *label;     /* at most 11 capital letters, digits and '-' */
};

/*
 * Makes an empty FAT32 file system on a blk of at least FAT_FORMAT_BYTES_MIN bytes, of which it
 * uses at most 2 TiB; with clusters as large as its size allows, up to 32 KiB, which begin at a
 * multiple of 1 MiB of the volume. Its first sector is written last, after a flush, and flushed:
 * until then there is no file system. Statuses: those of writing.
 */
enum status fat_format(struct blk *, const struct fat_format *, struct error *);
