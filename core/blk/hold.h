/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"

/*
 * A file or disk whose first bytes are kept back: writes to them stay in memory until
 * hold_release(). What is recognised by its first bytes, as image files, partition tables and boot
 * sectors are, is so recognised only when everything else is on the medium. Until then a
 * placeholder stands there: the mark (blk/mark.h) in a file, zeros on a disk.
 *
 * The blk does everything else as `file` does; closing it closes `file`.
 */
enum {
	HOLD_IMAGE_BYTES = 512,    /* of a new image */
	HOLD_DISK_BYTES = 1 << 20, /* of a disk: a partition table, and the boot loader after it */
};

struct hold_kind {
	size_t bytes; /* that are kept back, a multiple of the blocks of `file` */
	/* The placeholder of a file: MARK_BYTES, copied. NULL: zeros, as far as `file` goes. */
	const uint8_t *mark;
	/*
	 * The placeholder is written only before the first byte that reaches `file`, not at once:
	 * an interrupted copy that is compared before it is resumed must not change what it may
	 * find to be something else.
	 */
	bool resumes;
};

/*
 * Keeps back the first bytes of `file`. The placeholder replaces them, and is flushed and read
 * back, before anything else. Errors: ST_NO_MEMORY, ST_MISMATCH and those of writing; `file` is the
 * caller's then.
 */
enum status hold_open(struct blk *file, const struct hold_kind *, struct blk **ret);

/* Whether not one byte was written to `file`: only with hold_kind.resumes. */
bool hold_untouched(struct blk *);

/*
 * Flushes everything and writes the first bytes, of these the very first sector last, after another
 * flush; flushes again. They are read back: ST_MISMATCH. From then on nothing is kept back. When it
 * fails with the very first sector, the placeholder is written there once more: nothing that failed
 * is to look as if it were whole.
 */
enum status hold_release(struct blk *);

/*
 * After hold_release() has failed: whether the very first sector may be there, because not even the
 * placeholder could be written.
 */
bool hold_may_begin(struct blk *);
