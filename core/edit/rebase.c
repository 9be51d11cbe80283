/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Giving an image another backing file without changing its disk. Where the image has nothing of
 * its own, the old backing file shows; wherever the new one would show something else there, the
 * old contents are stored in the image first, unit by unit. Only when all of that is on the medium
 * does the image name the new backing file (qcow2/switch.c), so that at every moment the disk is
 * the same with the backing file that is named.
 *
 * The boot processor looks up and reads both backing files, any processor compares and compresses,
 * the boot processor writes: the loop is that of engine/pipeline.h.
 */
#include "edit/rebase.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/zero.h"
#include "engine/pack.h"
#include "engine/pipeline.h"
#include "engine/progress.h"
#include "engine/disk_map.h"

enum side { OLD, NEW, N_SIDES };

/* What becomes of one unit of the image, or of the part of it that lies in a piece. */
struct unit {
	enum { UNIT_KEEP, UNIT_ZERO, UNIT_STORE } kind;
	uint32_t packed_bytes; /* of its compressed form; 0: it is not compressed */
};

/* A range that the image has nothing of. */
struct piece {
	struct slot slot; /* without work: the range stays as it is */
	const struct run *run;
	uint64_t at;
	uint64_t n; /* bytes; with work, at most run->piece_bytes */
	struct fetch fetch[N_SIDES];
	enum status st[N_SIDES], st_packed; /* of reading, and of compressing */
	struct unit *unit;
	uint8_t *packed; /* of each unit, at its place; NULL: nothing is compressed */
};

/* One run of the job. */
struct run {
	const struct rebase_job *job;
	struct image *backing[N_SIDES]; /* NULL: none, which is zeros */
	size_t unit_bytes, piece_bytes; /* of the image; a multiple of that */
	uint64_t at;                    /* where the next piece begins */
	struct progress progress;
	struct pipeline line;
	/* of each processor; NULL: nothing is compressed */
	struct codec *codec[PIPELINE_WORKERS_MAX + 1];
};

/* The length of the unit, or of the part of one, that lies at `done` of a piece. */
static size_t unit_length(const struct piece *piece, size_t done)
{
	size_t whole = piece->run->unit_bytes;

	return (size_t)min_u64(piece->n - done, whole - (piece->at + done) % whole);
}

/* ---- reading ---- */

static enum status read_failed(const struct image *image, enum status st, uint64_t at,
			       struct error *err)
{
	CHECK(image != NULL); /* where there is no backing file, zeros are taken, not read */
	return fail(err, st, "%s: reading at offset %ju: %s", image->name, at, status_text(st));
}

/*
 * How far what shows from `backing` is zeros without being read, at `at`; 0: it has to be read.
 */
static enum status zeros_at(struct image *backing, uint64_t at, uint64_t len, uint64_t *ret,
			    struct error *err)
{
	struct disk_range range;
	enum status st;

	*ret = len;
	if (backing == NULL || at >= backing->size)
		return ST_OK;
	st = disk_map_at(backing, at, min_u64(len, backing->size - at), &range);
	if (st != ST_OK)
		return read_failed(backing, st, at, err);
	*ret = range.zero ? range.length : 0;
	return ST_OK;
}

/* Gets what shows from one backing file in the piece; past its end are zeros. */
static enum status fetch_side(struct piece *piece, enum side side, struct error *err)
{
	struct image *backing = piece->run->backing[side];
	struct fetch *fetch = &piece->fetch[side];
	enum status st = ST_OK;

	fetch_begin(fetch);
	for (uint64_t done = 0; st == ST_OK && done < piece->n;) {
		struct disk_range range = { .length = piece->n - done, .zero = true };
		uint64_t at = piece->at + done;

		if (backing != NULL && at < backing->size)
			st = disk_map_at(backing, at, min_u64(piece->n - done, backing->size - at),
					 &range);
		if (st == ST_OK)
			st = fetch_add(fetch, &range, at, (size_t)range.length);
		done += range.length;
	}
	if (st == ST_OK)
		st = fetch_read(fetch);
	return st == ST_OK ? ST_OK : read_failed(backing, st, piece->at, err);
}

/*
 * How far the disk stays as it is from `at` on, because the image has something there, or because
 * both backing files are zeros; 0: that has to be read, *ret_n bytes.
 */
