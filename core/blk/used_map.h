/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * Which parts of a disk are in use, by granules of 64 KiB: a granule is unused if not one byte of
 * it is in use. What is unused reads as zeros from whoever leaves it out, and may be anything in a
 * copy.
 *
 * It is decided once, before a copy, and does not change: the copy, the verification, the records
 * and the image's bitmap are about the same granules. The last granule always counts as used, so
 * that a disk that has grown since can be told from one that has not.
 */
enum { USED_GRANULE = 64 << 10 };

/* A larger disk has no map: 128 MiB of memory */
#define USED_MAP_DISK_MAX (UINT64_C(1) << 46)

struct used_map {
	uint64_t disk_bytes;
	uint64_t unused_bytes; /* of all unused granules */
	uint8_t *unused;       /* a bit of each granule, from the lowest of each byte on */
};

/*
 * Opens a map of a disk of which all is in use. ST_NO_MEMORY; ST_TOO_LARGE: it is larger than
 * USED_MAP_DISK_MAX. Closed on failure too.
 */
enum status used_map_open(struct used_map *, uint64_t disk_bytes);
void used_map_close(struct used_map *);

/* Makes the granules that lie wholly in [offset, offset + len), which is on the disk, unused. */
void used_map_leave_out(struct used_map *, uint64_t offset, uint64_t len);

/*
 * Returns whether `offset`, on the disk, is unused. Up to *ret_length bytes from there on are the
 * same, and what comes after them is not.
 */
bool used_map_unused(const struct used_map *, uint64_t offset, uint64_t *ret_length);

/*
 * Returns the least length of unused ranges of which there are at most `n_most`: a record of those
 * that are as long stays small. At least 1.
 */
uint64_t used_map_least(const struct used_map *, size_t n_most);
