/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A disk or partition as a target: the writing of its beginning. Its first MiB is zeroed before the
 * copy and written last (blk/hold.h), so that no firmware starts, and no system mounts, half a
 * disk.
 */
#include "copy/target_run.h"

#include "base/range.h"
#include "blk/hold.h"
#include "blk/window.h"
#include "platform/devices.h"
#include "platform/files.h"
#include "platform/person.h"

static const char *name_of(const struct target_run *run)
{
	return run->plan->request->name;
}

static enum status fail_beginning(const struct target_run *run, enum status st, struct error *err)
{
	return fail(err, st, "%s: zeroing its first MiB before the copy: %s", name_of(run),
		    status_text(st));
}

enum status target_begin(struct target_run *run, struct error *err)
{
	const struct target_plan *plan = run->plan;
	struct blk *disk, *part;
	enum status st;

	if (platform_cancelled())
		return fail_beginning(run, ST_CANCELLED, err);
	st = platform_open_target(plan->device, &disk, err);
	if (st != ST_OK)
		return st;
	part = disk;
	if (plan->start_bytes > 0)
		part = window_open(disk, &(struct window_kind){ .start = plan->start_bytes,
								.size = plan->size_bytes,
								.limit = plan->size_bytes,
								.owns = true });
	run->disk = part;
	st = part != NULL ? ST_OK : ST_NO_MEMORY;
	if (st == ST_OK && run->holds)
		st = hold_open(part,
			       &(struct hold_kind){ .bytes = HOLD_DISK_BYTES,
						    .resumes = run->resumes },
			       &run->disk);
	if (st == ST_OK)
		return ST_OK;
	run->disk = NULL;
	blk_close(part != NULL ? part : disk);
	return fail_beginning(run, st, err);
}

enum status target_open_flat(const struct target_run *run, struct image **ret, struct error *err)
{
	const struct target_plan *plan = run->plan;
	struct window_kind all = { .size = plan->size_bytes, .limit = plan->size_bytes };
	struct blk *file = window_open(run->disk, &all);
	enum status st;

	*ret = NULL;
	if (file == NULL)
		return fail_no_memory(err);
	st = image_open_blk(plan->request->storage, file, name_of(run), plan->request->format,
			    OPEN_WRITE, ret, err);
	return st == ST_OK ? image_load(*ret, err) : st;
}

enum status target_open(struct target_run *run, struct image **ret, struct error *err)
{
	enum status st;

	run->holds = false;
	*ret = NULL;
	st = target_begin(run, err);
	if (st != ST_OK)
		return st;
	st = blk_write_zeros(run->disk, 0, min_u64(run->plan->size_bytes, HOLD_DISK_BYTES));
	if (st == ST_OK)
		st = blk_flush(run->disk);
	return st == ST_OK ? target_open_flat(run, ret, err) : fail_beginning(run, st, err);
}

void target_close(struct target_run *run)
{
	blk_close(run->disk);
	run->disk = NULL;
}

/* The words for what is on the disk after a failure. */
static enum status target_failed(const struct target_run *run, bool untouched, bool uncertain,
				 enum status st, struct error *err)
{
	struct error why = *err;

	if (!run->holds)
		return fail(err, st, "%s\n%s is incomplete now.", why.text, name_of(run));
	if (untouched)
		return fail(err, st, "%s\nNothing was written to %s.", why.text, name_of(run));
	if (uncertain)
		return fail(err, st,
			    "%s\nThe first sector of %s may or may not have been written; repeat "
			    "the restore before using the disk.",
			    why.text, name_of(run));
	return fail(err, st,
		    "%s\n%s is incomplete now; its first sector is zeros, so that it cannot be "
		    "mistaken for a complete disk.",
		    why.text, name_of(run));
}

enum status target_end(struct target_run *run, enum status st, const struct observers *observers,
		       struct progress *progress, struct error *err)
{
	bool uncertain, untouched;

	if (st == ST_OK)
		st = target_gpt_run(run, err);
	if (st == ST_OK && run->holds) {
		progress_phase(progress, "finishing", 0);
		st = hold_release(run->disk);
		if (st != ST_OK)
			error_set(err, "%s: writing its beginning: %s", name_of(run),
				  status_text(st));
	}
	uncertain = run->holds && hold_first_sector_uncertain(run->disk);
	untouched = run->holds && hold_untouched(run->disk);
	target_close(run);
	if (st == ST_OK)
		return ST_OK;
	if (run->holds)
		observers_gone(observers, HOLD_DISK_BYTES);
	return target_failed(run, untouched, uncertain, st, err);
}
