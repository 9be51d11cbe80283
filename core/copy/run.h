/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "copy/plan.h"

/* What became of a copy, besides its status. */
struct copy_result {
	uint64_t disk_bytes; /* of the disk that was to be copied, as far as the target has room */
	uint64_t left_off_bytes; /* of zeros after them, for which there is no room */
	uint64_t unused_bytes;   /* that were left out because nothing uses them */
	bool keeps_unused;       /* the target keeps what it had there; false: they are zeros */
	unsigned n_files;        /* of the new image; 1 without one */
	bool verified;      /* the target was read back, and has what was read of the sources */
	bool rest_only;     /* only ranges that were not finished in the rescue map were copied */
	bool gpt_moved;     /* the backup of the GPT is at the end of a larger disk */
	bool tables_unread; /* of a new image, only the disk was read back: no memory for more */
};

/*
 * Runs a plan that copy_plan_decide() has accepted. ST_MISMATCH: what was read back is not what was
 * written. A new image in a file is removed again on failure, ST_CANCELLED included, unless its
 * journal can continue it; nothing of it looks like an image before all of it is on the medium. An
 * existing image is left as far as it was written. On failure the beginning of a disk is zeros, or
 * as before if nothing was written, which the words say.
 */
enum status copy_plan_run(struct copy_plan *, struct progress *, struct copy_result *ret,
			  struct error *);

/*
 * All of it: plans the copy, gives the plan to the sink, does it unless that is a dry run, and ends
 * the records.
 * `progress` NULL: silent. Errors: those of copy_plan_open(), copy_plan_decide(), copy_plan_run()
 * and copy_plan_close().
 */
enum status copy_do(const struct copy_request *, struct progress *, struct copy_result *ret,
		    struct error *);
