/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Merges an image into one of its backing files: an ordinary copy (engine/copy.h) that leaves out
 * what the base has already. Only when all data is on the medium of the base is the first image
 * emptied, so that its disk is the same at every moment.
 */
#include "edit/commit.h"

#include "codec/codec.h"
#include "edit/resize.h"
#include "engine/copy.h"

/* Runs of zeros of this length are zeros in the base as well, where it can have such. */
enum { SPARSE_BYTES = 4096 };

enum status commit_run(const struct commit_job *job, struct error *err)
{
	struct image *front = job->chain->link[0].image, *base = job->chain->link[job->base].image;
	const struct observers none = { .n = 0 };
	const struct copy_job copy = {
		.source = job->chain,
		.n_sources = 1,
		.n_bytes = front->size,
		.target = base,
		.sparse_bytes = SPARSE_BYTES,
		.keep_depth = job->base,
		.level = CODEC_DEFAULT,
		.observers = &none,
		.progress = job->progress,
	};
	enum status st = ST_OK;

	if (!job->keep && front->format->change.make_empty == NULL)
		return fail(err, ST_UNSUPPORTED,
			    "%s: images of format %s cannot be emptied; -d leaves it as it is",
			    front->name, front->format->name);
	if (base->size < front->size)
		st = resize_run(base, front->size, PREALLOC_OFF, err);
	progress_begin(job->progress, front->size);
	if (st == ST_OK)
		st = copy_run(&copy, err);
	if (st != ST_OK || job->keep)
		return st;
	st = front->format->change.make_empty(front);
	return st == ST_OK ? ST_OK
			   : fail(err, st,
				  "%s: all of it is committed to %s, but emptying it failed: %s",
				  front->name, base->name, status_text(st));
}
