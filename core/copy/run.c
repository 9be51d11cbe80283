/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Runs a plan.
 *
 * Write order of a new image: the files are created, with a placeholder for the first sector
 * (blk/hold.h); the journal begins; the data is copied and flushed; the image is read back;
 * what the format keeps for the end is written and flushed, then the first sector; the file is
 * closed, and looked at once more. On a volume that truncates files there is neither placeholder
 * nor journal, and the end of the image comes last (blk/forward.h). Of a disk: its
 * first MiB is made zeros; the data is copied, flushed and read back; the GPT is moved; the first
 * MiB is written. So nothing that is not complete can be taken for an image, or started from.
 */
#include "copy/run.h"

#include "base/range.h"
#include "base/size.h"
#include "blk/hold.h"
#include "blk/window.h"
#include "copy/target_run.h"
#include "copy/verify.h"
#include "edit/bitmaps.h"
#include "engine/copy.h"
#include "engine/pack.h"
#include "platform/files.h"
#include "record/finished.h"

/* One run of a plan. */
struct run {
	struct copy_plan *plan;
	const struct copy_request *request;
	struct image *target;   /* loaded for writing */
	struct target_run disk; /* of kinds that write to a disk */
	struct observers observers;
	struct progress *progress;
	struct copy_result *result;
};

/* ---- repairing what an earlier run has left ---- */

/* Where a format has no repair, what the power has left needs none: it is checked at most. */
static enum status repair(struct image *image, struct error *err)
{
	const struct check_ops *ops = &image->format->check;
	struct check_result found = { 0 };
	struct error why;
	enum status st = ST_OK;

	if (ops->repair != NULL)
		st = ops->repair(image, REPAIR_ALL, NULL, &found, &why);
	else if (ops->check != NULL)
		st = ops->check(image, NULL, &found, &why);
	if (st == ST_OK && found.corruptions == 0 && found.check_errors == 0)
		return ST_OK;
	return fail(err, st == ST_OK ? ST_CORRUPT : st,
		    "%s: --resume: the unfinished image cannot be repaired (%s); start again "
		    "without --resume",
		    image->name, st == ST_OK ? "it contradicts itself" : why.text);
}

/* Makes what an earlier run has left of a new image one again, as far as the checkpoint. */
static enum status repair_partial_target(const struct run *run, struct error *err)
{
	struct image *image = run->target;
	uint64_t old = run->plan->journal->old;
	enum status st;

	if (!image->format->flat)
		return repair(image, err);
	st = blk_resize(image->file[0].blk, min_u64(image->file[0].blk->size, round_up(old, 512)),
			PREALLOC_OFF);
	return st == ST_OK
		       ? ST_OK
		       : fail(err, st, "%s: --resume: cutting off the data past the checkpoint: %s",
			      image->name, status_text(st));
}

/* Opens the file of the target once more, with nothing of it in memory. The caller closes *ret. */
static enum status open_again(const struct run *run, enum open_mode mode, struct image **ret,
			      struct error *err)
{
	struct image *target = run->target;
	struct blk *file = target->file[0].blk;
	struct window_kind all = { .size = file->size,
				   .limit = mode == OPEN_WRITE ? SIZE_LIMIT : file->size };

	file = window_open(file, &all);
	if (file == NULL)
		return fail_no_memory(err);
	return image_open_unfinished(target->storage, file, target->name, target->format, mode,
				     target->unfinished, ret, err);
}

/*
 * Clusters that a power cut has left in use past the end of the file are found when the file has
 * grown beyond them.
 */
static enum status repair_after_growth(const struct run *run, struct error *err)
{
	struct image *image = NULL;
	enum status st = open_again(run, OPEN_WRITE, &image, err);

	if (st == ST_OK)
		st = repair(image, err);
	image_close(image);
	return st;
}

/* ---- copying and reading back ---- */

/*
 * Reads what no part of the disk is read through, refcounts above all: who writes to the image next
 * relies on it. Where there is no memory for that, the disk itself was read, and that has to do.
 */
static enum status check_tables(const struct run *run, struct image *image, struct error *err)
{
	struct check_result found;
	enum status st = image_check(image, NULL, &found, err);

	if (st == ST_NO_MEMORY || st == ST_TOO_LARGE) {
		run->result->tables_unread = true;
		return ST_OK;
	}
	if (st != ST_OK || found.corruptions + found.leaks + found.check_errors == 0)
		return st;
	return fail(err, ST_MISMATCH,
		    "%s: verification failed: the tables read back contradict each other "
		    "(corruptions: %ju, leaks: %ju)",
		    image->name, found.corruptions + found.check_errors, found.leaks);
}

/* What the target keeps: NULL: nothing. */
static const struct used_map *kept_map(const struct run *run)
{
	return run->plan->mode.keeps_unused ? &run->plan->used.map : NULL;
}

