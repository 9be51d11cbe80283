#include "job/convert.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/platform.h"
#include "base/range.h"
#include "base/size.h"
#include "blk/hold.h"
#include "job/bitmaps.h"
#include "job/pack.h"
#include "job/progress.h"

/* Read at once: a multiple of every cluster size, and enough for the full speed of every device. */
enum { WINDOW_BYTES = 2 << 20 };

/* One run of the job. */
struct copy {
	const struct convert_job *job;
	struct blk *target;
	uint64_t unit_bytes;   /* what is left out or written is a multiple of this, from a multiple of it on */
	bool reads_zero;       /* the target reads as zeros where nothing was written */
	uint8_t *window;       /* WINDOW_BYTES */
	struct pack pack;      /* opened: compress */
};

enum status convert_size(const struct chain *source, size_t n_sources, uint64_t *ret_bytes, struct error *err)
{
	uint64_t size = 0;

	for (size_t i = 0; i < n_sources; i++)
		if (!add_ok(size, source[i].link[0].image->size, &size) || size > SIZE_LIMIT - 511)
			return fail(err, ST_TOO_LARGE, "%s: together the sources are more than a disk can have", source[i].link[0].name);
	*ret_bytes = size;
	return ST_OK;
}

/*
 * ---- the sources as one disk --------------------------------------------------------------------------------------
 */

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

static enum status read_source(const struct convert_job *job, uint64_t offset, uint8_t *buf, size_t len, struct error *err)
{
	while (len > 0) {
		uint64_t at = job->first_byte + offset;
		struct image *image = source_at(job, &at);
		size_t n = (size_t)min_u64(len, image->size - at);
		enum status st = job->salvage != NULL ? salvage_read(job->salvage, image, at, buf, n) : blk_read(&image->blk, at, buf, n);

		if (st != ST_OK)
			return fail(err, st, "%s: reading %zu bytes at offset %ju: %s", image->name, n, at, status_text(st));
		offset += n;
		buf += n;
		len -= n;
	}
	return ST_OK;
}

/* What a range is to the job. */
enum kind { SKIP, ZERO, DATA };

static enum status look(const struct convert_job *job, uint64_t offset, uint64_t len, enum kind *ret_kind, uint64_t *ret_length,
			struct error *err)
{
	uint64_t at = job->first_byte + offset;
	struct image *image = source_at(job, &at);
	struct disk_status status;
	enum status st;

	len = min_u64(len, image->size - at);
	st = job->salvage != NULL ? salvage_status(image, at, len, &status) : disk_status(image, at, len, &status);
	if (st != ST_OK)
		return fail(err, st, "%s: reading the map at offset %ju: %s", image->name, at, status_text(st));
	*ret_length = status.length;
	/* What no image has is decided by the backing file behind `depth`, which is too short for it. */
	if (job->keep_depth > 0 && status.depth + !status.present >= job->keep_depth)
		*ret_kind = SKIP;
	else
		*ret_kind = status.zero && job->sparse_bytes > 0 ? ZERO : DATA;
	return ST_OK;
}

/*
 * ---- the target ---------------------------------------------------------------------------------------------------
 */

static bool is_zero(const uint8_t *bytes, size_t n)
{
	uint64_t seen = 0;

	for (; n >= 64; n -= 64, bytes += 64) {
		uint64_t words[8];

		memcpy(words, bytes, sizeof words);
		seen = words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7];
		if (seen != 0)
			return false;
	}
	while (n-- > 0)
		seen |= *bytes++;
	return seen == 0;
}

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

/* One run of units that are all zeros, or all not. */
static enum status write_run(struct copy *copy, uint64_t offset, const uint8_t *bytes, size_t n, bool zero, struct error *err)
{
	enum status st = ST_OK;

	if (zero && copy->reads_zero)
		return ST_OK;
	if (zero) {
		st = blk_write_zeros(copy->target, offset, n);
	} else if (copy->pack.codec != NULL) {
		for (size_t done = 0; st == ST_OK && done < n; done += copy->unit_bytes)
			st = pack_write(&copy->pack, offset + done, bytes + done, (size_t)min_u64(copy->unit_bytes, n - done));
	} else {
		st = blk_write(copy->target, offset, bytes, n);
	}
	return st == ST_OK ? ST_OK : write_failed(copy, st, offset, err);
}

/* `n` bytes of data, whose units are looked at for zeros. */
static enum status write_window(struct copy *copy, uint64_t offset, size_t n, struct error *err)
{
	bool detect = copy->job->sparse_bytes > 0;
	size_t start = 0;
	enum status st = ST_OK;

	while (st == ST_OK && start < n) {
		size_t unit = (size_t)min_u64(copy->unit_bytes, n - start), end = start + unit;
		bool zero = detect && is_zero(copy->window + start, unit);

		while (end < n) {
			unit = (size_t)min_u64(copy->unit_bytes, n - end);
			if ((detect && is_zero(copy->window + end, unit)) != zero)
				break;
			end += unit;
		}
		st = write_run(copy, offset + start, copy->window + start, end - start, zero, err);
		start = end;
	}
	return st;
}

