/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Makes new images. create_prepare() finds out everything that can be known: the backing file, the
 * sizes of all files, the space and limits of their volumes, and files in the way. Only then does
 * create_open() write, and in this order: the files with a placeholder for the first sector
 * (blk/hold.h), what the format writes into them, a flush, what the format keeps for the end, a
 * flush, and last the first sector. On a volume that truncates files, an image that can be is
 * written from front to back instead (blk/forward.h), and last its end. On failure, only files that
 * it has made itself are removed.
 */
#include "edit/create.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "blk/forward.h"
#include "blk/window.h"
#include "edit/place.h"
#include "format/chain.h"
#include "platform/files.h"
#include "platform/path.h"
#include "record/finished.h"
#include "storage/split.h"
#include "storage/storage.h"

static const char *option_text(const struct create_job *job, const char *name)
{
	const struct create_value *value = create_value(&job->options, name);

	return value != NULL ? value->text : NULL;
}

/* ---- the backing file ---- */

/* Takes the size from the backing file where none was given. */
static enum status open_backing(struct create_job *job, const char *name,
				const struct image_format *format, struct error *err)
{
	struct out_buffer digits;
	struct chain chain;
	char text[24];
	enum status st = chain_open(job->storage, ROLE_BACKING_FILE, name, format, true, &chain,
				    err);

	if (st != ST_OK)
		return st;
	if (job->request.backing_format == NULL)
		st = fail(err, ST_INVALID,
			  "%s: give the format of the backing file with -F; it was detected as %s",
			  name, chain.link[0].image->format->name);
	if (st == ST_OK && option_text(job, "size") == NULL) {
		out_buffer_init(&digits, text, sizeof text);
		out_printf(&digits.out, "%ju", chain.link[0].image->size);
		st = create_values_set(&job->options, "size", text, err);
	}
	job->request.backing_id = chain.link[0].image->content_id;
	chain_close(&chain);
	return st;
}

static enum status prepare_backing(struct create_job *job, struct error *err)
{
	const char *backing = option_text(job, "backing_file");
	const struct image_format *format = NULL;
	char *name;
	enum status st = ST_OK;

	job->request.backing_name = backing;
	job->request.backing_format = option_text(job, "backing_fmt");
	if (backing == NULL)
		return job->request.backing_format == NULL
			       ? ST_OK
			       : fail(err, ST_INVALID,
				      "%s: the format of a backing file (-F, backing_fmt) is "
				      "given, but no backing file (-b, backing_file)",
				      job->file_name);
	if (backing[0] == '\0')
		return fail(err, ST_INVALID, "%s: the name of the backing file is empty",
			    job->file_name);
	if (job->request.backing_format != NULL)
		st = image_format_get(job->request.backing_format, "backing file format", &format,
				      err);
	if (st == ST_OK && job->trust_backing && format == NULL)
		st = fail(err, ST_INVALID, "%s: give the format of the backing file with -F",
			  backing);
	if (st != ST_OK || job->trust_backing)
		return st;
	name = path_relative_to(job->file_name, backing);
	if (name == NULL)
		return fail_no_memory(err);
	st = open_backing(job, name, format, err);
	mem_free(name);
	return st;
}

/* ---- place for the files ---- */

/* Where file `i` of the plan would be. */
static enum status look_at_place(const struct create_job *job, size_t i, struct place *ret,
				 struct error *err)
{
	struct out_buffer out;

	if (i > 0 || job->device_bytes == 0) {
		if (path_is_selector(job->plan.file[i].name))
			return fail(err, ST_INVALID,
				    "%s is a disk or a partition, and a file name is needed "
				    "(restore, clone, write, convert and dd write to disks)",
				    job->plan.file[i].name);
		return platform_look(job->plan.file[i].name, ret, err);
	}
	*ret = (struct place){ .free_bytes = job->device_bytes,
			       .file_limit_bytes = UINT64_MAX,
			       .cluster_bytes = 1,
			       .volume = (uintptr_t)job };
	out_buffer_init(&out, ret->volume_name, sizeof ret->volume_name);
	out_text(&out.out, job->plan.file[i].name);
	return ST_OK;
}

