/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Data path of a copy: the boot processor maps and reads each piece; any processor decompresses it,
 * finds zero units and compresses the rest; the boot processor writes the pieces in disk order.
 *
 * Because of that order, one number says how far a copy has come: everything below it is written.
 * The journal and the rescue map (record/) are made from that number, after a flush.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/zero.h"
#include "engine/copy_piece.h"
#include "engine/pack.h"
#include "engine/salvage.h"

enum { BLOCK_BYTES = 4096 };

/* ---- what any processor can do ---- */

/* Zeros are looked for once: an observer gets none of them. */
static enum status work_unit(struct piece *piece, size_t worker, size_t i)
{
	const struct copy *copy = piece->copy;
	size_t unit = copy->unit_bytes, at = i * unit;
	const uint8_t *bytes = piece->fetch.bytes + at;
	bool zero = (copy->seeks_zeros || copy->worker != NULL) && is_zero(bytes, unit);

	piece->zero[i] = zero && copy->seeks_zeros;
	piece->has_data = piece->has_data || !zero;
	if (copy->worker != NULL && !zero)
		copy->worker->ops->work(copy->worker, piece->offset, piece->offset + at, bytes,
					(size_t)min_u64(unit, piece->length - at), piece->result);
	if (piece->packed == NULL || piece->zero[i])
		return ST_OK;
	return pack_unit(copy->codec[worker], bytes, unit, piece->packed + at,
			 &piece->packed_bytes[i]);
}

static void work(struct work *its_work, size_t worker)
{
	struct piece *piece = (struct piece *)its_work;
	const struct copy *copy = piece->copy;
	size_t unit = copy->unit_bytes, length = (size_t)piece->length,
	       n_units = (size_t)div_up(length, unit);
	enum status st = fetch_finish(&piece->fetch, &copy->line.unpacker[worker]);

	/* What a compressor gets past the end of the disk is zeros. */
	memset(piece->fetch.bytes + length, 0, n_units * unit - length);
	memset(piece->result, 0, sizeof piece->result);
	piece->has_data = false;
	for (size_t i = 0; st == ST_OK && i < n_units; i++)
		st = work_unit(piece, worker, i);
	piece->st = st;
}

/* ---- pieces ---- */

static void piece_free(struct slot *slot, void *user)
{
	struct piece *piece = (struct piece *)slot;
	const struct copy *copy = user;

	fetch_close(&piece->fetch);
	mem_free(piece->zero);
	mem_free(piece->packed_bytes);
	io_free(piece->packed, copy->piece_bytes);
	mem_free(piece);
}

static struct slot *piece_new(void *user)
{
	const struct copy *copy = user;
	struct piece *piece = mem_alloc(sizeof *piece);
	size_t n_units = copy->piece_bytes / copy->unit_bytes;

	if (piece == NULL)
		return NULL;
	piece->copy = copy;
	piece->zero = mem_alloc(n_units * sizeof *piece->zero);
	if (fetch_open(&piece->fetch, copy->piece_bytes) != ST_OK || piece->zero == NULL)
		goto no_memory;
	if (!copy->job->compress)
		return &piece->slot;
	piece->packed_bytes = mem_alloc(n_units * sizeof *piece->packed_bytes);
	piece->packed = io_alloc(copy->piece_bytes);
	if (piece->packed_bytes != NULL && piece->packed != NULL)
		return &piece->slot;
no_memory:
	piece_free(&piece->slot, user);
	return NULL;
}

static enum status piece_copy(struct slot *to, const struct slot *from)
{
	struct piece *piece = (struct piece *)to;
	const struct piece *lost = (const struct piece *)from;

	piece->kind = lost->kind;
	piece->offset = lost->offset;
	piece->length = lost->length;
	return fetch_copy(&piece->fetch, &lost->fetch);
}

/* The piece is written. */
static enum status advance(struct copy *copy, uint64_t end, struct error *err)
{
	enum status st;