/* Copies from `at` on, at most to `end`; *ret is how far. Units are never divided, so that each is written once. */
static enum status step(struct copy *copy, uint64_t at, uint64_t end, uint64_t *ret, struct error *err)
{
	enum kind kind;
	uint64_t length;
	size_t n;
	enum status st = look(copy->job, at, end - at, &kind, &length, err);

	if (st != ST_OK)
		return st;
	if (kind != DATA && (length >= copy->unit_bytes || at + length == end)) {
		*ret = at + length == end ? end : at + round_down(length, copy->unit_bytes);
		if (kind == SKIP)
			return ST_OK;
		return write_run(copy, at, NULL, (size_t)(*ret - at), true, err);
	}
	n = (size_t)min_u64(min_u64(round_up(length, copy->unit_bytes), end - at), WINDOW_BYTES);
	/* What a compressor gets behind the end of the disk is zeros. */
	memset(copy->window + n, 0, (size_t)(round_up(n, copy->unit_bytes) - n));
	st = read_source(copy->job, at, copy->window, n, err);
	*ret = at + n;
	return st == ST_OK ? write_window(copy, at, n, err) : st;
}

static enum status copy_all(struct copy *copy, uint64_t size, struct error *err)
{
	struct progress progress;
	enum status st = ST_OK;

	progress_begin(&progress, copy->job->progress, size);
	for (uint64_t at = 0, next; st == ST_OK && at < size; at = next) {
		if (platform_cancelled())
			st = fail(err, ST_CANCELLED, "%s: stopped before all of it was copied", copy->job->target->name);
		else
			st = step(copy, at, size, &next, err);
		if (st == ST_OK)
			progress_advance(&progress, next - at);
		else
			next = size;
	}
	progress_end(&progress);
	if (st != ST_OK)
		return st;
	/* A flat one that is new ends with the last byte that was written so far. */
	if (copy->job->create != NULL && copy->job->target->format->flat)
		st = blk_resize(copy->job->target->file, round_up(size, 512), PREALLOC_OFF);
	if (st == ST_OK)
		st = blk_flush(copy->target);
	return st == ST_OK ? ST_OK : write_failed(copy, st, size, err);
}

/*
 * -------------------------------------------------------------------------------------------------------------------
 */

static enum status copy_to_target(const struct convert_job *job, uint64_t size, struct error *err)
{
	struct copy copy = {
		.job = job,
		.target = &job->target->blk,
		.unit_bytes = job->target->cluster_bytes != 0 ? job->target->cluster_bytes
							      : min_u64(max_u64(job->sparse_bytes, 4096), WINDOW_BYTES),
		.reads_zero = job->create != NULL ? job->keep_depth == 0 : job->target_is_zero,
		.window = io_alloc(WINDOW_BYTES),
	};
	enum status st;

	if (copy.window == NULL)
		return fail_no_memory(err);
	st = job->compress ? pack_open(&copy.pack, job->target) : ST_OK;
	if (st != ST_OK)
		error_set(err, "%s", status_text(st));
	if (st == ST_OK)
		st = copy_all(&copy, size, err);
	io_free(copy.window, WINDOW_BYTES);
	pack_close(&copy.pack);
	return st;
}

static enum status copy_with_bitmaps(const struct convert_job *job, uint64_t size, struct error *err)
{
	struct image *source = job->source[0].link[0].image;
	enum status st = job->bitmaps ? bitmaps_plan_copy(job->target, source, err) : ST_OK;

	if (st == ST_OK)
		st = copy_to_target(job, size, err);
	return st == ST_OK && job->bitmaps ? bitmaps_copy(job->target, source, err) : st;
}

/* Opens what create_open() has made, to be written to. `backing` is to be closed after it. */
static enum status open_created(struct convert_job *job, struct blk *file, uint64_t size, struct chain *backing, struct error *err)
{
	enum status st = image_open_blk(file, job->create->file[0], job->create->format, OPEN_WRITE, &job->target, err);

	if (st != ST_OK)
		return st;
	job->target->size = round_up(size, 512); /* a flat one is empty so far */
	st = chain_open_backing(job->target, backing, err);
	return st == ST_OK ? image_load(job->target, err) : st;
}

enum status convert_run(struct convert_job *job, struct error *err)
{
	struct chain backing = { 0 };
	struct blk *file;
	uint64_t size = 0;
	enum status st = convert_size(job->source, job->n_sources, &size, err);

	if (st != ST_OK)
		return st;
	if (job->part)
		size = job->n_bytes;
	if (job->create == NULL)
		return copy_with_bitmaps(job, size, err);
	st = create_open(job->create, &file, err);
	if (st != ST_OK)
		return st;
	st = open_created(job, file, size, &backing, err);
	if (st == ST_OK)
		st = copy_with_bitmaps(job, size, err);
	if (st == ST_OK) {
		st = hold_release(file);
		if (st != ST_OK)
			error_set(err, "%s: writing it: %s", job->create->file[0], status_text(st));
	}
	image_close(job->target);
	job->target = NULL;
	chain_close(&backing);
	if (st != ST_OK)
		create_remove(job->create, err);
	return st;
}
