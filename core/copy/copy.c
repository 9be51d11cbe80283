/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of the bytes: the boot processor looks up what a piece of the disk is and reads it, any
 * processor decompresses it, looks for zeros and compresses it, and the boot processor writes it.
 * Pieces are written in the order of the disk.
 */
#include "copy/copy.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/zero.h"
#include "copy/joined.h"
#include "engine/pipeline.h"

enum {
	/* enough for the full speed of every device; more where a unit or a cluster is larger */
	PIECE_BYTES = 1 << 20,
	ZERO_BYTES = 4 << 20, /* of zeros that are written between two looks at the clock */
	UNIT_MAX = 2 << 20,
};

struct copy;

/* One piece of the disk on its way. DATA: it is no longer than copy->piece_bytes. */
struct piece {
	struct slot slot;
	const struct copy *copy;
	enum joined_kind kind;
	uint64_t offset, length;
	struct fetch fetch;
	enum status st; /* of the work */
	uint64_t part[FINGERPRINT_PARTS];
	bool *zero; /* of each unit: it is all zeros */
	/* of each unit, one after the other, its compressed form; NULL: nothing is compressed */
	uint8_t *packed;
	uint32_t *packed_bytes; /* its length; 0: it does not get smaller */
};

/* One run of the job. */
struct copy {
	const struct convert_job *job;
	struct joined disk; /* what is copied */
	struct blk *target;
	/* what is left out or written is a multiple of this, from a multiple of it on */
	size_t unit_bytes;
	size_t piece_bytes; /* a multiple of it */
	bool reads_zero;    /* the target reads as zeros where nothing was written */
	bool seeks_zeros;   /* it has something better for zeros than to write them */
	bool grows;         /* it is a new file that ends with the last byte that was written */
	struct fingerprint *print; /* NULL: not wanted */
	uint64_t at;               /* what is in front of it is done */
	/*
	 * piece_bytes of what the target has already; NULL: the job does not go on from an earlier
	 * one
	 */
	uint8_t *there;
	struct pipeline line;
	/* of each processor; NULL: nothing is compressed */
	struct codec *codec[PIPELINE_WORKERS_MAX + 1];
};

/* ---- what cannot be read ---- */

static enum status read_failed(const struct piece *piece, enum status st, struct error *err)
{
	uint64_t at = piece->copy->job->first_byte + piece->offset;
	const struct image *image = joined_image(piece->copy->job, &at);

	return fail(err, st, "%s: reading %zu bytes at offset %ju: %s", image->name,
		    (size_t)piece->length, at, status_text(st));
}

/* Says where, if that is known, and notes it. */
static enum status block_failed(const struct piece *piece, const struct salvage_range *range,
				enum status st, struct error *err)
{
	struct rescue_map *map = piece->copy->job->map;
	struct out_buffer out;
	char place[96];

	if (st == ST_OK || range->length == 0)
		return st == ST_OK ? ST_OK : read_failed(piece, st, err);
	if (map != NULL)
		rescue_map_bad(map, range->offset, range->length);
	out_buffer_init(&out, place, sizeof place);
	salvage_print_place(range, &out.out);
	return fail(err, st, "%s: %s of the disk cannot be read: %s", range->image->name, place,
		    status_text(st));
}

/* Reads a piece, or reads it again, block by block where that is necessary. */
static enum status salvage(struct piece *piece, struct error *err)
{
	const struct convert_job *job = piece->copy->job;

	fetch_begin(&piece->fetch);
	for (size_t done = 0; done < piece->length;) {
		uint64_t at = job->first_byte + piece->offset + done;
		struct image *image = joined_image(job, &at);
		size_t n = (size_t)min_u64(piece->length - done, image->size - at);
		struct salvage_range range = { 0 };
		enum status st = job->salvage != NULL
					 ? salvage_read(job->salvage, image, at,
							piece->fetch.bytes + done, n, job->progress)
					 : salvage_read_strictly(image, at,
								 piece->fetch.bytes + done, n,
								 job->progress, &range);

		st = block_failed(piece, &range, st, err);
		if (st != ST_OK)
			return st;
		done += n;
	}
	/* all of it is there: nothing is left for other processors */
	piece->fetch.n = (size_t)piece->length;
	return ST_OK;
}

/* ---- reading ---- */

/* Takes data from the piece's offset on, up to what need not be read and is whole units. */
static enum status read_data(struct copy *copy, struct piece *piece, uint64_t end,
			     struct error *err)
{
	size_t unit = copy->unit_bytes;
	bool again = copy->job->salvage != NULL;
	enum status st = ST_OK;

