/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"

/*
 * A range of another blk as a blk of its own: a partition of a disk, or the space for an image on
 * one. It reads, writes, makes zeros, flushes and knows its extents as the blk below does; it is a
 * part of the same device, read by the same processors, and as sequential.
 */
struct window_kind {
	uint64_t start; /* bytes: where it begins below */
	uint64_t size;  /* bytes; [start, start + max(size, limit)) lies in the blk below */
	/*
	 * bytes; > size: it grows up to this as a file does, and is ST_NO_SPACE beyond; otherwise
	 * its size is fixed
	 */
	uint64_t limit;
	bool owns; /* closing it closes the blk below */
};

/*
 * The blk below outlives the window, and nobody else writes to that range meanwhile. Read-only
 * where the blk below is. NULL: no memory, and the blk below is still the caller's.
 */
struct blk *window_open(struct blk *below, const struct window_kind *);
