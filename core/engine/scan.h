/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/used_map.h"
#include "engine/progress.h"
#include "format/image.h"

enum { SCAN_RESULTS = 2, SCAN_PIECE_BYTES = 2 << 20 /* at most */ };

/*
 * Reading a disk from its beginning to its end, or a part of it: every byte once, in pieces, by all
 * processors. What reads as zeros without being stored costs nothing.
 */
struct scan_job {
	struct image *image;         /* loaded, with its backing images */
	uint64_t offset, n_bytes;    /* inside the disk */
	bool own;                    /* data of backing files counts as zeros */
	const struct used_map *used; /* what is unused counts as zeros; NULL: nothing does */
	/*
	 * Gets each piece that is not known to be zeros, on any processor, several at the same
	 * time. NULL: there is none.
	 */
	void (*work)(const void *user, uint64_t offset, const uint8_t *bytes, size_t n,
		     uint64_t ret[static SCAN_RESULTS]);
	/*
	 * Gets every piece in the order of the disk, on the boot processor, with what `work` made
	 * of it; `bytes` NULL: zeros.
	 */
	void (*take)(void *user, uint64_t offset, const uint8_t *bytes, uint64_t n,
		     const uint64_t result[static SCAN_RESULTS]);
	void *user;
	struct progress *progress; /* counts bytes */
};

/*
 * Fails with words that name the image's file. ST_CANCELLED; the errors of reading; ST_NO_MEMORY.
 */
enum status scan_disk(const struct scan_job *, struct error *);
