/*
 * The way of the bytes: the disk goes through a ring of slots, a piece each. The boot processor looks up what a piece
 * is and reads it, other processors decompress it, look for zeros and compress it, and the boot processor writes it:
 * pieces are written in the order of the disk. Alone, the boot processor does one piece after the other.
 */
#include "job/copy.h"

#include "base/memory.h"
#include "base/platform.h"
#include "base/range.h"
#include "base/zero.h"
#include "job/fetch.h"
#include "job/progress.h"
#include "job/workers.h"

enum {
	PIECE_BYTES = 1 << 20,  /* enough for the full speed of every device; more where a unit or a cluster is larger */
	UNIT_MAX = 2 << 20,
	WORKERS_MAX = 16,
	SLOTS_MAX = 2 * WORKERS_MAX + 2, /* at most WORK_MAX */
	WORTH_BYTES = 4 << 20,  /* starting other processors takes the firmware 10 ms */
};

/* What a range is to the job. */
enum kind { SKIP, ZERO, DATA };

struct copy;

/* One piece of the disk on its way. DATA: it is no longer than copy->piece_bytes. */
struct slot {
	struct work work;
	const struct copy *copy;
	enum kind kind;
	uint64_t offset, length;
	struct fetch fetch;
	enum status st;         /* of the work */
	bool *zero;             /* of each unit: it is all zeros */
	uint8_t *packed;        /* of each unit, one after the other, its compressed form; NULL: nothing is compressed */
	uint32_t *packed_bytes; /* its length; 0: it does not get smaller */
	struct slot *next;      /* of those that were given up */
};

/* What one processor needs. */
struct tools {
	struct unpacker unpacker;
	struct codec *codec; /* NULL: nothing is compressed */
};

/* One run of the job. */
struct copy {
	const struct convert_job *job;
	struct blk *target;
	size_t unit_bytes;     /* what is left out or written is a multiple of this, from a multiple of it on */
	size_t piece_bytes;    /* a multiple of it */
	bool reads_zero;       /* the target reads as zeros where nothing was written */
	struct workers *workers;
	struct tools tools[WORKERS_MAX + 1];
	struct slot *slot[SLOTS_MAX];
	size_t n_slots;
	struct slot *given_up; /* a processor that does not answer may still use them */
};

/* ---- the sources as one disk ---------------------------------------------------------------------------------------- */

/* The source that has the byte at `*offset`, which becomes the offset in it. */
static struct image *source_at(const struct convert_job *job, uint64_t *offset)
{
	size_t i = 0;

	while (*offset >= job->source[i].link[0].image->size) {
		*offset -= job->source[i].link[0].image->size;
		i++;
	}
	return job->source[i].link[0].image;
}

/* What lies at `offset`, within one source: ret->length bytes from *ret_at on of it. */
static enum status look(const struct convert_job *job, uint64_t offset, uint64_t len, uint64_t *ret_at, struct disk_status *ret,
			enum kind *ret_kind, struct error *err)
{
	uint64_t at = job->first_byte + offset;
	struct image *image = source_at(job, &at);
	enum status st;

	len = min_u64(len, image->size - at);
	st = job->salvage != NULL ? salvage_status(image, at, len, ret) : disk_status(image, at, len, ret);
	if (st != ST_OK)
		return fail(err, st, "%s: reading the map at offset %ju: %s", image->name, at, status_text(st));
	*ret_at = at;
	/* What no image has is decided by the backing file behind `depth`, which is too short for it. */
	if (job->keep_depth > 0 && ret->depth + !ret->present >= job->keep_depth)
		*ret_kind = SKIP;
	else
		*ret_kind = ret->zero && job->sparse_bytes > 0 ? ZERO : DATA;
	return ST_OK;
}

static enum status read_failed(const struct slot *slot, enum status st, struct error *err)
{
	uint64_t at = slot->copy->job->first_byte + slot->offset;
	const struct image *image = source_at(slot->copy->job, &at);

	return fail(err, st, "%s: reading %zu bytes at offset %ju: %s", image->name, (size_t)slot->length, at, status_text(st));
}

static enum status salvage(struct slot *slot, struct error *err)
{
	const struct convert_job *job = slot->copy->job;

	for (size_t done = 0; done < slot->length;) {
		uint64_t at = job->first_byte + slot->offset + done;
		struct image *image = source_at(job, &at);
		size_t n = (size_t)min_u64(slot->length - done, image->size - at);
		enum status st = salvage_read(job->salvage, image, at, slot->fetch.bytes + done, n);

		if (st != ST_OK)
			return read_failed(slot, st, err);
		done += n;
	}
	return ST_OK;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

/* Takes data from the slot's offset on, up to what need not be read and is whole units. */
static enum status read_data(struct slot *slot, uint64_t end, struct error *err)
{
	const struct copy *copy = slot->copy;
	size_t unit = copy->unit_bytes;
	enum status st = ST_OK;

