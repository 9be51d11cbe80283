/* SPDX-License-Identifier: BSD-2-Clause */
#include "copy/convert.h"

#include "base/range.h"
#include "base/size.h"
#include "blk/hold.h"
#include "blk/mark.h"
#include "blk/window.h"
#include "copy/copy.h"
#include "copy/verify.h"
#include "edit/bitmaps.h"
#include "record/finished.h"

enum status convert_size(const struct chain *source, size_t n_sources, uint64_t *ret_bytes,
			 struct error *err)
{
	uint64_t size = 0;

	for (size_t i = 0; i < n_sources; i++)
		if (!add_ok(size, source[i].link[0].image->size, &size) || size > SIZE_LIMIT - 511)
			return fail(err, ST_TOO_LARGE,
				    "%s: together the sources are more than a disk can have",
				    source[i].link[0].name);
	*ret_bytes = size;
	return ST_OK;
}

static enum status copy_with_bitmaps(const struct convert_job *job, uint64_t size,
				     struct fingerprint *print, struct error *err)
{
	struct image *source = job->source[0].link[0].image;
	enum status st = job->bitmaps ? bitmaps_plan_copy(job->target, source, err) : ST_OK;

	if (st == ST_OK)
		st = copy_disk(job, size, print, err);
	return st == ST_OK && job->bitmaps ? bitmaps_copy(job->target, source, err) : st;
}

/*
 * Reads what no part of the disk is read through, refcounts above all: who writes to the image next
 * relies on it. Where there is no memory for that, the disk itself was read, and that has to do.
 */
static enum status check_tables(struct convert_job *job, struct image *image, struct error *err)
{
	struct check_result found;
	enum status st = image->format->check.check(image, NULL, &found, err);

	if (st == ST_NO_MEMORY || st == ST_TOO_LARGE) {
		job->tables_unread = true;
		return ST_OK;
	}
	if (st != ST_OK || found.corruptions + found.leaks + found.check_errors == 0)
		return st;
	return fail(err, ST_MISMATCH,
		    "%s: what was read back is not what was written: its tables contradict each "
		    "other (corruptions: %ju, leaks: %ju)",
		    image->name, found.corruptions + found.check_errors, found.leaks);
}

/* Reads the target back as another reader would, who has nothing of it in memory. */
static enum status read_back(struct convert_job *job, const struct fingerprint *print,
			     struct error *err)
{
	struct storage *storage = job->target->storage;
	struct blk *file = job->target->file[0].blk;
	struct window_kind all = { .size = file->size, .limit = file->size };
	struct chain backing = { 0 };
	struct image *image = NULL;
	enum status st;

	file = window_open(file, &all);
	if (file == NULL)
		return fail_no_memory(err);
	st = image_open_blk(storage, file, job->target->name, job->target->format, OPEN_READ,
			    &image, err);
	if (st == ST_OK)
		st = chain_open_backing(image, &backing, err);
	if (st == ST_OK)
		st = image_load(image, err);
	if (st == ST_OK)
		st = verify_disk(image, print, job->map, job->progress, err);
	if (st == ST_OK && job->create != NULL && image->format->check.check != NULL)
		st = check_tables(job, image, err);
	image_close(image);
	chain_close(&backing);
	if (st == ST_CORRUPT) {
		struct error why = *err;

		st = fail(err, ST_MISMATCH, "reading back what was written: %s", why.text);
	}
	return st;
}

/* Whether some of the target was copied before. */
static bool goes_on(const struct convert_job *job)
{
	return job->journal != NULL && job->journal->old > 0;
}

static enum status mend(struct image *image, struct error *err)
{
	struct check_result found;
	struct error why;
	enum status st = image->format->check.repair(image, REPAIR_ALL, NULL, &found, &why);

	if (st == ST_OK && found.corruptions == 0 && found.check_errors == 0)
		return ST_OK;
	return fail(err, st == ST_OK ? ST_CORRUPT : st,
		    "%s: --resume: what is there cannot be made an image again (%s); begin again "
		    "without --resume",
		    image->name, st == ST_OK ? "it contradicts itself" : why.text);
}

/* Makes what an earlier job has left of a new image one again, as far as that came. */
static enum status mend_begun(const struct convert_job *job, struct error *err)
{
	struct image *image = job->target;
	enum status st;

	if (!image->format->flat)
		return mend(image, err);
	st = blk_resize(image->file[0].blk,
			min_u64(image->file[0].blk->size, round_up(job->journal->old, 512)),
			PREALLOC_OFF);
	return st == ST_OK ? ST_OK
			   : fail(err, st, "%s: --resume: cutting off what came last: %s",
				  image->name, status_text(st));
}

/*
 * Clusters that a power cut has left in use behind the end of the file are found when it has grown
 * beyond them.
 */
static enum status mend_grown(const struct convert_job *job, struct error *err)
{
	struct storage *storage = job->target->storage;
	struct blk *file = job->target->file[0].blk;
	struct window_kind all = { .size = file->size, .limit = SIZE_LIMIT };
	struct image *image;
	enum status st;

	file = window_open(file, &all);
	if (file == NULL)
		return fail_no_memory(err);
	st = image_open_blk(storage, file, job->target->name, job->target->format, OPEN_WRITE,
			    &image, err);
	if (st != ST_OK)
		return st;
	st = mend(image, err);
	image_close(image);
	return st;
}

static enum status copy_all(const struct convert_job *job, uint64_t size, struct fingerprint *print,
			    struct error *err)
{
	enum status st = copy_with_bitmaps(job, size, print, err);

	return st == ST_OK && goes_on(job) && !job->target->format->flat ? mend_grown(job, err)
									 : st;
}

