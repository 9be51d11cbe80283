/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Changes options of an image in place. The format plans the change first: it refuses what cannot
 * be done, and tells how long the files get, which is checked against the volumes, before anything
 * is written.
 */
#include "edit/amend.h"

#include "base/memory.h"
#include "base/range.h"
#include "edit/resize.h"
#include "engine/progress.h"

static enum status check_size(const struct amend_job *job, struct error *err)
{
	const struct create_value *size = create_value(job->values, "size");

	if (size == NULL || size->text == NULL || size->number >= job->image->size ||
	    job->may_shrink)
		return ST_OK;
	return fail(err, ST_INVALID,
		    "%s: option size: the disk has %ju bytes, and its data past %ju would be lost; "
		    "--force allows that",
		    job->image->name, job->image->size, size->number);
}

/* Whether the image can be amended so, and its files can get as long as that takes. */
static enum status plan(const struct amend_job *job, struct error *err)
{
	struct image *image = job->image;
	uint64_t *file_bytes = mem_alloc(image->n_files * sizeof *file_bytes);
	struct error why;
	enum status st;

	if (file_bytes == NULL)
		return fail_no_memory(err);
	st = image->format->change.plan_amend(image, job->values, file_bytes, &why);
	if (st == ST_OK)
		st = resize_check_places(image, file_bytes, PREALLOC_OFF, err);
	else
		error_set(err, "%s: %s", image->name, why.text);
	mem_free(file_bytes);
	return st;
}

/* The steps of the format, as a progress. */
struct steps {
	struct change_progress change; /* first: a struct change_progress * is a struct steps * */
	struct progress *progress;
	uint64_t done; /* of PROGRESS_ALL */
};

static void step(struct change_progress *change, uint64_t done, uint64_t total)
{
	struct steps *steps = (struct steps *)change;
	uint64_t now = min_u64(done, total) * PROGRESS_ALL / total; /* tables have 2^40 entries */

	if (now <= steps->done)
		return;
	progress_advance(steps->progress, now - steps->done);
	steps->done = now;
}

enum status amend_run(const struct amend_job *job, struct error *err)
{
	struct image *image = job->image;
	struct progress progress = { .sink = job->progress };
	struct steps steps = { .change.step = step, .progress = &progress };
	struct error why;
	enum status st = check_size(job, err);

	if (st == ST_OK)
		st = plan(job, err);
	if (st != ST_OK)
		return st;
	progress_begin(&progress, PROGRESS_ALL);
	progress_phase(&progress, NULL, 0);
	st = image->format->change.amend(image, job->values, &steps.change, &why);
	if (st == ST_OK)
		step(&steps.change, 1, 1);
	progress_end(&progress);
	if (st != ST_OK)
		return fail(err, st, "%s: %s", image->name, why.text);
	return image_flush(image, err);
}
