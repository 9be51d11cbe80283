/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "edit/create.h"
#include "engine/progress.h"
#include "format/chain.h"
#include "record/journal.h"
#include "record/manifest.h"
#include "record/salvage.h"

/*
 * Copying disks into an image: several sources behind each other make one disk. Holes and zeros of
 * the sources are not read, and zeros are not written where the target reads as zeros already.
 */
struct convert_job {
	const struct chain *source; /* loaded */
	size_t n_sources;
	/* copy only `n_bytes` from `first_byte` on of the disk that the sources make */
	bool part;
	uint64_t first_byte, n_bytes;
	/* the target, prepared; NULL: it exists, and is `target` */
	const struct create_job *create;
	struct image *target; /* loaded for writing; set by the job where it creates it */
	bool target_is_zero;  /* an existing target that reads as zeros everywhere */
	bool compress;
	/* copy those of the only source, except those that are in_use */
	bool bitmaps;
	/* read the target back before it is one that can be recognised */
	bool verify;
	bool gpt_moved; /* set by the job: the backup of the GPT is at the end of a larger disk
			   (target.h) */
	/* set by the job: of a new image, that was the disk alone; there was no memory for more */
	bool tables_unread;
	/* runs of zeros of this length are not stored; 0: everything is */
	uint64_t sparse_bytes;
	/* what cannot be read becomes zeros, and is noted here; NULL: it ends the job */
	struct salvage *salvage;
	/*
	 * What of the only source the target has: the rest is copied, and how far that came is
	 * noted, whatever the end. A new target has nothing yet. NULL: everything is copied.
	 */
	struct rescue_map *map;
	/*
	 * Of a copy between a disk and an image in a file: how far it has come. With journal->old,
	 * what is below it is in the target already, which is compared. NULL: nobody wants to know.
	 */
	struct journal *journal;
	struct manifest *manifest; /* gets what is copied; not with keep_depth. NULL: none */
	/* begun by the job, ended by the caller, who may write something more; NULL: silent */
	struct progress *progress;
	/*
	 * Leave out what none of the first so many images of a source has and the next one decides:
	 * the target, or its backing file, has that already. 0: leave out nothing.
	 */
	size_t keep_depth;
};

/* The size of the disk that the sources make. ST_TOO_LARGE. */
enum status convert_size(const struct chain *source, size_t n_sources, uint64_t *ret_bytes,
			 struct error *);

/*
 * Does it. ST_MISMATCH: what was read back is not what was written. A target that the job creates
 * is removed again on failure, ST_CANCELLED included; nothing of it looks like an image before all
 * of it is on the medium. An existing one (create NULL) is left as far as it was written; the
 * caller closes it.
 */
enum status convert_run(struct convert_job *, struct error *);
