/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"

/*
 * A file that is written once, from its beginning to its end: for file systems that end a file
 * after each write, such as U-Boot's FAT. Its last bytes stay in memory, where they can still be
 * changed, until forward_release(); all before them is in the file and final.
 *
 * A write, or a cut, before what is in memory is ST_UNSUPPORTED, and changes nothing. A flush is
 * for what is in the file; what is in memory is lost with the power, and without it the file is
 * shorter than the image. So this is for images that no reader takes for complete without their
 * end.
 */
struct forward_kind {
	uint64_t kept_bytes; /* at least so many at the end can be changed */
	uint64_t limit;      /* bytes; ST_TOO_LARGE past them */
};

/*
 * Opens an empty file so, which it owns from then on. Errors: ST_NO_MEMORY, the file is the
 * caller's.
 */
enum status forward_open(struct blk *file, const struct forward_kind *, struct blk **ret);

/*
 * Writes what is in memory to the file, its last 512 bytes after a flush of everything else,
 * flushes it, and reads back what it wrote. From then on all of the file is final. Errors:
 * ST_MISMATCH, what was read back differs; ST_NO_MEMORY; those of writing, flushing and reading.
 * After an error the end may be on the medium all the same.
 */
enum status forward_release(struct blk *);