	fetch_begin(&piece->fetch);
	end = min_u64(end, piece->offset + copy->piece_bytes);
	for (piece->length = 0; st == ST_OK && piece->offset + piece->length < end;) {
		uint64_t at, left = end - piece->offset - piece->length;
		struct disk_status status;
		enum joined_kind kind;

		st = joined_look(&copy->disk, piece->offset + piece->length, left, &at, &status,
				 &kind, err);
		if (st != ST_OK)
			return st;
		if (kind != JOINED_DATA && piece->length % unit == 0 && piece->length > 0 &&
		    (status.length >= unit || status.length == left))
			break;
		if (!again)
			st = fetch_add(&piece->fetch, &status, at, (size_t)status.length);
		piece->length += status.length;
		again |= salvage_is_local(st);
		st = again ? ST_OK : st;
	}
	if (st == ST_OK && !again)
		st = fetch_read(&piece->fetch);
	if (again || salvage_is_local(st))
		return salvage(piece, err);
	return st == ST_OK ? ST_OK : read_failed(piece, st, err);
}

/*
 * Gets the piece from `at` on, at most to `end`. Units are never divided, so that each is written
 * once.
 */
static enum status read_piece(struct copy *copy, struct piece *piece, uint64_t at, uint64_t end,
			      struct error *err)
{
	uint64_t unit = copy->unit_bytes, in_source;
	struct disk_status status;
	enum status st = joined_look(&copy->disk, at, end - at, &in_source, &status, &piece->kind,
				     err);

	piece->offset = at;
	if (st != ST_OK)
		return st;
	piece->slot.has_work = false;
	if (piece->kind != JOINED_DATA && (status.length >= unit || at + status.length == end)) {
		piece->length = at + status.length == end ? status.length
							  : round_down(status.length, unit);
		return ST_OK;
	}
	piece->kind = JOINED_DATA;
	piece->slot.has_work = true;
	return read_data(copy, piece, end, err);
}

/* ---- what any processor can do ---- */

static enum status pack_unit(const struct piece *piece, struct codec *codec, size_t i)
{
	size_t unit = piece->copy->unit_bytes, n;
	enum status st = codec_compress(codec, piece->fetch.bytes + i * unit, unit,
					piece->packed + i * unit, unit - 1, &n);

	piece->packed_bytes[i] = st == ST_OK ? (uint32_t)n : 0;
	return st == ST_NO_SPACE ? ST_OK : st;
}

/* Zeros are looked for once: they count nothing in a fingerprint. */
static enum status work_unit(struct piece *piece, size_t worker, size_t i)
{
	const struct copy *copy = piece->copy;
	size_t unit = copy->unit_bytes, at = i * unit;
	const uint8_t *bytes = piece->fetch.bytes + at;
	bool zero = (copy->seeks_zeros || copy->print != NULL) && is_zero(bytes, unit);

	piece->zero[i] = zero && copy->seeks_zeros;
	if (copy->print != NULL && !zero)
		fingerprint_part(copy->print, piece->offset, piece->offset + at, bytes,
				 (size_t)min_u64(unit, piece->length - at), piece->part);
	return piece->packed != NULL && !piece->zero[i] ? pack_unit(piece, copy->codec[worker], i)
							: ST_OK;
}

static void work(struct work *its_work, size_t worker)
{
	struct piece *piece = (struct piece *)its_work;
	const struct copy *copy = piece->copy;
	size_t unit = copy->unit_bytes, length = (size_t)piece->length,
	       n_units = (size_t)div_up(length, unit);
	enum status st = fetch_finish(&piece->fetch, &copy->line.unpacker[worker]);

	/* What a compressor gets behind the end of the disk is zeros. */
	memset(piece->fetch.bytes + length, 0, n_units * unit - length);
	memset(piece->part, 0, sizeof piece->part);
	for (size_t i = 0; st == ST_OK && i < n_units; i++)
		st = work_unit(piece, worker, i);
	piece->st = st;
}

/* ---- writing ---- */

static enum status write_failed(const struct copy *copy, enum status st, uint64_t offset,
				struct error *err)
{
	const struct create_job *create = copy->job->create;
	bool full = (st == ST_NO_SPACE || st == ST_TOO_LARGE) && create != NULL &&
		    create->format->create.measure != NULL;
	struct image_measure most;
	struct error ignored; /* then it is not said how much */

	if (full &&
	    create->format->create.measure(&create->request, NULL, &most, &ignored) == ST_OK)
		return fail(err, st,
			    "%s: writing at offset %ju of the disk: %s; an image that has all of "
			    "it takes %ju bytes",
			    copy->job->target->name, offset, status_text(st), most.full_bytes);
	return fail(err, st, "%s: writing at offset %ju of the disk: %s", copy->job->target->name,
		    offset, status_text(st));
}