/* Where an image may outgrow the largest file of its volume, it is split. */
static enum status decide_split(struct create_job *job, struct error *err)
{
	struct image_measure full = { .full_bytes = job->request.size };
	struct place place;
	enum status st;

	if (!job->may_split || job->split_bytes > 0 || job->device_bytes > 0 ||
	    job->plan.n_files > 1)
		return ST_OK;
	st = look_at_place(job, 0, &place, err);
	if (st == ST_OK && job->format->create.measure != NULL)
		st = job->format->create.measure(&job->request, NULL, &full, err);
	if (st == ST_OK && full.full_bytes > place.file_limit_bytes)
		job->split_bytes = place.file_limit_bytes;
	return st;
}

/*
 * A file that is called like a part is read as one, wherever the new image ends: it goes, or must
 * not be there.
 */
static enum status check_part(void *user, const char *part, struct error *err)
{
	const struct create_job *job = user;
	enum status st = storage_use(job->storage, ROLE_PART, ACCESS_REMOVE, part, err);

	if (st == ST_OK && !job->replace)
		return fail(err, ST_EXISTS,
			    "%s: the file exists already, and would be taken for a part of %s; "
			    "--force would remove it",
			    part, job->file_name);
	return st;
}

static enum status check_parts(struct create_job *job, struct error *err)
{
	uint64_t part_bytes = split_part_bytes(job->split_bytes), most;

	if (part_bytes == 0)
		return fail(err, ST_INVALID, "%s: parts of %ju bytes are too small: at least 1M",
			    job->file_name, job->split_bytes);
	if (mul_ok(part_bytes, SPLIT_PARTS_MAX, &most) && job->plan.file[0].size >= most)
		return fail(err, ST_TOO_LARGE,
			    "%s: %ju bytes in parts of %ju are more than %d files; make the parts "
			    "larger (--split)",
			    job->file_name, job->plan.file[0].size, part_bytes, SPLIT_PARTS_MAX);
	return split_each_part(job->plan.file[0].name, check_part, job, err);
}

/*
 * Takes the names of file `i` of the plan, and refuses what is there already unless it is to be
 * replaced.
 */
static enum status take_names(struct create_job *job, size_t i, const struct place *place,
			      struct error *err)
{
	const char *name = job->plan.file[i].name;
	bool split = i == 0 && job->split_bytes > 0;
	enum status st;

	if (i == 0 && job->device_bytes > 0)
		return ST_OK;
	if (i > 0)
		st = storage_use_of(job->storage, job->format->other_files, ACCESS_CREATE, name,
				    job->file_name, err);
	else
		st = split ? storage_use_split(job->storage, ROLE_TARGET, name, err)
			   : storage_use(job->storage, ROLE_TARGET, ACCESS_CREATE, name, err);
	if (st == ST_OK && place->exists && !job->replace)
		return fail(err, ST_EXISTS, "%s: the file exists already; --force would replace it",
			    name);
	return st == ST_OK && split ? check_parts(job, err) : st;
}

static enum status check_places(struct create_job *job, struct error *err)
{
	struct place_need *need = mem_alloc(job->plan.n_files * sizeof *need);
	enum status st = need != NULL ? ST_OK : fail_no_memory(err);

	for (size_t i = 0; st == ST_OK && i < job->plan.n_files; i++) {
		need[i] = (struct place_need){ .name = job->plan.file[i].name,
					       .size = job->plan.file[i].size,
					       .prealloc = job->plan.file[i].prealloc };
		st = look_at_place(job, i, &need[i].place, err);
		if (st == ST_OK && i == 0)
			job->place = need[i].place;
		if (st == ST_OK)
			st = take_names(job, i, &need[i].place, err);
		if (i == 0 && job->split_bytes > 0)
			need[i].place.file_limit_bytes = UINT64_MAX;
		if (st == ST_OK)
			st = place_check(need, i, err);
	}
	mem_free(need);
	return st;
}

static enum status resolve_names(struct create_job *job, struct error *err)
{
	for (size_t i = 1; i < job->plan.n_files; i++) {
		struct create_file *file = &job->plan.file[i];
		char *name = path_relative_to(job->file_name, file->name);

		if (name == NULL)
			return fail_no_memory(err);
		mem_free(file->name);
		file->name = name;
	}
	return ST_OK;
}