static enum status copy_and_verify(struct convert_job *job, uint64_t size, struct error *err)
{
	struct fingerprint print;
	uint64_t total;
	enum status st;

	progress_begin(job->progress, job->verify && add_ok(size, size, &total) ? total : size);
	if (!job->verify)
		return copy_all(job, size, NULL, err);
	st = fingerprint_open(&print, size, err);
	if (st == ST_OK)
		st = copy_all(job, size, &print, err);
	if (st == ST_OK) {
		st = read_back(job, &print, err);
		if (st != ST_OK && st != ST_CANCELLED && job->map != NULL)
			job->map->done = 0;
		if (st == ST_MISMATCH && job->journal != NULL)
			journal_drop(job->journal);
	}
	fingerprint_close(&print);
	return st;
}

/*
 * The same; when it is interrupted, the journal says how far it came, if that can still be known.
 */
static enum status copy_noted(struct convert_job *job, uint64_t size, struct error *err)
{
	struct journal *journal = job->journal;
	enum status st = copy_and_verify(job, size, err);

	if (st == ST_TOO_LARGE && journal != NULL)
		journal_drop(journal); /* the same command would end there again */
	if (st != ST_OK && st != ST_MISMATCH && journal != NULL &&
	    journal->copied > journal->text.done)
		/* otherwise the one before it counts */
		(void)journal_checkpoint(journal, job->target);
	return st;
}

/* Opens what create_open() has made, to be written to. `backing` is to be closed after it. */
static enum status open_created(struct convert_job *job, struct blk *file, uint64_t size,
				struct chain *backing, struct error *err)
{
	enum status st = image_open_blk(job->create->storage, file, job->create->plan.file[0].name,
					job->create->format, OPEN_WRITE, &job->target, err);

	if (st == ST_OK && goes_on(job))
		st = mend_begun(job, err);
	if (st != ST_OK)
		return st;
	job->target->size = round_up(size, 512); /* a flat one is empty so far */
	st = chain_open_backing(job->target, backing, err);
	return st == ST_OK ? image_load(job->target, err) : st;
}

/* Closes the new image, whose first sector is there by now, and looks at its files once more. */
static enum status close_whole(struct convert_job *job, struct error *err)
{
	struct finished finished = { 0 };
	enum status st = ST_OK;

	if (job->create->device_bytes == 0)
		st = finished_add_image(&finished, job->target, err);
	image_close(job->target);
	job->target = NULL;
	if (st == ST_OK)
		st = finished_check(&finished, err);
	else
		finished_free(&finished);
	/* Nothing is to be left that begins like an image, after a job that has failed. */
	if (st != ST_OK && job->journal != NULL)
		journal_drop(job->journal);
	return st;
}

static enum status convert_to_new(struct convert_job *job, uint64_t size, struct error *err)
{
	struct chain backing = { 0 };
	struct blk *file;
	enum status st = goes_on(job)
				 ? create_reopen(job->create, job->journal->text.first, &file, err)
				 : create_open(job->create, &file, err);

	if (st != ST_OK)
		return st;
	if (job->journal != NULL)
		journal_begin(job->journal);
	st = open_created(job, file, size, &backing, err);
	if (st == ST_OK)
		st = copy_noted(job, size, err);
	if (st == ST_OK) {
		progress_phase(job->progress, "finishing", 0);
		st = hold_release(file);
		if (st != ST_OK && job->journal != NULL &&
		    (st == ST_MISMATCH || hold_may_begin(file)))
			journal_drop(job->journal);
		if (st != ST_OK)
			error_set(err, "%s: writing it: %s", job->create->plan.file[0].name,
				  status_text(st));
	}
	if (st == ST_OK)
		st = close_whole(job, err);
	image_close(job->target);
	job->target = NULL;
	chain_close(&backing);
	if (st != ST_OK && job->map != NULL)
		job->map->absent = job->map->size;
	if (st != ST_OK && (job->journal == NULL || !journal_resumes(job->journal)))
		create_remove(job->create, err);
	return st;
}

/*
 * A raw image begins with the first sector of the disk. Where that is the mark, because another
 * program has copied an unfinished image onto the disk, the new image would be complete and yet be
 * taken for an unfinished one.
 */
static enum status refuse_marked_disk(const struct convert_job *job, struct error *err)
{
	struct image *source = job->source[0].link[0].image;
	uint64_t at = job->part ? job->first_byte : 0;
	uint8_t sector[MARK_BYTES], id[MARK_ID_BYTES];
	enum status st;

	if (!job->create->format->flat || job->create->device_bytes > 0 ||
	    !range_ok(at, sizeof sector, source->size))
		return ST_OK;
	st = blk_read(&source->blk, at, sector, sizeof sector);
	if (st != ST_OK && !salvage_is_local(st))
		return fail(err, st, "%s: reading its beginning: %s", source->name,
			    status_text(st));
	/* What cannot be read is zeros in the target, or ends the copy. */
	if (st != ST_OK || !mark_parse(sector, MARK_IMAGE, id))
		return ST_OK;
	return fail(err, ST_REFUSED,
		    "%s: an unfinished image was copied onto this disk, and begins with the mark "
		    "of one; a raw image of it could not be told from an unfinished one: use -O "
		    "qcow2",
		    source->name);
}

enum status convert_run(struct convert_job *job, struct error *err)
{
	uint64_t size = 0;
	enum status st = convert_size(job->source, job->n_sources, &size, err);

	if (st != ST_OK)
		return st;
	if (job->part)
		size = job->n_bytes;
	st = rescue_map_check(job->map, err);
	if (st != ST_OK)
		return st;
	if (job->create != NULL) {
		st = refuse_marked_disk(job, err);
		return st == ST_OK ? convert_to_new(job, size, err) : st;
	}
	return copy_noted(job, size, err);
}