/* Reads the target back as another reader would, who has nothing of it in memory. */
static enum status read_back(const struct run *run, const struct fingerprint *print,
			     struct error *err)
{
	struct chain backing = { 0 };
	struct image *image = NULL;
	struct error why;
	enum status st = open_again(run, OPEN_READ, &image, err);

	if (st == ST_OK)
		st = chain_open_backing(image, &backing, err);
	if (st == ST_OK)
		st = image_load(image, err);
	if (st == ST_OK)
		st = verify_disk(image, print, kept_map(run), &run->observers, run->progress, err);
	if (st == ST_OK && run->plan->mode.makes_image && image->format->check.check != NULL)
		st = check_tables(run, image, err);
	image_close(image);
	chain_close(&backing);
	if (st != ST_CORRUPT)
		return st;
	why = *err;
	return fail(err, ST_MISMATCH, "reading back what was written: %s", why.text);
}

/* As the options of the new image say. */
static int compression_level(const struct create_job *create)
{
	const struct create_value *value = create_value(&create->options, "compression_level");

	return value != NULL ? (int)value->number : CODEC_DEFAULT;
}

static enum prealloc preallocation(const struct create_job *create)
{
	const struct create_value *value = create_value(&create->options, "preallocation");

	return value != NULL ? (enum prealloc)value->number : PREALLOC_OFF;
}

static void make_job(const struct run *run, struct copy_job *ret)
{
	const struct copy_mode *mode = &run->plan->mode;
	const struct create_job *create = &run->plan->create;
	struct image_measure full;
	struct error ignored; /* then the message does not have the size */

	*ret = (struct copy_job){
		.source = run->request->source,
		.n_sources = run->request->n_sources,
		.first_byte = run->plan->first_byte,
		.n_bytes = run->plan->copy_bytes,
		.target = run->target,
		.keep_depth = mode->keep_depth,
		.used = kept_map(run),
		.sparse_bytes = run->request->sparse_bytes,
		.reads_zero = mode->reads_zero,
		.grows = mode->grows,
		.prealloc = mode->grows ? preallocation(create) : PREALLOC_OFF,
		.compress = run->request->compress || run->target->packs,
		.level = mode->makes_image ? compression_level(create) : CODEC_DEFAULT,
		.salvage = run->request->losses != NULL,
		.old_begin = mode->resumed ? run->plan->journal->begin : 0,
		.old_end = mode->resumed ? run->plan->journal->old : 0,
		.observers = &run->observers,
		.progress = run->progress,
	};
	if (mode->makes_image && create->format->create.measure != NULL &&
	    create->format->create.measure(&create->request, NULL, &full, &ignored) == ST_OK)
		ret->full_bytes = full.full_bytes;
}

static enum status copy_all(const struct run *run, const struct observers *observers,
			    struct error *err)
{
	struct image *source = run->request->source[0].link[0].image;
	bool bitmaps = run->request->bitmaps;
	struct copy_job job;
	enum status st = bitmaps ? bitmaps_plan_copy(run->target, source, err) : ST_OK;

	make_job(run, &job);
	job.observers = observers;
	if (st == ST_OK)
		st = copy_run(&job, err);
	if (st == ST_OK && run->plan->has_bmap)
		st = bmap_end(&run->plan->bmap, err);
	if (st == ST_OK && bitmaps)
		st = bitmaps_copy(run->target, source, err);
	if (st == ST_OK && run->plan->mode.makes_image)
		st = used_blocks_store(&run->plan->used, run->target, err);
	return st == ST_OK && run->plan->mode.resumed && !run->target->format->flat
		       ? repair_after_growth(run, err)
		       : st;
}

static enum status copy_and_verify(const struct run *run, struct error *err)
{
	struct observers observers = run->observers;
	struct fingerprint print;
	enum status st = fingerprint_open(&print, run->plan->copy_bytes, err);

	observers_add(&observers, &print.observer);
	if (st == ST_OK)
		st = copy_all(run, &observers, err);
	if (st == ST_OK) {
		st = read_back(run, &print, err);
		if (st != ST_OK && st != ST_CANCELLED)
			observers_doubted(&run->observers, st);
		run->result->verified = st == ST_OK;
	}
	fingerprint_close(&print);
	return st;
}

/* Copies into the open target. */
static enum status copy(const struct run *run, struct error *err)
{
	bool verify = run->plan->mode.verify;
	uint64_t size = run->plan->copy_bytes, total;
	enum status st;

	progress_begin(run->progress, verify && add_ok(size, size, &total) ? total : size);
	st = verify ? copy_and_verify(run, err) : copy_all(run, &run->observers, err);
	if (st != ST_OK)
		observers_failed(&run->observers, st, run->target);
	return st;
}

