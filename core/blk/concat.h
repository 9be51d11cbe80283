/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"

/*
 * Several blks, one after the other, as one: the parts of a split image, the extents of a disk. It
 * reads, writes and makes zeros where its parts do, whatever their block sizes.
 *
 * A part of fixed size is as long as it is. A part that can be resized grows up to its limit, and
 * only then does the next one get its first byte, after a flush of the part before. Shrinking cuts
 * the parts from the last one on, and flushes each before the one before it is cut. So at every
 * moment all parts but the last one in use are full.
 */
struct concat_part {
	struct blk *blk;
	/* bytes, at least its size; the next part begins there. Of a fixed size: its size */
	uint64_t limit;
};

/*
 * Opens the concatenation of `n` > 0 parts, which it owns from then on: closing it closes them. It
 * is writable if all parts are, and can be resized if the last one can be. No part after one that
 * is shorter than its limit may have any bytes. Errors: ST_NO_MEMORY, the parts are the caller's.
 */
enum status concat_open(const struct concat_part *, size_t n, struct blk **ret);

/*
 * Adds a part after the last one, of the same kind as the others: writable and resizable as they
 * are. Errors: ST_NO_MEMORY, the part is the caller's.
 */
enum status concat_append(struct blk *, const struct concat_part *);

/* Closes and forgets the last part, which is empty and not the only one. */
void concat_drop_last(struct blk *);
