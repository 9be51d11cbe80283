/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A disk or partition as a target: the decision whether it may be overwritten, and the writing of
 * its beginning.
 *
 * Everything that can be checked is checked before the first write, in a fixed order: the target
 * exists and has a medium; nothing that is in use is on it (storage/access.h); its sectors and its
 * size fit the source; --erase names it if it contains anything. Its first MiB is zeroed before the
 * copy and written last (blk/hold.h), so that no firmware starts, and no system mounts, half a
 * disk.
 */
#include "copy/target.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "base/zero.h"
#include "blk/hold.h"
#include "blk/window.h"
#include "copy/target_gpt.h"
#include "disk/contents.h"
#include "engine/disk_map.h"
#include "platform/devices.h"
#include "platform/files.h"
#include "platform/person.h"
#include "storage/storage.h"

/* that are read at once, and of which the beginning of a target consists */
enum { LOOK_BYTES = 1 << 20 };

/* ---- its contents ---- */

/* Data of an unknown kind counts as contents, too. */
static enum status find_contents(struct target_job *job, struct error *err)
{
	const struct inventory_disk *disk = job->selection.disk;
	const struct inventory_part *part = job->selection.part;
	size_t n = (size_t)min_u64(job->size_bytes, LOOK_BYTES);
	struct out_buffer out;
	uint8_t *head;
	enum status st;

	out_buffer_init(&out, job->contents, sizeof job->contents);
	contents_say(disk, part, &out.out);
	if (out.length > 0)
		return ST_OK;
	head = io_alloc(LOOK_BYTES);
	if (head == NULL)
		return fail_no_memory(err);
	st = disk->device->blk != NULL
		     ? blk_read(disk->device->blk, part != NULL ? part->start_bytes : 0, head, n)
		     : ST_IO;
	if (st != ST_OK || !is_zero(head, n))
		out_text(&out.out, st == ST_OK ? "data of an unknown kind"
					       : "a beginning that cannot be read");
	io_free(head, LOOK_BYTES);
	return st == ST_NO_MEMORY ? fail_no_memory(err) : ST_OK;
}

/* ---- finding it ---- */

static enum status find_target(struct target_job *job, struct error *err)
{
	const struct inventory_part *part;
	const struct device *disk;
	struct out_buffer out;
	enum status st = storage_inventory(job->storage, &job->inventory, err);

	if (st == ST_OK)
		st = selector_find(job->inventory, job->name, &job->selection, err);
	if (st != ST_OK)
		return st;
	part = job->selection.part;
	disk = job->selection.disk->device;
	if (!disk->medium)
		return fail(err, ST_NO_MEDIUM, "%s: there is no medium in the drive", job->name);
	out_buffer_init(&out, job->selector, sizeof job->selector);
	selector_print(job->inventory, &job->selection, &out.out);
	job->device = part != NULL && part->device != NULL ? part->device : disk;
	job->start_bytes = part != NULL && part->device == NULL ? part->start_bytes : 0;
	job->size_bytes = part != NULL ? part->size_bytes : disk->size_bytes;
	return find_contents(job, err);
}

/* ---- reasons to refuse ---- */

/* Nothing that is in use may be on it, by whatever name: the access set knows what is. */
static enum status check_in_use(const struct target_job *job, struct error *err)
{
	enum status st = storage_use_target(job->storage, job->name, &job->selection, job->device,
					    err);

	if (st == ST_OK && (job->device->read_only || job->selection.disk->device->read_only))
		return fail(err, ST_REFUSED, "%s: it is write-protected", job->name);
	return st;
}

static enum status check_sector_size(const struct target_job *job, struct error *err)
{
	struct image *source = job->n_sources > 0 ? job->source[0].link[0].image : NULL;
	uint32_t needed = 0, has = job->selection.disk->device->block_bytes;
	enum status st = ST_OK;

	if (source == NULL)
		return ST_OK;
	if (job->first_byte == 0 && job->n_bytes > 0)
		st = part_sector_bytes(&source->blk, &needed);
	if (st != ST_OK)
		return fail(err, st, "%s: reading its beginning: %s", source->name,
			    status_text(st));
	if (needed == 0 || needed == has)
		return ST_OK;
	return fail(err, ST_SECTOR_SIZE,
		    "%s: the disk in %s was partitioned for sectors of %u bytes, and the target "
		    "has sectors of %u: its partitions would not be found",
		    job->name, source->name, needed, has);
}

