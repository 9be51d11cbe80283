/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reads a disk from its beginning to its end. The boot processor looks up and reads pieces, any
 * processor works on them, and the boot processor hands them over in the order of the disk. Ranges
 * that are known to be zeros are handed over without being read.
 */
#include "engine/scan.h"

#include "base/memory.h"
#include "base/range.h"
#include "engine/pipeline.h"

/* Pieces begin at multiples of it, which is what a fingerprint counts in. */
enum { SECTOR_BYTES = 512 };

struct piece {
	struct slot slot;
	const struct scan *scan;
	uint64_t offset, length;
	struct fetch fetch; /* its bytes, unless the piece is zeros: then there is no work */
	enum status st;
	uint64_t result[SCAN_RESULTS];
};

struct scan {
	const struct scan_job *job;
	size_t piece_bytes;
	uint64_t at; /* where the next piece begins */
	struct pipeline line;
};

static void work(struct work *its_work, size_t worker)
{
	struct piece *piece = (struct piece *)its_work;
	const struct scan_job *job = piece->scan->job;

	piece->st = fetch_finish(&piece->fetch, &piece->scan->line.unpacker[worker]);
	if (piece->st == ST_OK && job->work != NULL)
		job->work(job->user, piece->offset, piece->fetch.bytes, piece->fetch.n,
			  piece->result);
}

static enum status not_read(const struct piece *piece, enum status st, struct error *err)
{
	return fail(err, st, "%s: reading %ju bytes at offset %ju: %s",
		    piece->scan->job->image->name, piece->length, piece->offset, status_text(st));
}

/* Makes zeros of what is not to be read. */
static void leave_out(const struct scan_job *job, uint64_t offset, struct disk_range *range)
{
	uint64_t n;

	range->zero |= job->own && range->depth > 0;
	if (job->used == NULL)
		return;
	range->zero |= used_map_unused(job->used, offset, &n);
	range->length = min_u64(range->length, n);
}

/*
 * Whether a range of zeros is handed over without being read. Otherwise it is cut to what is read
 * with the data around it: a hole in a part of a split image begins and ends anywhere.
 */
static bool take_zeros(uint64_t here, uint64_t end, struct disk_range *range)
{
	bool to_end = here + range->length >= end;

	if (!range->zero)
		return false;
	if (here % SECTOR_BYTES != 0 || (range->length < SECTOR_BYTES && !to_end)) {
		range->length = min_u64(range->length, SECTOR_BYTES - here % SECTOR_BYTES);
		return false;
	}
	if (!to_end)
		range->length = round_down(range->length, SECTOR_BYTES);
	return true;
}

/*
 * Gets what lies from `at` on: zeros as far as they go, or data up to the next zeros, the end of a
 * piece or `end`.
 */
static enum status read_piece(struct piece *piece, uint64_t at, uint64_t end, struct error *err)
{
	struct image *image = piece->scan->job->image;
	struct disk_range range;
	bool zeros;
	enum status st = ST_OK;

	piece->offset = at;
	piece->length = 0;
	fetch_begin(&piece->fetch);
	do {
		uint64_t here = at + piece->length;

		if (st == ST_OK)
			st = disk_map_at(image, here, end - here, &range);
		if (st != ST_OK)
			return fail(err, st, "%s: reading the map at offset %ju: %s", image->name,
				    here, status_text(st));
		leave_out(piece->scan->job, here, &range);
		zeros = take_zeros(here, end, &range);
		if (zeros && piece->length > 0)
			break;
		piece->slot.has_work = !zeros;
		if (zeros) {
			piece->length = range.length;
			return ST_OK;
		}
		end = min_u64(end, at + piece->scan->piece_bytes);
		range.length = min_u64(range.length, end - here);
		piece->length += range.length;
		st = fetch_add(&piece->fetch, &range, here, (size_t)range.length);
	} while (st == ST_OK && at + piece->length < end);
	if (st == ST_OK)
		st = fetch_read(&piece->fetch);
	return st == ST_OK ? ST_OK : not_read(piece, st, err);
}

static void piece_free(struct slot *slot, void *user)
{
	(void)user;
	fetch_close(&((struct piece *)slot)->fetch);
	mem_free(slot);
}

static struct slot *piece_new(void *user)
{
	const struct scan *scan = user;
	struct piece *piece = mem_alloc(sizeof *piece);

	if (piece == NULL)
		return NULL;
	piece->scan = scan;
	if (fetch_open(&piece->fetch, scan->piece_bytes) == ST_OK)
		return &piece->slot;
	piece_free(&piece->slot, user);
	return NULL;
}

static enum status piece_copy(struct slot *to, const struct slot *from)
{
	struct piece *piece = (struct piece *)to;
	const struct piece *lost = (const struct piece *)from;

	piece->offset = lost->offset;
	piece->length = lost->length;
	return fetch_copy(&piece->fetch, &lost->fetch);
}

/* Hands over the piece whose turn it is. */
static enum status finish(void *user, struct slot *slot, struct error *err)
{
	const struct scan *scan = user;
	const struct scan_job *job = scan->job;
	struct piece *piece = (struct piece *)slot;

	if (piece->slot.has_work && piece->st != ST_OK)
		return not_read(piece, piece->st, err);
	job->take(job->user, piece->offset, piece->slot.has_work ? piece->fetch.bytes : NULL,
		  piece->length, piece->result);
	progress_advance(job->progress, piece->length);
	return ST_OK;
}

static enum status fill(void *user, struct slot *slot, bool *ret_filled, struct error *err)
{
	struct scan *scan = user;
	struct piece *piece = (struct piece *)slot;
	uint64_t end = scan->job->offset + scan->job->n_bytes;
	enum status st;

	*ret_filled = scan->at < end;
	if (!*ret_filled)
		return ST_OK;
	st = read_piece(piece, scan->at, end, err);
	scan->at += piece->length;
	slot->expensive = piece->fetch.has_packed;
	return st;
}

static void cancelled(void *user, const struct slot *first, struct error *err)
{
	const struct scan *scan = user;

	(void)first;
	error_set(err, "%s: stopped before all of it was read", scan->job->image->name);
}

static const struct pipeline_ops ops = {
	.create = piece_new,
	.copy = piece_copy,
	.free = piece_free,
	.fill = fill,
	.work = work,
	.finish = finish,
	.cancelled = cancelled,
};

enum status scan_disk(const struct scan_job *job, struct error *err)
{
	size_t unit_bytes = image_largest_packed_unit(job->image);
	struct scan *scan = mem_alloc(sizeof *scan);
	enum status st;

	if (scan == NULL)
		return fail_no_memory(err);
	scan->job = job;
	scan->at = job->offset;
	scan->piece_bytes = pipeline_piece_bytes(1, unit_bytes);
	st = pipeline_start(&scan->line, job->n_bytes, unit_bytes, image_parallel_reads(job->image),
			    job->work != NULL ? EFFORT_SUM : EFFORT_LOOK, err);
	if (st == ST_OK)
		st = pipeline_run(&scan->line, &ops, scan, job->progress, err);
	pipeline_close(&scan->line);
	mem_free(scan);
	return st;
}