/* Writes unit `i` in its compressed form, or as it is if that is not shorter. */
static enum status write_packed(const struct piece *piece, size_t i)
{
	struct image *image = piece->copy->job->target;
	size_t unit = piece->copy->unit_bytes;
	uint64_t offset = piece->offset + i * unit;

	if (piece->packed_bytes[i] > 0)
		return image->format->change.write_compressed(image, offset,
							      piece->packed + i * unit,
							      piece->packed_bytes[i]);
	return blk_write(&image->blk, offset, piece->fetch.bytes + i * unit,
			 (size_t)min_u64(unit, piece->length - i * unit));
}

/*
 * What comes behind the end of a file makes the file system write zeros: it does that here, where
 * it is counted.
 */
static enum status put_zeros(const struct copy *copy, uint64_t offset, uint64_t n)
{
	struct blk *file = copy->job->target->file[0].blk;

	if (!copy->reads_zero)
		return blk_write_zeros(copy->target, offset, n);
	return copy->grows && file->size < offset + n ? blk_resize(file, offset + n, PREALLOC_OFF)
						      : ST_OK;
}

/* Units from `i` up to `end` that are all zeros, or all not. */
static enum status write_run(const struct piece *piece, size_t i, size_t end)
{
	const struct copy *copy = piece->copy;
	size_t at = i * copy->unit_bytes,
	       n = (size_t)min_u64(end * copy->unit_bytes, piece->length) - at;
	enum status st = ST_OK;

	if (piece->zero[i])
		return put_zeros(copy, piece->offset + at, n);
	if (piece->packed == NULL)
		return blk_write(copy->target, piece->offset + at, piece->fetch.bytes + at, n);
	for (; st == ST_OK && i < end; i++)
		st = write_packed(piece, i);
	return st;
}

static enum status write_data(const struct piece *piece, struct error *err)
{
	size_t n_units = (size_t)div_up(piece->length, piece->copy->unit_bytes), end;
	enum status st = ST_OK;

	for (size_t i = 0; i < n_units; i = end) {
		for (end = i + 1; end < n_units && piece->zero[end] == piece->zero[i];)
			end++;
		st = write_run(piece, i, end);
		if (st != ST_OK)
			return write_failed(piece->copy, st,
					    piece->offset + i * piece->copy->unit_bytes, err);
	}
	return ST_OK;
}

/* Everything in front of `at` is done. */
static void done_to(struct copy *copy, uint64_t at)
{
	progress_advance(copy->job->progress, at - copy->at);
	copy->at = at;
}

/* Zeros may be the most of a disk: what takes long is done in steps. */
static enum status write_zeros(struct copy *copy, const struct piece *piece, struct error *err)
{
	uint64_t end = piece->offset + piece->length;
	enum status st = ST_OK;

	while (copy->at < end && (copy->grows || !copy->reads_zero)) {
		uint64_t n = min_u64(end - copy->at, ZERO_BYTES);

		st = progress_cancelled(copy->job->progress) ? ST_CANCELLED
							     : put_zeros(copy, copy->at, n);
		if (st != ST_OK)
			return write_failed(copy, st, copy->at, err);
		done_to(copy, copy->at + n);
	}
	return ST_OK;
}

static enum status write_piece(struct copy *copy, const struct piece *piece, struct error *err)
{
	if (piece->kind == JOINED_DATA)
		return write_data(piece, err);
	return piece->kind == JOINED_ZERO ? write_zeros(copy, piece, err) : ST_OK;
}

/* ---- what an earlier job has written ---- */

static bool is_there(const struct piece *piece)
{
	const struct journal *journal = piece->copy->job->journal;

	return journal != NULL && piece->offset >= journal->begin && piece->offset < journal->old;
}

/* Whether the target has the same. */
static enum status compare_there(const struct piece *piece, bool *ret_same, struct error *err)
{
	const struct copy *copy = piece->copy;
	uint64_t end = piece->offset + piece->length, n;
	enum status st = ST_OK;

	*ret_same = true;
	for (uint64_t at = piece->offset; *ret_same && at < end; at += n) {
		struct disk_status status = { .length = end - at };

		if (piece->kind != JOINED_DATA)
			st = progress_cancelled(copy->job->progress)
				     ? ST_CANCELLED
				     : disk_status(copy->job->target, at, end - at, &status);
		n = status.zero ? status.length : min_u64(status.length, copy->piece_bytes);
		if (st == ST_OK && !status.zero)
			st = blk_read(copy->target, at, copy->there, (size_t)n);
		if (st != ST_OK)
			return fail(err, st, "%s: reading what it has at offset %ju: %s",
				    copy->job->target->name, at, status_text(st));
		if (!status.zero)
			*ret_same = piece->kind == JOINED_DATA
					    ? memcmp(copy->there, piece->fetch.bytes, (size_t)n) ==
						      0
					    : is_zero(copy->there, (size_t)n);
	}
	return ST_OK;
}

