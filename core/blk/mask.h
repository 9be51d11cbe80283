/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"
#include "blk/used_map.h"

/*
 * Another blk without what is not in use of it: that reads as zeros, whatever is below. Unused
 * granules of the map are holes, and are never read; unused parts of other granules are read with
 * what surrounds them, in large requests, and dropped. So the contents depend on nothing but the
 * bytes that are in use.
 *
 * Read-only, for the boot processor. It is the same device as the blk below.
 */
struct mask_kind {
	const struct used_map *map; /* of a disk as large as the blk below */
	/*
	 * Returns whether the byte at `offset` is unused; *ret_length > 0 bytes from there on are
	 * the same, and may end past what was asked for. Unused granules of the map are not asked
	 * for.
	 */
	bool (*unused)(void *user, uint64_t offset, uint64_t *ret_length);
	void *user;
	bool owns; /* closing it closes the blk below */
};

/*
 * The blk below, the map and `user` outlive the mask. NULL: no memory, and the blk below is still
 * the caller's.
 */
struct blk *mask_open(struct blk *below, const struct mask_kind *);