	fetch_begin(&slot->fetch);
	end = min_u64(end, slot->offset + copy->piece_bytes);
	for (slot->length = 0; st == ST_OK && slot->offset + slot->length < end;) {
		uint64_t at, left = end - slot->offset - slot->length;
		struct disk_status status;
		enum kind kind;

		st = look(copy->job, slot->offset + slot->length, left, &at, &status, &kind, err);
		if (st != ST_OK)
			return st;
		if (kind != DATA && slot->length % unit == 0 && slot->length > 0 && (status.length >= unit || status.length == left))
			break;
		if (copy->job->salvage == NULL)
			st = fetch_add(&slot->fetch, &status, at, (size_t)status.length);
		slot->length += status.length;
	}
	if (copy->job->salvage != NULL)
		return salvage(slot, err);
	if (st == ST_OK)
		st = fetch_read(&slot->fetch);
	return st == ST_OK ? ST_OK : read_failed(slot, st, err);
}

/* Gets the piece from `at` on, at most to `end`. Units are never divided, so that each is written once. */
static enum status read_piece(struct slot *slot, uint64_t at, uint64_t end, struct error *err)
{
	uint64_t unit = slot->copy->unit_bytes, in_source;
	struct disk_status status;
	enum status st = look(slot->copy->job, at, end - at, &in_source, &status, &slot->kind, err);

	slot->offset = at;
	if (st != ST_OK)
		return st;
	if (slot->kind != DATA && (status.length >= unit || at + status.length == end)) {
		slot->length = at + status.length == end ? status.length : round_down(status.length, unit);
		return ST_OK;
	}
	slot->kind = DATA;
	return read_data(slot, end, err);
}

/* ---- what any processor can do -------------------------------------------------------------------------------------- */

static enum status pack_unit(const struct slot *slot, struct codec *codec, size_t i)
{
	size_t unit = slot->copy->unit_bytes, n;
	enum status st = codec_compress(codec, slot->fetch.bytes + i * unit, unit, slot->packed + i * unit, unit - 1, &n);