/*
 * Where a drive fails, what was lost then may be read now, or the other way round: that is written
 * anew.
 */
static enum status prove(const struct piece *piece, bool *ret_write, struct error *err)
{
	const struct convert_job *job = piece->copy->job;
	bool same;
	enum status st = compare_there(piece, &same, err);

	*ret_write = st == ST_OK && !same && job->salvage != NULL;
	if (st != ST_OK || same || *ret_write)
		return st;
	return fail(err, ST_MISMATCH,
		    "%s: --resume: what it has at offset %ju is not what the source has there: one "
		    "of them was changed since then: begin again without --resume",
		    job->target->name, piece->offset);
}

/* ---- the whole way ---- */

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
	piece->slot.work.run = work;
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

static const struct slot_ops piece_ops = { piece_new, piece_copy, piece_free };

/* Up to `end` the target has all of it. */
static enum status note_done(struct copy *copy, uint64_t end, struct error *err)
{
	struct journal *journal = copy->job->journal;
	enum status st = ST_OK;

	done_to(copy, end);
	if (copy->job->map != NULL)
		copy->job->map->done = end;
	if (journal == NULL)
		return ST_OK;
	journal->copied = end;
	if (end > journal->old && journal_is_due(journal))
		st = journal_checkpoint(journal, copy->job->target);
	return st == ST_OK ? ST_OK : write_failed(copy, st, end, err);
}

/* Writes what comes first. */
static enum status finish(struct copy *copy, struct error *err)
{
	struct piece *piece;
	bool must_write = true;
	enum status st = pipeline_wait(&copy->line);

	if (st != ST_OK)
		return fail_no_memory(err);
	piece = (struct piece *)pipeline_first(&copy->line);
	if (piece->kind == JOINED_DATA && salvage_is_local(piece->st)) {
		st = salvage(piece, err);
		if (st != ST_OK)
			return st;
		work(&piece->slot.work, 0);
	}
	if (piece->kind == JOINED_DATA && piece->st != ST_OK)
		return read_failed(piece, piece->st, err);
	if (piece->kind == JOINED_DATA && copy->print != NULL)
		fingerprint_add(copy->print, piece->offset, piece->part);
	if (copy->job->manifest != NULL)
		manifest_add(copy->job->manifest,
			     piece->kind == JOINED_DATA ? piece->fetch.bytes : NULL, piece->length);
	progress_skip(copy->job->progress, piece->offset - copy->at);
	copy->at = piece->offset;
	if (is_there(piece))
		st = prove(piece, &must_write, err);
	if (st == ST_OK && must_write)
		st = write_piece(copy, piece, err);
	if (st == ST_OK)
		st = note_done(copy, piece->offset + piece->length, err);
	return st;
}

/* Moves *at to what is to be copied next, up to *ret_end. False: there is nothing more. */
static bool go_on(const struct copy *copy, uint64_t size, uint64_t *at, uint64_t *ret_end)
{
	const struct journal *journal = copy->job->journal;

	*ret_end = size;
	if (*at < size && copy->job->map != NULL && !rescue_map_todo(copy->job->map, at, ret_end))
		*at = size;
	*ret_end = min_u64(*ret_end, size);
	if (journal != NULL && journal->old > 0) /* what is there ends with a piece */
		*ret_end = *at < journal->begin ? min_u64(*ret_end, journal->begin)
			   : *at < journal->old ? min_u64(*ret_end, journal->old)
						: *ret_end;
	return *at < size;
}

static enum status run(struct copy *copy, uint64_t size, struct error *err)
{
	uint64_t at = 0, end;
	enum status st = ST_OK;

	progress_phase(copy->job->progress, "copying", size);
	while (st == ST_OK) {
		struct piece *piece = go_on(copy, size, &at, &end)
					      ? (struct piece *)pipeline_free_slot(&copy->line)
					      : NULL;

		if (progress_cancelled(copy->job->progress)) {
			st = fail(err, ST_CANCELLED, "%s: stopped before all of it was copied",
				  copy->job->target->name);
		} else if (piece != NULL) {
			st = read_piece(copy, piece, at, end, err);
			piece->slot.is_hard = piece->fetch.packed_n > 0;
			if (st == ST_OK && pipeline_push(&copy->line) != ST_OK)
				st = fail_no_memory(err);
			at += piece->length;
		} else if (pipeline_first(&copy->line) != NULL) {
			st = finish(copy, err);
			pipeline_pop(&copy->line);
		} else {
			break;
		}
	}
	if (st == ST_OK)
		progress_skip(copy->job->progress, size - copy->at);
	return st;
}