/*
 * Looks for the first byte of a disk from `at` on that is not zero: *ret_bytes, the size of the
 * disk if there is none.
 */
static enum status find_data(struct image *image, uint64_t at, uint64_t *ret, struct error *err)
{
	uint8_t *window = io_alloc(LOOK_BYTES);
	enum status st = window != NULL ? ST_OK : ST_NO_MEMORY;

	while (st == ST_OK && at < image->size) {
		struct disk_range range;
		uint64_t n = image->size - at;

		st = platform_cancelled() ? ST_CANCELLED : disk_map_at(image, at, n, &range);
		if (st != ST_OK)
			break;
		n = range.length;
		if (!range.zero) {
			n = min_u64(n, LOOK_BYTES);
			st = blk_read(&image->blk, at, window, (size_t)n);
			if (st == ST_OK && !is_zero(window, (size_t)n))
				break;
		}
		if (st == ST_OK)
			at += n;
	}
	io_free(window, LOOK_BYTES);
	*ret = at;
	return st == ST_OK ? ST_OK
			   : fail(err, st, "%s: reading it at offset %ju: %s", image->name, at,
				  status_text(st));
}

/* What the target has no place for must be zeros. */
static enum status check_size(struct target_job *job, struct error *err)
{
	uint64_t before = 0, end = job->first_byte + job->n_bytes,
		 limit = job->first_byte + job->size_bytes;

	job->copy_bytes = min_u64(job->n_bytes, job->size_bytes);
	for (size_t i = 0; i < job->n_sources && limit < end; i++) {
		struct image *image = job->source[i].link[0].image;
		uint64_t at = limit > before ? limit - before : 0;

		if (at < image->size) {
			enum status st = find_data(image, at, &at, err);

			if (st != ST_OK)
				return st;
			if (at < image->size && before + at < end)
				return fail(err, ST_TOO_LARGE,
					    "%s: %ju bytes are too small: the source has %ju "
					    "bytes, with data at offset %ju",
					    job->name, job->size_bytes, job->n_bytes,
					    before + at - job->first_byte);
		}
		before += image->size;
	}
	return ST_OK;
}

/* The value that --erase must have: "S4X9NG0R12", "S4X9NG0R12:3". */
static const char *word_of(const struct target_job *job)
{
	const char *value = text_find(job->selector, '=');

	return value != NULL ? value + 1 : job->selector;
}

static enum status check_erase(const struct target_job *job, struct error *err)
{
	const char *word = word_of(job), *quote = text_find(word, ' ') != NULL ? "\"" : "";
	bool right = job->erase != NULL && word[0] != '\0' &&
		     (text_equal_nocase(job->erase, word) ||
		      text_equal_nocase(job->erase, job->selector));

	if (right || (job->erase == NULL && job->contents[0] == '\0'))
		return ST_OK;
	if (word[0] == '\0')
		return fail(err, ST_REFUSED,
			    "%s: it contains %s, and it has no name that --erase could take",
			    job->name, job->contents);
	if (job->erase == NULL)
		return fail(err, ST_REFUSED,
			    "%s: it contains %s; to overwrite it, add --erase=%s%s%s", job->name,
			    job->contents, quote, word, quote);
	return fail(err, ST_REFUSED,
		    "%s: --erase=%s does not name this target; to overwrite %s, use --erase=%s%s%s",
		    job->name, job->erase,
		    job->contents[0] != '\0' ? job->contents : "what is on it", quote, word, quote);
}

enum status target_decide(struct target_job *job, struct error *err)
{
	enum status st = find_target(job, err);

	if (st == ST_OK)
		st = check_in_use(job, err);
	if (st == ST_OK && job->format->flat)
		st = check_sector_size(job, err);
	if (st == ST_OK && job->format->flat)
		st = check_size(job, err);
	if (st == ST_OK && job->n_sources > 0)
		st = target_gpt_plan(job, err);
	if (st == ST_OK)
		st = target_contents_look(job, err);
	if (st == ST_OK)
		st = check_erase(job, err);
	return st == ST_OK ? target_contents_check(job, err) : st;
}

