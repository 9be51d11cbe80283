/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "copy/target_plan.h"
#include "engine/observer.h"
#include "engine/progress.h"

/*
 * The writing of a disk or partition that target_plan_decide() has accepted.
 *
 * Its first MiB is zeroed before the copy and written after it, so that an incomplete disk is not
 * taken for a complete one. Only where the copy continues by a rescue map in which a part of that
 * MiB is finished, it stays: the disk cannot look more complete than it does already.
 */
struct target_run {
	/* Set by the caller. */
	const struct target_plan *plan;
	bool holds;   /* its first MiB is kept back */
	bool resumes; /* the part that was copied is compared first */

	struct blk *disk;      /* open; NULL: nothing was written */
	struct target_gpt gpt; /* what became of the GPT of the source, from target_end() on */
};

/*
 * Opens a disk or partition to be written over with anything: *ret is its bytes, which the caller
 * closes, and target_close() then. Its first MiB is zeros on the medium before that, so that
 * nothing takes it for what it was. Nothing is kept back.
 */
enum status target_open(struct target_run *, struct image **ret, struct error *);
void target_close(struct target_run *);

/*
 * Opens the target of a copy, and makes its beginning zeros where run->holds. On success
 * target_end() is due. Errors: ST_CANCELLED; those of platform_open_target() and of writing.
 */
enum status target_begin(struct target_run *, struct error *);

/*
 * The bytes of the disk that target_begin() has opened, as an image, which the caller closes, on
 * failure too.
 */
enum status target_open_flat(const struct target_run *, struct image **ret, struct error *);

/*
 * Ends a copy to the open target, which ended in `st` with its words in `err`: moves the GPT,
 * writes the beginning and closes it. Returns `st`, or how that ended. On failure the beginning is
 * zeros, or unchanged if nothing was written; the message tells which.
 */
enum status target_end(struct target_run *, enum status st, const struct observers *,
		       struct progress *, struct error *);
