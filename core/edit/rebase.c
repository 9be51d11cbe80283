/* SPDX-License-Identifier: BSD-2-Clause */
#include "edit/rebase.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/zero.h"
#include "engine/pack.h"
#include "engine/progress.h"
#include "engine/status.h"

enum { PIECE_BYTES = IMAGE_UNIT_MAX }; /* a multiple of every unit */

/* One run of the job. */
struct run {
	const struct rebase_job *job;
	uint8_t *old, *new; /* PIECE_BYTES each */
	struct pack pack;   /* opened: compress */
};

static enum status read_failed(const struct image *image, enum status st, uint64_t at,
			       struct error *err)
{
	return fail(err, st, "%s: reading at offset %ju: %s", image->name, at, status_text(st));
}

/*
 * How far what shows through from `backing` (NULL: nothing) is zeros without being read, at `at`;
 * 0: it has to be read.
 */
static enum status zeros_at(struct image *backing, uint64_t at, uint64_t len, uint64_t *ret,
			    struct error *err)
{
	struct disk_status status;
	enum status st;

	*ret = len;
	if (backing == NULL || at >= backing->size)
		return ST_OK;
	st = disk_status(backing, at, min_u64(len, backing->size - at), &status);
	if (st != ST_OK)
		return read_failed(backing, st, at, err);
	*ret = status.zero ? status.length : 0;
	return ST_OK;
}

static enum status read_through(struct image *backing, uint64_t at, uint8_t *buf, size_t n,
				struct error *err)
{
	enum status st = ST_OK;

	if (backing != NULL)
		st = blk_read_padded(&backing->blk, at, buf, n);
	else
		memset(buf, 0, n);
	return st == ST_OK ? ST_OK : read_failed(backing, st, at, err);
}

/* Stores `n` bytes of one unit, none of which the image has so far. */
static enum status store(struct run *run, uint64_t at, uint8_t *bytes, size_t n)
{
	struct image *image = run->job->image;
	size_t unit_bytes = image->unit_bytes;

	if (is_zero(bytes, n))
		return image->format->change.store_zeros(image, at, n);
	if (run->pack.codec == NULL || at % unit_bytes != 0 ||
	    (n < unit_bytes && at + n < image->size))
		return blk_write(&image->blk, at, bytes, n);
	memset(bytes + n, 0, unit_bytes - n);
	return pack_write(&run->pack, at, bytes, n);
}

/* Compares `n` bytes, unit by unit, and stores the old ones where they differ. */
static enum status copy_piece(struct run *run, uint64_t at, size_t n, struct error *err)
{
	struct image *image = run->job->image;
	size_t unit_bytes = image->unit_bytes;
	enum status st = read_through(image->backing, at, run->old, n, err);

	if (st == ST_OK)
		st = read_through(run->job->backing, at, run->new, n, err);
	for (size_t done = 0, unit; st == ST_OK && done < n; done += unit) {
		unit = (size_t)min_u64(n - done, unit_bytes - (at + done) % unit_bytes);
		if (memcmp(run->old + done, run->new + done, unit) == 0)
			continue;
		st = store(run, at + done, run->old + done, unit);
		if (st != ST_OK)
			st = fail(err, st, "%s: writing at offset %ju of the disk: %s", image->name,
				  at + done, status_text(st));
	}
	return st;
}

/* Goes on from `at`; *ret_n is how far. */
static enum status step(struct run *run, uint64_t at, uint64_t *ret_n, struct error *err)
{
	struct image *image = run->job->image;
	uint64_t old_zeros, new_zeros = 0;
	struct extent extent;
	enum status st = blk_extent(&image->blk, at, image->size - at, &extent);

	if (st != ST_OK)
		return fail(err, st, "%s: reading the map at offset %ju: %s", image->name, at,
			    status_text(st));
	*ret_n = extent.length;
	if (extent.allocated)
		return ST_OK;
	st = zeros_at(image->backing, at, extent.length, &old_zeros, err);
	if (st == ST_OK && old_zeros > 0)
		st = zeros_at(run->job->backing, at, extent.length, &new_zeros, err);
	if (st != ST_OK)
		return st;
	if (old_zeros > 0 && new_zeros > 0) {
		uint64_t n = min_u64(old_zeros, new_zeros), end = at + n;

		/* units are compressed whole */
		if (run->pack.codec != NULL && n < extent.length)
			end = max_u64(round_down(end, image->unit_bytes), at);
		*ret_n = end - at;
		if (end > at)
			return ST_OK;
	}
	*ret_n = min_u64(extent.length, PIECE_BYTES - at % PIECE_BYTES);
	return copy_piece(run, at, (size_t)*ret_n, err);
}

static enum status copy_all(struct run *run, struct error *err)
{
	uint64_t size = run->job->image->size, n;
	struct progress progress = { .sink = run->job->progress };
	enum status st = ST_OK;

	progress_begin(&progress, size);
	progress_phase(&progress, "copying", size);
	for (uint64_t at = 0; st == ST_OK && at < size; at += n) {
		if (progress_cancelled(&progress))
			st = fail(err, ST_CANCELLED,
				  "%s: stopped; it still has its old backing file",
				  run->job->image->name);
		else
			st = step(run, at, &n, err);
		if (st != ST_OK)
			break;
		progress_advance(&progress, n);
	}
	progress_end(&progress);
	return st;
}

static enum status make_independent(const struct rebase_job *job, struct error *err)
{
	struct run run = { .job = job, .old = io_alloc(PIECE_BYTES), .new = io_alloc(PIECE_BYTES) };
	enum status st = run.old != NULL && run.new != NULL ? ST_OK : fail_no_memory(err);

	if (st == ST_OK && job->compress) {
		st = pack_open(&run.pack, job->image);
		if (st != ST_OK)
			error_set(err, "%s", status_text(st));
	}
	if (st == ST_OK)
		st = copy_all(&run, err);
	pack_close(&run.pack);
	io_free(run.old, PIECE_BYTES);
	io_free(run.new, PIECE_BYTES);
	return st;
}

static enum status set_backing(const struct rebase_job *job, bool write, struct error *err)
{
	struct error why;
	enum status st = job->image->format->change.set_backing(job->image, job->name, job->format,
								write, &why);

	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", job->image->name, why.text);
}

enum status rebase_run(const struct rebase_job *job, struct error *err)
{
	struct image *image = job->image;
	enum status st;

	if (image->format->change.set_backing == NULL)
		return fail(err, ST_UNSUPPORTED, "%s: images of format %s have no backing file",
			    image->name, image->format->name);
	st = job->compress ? pack_possible(image, err) : ST_OK;
	if (st == ST_OK)
		st = set_backing(job, false, err);
	if (st == ST_OK && !job->unsafe)
		st = make_independent(job, err);
	if (st == ST_OK)
		st = image_flush(image, err);
	return st == ST_OK ? set_backing(job, true, err) : st;
}