/* ---- writing ---- */

static enum status fail_beginning(const struct target_job *job, enum status st, struct error *err)
{
	return fail(err, st, "%s: zeroing its first MiB before the copy: %s", job->name,
		    status_text(st));
}

enum status target_begin(struct target_job *job, struct error *err)
{
	struct blk *disk, *part;
	enum status st;

	if (platform_cancelled())
		return fail_beginning(job, ST_CANCELLED, err);
	st = platform_open_target(job->device, &disk, err);
	if (st != ST_OK)
		return st;
	part = disk;
	if (job->start_bytes > 0)
		part = window_open(disk, &(struct window_kind){ .start = job->start_bytes,
								.size = job->size_bytes,
								.limit = job->size_bytes,
								.owns = true });
	job->disk = part;
	st = part != NULL ? ST_OK : ST_NO_MEMORY;
	if (st == ST_OK && job->holds)
		st = hold_open(part,
			       &(struct hold_kind){ .bytes = HOLD_DISK_BYTES,
						    .resumes = job->resumes },
			       &job->disk);
	if (st == ST_OK)
		return ST_OK;
	job->disk = NULL;
	blk_close(part != NULL ? part : disk);
	return fail_beginning(job, st, err);
}

enum status target_open_flat(const struct target_job *job, struct image **ret, struct error *err)
{
	struct window_kind all = { .size = job->size_bytes, .limit = job->size_bytes };
	struct blk *file = window_open(job->disk, &all);
	enum status st;

	*ret = NULL;
	if (file == NULL)
		return fail_no_memory(err);
	st = image_open_blk(job->storage, file, job->name, job->format, OPEN_WRITE, ret, err);
	return st == ST_OK ? image_load(*ret, err) : st;
}

enum status target_open(struct target_job *job, struct image **ret, struct error *err)
{
	enum status st;

	job->holds = false;
	*ret = NULL;
	st = target_begin(job, err);
	if (st != ST_OK)
		return st;
	st = blk_write_zeros(job->disk, 0, min_u64(job->size_bytes, HOLD_DISK_BYTES));
	if (st == ST_OK)
		st = blk_flush(job->disk);
	return st == ST_OK ? target_open_flat(job, ret, err) : fail_beginning(job, st, err);
}

void target_close(struct target_job *job)
{
	blk_close(job->disk);
	job->disk = NULL;
}

/* The words for what is on the disk after a failure. */
static enum status target_failed(const struct target_job *job, bool untouched, bool uncertain,
				 enum status st, struct error *err)
{
	struct error why = *err;

	if (!job->holds)
		return fail(err, st, "%s\n%s is incomplete now.", why.text, job->name);
	if (untouched)
		return fail(err, st, "%s\nNothing was written to %s.", why.text, job->name);
	if (uncertain)
		return fail(err, st,
			    "%s\nThe first sector of %s may or may not have been written; repeat "
			    "the restore before using the disk.",
			    why.text, job->name);
	return fail(err, st,
		    "%s\n%s is incomplete now; its first sector is zeros, so that it cannot be "
		    "mistaken for a complete disk.",
		    why.text, job->name);
}

enum status target_end(struct target_job *job, enum status st, const struct observers *observers,
		       struct progress *progress, struct error *err)
{
	bool uncertain, untouched;

	if (st == ST_OK)
		st = target_gpt_run(job, err);
	if (st == ST_OK && job->holds) {
		progress_phase(progress, "finishing", 0);
		st = hold_release(job->disk);
		if (st != ST_OK)
			error_set(err, "%s: writing its beginning: %s", job->name, status_text(st));
	}
	uncertain = job->holds && hold_first_sector_uncertain(job->disk);
	untouched = job->holds && hold_untouched(job->disk);
	target_close(job);
	if (st == ST_OK)
		return ST_OK;
	if (job->holds)
		observers_gone(observers, HOLD_DISK_BYTES);
	return target_failed(job, untouched, uncertain, st, err);
}
