#include "job/convert.h"

#include "base/range.h"
#include "base/size.h"
#include "blk/hold.h"
#include "blk/window.h"
#include "job/bitmaps.h"
#include "job/copy.h"
#include "job/verify.h"

enum status convert_size(const struct chain *source, size_t n_sources, uint64_t *ret_bytes, struct error *err)
{
	uint64_t size = 0;

	for (size_t i = 0; i < n_sources; i++)
		if (!add_ok(size, source[i].link[0].image->size, &size) || size > SIZE_LIMIT - 511)
			return fail(err, ST_TOO_LARGE, "%s: together the sources are more than a disk can have", source[i].link[0].name);
	*ret_bytes = size;
	return ST_OK;
}

static enum status copy_with_bitmaps(const struct convert_job *job, uint64_t size, struct fingerprint *print, struct error *err)
{
	struct image *source = job->source[0].link[0].image;
	enum status st = job->bitmaps ? bitmaps_plan_copy(job->target, source, err) : ST_OK;

	if (st == ST_OK)
		st = copy_disk(job, size, print, err);
	return st == ST_OK && job->bitmaps ? bitmaps_copy(job->target, source, err) : st;
}

/* Reads the target back as another reader would, who has nothing of it in memory. */
static enum status read_back(const struct convert_job *job, const struct fingerprint *print, struct error *err)
{
	struct blk *file = job->target->file;
	struct window_kind all = { .size = file->size, .limit = file->size };
	struct chain backing = { 0 };
	struct image *image = NULL;
	enum status st;

	file = window_open(file, &all);
	if (file == NULL)
		return fail_no_memory(err);
	st = image_open_blk(file, job->target->name, job->target->format, OPEN_READ, &image, err);
	if (st == ST_OK)
		st = chain_open_backing(image, &backing, err);
	if (st == ST_OK)
		st = image_load(image, err);
	if (st == ST_OK)
		st = verify_disk(image, print, job->map, job->progress, err);
	image_close(image);
	chain_close(&backing);
	if (st == ST_CORRUPT) {
		struct error why = *err;

		st = fail(err, ST_MISMATCH, "reading back what was written: %s", why.text);
	}
	return st;
}

static enum status copy_and_verify(const struct convert_job *job, uint64_t size, struct error *err)
{
	struct fingerprint print;
	uint64_t total;
	enum status st;

	progress_begin(job->progress, job->verify && add_ok(size, size, &total) ? total : size);
	if (!job->verify)
		return copy_with_bitmaps(job, size, NULL, err);
	st = fingerprint_open(&print, size, err);
	if (st == ST_OK)
		st = copy_with_bitmaps(job, size, &print, err);
	if (st == ST_OK) {
		st = read_back(job, &print, err);
		if (st != ST_OK && st != ST_CANCELLED && job->map != NULL)
			job->map->done = 0;
	}
	fingerprint_close(&print);
	return st;
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
		return copy_and_verify(job, size, err);
	st = create_open(job->create, &file, err);
	if (st != ST_OK)
		return st;
	st = open_created(job, file, size, &backing, err);
	if (st == ST_OK)
		st = copy_and_verify(job, size, err);
	if (st == ST_OK) {
		progress_phase(job->progress, "finishing", 0);
		st = hold_release(file);
		if (st != ST_OK)
			error_set(err, "%s: writing it: %s", job->create->file[0], status_text(st));
	}
	image_close(job->target);
	job->target = NULL;
	chain_close(&backing);
	if (st != ST_OK && job->map != NULL)
		job->map->absent = job->map->size;
	if (st != ST_OK)
		create_remove(job->create, err);
	return st;
}