/* A dense image becomes at least as long as is known for one that is full. */
static enum status plan_dense(struct create_job *job, struct error *err)
{
	struct image_measure full;
	enum status st;

	/* With a data file, that is what has the data. What a backing file shows is left out. */
	if (!job->dense || job->format->create.measure == NULL || job->plan.n_files > 1 ||
	    job->request.backing_name != NULL)
		return ST_OK;
	st = job->format->create.measure(&job->request, NULL, &full, err);
	if (st != ST_OK)
		return st;
	job->plan.file[0].size = max_u64(job->plan.file[0].size, full.full_bytes);
	job->plan.file[0].prealloc = PREALLOC_FULL;
	return ST_OK;
}

enum status create_prepare(struct create_job *job, struct error *err)
{
	struct error why;
	uint64_t size;
	enum status st;

	job->request = (struct create_request){
		.file_name = job->file_name,
		.options = &job->options,
		.bitmaps = job->bitmaps,
		.compressed = job->compressed,
		.filled = job->fill,
	};
	st = prepare_backing(job, err);
	if (st != ST_OK)
		return st;
	if (option_text(job, "size") == NULL)
		return fail(err, ST_INVALID,
			    "%s: the size of the disk is missing; give it after the name, such as "
			    "10G",
			    job->file_name);
	size = create_value(&job->options, "size")->number;
	if (size > SIZE_LIMIT - 511)
		return fail(err, ST_TOO_LARGE,
			    "%s: a disk of %ju bytes is larger than any image can hold",
			    job->file_name, size);
	job->request.size = round_up(size, 512);
	st = job->format->create.plan(&job->request, &job->plan, &why);
	if (st == ST_OK)
		st = plan_dense(job, &why);
	if (st != ST_OK)
		return fail(err, st, "%s: %s", job->file_name, why.text);
	st = resolve_names(job, err);
	if (st == ST_OK)
		st = decide_split(job, err);
	return st == ST_OK ? check_places(job, err) : st;
}

/* ---- writing ---- */

/*
 * Creates file `i` of the plan. With --force an existing file must not be one that was made a
 * moment ago.
 */
static enum status make_file(const struct create_job *job, size_t i, struct blk **ret,
			     struct error *err)
{
	if (i == 0 && job->split_bytes > 0)
		return split_create(job->plan.file[0].name, split_part_bytes(job->split_bytes),
				    job->replace, ret, err);
	if (i == 0 && job->replace && job->device_bytes == 0) {
		unsigned n;
		enum status st = split_count(job->plan.file[0].name, &n, err);

		if (st == ST_OK && n > 1)
			st = split_remove(job->plan.file[0].name, n,
					  err); /* what is whole has no parts */
		if (st != ST_OK)
			return st;
	}
	if (i > 0 || job->device_bytes == 0)
		return platform_create(job->plan.file[i].name, job->replace, ret, err);
	*ret = window_open(job->device, &(struct window_kind){ .limit = job->device_bytes });
	return *ret != NULL ? ST_OK : fail_no_memory(err);
}

/* Takes back what was made; adds to the message if a file remains. */
static void remove_files(const struct create_job *job, size_t n, struct error *err)
{
	for (size_t i = job->device_bytes > 0 ? 1 : 0; i < n; i++) {
		struct error why, before;

		if ((i > 0 || job->split_bytes == 0 ||
		     split_remove(job->plan.file[0].name, SPLIT_PARTS_MAX, &why) == ST_OK) &&
		    platform_remove(job->plan.file[i].name, &why) == ST_OK)
			continue;
		before = *err;
		error_set(err, "%s; and the incomplete file could not be removed: %s", before.text,
			  why.text);
	}
}

void create_remove(const struct create_job *job, struct error *err)
{
	remove_files(job, job->plan.n_files, err);
}

/* Bytes at the end of the image's file that are changed while it is written; 0: others are, too. */
static uint64_t changed_end_bytes(const struct create_job *job)
{
	return job->format->create.changed_end_bytes != NULL && job->split_bytes == 0
		       ? job->format->create.changed_end_bytes(&job->request)
		       : 0;
}

enum status create_check_rewrite(struct create_job *job, struct error *err)
{
	struct error why;
	enum status st = ST_OK;

