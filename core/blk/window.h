/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"

/*
 * A range of another blk as a blk of its own: a partition of a disk, or a place for an image on
 * one. It does what the one below can; any offset and any buffer will do.
 */
struct window_kind {
	uint64_t start; /* where it begins below */
	uint64_t size;  /* bytes; [start, start + limit) lies in the blk below */
	/*
	 * > size: it grows up to this as a file does, and is ST_NO_SPACE beyond; otherwise it keeps
	 * its size
	 */
	uint64_t limit;
	bool owns; /* closing it closes the blk below */
};

/* NULL: no memory, and the blk below is still the caller's. */
struct blk *window_open(struct blk *below, const struct window_kind *);