/* ---- a new image ---- */

/* Opens what create_open() has made, to be written to. `backing` is to be closed after it. */
static enum status open_created(struct run *run, struct blk *file, struct chain *backing,
				struct error *err)
{
	const struct create_job *create = &run->plan->create;
	enum status st = image_open_unfinished(create->storage, file, create->plan.file[0].name,
					       create->format, OPEN_WRITE, &create->request,
					       &run->target, err);

	if (st == ST_OK && run->plan->mode.resumed)
		st = repair_partial_target(run, err);
	if (st != ST_OK)
		return st;
	if (run->target->format->flat) /* it is empty so far */
		run->target->size = round_up(run->plan->n_bytes, 512);
	st = chain_open_backing(run->target, backing, err);
	return st == ST_OK ? image_load(run->target, err) : st;
}

static void close_target(struct run *run)
{
	image_close(run->target);
	run->target = NULL;
}

/* Closes the new image, whose first sector is there by now, and looks at its files once more. */
static enum status close_whole(struct run *run, struct error *err)
{
	struct finished finished = { 0 };
	enum status st = ST_OK;

	if (run->plan->mode.kind == COPY_TO_NEW_FILE)
		st = finished_add_image(&finished, run->target, err);
	close_target(run);
	if (st == ST_OK)
		st = finished_check(&finished, err);
	else
		finished_free(&finished);
	if (st != ST_OK)
		observers_exposed(&run->observers);
	return st;
}

/* Writes what the format keeps for the end, and what was kept back, which makes it an image. */
static enum status complete_image(struct run *run, struct blk *file, struct error *err)
{
	bool exposed;
	enum status st;

	progress_phase(run->progress, "finishing", 0);
	st = create_finish(&run->plan->create, file, err);
	if (st != ST_OK)
		return st;
	st = create_release(&run->plan->create, file, &exposed, err);
	if (st == ST_OK)
		return close_whole(run, err);
	if (exposed)
		observers_exposed(&run->observers);
	return st;
}

/*
 * The records that --force replaces are about the image that has just been replaced. If they stayed
 * until the new ones are written, they would be beside an interrupted copy, and --resume, which is
 * given without --force, would be refused because of them.
 */
static enum status remove_old_records(const struct copy_request *r, struct error *err)
{
	const char *const names[] = { r->manifest, r->bmap };
	enum status st = ST_OK;

	for (size_t i = 0; r->force && st == ST_OK && i < sizeof names / sizeof names[0]; i++) {
		struct place place = { 0 };

		if (names[i] != NULL)
			st = platform_look(names[i], &place, err);
		if (st == ST_OK && place.exists)
			st = platform_remove(names[i], err);
	}
	return st;
}

static enum status run_new_image(struct run *run, struct error *err)
{
	struct create_job *create = &run->plan->create;
	const struct journal *journal = run->plan->journal;
	struct chain backing = { 0 };
	struct blk *file;
	enum status st = run->plan->mode.resumed
				 ? create_reopen(create, journal->text.first, &file, err)
				 : create_open(create, &file, err);

	if (st != ST_OK)
		return st;
	if (run->plan->mode.kind == COPY_TO_NEW_FILE)
		observers_begin(&run->observers);
	st = open_created(run, file, &backing, err);
	if (st == ST_OK && run->plan->mode.kind == COPY_TO_NEW_FILE)
		st = remove_old_records(run->request, err);
	if (st == ST_OK)
		st = copy(run, err);
	if (st == ST_OK)
		st = complete_image(run, file, err);
	close_target(run);
	chain_close(&backing);
	if (st == ST_OK)
		return ST_OK;
	observers_gone(&run->observers, UINT64_MAX);
	if (journal == NULL || !journal_resumes(journal))
		create_remove(create, err);
	return st;
}

/* ---- an existing image ---- */

static enum status open_existing(struct run *run, struct chain *backing, struct error *err)
{
	const struct copy_request *r = run->request;
	struct image *target = run->target;
	enum status st;

	if (target->size < run->plan->n_bytes)
		return fail(err, ST_TOO_LARGE,
			    "%s: its disk of %ju bytes is smaller than the %ju of the source",
			    r->target, target->size, run->plan->n_bytes);
	if (r->target_is_zero && target->backing_name != NULL)
		return fail(err, ST_INVALID,
			    "option --target-is-zero: %s has a backing file, whose contents would "
			    "show",
			    r->target);
	st = chain_open_backing(target, backing, err);
	if (st == ST_OK)
		st = image_load(target, err);
	return st == ST_OK && r->compress ? pack_possible(target, err) : st;
}

static enum status run_existing(struct run *run, struct error *err)
{
	const struct copy_request *r = run->request;
	struct chain backing = { 0 };
	enum status st = image_open_file(r->storage, ROLE_TARGET, r->target, r->format, OPEN_WRITE,
					 &run->target, err);