	copy_advance(copy, end);
	st = observers_written(copy->job->observers, end, copy->job->target);
	return st == ST_OK ? ST_OK : copy_write_failed(copy, st, end, err);
}

/* What the other processors could not read is read once more, by this one. */
static enum status complete(struct piece *piece, struct error *err)
{
	enum status st;

	if (piece->kind == SOURCE_DATA && salvage_is_local(piece->st)) {
		st = copy_read_again(piece, err);
		if (st != ST_OK)
			return st;
		work(&piece->slot.work, 0);
	}
	return piece->kind == SOURCE_DATA && piece->st != ST_OK
		       ? copy_read_failed(piece, piece->st, err)
		       : ST_OK;
}

static enum status finish(void *user, struct slot *slot, struct error *err)
{
	struct copy *copy = user;
	struct piece *piece = (struct piece *)slot;
	bool must_write = true;
	enum status st = complete(piece, err);

	if (st != ST_OK)
		return st;
	observers_piece(copy->job->observers, piece->offset,
			piece->kind == SOURCE_DATA && piece->has_data ? piece->fetch.bytes : NULL,
			piece->length, piece->result);
	st = observers_approve(copy->job->observers, err);
	if (st != ST_OK)
		return st;
	progress_skip(copy->job->progress, piece->offset - copy->at);
	copy->at = piece->offset;
	if (copy_is_old(piece))
		st = copy_compare_piece(piece, &must_write, err);
	if (st == ST_OK && must_write)
		st = copy_write_piece(copy, piece, err);
	return st == ST_OK ? advance(copy, piece->offset + piece->length, err) : st;
}

/* Moves copy->ahead to what is to be copied next, up to *ret_end. False: there is nothing more. */
static bool next_range(struct copy *copy, uint64_t *ret_end)
{
	const struct copy_job *job = copy->job;
	uint64_t end = job->n_bytes;

	if (copy->ahead < end && copy->chooser != NULL &&
	    !copy->chooser->ops->next(copy->chooser, &copy->ahead, &end))
		return false;
	end = min_u64(end, job->n_bytes);
	if (copy->ahead < job->old_begin) /* what is old begins and ends with a piece */
		end = min_u64(end, job->old_begin);
	else if (copy->ahead < job->old_end)
		end = min_u64(end, job->old_end);
	*ret_end = end;
	return copy->ahead < job->n_bytes;
}

static enum status fill(void *user, struct slot *slot, bool *ret_filled, struct error *err)
{
	struct copy *copy = user;
	struct piece *piece = (struct piece *)slot;
	uint64_t end;
	enum status st;

	*ret_filled = next_range(copy, &end);
	if (!*ret_filled)
		return ST_OK;
	st = copy_read_piece(copy, piece, copy->ahead, end, err);
	slot->expensive = piece->fetch.has_packed;
	copy->ahead += piece->length;
	return st;
}

enum status copy_stopped(const struct copy *copy, struct error *err)
{
	return fail(err, ST_CANCELLED, "%s: stopped before all of it was copied",
		    copy->job->target->name);
}