/* As the options of the new image say. */
static int compression_level(const struct convert_job *job)
{
	const struct create_value *value = job->create != NULL ? create_value(&job->create->options,
									      "compression_level")
							       : NULL;

	return value != NULL ? (int)value->number : CODEC_PRESET;
}

static enum status get_ready(struct copy *copy, uint64_t size, struct error *err)
{
	const struct convert_job *job = copy->job;
	size_t source_cluster = 0;
	bool parallel_reads = false;
	enum status st;

	for (size_t i = 0; i < job->n_sources; i++) {
		const struct image *image = job->source[i].link[0].image;

		source_cluster = (size_t)max_u64(source_cluster, image_largest_cluster(image));
		parallel_reads = parallel_reads || image_parallel_reads(image);
	}
	copy->piece_bytes = (size_t)max_u64(max_u64(PIECE_BYTES, source_cluster), copy->unit_bytes);
	copy->piece_bytes -= copy->piece_bytes % copy->unit_bytes;
	if (job->journal != NULL && job->journal->old > 0) {
		copy->there = io_alloc(copy->piece_bytes);
		if (copy->there == NULL)
			return fail_no_memory(err);
	}
	st = pipeline_start(&copy->line, size, source_cluster, parallel_reads,
			    job->compress         ? EFFORT_PACK
			    : copy->print != NULL ? EFFORT_SUM
						  : EFFORT_LOOK,
			    err);
	for (size_t i = 0; st == ST_OK && job->compress && i < pipeline_processors(&copy->line);
	     i++) {
		copy->codec[i] = codec_open(job->target->compression, compression_level(job));
		if (copy->codec[i] == NULL)
			st = fail_no_memory(err);
	}
	return st == ST_OK ? pipeline_make_slots(&copy->line, &piece_ops, copy, err) : st;
}

static void put_away(struct copy *copy)
{
	pipeline_close(&copy->line);
	for (size_t i = 0; i <= PIPELINE_WORKERS_MAX; i++)
		codec_close(copy->codec[i]);
	io_free(copy->there, copy->piece_bytes);
	mem_free(copy);
}

enum status copy_disk(const struct convert_job *job, uint64_t size, struct fingerprint *print,
		      struct error *err)
{
	struct copy *copy = mem_alloc(sizeof *copy);
	enum status st, flushed;

	if (copy == NULL)
		return fail_no_memory(err);
	copy->job = job;
	copy->disk.job = job;
	copy->print = print;
	copy->target = &job->target->blk;
	copy->unit_bytes = job->target->cluster_bytes != 0
				   ? job->target->cluster_bytes
				   : (size_t)min_u64(max_u64(job->sparse_bytes, 4096), UNIT_MAX);
	copy->reads_zero = job->create != NULL ? job->keep_depth == 0 : job->target_is_zero;
	copy->grows = job->create != NULL && job->target->format->flat;
	if (job->journal != NULL && job->journal->old > 0 &&
	    !(job->create != NULL && job->target->format->flat))
		copy->reads_zero = false; /* behind the checkpoint there may be anything */
	copy->seeks_zeros = job->sparse_bytes > 0 &&
			    (copy->reads_zero || !job->target->format->flat ||
			     copy->target->zero_bytes > 0);
	if (!copy->reads_zero) /* fewer than that at a time are as fast written */
		copy->unit_bytes = (size_t)max_u64(copy->unit_bytes, copy->target->zero_bytes);
	st = get_ready(copy, size, err);
	if (st == ST_OK)
		st = run(copy, size, err);
	if (st == ST_OK && copy->grows) {
		st = blk_resize(job->target->file[0].blk, round_up(size, 512), PREALLOC_OFF);
		if (st != ST_OK)
			st = write_failed(copy, st, size, err);
	}
	if (st == ST_OK)
		progress_phase(job->progress, "flushing", 0);
	flushed = st == ST_OK || job->map != NULL ? blk_flush(copy->target) : ST_OK;
	if (flushed != ST_OK && job->map != NULL)
		job->map->done = 0; /* nobody knows what the medium has */
	if (flushed != ST_OK && st == ST_OK)
		st = write_failed(copy, flushed, size, err);
	put_away(copy);
	return st;
}