static enum status unchanged_at(const struct run *run, uint64_t at, uint64_t *ret_same,
				uint64_t *ret_n, struct error *err)
{
	struct image *image = run->job->image;
	uint64_t zeros[N_SIDES] = { 0 };
	struct extent extent;
	enum status st = blk_extent(&image->blk, at, image->size - at, &extent);

	if (st != ST_OK)
		return fail(err, st, "%s: reading the map at offset %ju: %s", image->name, at,
			    status_text(st));
	*ret_same = extent.length;
	*ret_n = min_u64(extent.length, run->piece_bytes - at % run->piece_bytes);
	if (extent.allocated)
		return ST_OK;
	st = zeros_at(run->backing[OLD], at, extent.length, &zeros[OLD], err);
	if (st == ST_OK && zeros[OLD] > 0)
		st = zeros_at(run->backing[NEW], at, extent.length, &zeros[NEW], err);
	*ret_same = min_u64(zeros[OLD], zeros[NEW]);
	/* units are compressed whole */
	if (run->job->compress && *ret_same > 0 && *ret_same < extent.length)
		*ret_same = max_u64(round_down(at + *ret_same, run->unit_bytes), at) - at;
	return st;
}

static enum status fill(void *user, struct slot *slot, bool *ret_filled, struct error *err)
{
	struct run *run = user;
	struct piece *piece = (struct piece *)slot;
	uint64_t same;
	enum status st;

	*ret_filled = run->at < run->job->image->size;
	if (!*ret_filled)
		return ST_OK;
	piece->at = run->at;
	st = unchanged_at(run, run->at, &same, &piece->n, err);
	if (st != ST_OK)
		return st;
	slot->has_work = same == 0;
	if (same > 0)
		piece->n = same;
	run->at += piece->n;
	for (enum side side = 0; st == ST_OK && slot->has_work && side < N_SIDES; side++)
		st = fetch_side(piece, side, err);
	slot->expensive = piece->fetch[OLD].has_packed || piece->fetch[NEW].has_packed;
	return st;
}

/* ---- what any processor can do ---- */

/* Decides what becomes of the unit that lies at `done` of the piece. */
static enum status decide(struct piece *piece, struct codec *codec, size_t done, struct unit *ret)
{
	uint64_t at = piece->at + done, end = at + unit_length(piece, done);
	size_t n = (size_t)(end - at), whole = piece->run->unit_bytes;
	uint8_t *old = piece->fetch[OLD].bytes + done;

	*ret = (struct unit){ .kind = UNIT_STORE };
	if (memcmp(old, piece->fetch[NEW].bytes + done, n) == 0)
		ret->kind = UNIT_KEEP;
	else if (is_zero(old, n))
		ret->kind = UNIT_ZERO;
	if (ret->kind != UNIT_STORE || codec == NULL || at % whole != 0 ||
	    (n < whole && end < piece->run->job->image->size))
		return ST_OK;
	memset(old + n, 0, whole - n); /* past the end of the disk */
	return pack_unit(codec, old, whole, piece->packed + done, &ret->packed_bytes);
}

static void work(struct work *its_work, size_t worker)
{
	struct piece *piece = (struct piece *)its_work;
	const struct run *run = piece->run;
	size_t i = 0;

	for (enum side side = 0; side < N_SIDES; side++)
		piece->st[side] = fetch_finish(&piece->fetch[side], &run->line.unpacker[worker]);
	piece->st_packed = ST_OK;
	if (piece->st[OLD] != ST_OK || piece->st[NEW] != ST_OK)
		return;
	for (size_t done = 0; piece->st_packed == ST_OK && done < piece->n;
	     done += unit_length(piece, done))
		piece->st_packed = decide(piece, run->codec[worker], done, &piece->unit[i++]);
}

/* ---- writing ---- */

static enum status store(const struct piece *piece, size_t done, const struct unit *unit)
{
	struct image *image = piece->run->job->image;
	uint64_t at = piece->at + done;
	size_t n = unit_length(piece, done);

	if (unit->kind == UNIT_KEEP)
		return ST_OK;
	if (unit->kind == UNIT_ZERO)
		return image->format->change.store_zeros(image, at, n);
	if (unit->packed_bytes > 0)
		return image->format->change.write_compressed(image, at, piece->packed + done,
							      unit->packed_bytes);
	return blk_write(&image->blk, at, piece->fetch[OLD].bytes + done, n);
}

static enum status finish(void *user, struct slot *slot, struct error *err)
{
	struct run *run = user;
	const struct piece *piece = (const struct piece *)slot;
	size_t i = 0;

	for (enum side side = 0; slot->has_work && side < N_SIDES; side++)
		if (piece->st[side] != ST_OK)
			return read_failed(run->backing[side], piece->st[side], piece->at, err);
	if (slot->has_work && piece->st_packed != ST_OK)
		return fail_no_memory(err);
	for (size_t done = 0; slot->has_work && done < piece->n; done += unit_length(piece, done)) {
		enum status st = store(piece, done, &piece->unit[i++]);

		if (st != ST_OK)
			return fail(err, st, "%s: writing at offset %ju of the disk: %s",
				    run->job->image->name, piece->at + done, status_text(st));
	}
	progress_advance(&run->progress, piece->n);
	return ST_OK;
}