static void cancelled(void *user, const struct slot *first, struct error *err)
{
	(void)first;
	(void)copy_stopped(user, err);
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

/* ---- one run ---- */

static size_t largest_source_unit(const struct copy_job *job)
{
	size_t most = 0;

	for (size_t i = 0; i < job->n_sources; i++)
		most = (size_t)max_u64(most,
				       image_largest_packed_unit(job->source[i].link[0].image));
	return most;
}

static bool has_parallel_reads(const struct copy_job *job)
{
	for (size_t i = 0; i < job->n_sources; i++)
		if (image_parallel_reads(job->source[i].link[0].image))
			return true;
	return false;
}

static void init(struct copy *copy, const struct copy_job *job)
{
	const struct image *target = job->target;

	copy->job = job;
	copy->disk = (struct source_disk){ .source = job->source,
					   .n_sources = job->n_sources,
					   .first_byte = job->first_byte,
					   .keep_depth = job->keep_depth,
					   .used = job->used,
					   .seeks_zeros = job->sparse_bytes > 0,
					   .salvages = job->salvage,
					   .progress = job->progress };
	copy->target = &job->target->blk;
	copy->worker = observers_with_work(job->observers);
	copy->chooser = observers_with_next(job->observers);
	copy->seeks_zeros = job->sparse_bytes > 0 && (job->reads_zero || !target->format->flat ||
						      copy->target->zero_bytes > 0);
	copy->unit_bytes = target->unit_bytes != 0 ? target->unit_bytes : BLOCK_BYTES;
	if (!job->reads_zero) /* shorter runs are as fast to write as to ask the device to zero */
		copy->unit_bytes = (size_t)max_u64(copy->unit_bytes,
						   min_u64(copy->target->zero_bytes,
							   IMAGE_UNIT_MAX));
	copy->group_bytes = copy->unit_bytes;
	while (!job->compress &&
	       2 * copy->group_bytes <= min_u64(job->sparse_bytes, IMAGE_UNIT_MAX))
		copy->group_bytes *= 2;
	copy->piece_bytes = pipeline_piece_bytes(job->compress ? 2 : 1,
						 (size_t)max_u64(largest_source_unit(job),
								 copy->group_bytes));
	copy->piece_bytes -= copy->piece_bytes % copy->unit_bytes;
}

static enum status start(struct copy *copy, struct error *err)
{
	const struct copy_job *job = copy->job;
	enum status st;

	if (job->old_begin < job->old_end) {
		copy->old = io_alloc(copy->piece_bytes);
		if (copy->old == NULL)
			return fail_no_memory(err);
	}
	st = pipeline_start(&copy->line, job->n_bytes, largest_source_unit(job),
			    has_parallel_reads(job),
			    job->compress          ? EFFORT_PACK
			    : copy->worker != NULL ? EFFORT_SUM
						   : EFFORT_LOOK,
			    err);
	for (size_t i = 0; st == ST_OK && job->compress && i < pipeline_processors(&copy->line);
	     i++) {
		copy->codec[i] = codec_open(job->target->compression, job->level);
		if (copy->codec[i] == NULL)
			st = fail_no_memory(err);
	}
	return st;
}

static void copy_free(struct copy *copy)
{
	pipeline_close(&copy->line);
	for (size_t i = 0; i <= PIPELINE_WORKERS_MAX; i++)
		codec_close(copy->codec[i]);
	io_free(copy->old, copy->piece_bytes);
	mem_free(copy);
}

static enum status copy_pieces(struct copy *copy, struct error *err)
{
	const struct copy_job *job = copy->job;
	enum status st;

	progress_phase(job->progress, "copying", job->n_bytes);
	st = pipeline_run(&copy->line, &ops, copy, job->progress, err);
	if (st != ST_OK)
		return st;
	progress_skip(job->progress, job->n_bytes - copy->at);
	if (!job->grows)
		return ST_OK;
	st = blk_resize(job->target->file[0].blk, round_up(job->n_bytes, 512), job->prealloc);
	return st == ST_OK ? ST_OK : copy_write_failed(copy, st, job->n_bytes, err);
}

enum status copy_run(const struct copy_job *job, struct error *err)
{
	struct copy *copy = mem_alloc(sizeof *copy);
	enum status st, flushed = ST_OK;

	if (copy == NULL)
		return fail_no_memory(err);
	init(copy, job);
	st = start(copy, err);
	if (st == ST_OK)
		st = copy_pieces(copy, err);
	if (st == ST_OK)
		progress_phase(job->progress, "flushing", 0);
	if (st == ST_OK || observers_keep_partial(job->observers))
		flushed = blk_flush(copy->target);
	if (flushed != ST_OK)
		observers_doubted(job->observers, flushed);
	if (flushed != ST_OK && st == ST_OK)
		st = copy_write_failed(copy, flushed, job->n_bytes, err);
	copy_free(copy);
	return st;
}
