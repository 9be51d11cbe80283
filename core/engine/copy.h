/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "engine/observer.h"
#include "engine/progress.h"
#include "format/chain.h"

/* What is copied into which image, and what holds of the image before. */
struct copy_job {
	/* `n_bytes` from `first_byte` on of the disk that the sources make together */
	const struct chain *source; /* loaded */
	size_t n_sources;
	uint64_t first_byte, n_bytes;
	struct image *target; /* loaded for writing */
	/*
	 * Leave out what none of the first so many images of a source has and the next one decides:
	 * the target, or its backing file, has that already. 0: leave out nothing.
	 */
	size_t keep_depth;
	/*
	 * Leave out what is unused in this map, which is of the disk of the sources: the target
	 * keeps what it has there. NULL: leave out nothing.
	 */
	const struct used_map *used;
	/* runs of zeros of this length are not stored; 0: everything is */
	uint64_t sparse_bytes;
	bool reads_zero; /* the target reads as zeros where nothing was written */
	bool grows; /* the target is a new file that ends with the last byte that was written */
	enum prealloc prealloc; /* what zeros of such a file take where it is stored */
	bool compress;
	int level;    /* of compression, as codec_open() takes it */
	bool salvage; /* what cannot be read becomes zeros; false: it ends the copy */
	/*
	 * [old_begin, old_end) of the target was written by an earlier run: that is compared with
	 * the source, not written. Empty: nothing was.
	 */
	uint64_t old_begin, old_end;
	/*
	 * the size of an image that has everything, for the words when space runs out; 0: not known
	 */
	uint64_t full_bytes;
	const struct observers *observers;
	struct progress *progress; /* NULL: silent */
};

/*
 * Copies, and flushes the target; also after a failure, where an observer keeps what was written.
 * Fails with words that name the file. ST_CANCELLED; ST_MISMATCH: the target has something else
 * than the source where an earlier run has written; ST_NO_MEMORY; the errors of reading and
 * writing.
 */
enum status copy_run(const struct copy_job *, struct error *);
