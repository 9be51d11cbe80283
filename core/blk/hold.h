/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"

/*
 * A file or disk whose first bytes are held back: writes to them stay in memory until
 * hold_release(). Image files, partition tables and boot sectors are recognised by their first
 * bytes; so they are recognised only when everything else is on the medium. Until then a
 * placeholder takes the place of these bytes: the mark (blk/mark.h) in a file, zeros on a disk.
 *
 * Everything else is done by the blk below. Reads see the bytes that are held back.
 */
enum {
	HOLD_IMAGE_BYTES = 512,    /* of a new image */
	HOLD_DISK_BYTES = 1 << 20, /* of a disk: a partition table, and the boot loader after it */
};

struct hold_kind {
	size_t bytes; /* that are held back: a multiple of the block size of `file` */
	/* the placeholder, MARK_BYTES, which are copied; NULL: zeros, up to the end of `file` */
	const uint8_t *mark;
	/*
	 * The placeholder is written before the first byte that reaches `file`, not by
	 * hold_open(): a copy that is resumed first compares `file` with what it expects, and must
	 * not change a file that turns out to be another one.
	 */
	bool resumes;
};

/*
 * Opens a hold on `file`, which it owns from then on. Unless kind->resumes, writes the placeholder,
 * flushes it and reads it back before it returns. Errors, after which `file` is the caller's:
 * ST_NO_MEMORY; ST_MISMATCH, the placeholder was not read back; those of writing and reading.
 */
enum status hold_open(struct blk *file, const struct hold_kind *, struct blk **ret);

/* Whether nothing was written to `file` so far: true only with hold_kind.resumes. */
bool hold_untouched(struct blk *);

/*
 * Flushes `file`; writes the bytes that were held back after the first sector, flushes and reads
 * them back; then does the same with the first sector. From then on nothing is held back, and
 * another call only flushes. If the first sector fails, the placeholder is written there once more,
 * so that nothing that failed looks complete. Errors: ST_MISMATCH, what was read back differs;
 * those of writing, flushing and reading.
 */
enum status hold_release(struct blk *);

/*
 * After hold_release() has failed: whether the first sector may be on the medium all the same,
 * because the placeholder could not be written either.
 */
bool hold_first_sector_uncertain(struct blk *);