	for (size_t i = job->device_bytes > 0 ? 1 : 0; st == ST_OK && i < job->plan.n_files; i++)
		st = platform_check_rewrite(job->plan.file[i].name, err);
	job->forward = st == ST_UNSUPPORTED && changed_end_bytes(job) > 0;
	if (st != ST_UNSUPPORTED || job->forward)
		return job->forward ? ST_OK : st;
	why = *err;
	return fail(err, st,
		    "%s; of new images, only VMDK with subformat=streamOptimized, in one file, are "
		    "written from front to back, and can be created there",
		    why.text);
}

/* Keeps back what makes the file an image. */
static enum status keep_back(const struct create_job *job, struct blk **file, struct error *err)
{
	struct hold_kind first = { .bytes = HOLD_IMAGE_BYTES };
	struct forward_kind end = { .kept_bytes = changed_end_bytes(job),
				    .limit = job->place.file_limit_bytes };
	uint8_t mark[MARK_BYTES];
	struct blk *kept;
	enum status st;

	if (job->forward) {
		st = forward_open(*file, &end, &kept);
	} else {
		mark_make(MARK_IMAGE, job->id, mark);
		first.mark = mark;
		st = hold_open(*file, &first, &kept);
	}
	if (st != ST_OK)
		return fail(err, st, "%s: %s", job->file_name, status_text(st));
	*file = kept;
	return ST_OK;
}

/* Creates all files; *ret_n of them are there, on failure too. */
static enum status make_files(struct create_job *job, struct blk *file[], size_t *ret_n,
			      struct error *err)
{
	enum status st = create_check_rewrite(job, err);

	for (*ret_n = 0; st == ST_OK && *ret_n < job->plan.n_files; *ret_n += st == ST_OK)
		st = make_file(job, *ret_n, &file[*ret_n], err);
	return st == ST_OK ? keep_back(job, &file[0], err) : st;
}

/* create_open() with an array for the files; file[0] stays open. */
static enum status create_in(struct create_job *job, struct blk *file[], struct error *err)
{
	struct error why;
	size_t n_made;
	enum status st = make_files(job, file, &n_made, err);

	if (st == ST_OK) {
		st = job->format->create.write_files(&job->request, file, &why);
		if (st != ST_OK)
			error_set(err, "%s: %s", job->file_name, why.text);
	}
	for (size_t i = 1; i < n_made; i++) {
		if (st == ST_OK) {
			st = blk_flush(file[i]);
			if (st != ST_OK)
				error_set(err, "%s: writing it: %s", job->plan.file[i].name,
					  status_text(st));
		}
		blk_close(file[i]);
	}
	if (st != ST_OK) {
		if (n_made > 0)
			blk_close(file[0]);
		remove_files(job, n_made, err);
	}
	return st;
}

enum status create_open(struct create_job *job, struct blk **ret, struct error *err)
{
	struct blk **file = mem_alloc(job->plan.n_files * sizeof(struct blk *));
	enum status st;

	if (file == NULL)
		return fail_no_memory(err);
	st = create_in(job, file, err);
	if (st == ST_OK)
		*ret = file[0];
	mem_free(file);
	return st;
}

static enum status check_unfinished(struct blk *file, const char *name,
				    const uint8_t id[static MARK_ID_BYTES], struct error *err)
{
	uint8_t found[MARK_ID_BYTES];
	bool marked;
	enum status st = mark_read(file, MARK_IMAGE, &marked, found);

	if (st != ST_OK)
		return fail(err, st, "%s: reading its beginning: %s", name, status_text(st));
	if (!marked)
		return fail(err, ST_EXISTS,
			    "%s: --resume: this is not the unfinished image of the journal: it is "
			    "complete, or another file; it was not changed",
			    name);
	if (memcmp(found, id, sizeof found) != 0)
		return fail(err, ST_EXISTS,
			    "%s: --resume: this is the unfinished image of another copy, not that "
			    "of the journal; it was not changed",
			    name);
	return ST_OK;
}

enum status create_check_unfinished(const char *name, const uint8_t id[static MARK_ID_BYTES],
				    struct error *err)
{
	struct blk *file;
	enum status st = platform_open(name, OPEN_READ, &file, err);