	slot->packed_bytes[i] = st == ST_OK ? (uint32_t)n : 0;
	return st == ST_NO_SPACE ? ST_OK : st;
}

static void work(struct work *its_work, size_t worker)
{
	struct slot *slot = (struct slot *)its_work;
	const struct copy *copy = slot->copy;
	const struct tools *tools = &copy->tools[worker];
	size_t unit = copy->unit_bytes, length = (size_t)slot->length, n_units = (size_t)div_up(length, unit);
	enum status st = fetch_finish(&slot->fetch, &tools->unpacker);

	/* What a compressor gets behind the end of the disk is zeros. */
	memset(slot->fetch.bytes + length, 0, n_units * unit - length);
	for (size_t i = 0; st == ST_OK && i < n_units; i++) {
		slot->zero[i] = copy->job->sparse_bytes > 0 && is_zero(slot->fetch.bytes + i * unit, unit);
		if (slot->packed != NULL && !slot->zero[i])
			st = pack_unit(slot, tools->codec, i);
	}
	slot->st = st;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

static enum status write_failed(const struct copy *copy, enum status st, uint64_t offset, struct error *err)
{
	const struct create_job *create = copy->job->create;
	bool full = (st == ST_NO_SPACE || st == ST_TOO_LARGE) && create != NULL && create->format->measure != NULL;
	struct image_measure most;
	struct error ignored; /* then it is not said how much */

	if (full && create->format->measure(&create->request, NULL, &most, &ignored) == ST_OK)
		return fail(err, st, "%s: writing at offset %ju of the disk: %s; an image that has all of it takes %ju bytes",
			    copy->job->target->name, offset, status_text(st), most.full_bytes);
	return fail(err, st, "%s: writing at offset %ju of the disk: %s", copy->job->target->name, offset, status_text(st));
}

/* Writes unit `i` in its compressed form, or as it is if that is not shorter. */
static enum status write_packed(const struct slot *slot, size_t i)
{
	struct image *image = slot->copy->job->target;
	size_t unit = slot->copy->unit_bytes;
	uint64_t offset = slot->offset + i * unit;

	if (slot->packed_bytes[i] > 0)
		return image->format->write_compressed(image, offset, slot->packed + i * unit, slot->packed_bytes[i]);
	return blk_write(&image->blk, offset, slot->fetch.bytes + i * unit, (size_t)min_u64(unit, slot->length - i * unit));
}

/* Units from `i` up to `end` that are all zeros, or all not. */
static enum status write_run(const struct slot *slot, size_t i, size_t end)
{
	const struct copy *copy = slot->copy;
	size_t at = i * copy->unit_bytes, n = (size_t)min_u64(end * copy->unit_bytes, slot->length) - at;
	enum status st = ST_OK;

	if (slot->zero[i])
		return copy->reads_zero ? ST_OK : blk_write_zeros(copy->target, slot->offset + at, n);
	if (slot->packed == NULL)
		return blk_write(copy->target, slot->offset + at, slot->fetch.bytes + at, n);
	for (; st == ST_OK && i < end; i++)
		st = write_packed(slot, i);
	return st;
}

static enum status write_data(const struct slot *slot, struct error *err)
{
	size_t n_units = (size_t)div_up(slot->length, slot->copy->unit_bytes), end;
	enum status st = ST_OK;

	for (size_t i = 0; i < n_units; i = end) {
		for (end = i + 1; end < n_units && slot->zero[end] == slot->zero[i];)
			end++;
		st = write_run(slot, i, end);
		if (st != ST_OK)
			return write_failed(slot->copy, st, slot->offset + i * slot->copy->unit_bytes, err);
	}
	return ST_OK;
}

static enum status write_piece(const struct slot *slot, struct error *err)
{
	enum status st = ST_OK;

	if (slot->kind == DATA)
		return write_data(slot, err);
	if (slot->kind == ZERO && !slot->copy->reads_zero)
		st = blk_write_zeros(slot->copy->target, slot->offset, slot->length);
	return st == ST_OK ? ST_OK : write_failed(slot->copy, st, slot->offset, err);
}

/* ---- the ring ------------------------------------------------------------------------------------------------------- */

static void slot_free(struct slot *slot, const struct copy *copy)
{
	if (slot == NULL)
		return;
	fetch_close(&slot->fetch);
	mem_free(slot->zero);
	mem_free(slot->packed_bytes);
	io_free(slot->packed, copy->piece_bytes);
	mem_free(slot);
}

/* NULL: no memory. */
static struct slot *slot_new(const struct copy *copy)
{
	struct slot *slot = mem_alloc(sizeof *slot);
	size_t n_units = copy->piece_bytes / copy->unit_bytes;

	if (slot == NULL)
		return NULL;
	slot->work.run = work;
	slot->copy = copy;
	slot->zero = mem_alloc(n_units * sizeof *slot->zero);
	if (fetch_open(&slot->fetch, copy->piece_bytes) != ST_OK || slot->zero == NULL)
		goto no_memory;
	if (!copy->job->compress)
		return slot;
	slot->packed_bytes = mem_alloc(n_units * sizeof *slot->packed_bytes);
	slot->packed = io_alloc(copy->piece_bytes);
	if (slot->packed_bytes != NULL && slot->packed != NULL)
		return slot;
no_memory:
	slot_free(slot, copy);
	return NULL;
}

/* Its processor does not answer any more: the piece is read again into another slot, and done here. */
static enum status redo(struct copy *copy, struct slot **slot, struct error *err)
{
	struct slot *old = *slot, *new = slot_new(copy);
	enum status st;

	if (new == NULL)
		return fail_no_memory(err);
	old->next = copy->given_up;
	copy->given_up = old;
	*slot = new;
	st = read_piece(new, old->offset, old->offset + old->length, err);
	if (st == ST_OK)
		work(&new->work, 0);
	return st;
}

/* Writes what comes next. */
static enum status finish(struct copy *copy, struct slot **slot, struct error *err)
{
	enum status st = ST_OK;

	if ((*slot)->kind == DATA && !work_wait(copy->workers, &(*slot)->work))
		st = redo(copy, slot, err);
	if (st == ST_OK && (*slot)->kind == DATA && (*slot)->st != ST_OK)
		return read_failed(*slot, (*slot)->st, err);
	return st == ST_OK ? write_piece(*slot, err) : st;
}

static enum status run(struct copy *copy, uint64_t size, struct error *err)
{
	struct progress progress;
	size_t first = 0, n = 0; /* of the ring, what is on its way */
	uint64_t at = 0;
	enum status st = ST_OK;

	progress_begin(&progress, copy->job->progress, size);
	while (st == ST_OK && (at < size || n > 0)) {
		struct slot **slot = &copy->slot[(first + n) % copy->n_slots];

		if (platform_cancelled()) {
			st = fail(err, ST_CANCELLED, "%s: stopped before all of it was copied", copy->job->target->name);
		} else if (at < size && n < copy->n_slots) {
			st = read_piece(*slot, at, size, err);
			if (st == ST_OK && (*slot)->kind == DATA)
				work_submit(copy->workers, &(*slot)->work);
			at += (*slot)->length;
			n++;
		} else {
			slot = &copy->slot[first];
			st = finish(copy, slot, err);
			if (st == ST_OK)
				progress_advance(&progress, (*slot)->length);
			first = (first + 1) % copy->n_slots;
			n--;
		}
	}
	progress_end(&progress);
	return st;
}

/* ---- getting ready -------------------------------------------------------------------------------------------------- */

static size_t largest_source_cluster(const struct convert_job *job)
{
	size_t most = 0;

	for (size_t i = 0; i < job->n_sources; i++)
		for (size_t j = 0; j < job->source[i].n; j++)
			most = (size_t)max_u64(most, job->source[i].link[j].image->cluster_bytes);
	return most;
}

static enum status tools_open(struct tools *tools, const struct convert_job *job, size_t cluster_bytes)
{
	enum codec_kind kind = job->target->compression;

	if (job->compress) {
		tools->codec = codec_open(kind, kind == CODEC_ZSTD ? CODEC_ZSTD_LEVEL : CODEC_DEFLATE_LEVEL);
		if (tools->codec == NULL)
			return ST_NO_MEMORY;
	}
	return unpacker_open(&tools->unpacker, cluster_bytes);
}

/* One slot is needed; more are made as far as memory goes, so that every processor has one while others are read and written. */
static enum status get_ready(struct copy *copy, uint64_t size, struct error *err)
{
	size_t source_cluster = largest_source_cluster(copy->job), n_workers, wanted;
	enum status st = workers_start(size >= WORTH_BYTES ? WORKERS_MAX : 0, &copy->workers, err);

	if (st != ST_OK)
		return st;
	copy->piece_bytes = (size_t)max_u64(max_u64(PIECE_BYTES, source_cluster), copy->unit_bytes);
	copy->piece_bytes -= copy->piece_bytes % copy->unit_bytes;
	n_workers = workers_count(copy->workers);
	for (size_t i = 0; st == ST_OK && i <= n_workers; i++)
		st = tools_open(&copy->tools[i], copy->job, source_cluster);
	wanted = n_workers > 0 ? 2 * n_workers + 2 : 1;
	while (st == ST_OK && copy->n_slots < wanted) {
		copy->slot[copy->n_slots] = slot_new(copy);
		if (copy->slot[copy->n_slots] == NULL)
			break;
		copy->n_slots++;
	}
	return st == ST_OK && copy->n_slots > 0 ? ST_OK : fail_no_memory(err);
}

static void put_away(struct copy *copy)
{
	workers_stop(copy->workers);
	for (size_t i = 0; i <= WORKERS_MAX; i++) {
		unpacker_close(&copy->tools[i].unpacker);
		codec_close(copy->tools[i].codec);
	}
	for (size_t i = 0; i < copy->n_slots; i++)
		slot_free(copy->slot[i], copy);
	while (copy->given_up != NULL) {
		struct slot *slot = copy->given_up;

		copy->given_up = slot->next;
		slot_free(slot, copy);
	}
	mem_free(copy);
}

enum status copy_disk(const struct convert_job *job, uint64_t size, struct error *err)
{
	struct copy *copy = mem_alloc(sizeof *copy);
	enum status st;

	if (copy == NULL)
		return fail_no_memory(err);
	copy->job = job;
	copy->target = &job->target->blk;
	copy->unit_bytes = job->target->cluster_bytes != 0 ? job->target->cluster_bytes
							   : (size_t)min_u64(max_u64(job->sparse_bytes, 4096), UNIT_MAX);
	copy->reads_zero = job->create != NULL ? job->keep_depth == 0 : job->target_is_zero;
	st = get_ready(copy, size, err);
	if (st == ST_OK)
		st = run(copy, size, err);
	/* A flat one that is new ends with the last byte that was written so far. */
	if (st == ST_OK && job->create != NULL && job->target->format->flat) {
		st = blk_resize(job->target->file, round_up(size, 512), PREALLOC_OFF);
		if (st != ST_OK)
			st = write_failed(copy, st, size, err);
	}
	if (st == ST_OK) {
		st = blk_flush(copy->target);
		if (st != ST_OK)
			st = write_failed(copy, st, size, err);
	}
	put_away(copy);
	return st;
}