	if (st != ST_OK)
		return st;
	st = open_existing(run, &backing, err);
	if (st == ST_OK)
		st = copy(run, err);
	progress_end(run->progress);
	st = finished_close_image(run->target, st, err);
	chain_close(&backing);
	return st;
}

/* ---- a disk ---- */

/* The bytes of the sources go to the disk one by one. */
static enum status run_flat(struct run *run, struct error *err)
{
	enum status st = target_open_flat(&run->disk, &run->target, err);

	if (st == ST_OK)
		st = copy(run, err);
	close_target(run);
	return st;
}

static void note_disk(const struct run *run)
{
	const struct target_gpt *gpt = &run->disk.gpt;
	const char *name = run->request->target;

	run->result->gpt_moved = gpt->fate == GPT_FATE_MOVED;
	if (gpt->fate == GPT_FATE_ODD)
		warn(run->request->warnings,
		     "%s: the GPT was copied unchanged, and does not fit this disk: %s", name,
		     gpt->why);
	if (!run->plan->disk.device->flushes)
		warn(run->request->warnings,
		     "%s: all data is written, but the firmware cannot make this drive flush its "
		     "own cache: keep it connected and powered for a minute",
		     name);
}

static enum status run_on_disk(struct run *run, struct error *err)
{
	struct target_run *disk = &run->disk;
	enum status st;

	*disk = (struct target_run){ .plan = &run->plan->disk,
				     .holds = run->plan->mode.holds_head,
				     .resumes = run->plan->mode.resumed };
	observers_begin(&run->observers);
	st = target_begin(disk, err);
	if (st != ST_OK)
		return st;
	run->plan->create.device = disk->disk;
	st = run->plan->mode.makes_image ? run_new_image(run, err) : run_flat(run, err);
	st = target_end(disk, st, &run->observers, run->progress, err);
	progress_end(run->progress); /* a warning would be printed over its line */
	if (st == ST_OK)
		note_disk(run);
	return st;
}

/* ---- any plan ---- */

static void add_observers(struct run *run)
{
	struct copy_plan *plan = run->plan;

	if (run->request->watcher != NULL)
		observers_add(&run->observers, run->request->watcher);
	if (run->request->losses != NULL) {
		losses_begin(run->request->losses, run->progress);
		observers_add(&run->observers, &run->request->losses->observer);
	}
	if (plan->has_map)
		observers_add(&run->observers, &plan->map.observer);
	if (plan->has_manifest)
		observers_add(&run->observers, &plan->manifest.observer);
	if (plan->has_bmap)
		observers_add(&run->observers, &plan->bmap.observer);
	if (plan->journal != NULL)
		observers_add(&run->observers, &plan->journal->observer);
}

enum status copy_plan_run(struct copy_plan *plan, struct progress *progress,
			  struct copy_result *ret, struct error *err)
{
	struct run run = {
		.plan = plan, .request = plan->request, .progress = progress, .result = ret
	};
	enum status st;

	*ret = (struct copy_result){ .disk_bytes = plan->copy_bytes,
				     .left_off_bytes = plan->n_bytes - plan->copy_bytes,
				     .unused_bytes = plan->mode.keeps_unused
							     ? plan->used.map.unused_bytes
							     : plan->used.unused_bytes,
				     .keeps_unused = plan->mode.keeps_unused,
				     .n_files = 1 };
	add_observers(&run);
	st = observers_check(&run.observers, err);
	if (st == ST_OK && plan->mode.kind == COPY_TO_NEW_FILE)
		st = run_new_image(&run, err);
	else if (st == ST_OK && plan->mode.kind == COPY_TO_IMAGE)
		st = run_existing(&run, err);
	else if (st == ST_OK)
		st = run_on_disk(&run, err);
	progress_end(progress);
	if (st == ST_OK && plan->mode.kind == COPY_TO_NEW_FILE)
		ret->n_files = create_n_files(&plan->create);
	ret->rest_only = plan->has_map && rescue_map_has_finished(&plan->map, plan->n_bytes);
	return st;
}

enum status copy_do(const struct copy_request *request, struct progress *progress,
		    struct copy_result *ret, struct error *err)
{
	struct copy_plan plan;
	enum status st = copy_plan_open(&plan, request, err);

	*ret = (struct copy_result){ .n_files = 1 };
	if (st == ST_OK) {
		st = copy_plan_decide(&plan, err);
		if (request->sink != NULL && plan.mode.kind != COPY_TO_IMAGE)
			request->sink->take(request->sink, &plan, st, err);
		if (st == ST_OK && !request->dry_run)
			st = copy_plan_run(&plan, progress, ret, err);
	}
	return copy_plan_close(&plan, st, err);
}