/* ---- the loop ---- */

static void piece_free(struct slot *slot, void *user)
{
	struct piece *piece = (struct piece *)slot;
	const struct run *run = user;

	for (enum side side = 0; side < N_SIDES; side++)
		fetch_close(&piece->fetch[side]);
	mem_free(piece->unit);
	io_free(piece->packed, run->piece_bytes);
	mem_free(piece);
}

static struct slot *piece_new(void *user)
{
	const struct run *run = user;
	struct piece *piece = mem_alloc(sizeof *piece);

	if (piece == NULL)
		return NULL;
	piece->run = run;
	/* one more, where a piece begins inside a unit */
	piece->unit = mem_alloc((run->piece_bytes / run->unit_bytes + 1) * sizeof *piece->unit);
	if (run->job->compress)
		piece->packed = io_alloc(run->piece_bytes);
	if (piece->unit != NULL && (piece->packed != NULL || !run->job->compress) &&
	    fetch_open(&piece->fetch[OLD], run->piece_bytes) == ST_OK &&
	    fetch_open(&piece->fetch[NEW], run->piece_bytes) == ST_OK)
		return &piece->slot;
	piece_free(&piece->slot, user);
	return NULL;
}

static enum status piece_copy(struct slot *to, const struct slot *from)
{
	const struct piece *lost = (const struct piece *)from;
	struct piece *piece = (struct piece *)to;
	enum status st = fetch_copy(&piece->fetch[OLD], &lost->fetch[OLD]);

	piece->at = lost->at;
	piece->n = lost->n;
	return st == ST_OK ? fetch_copy(&piece->fetch[NEW], &lost->fetch[NEW]) : st;
}

static void cancelled(void *user, const struct slot *first, struct error *err)
{
	const struct run *run = user;

	(void)first;
	error_set(err, "%s: stopped; the image still has its old backing file",
		  run->job->image->name);
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

static enum status start(struct run *run, struct error *err)
{
	const struct image *image = run->job->image;
	size_t largest = 0;
	bool parallel_reads = false;
	enum status st;

	for (enum side side = 0; side < N_SIDES; side++)
		if (run->backing[side] != NULL) {
			const struct image *backing = run->backing[side];

			largest = (size_t)max_u64(largest, image_largest_packed_unit(backing));
			parallel_reads |= image_parallel_reads(backing);
		}
	run->piece_bytes = pipeline_piece_bytes(N_SIDES + (run->job->compress ? 1 : 0),
						(size_t)max_u64(run->unit_bytes, largest));
	st = pipeline_start(&run->line, image->size, largest, parallel_reads,
			    run->job->compress ? EFFORT_PACK : EFFORT_LOOK, err);
	for (size_t i = 0; st == ST_OK && run->job->compress && i < pipeline_processors(&run->line);
	     i++) {
		run->codec[i] = codec_open(image->compression, CODEC_DEFAULT);
		if (run->codec[i] == NULL)
			st = fail_no_memory(err);
	}
	return st;
}

static enum status make_independent(const struct rebase_job *job, struct error *err)
{
	struct run *run = mem_alloc(sizeof *run);
	enum status st;

	if (run == NULL)
		return fail_no_memory(err);
	run->job = job;
	run->backing[OLD] = job->image->backing;
	run->backing[NEW] = job->backing;
	run->unit_bytes = job->image->unit_bytes;
	run->progress.sink = job->progress;
	st = start(run, err);
	progress_begin(&run->progress, job->image->size);
	progress_phase(&run->progress, "copying", job->image->size);
	if (st == ST_OK)
		st = pipeline_run(&run->line, &ops, run, &run->progress, err);
	progress_end(&run->progress);
	pipeline_close(&run->line);
	for (size_t i = 0; i <= PIPELINE_WORKERS_MAX; i++)
		codec_close(run->codec[i]);
	mem_free(run);
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
		return fail(err, ST_UNSUPPORTED,
			    "%s: images of format %s cannot get another backing file", image->name,
			    image->format->name);
	st = job->compress ? pack_possible(image, err) : ST_OK;
	if (st == ST_OK)
		st = set_backing(job, false, err);
	if (st == ST_OK && !job->unsafe)
		st = make_independent(job, err);
	if (st == ST_OK)
		st = image_flush(image, err);
	return st == ST_OK ? set_backing(job, true, err) : st;
}