	if (st != ST_OK)
		return st;
	st = check_unfinished(file, name, id, err);
	blk_close(file);
	return st;
}

/* The file, with its parts if it has some or may get some. */
static enum status open_file(const struct create_job *job, struct blk **ret, struct error *err)
{
	struct blk *first;
	enum status st = platform_check_rewrite(job->plan.file[0].name, err);

	if (st == ST_OK)
		st = platform_open(job->plan.file[0].name, OPEN_WRITE, &first, err);

	if (st != ST_OK)
		return st;
	return job->split_bytes > 0
		       ? split_reopen(job->plan.file[0].name, split_part_bytes(job->split_bytes),
				      first, ret, err)
		       : split_open(job->plan.file[0].name, OPEN_WRITE, first, ret, err);
}

enum status create_reopen(const struct create_job *job,
			  const uint8_t first[static HOLD_IMAGE_BYTES], struct blk **ret,
			  struct error *err)
{
	uint8_t mark[MARK_BYTES];
	struct blk *file;
	enum status st = open_file(job, &file, err);

	if (st != ST_OK)
		return st;
	st = check_unfinished(file, job->plan.file[0].name, job->id, err);
	if (st == ST_OK) {
		mark_make(MARK_IMAGE, job->id, mark);
		st = hold_open(file,
			       &(struct hold_kind){
				       .bytes = HOLD_IMAGE_BYTES, .mark = mark, .resumes = true },
			       ret);
		if (st != ST_OK)
			error_set(err, "%s: %s", job->file_name, status_text(st));
	}
	if (st != ST_OK) {
		blk_close(file);
		return st;
	}
	st = blk_write(*ret, 0, first, HOLD_IMAGE_BYTES);
	if (st != ST_OK)
		blk_close(*ret);
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", job->file_name, status_text(st));
}

enum status create_finish(const struct create_job *job, struct blk *file, struct error *err)
{
	struct error why;
	enum status st;

	if (job->format->create.finish == NULL)
		return ST_OK;
	st = blk_flush(file);
	if (st == ST_OK) {
		st = job->format->create.finish(&job->request, file, &why);
		if (st != ST_OK)
			return fail(err, st, "%s: %s", job->file_name, why.text);
		st = blk_flush(file);
	}
	return st == ST_OK ? ST_OK
			   : fail(err, st, "%s: writing it: %s", job->file_name, status_text(st));
}

enum status create_release(const struct create_job *job, struct blk *file, bool *ret_exposed,
			   struct error *err)
{
	enum status st = job->forward ? forward_release(file) : hold_release(file);

	*ret_exposed = st != ST_OK &&
		       (st == ST_MISMATCH || job->forward || hold_first_sector_uncertain(file));
	return st == ST_OK ? ST_OK
			   : fail(err, st, "%s: writing it: %s", job->plan.file[0].name,
				  status_text(st));
}

enum status create_run(struct create_job *job, struct error *err)
{
	struct finished finished = { 0 };
	struct blk *file;
	bool exposed; /* is removed in any case */
	enum status st = create_open(job, &file, err);

	if (st != ST_OK)
		return st;
	st = create_finish(job, file, err);
	if (st == ST_OK)
		st = create_release(job, file, &exposed, err);
	for (size_t i = 0; st == ST_OK && i < job->plan.n_files; i++)
		if (i > 0)
			st = finished_add_size(&finished, job->plan.file[i].name,
					       job->plan.file[i].size, err);
		else if (job->device_bytes == 0)
			st = finished_add(&finished, job->plan.file[i].name, file, err);
	blk_close(file);
	if (st == ST_OK)
		st = finished_check(&finished, err);
	else
		finished_free(&finished);
	if (st != ST_OK)
		create_remove(job, err);
	return st;
}

unsigned create_n_files(const struct create_job *job)
{
	struct error ignored; /* only how many files there are is not printed then */
	unsigned n;

	return job->split_bytes > 0 && split_count(job->file_name, &n, &ignored) == ST_OK ? n : 1;
}

void create_job_free(struct create_job *job)
{
	create_plan_free(&job->plan);
	create_values_free(&job->options);
	*job = (struct create_job){ 0 };
}
