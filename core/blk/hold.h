#pragma once

#include "blk/blk.h"

/*
 * A file or disk whose first bytes are kept back: writes to them stay in memory, and there are zeros until
 * hold_release(). What is recognised by its first bytes, as image files, partition tables and boot sectors are, is so
 * recognised only when everything else is on the medium.
 *
 * The blk does everything else as `file` does; closing it closes `file`.
 */
enum {
	HOLD_IMAGE_BYTES = 512,    /* of a new image */
	HOLD_DISK_BYTES = 1 << 20, /* of a disk or partition: a partition table, and the boot loader behind it */
};

/*
 * Keeps back the first `n` bytes of `file`, a multiple of its blocks. What it has there is replaced by zeros, which are
 * flushed and read back, before anything else. Errors: ST_NO_MEMORY, ST_MISMATCH and those of writing; `file` is the
 * caller's then.
 */
enum status hold_open(struct blk *file, size_t n, struct blk **ret);

/*
 * Flushes everything and writes the first bytes, of these the very first sector last, after another flush; flushes
 * again. They are read back: ST_MISMATCH. From then on nothing is kept back. When it fails with the very first sector,
 * zeros are written there once more: nothing that failed is to look as if it were whole.
 */
enum status hold_release(struct blk *);

/* After hold_release() has failed: whether the very first sector may be there, because not even those zeros could be written. */
bool hold_may_begin(struct blk *);
