/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A disk or partition as a target: the decision whether it may be overwritten.
 *
 * Everything that can be checked is checked before the first write, in a fixed order: the target
 * exists and has a medium; nothing that is in use is on it (storage/access.h); its sectors and its
 * size fit the source; --erase names it if it contains anything.
 */
#include "copy/target_plan.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "base/zero.h"
#include "disk/contents.h"
#include "engine/disk_map.h"
#include "fs/fs.h"
#include "platform/devices.h"
#include "platform/files.h"
#include "platform/person.h"
#include "storage/storage.h"

/* that are read at once */
enum { LOOK_BYTES = 1 << 20 };

/* ---- its contents ---- */

/* Data of an unknown kind counts as contents, too. */
static enum status find_contents(struct target_plan *plan, struct error *err)
{
	const struct inventory_disk *disk = plan->selection.disk;
	const struct inventory_part *part = plan->selection.part;
	size_t n = (size_t)min_u64(plan->size_bytes, LOOK_BYTES);
	struct out_buffer out;
	uint8_t *head;
	enum status st;

	out_buffer_init(&out, plan->contents, sizeof plan->contents);
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
		out_text(&out.out, st == ST_OK ? "data of an unknown kind, perhaps encrypted"
					       : "a beginning that cannot be read");
	io_free(head, LOOK_BYTES);
	return st == ST_NO_MEMORY ? fail_no_memory(err) : ST_OK;
}

/* ---- finding it ---- */

static enum status find_target(struct target_plan *plan, struct error *err)
{
	const struct target_request *request = plan->request;
	const struct inventory_part *part;
	const struct device *disk;
	struct out_buffer out;
	enum status st = storage_inventory(request->storage, &plan->inventory, err);

	if (st == ST_OK)
		st = selector_find(plan->inventory, request->name, &plan->selection, err);
	if (st != ST_OK)
		return st;
	part = plan->selection.part;
	disk = plan->selection.disk->device;
	if (!disk->medium)
		return fail(err, ST_NO_MEDIUM, "%s: there is no medium in the drive",
			    request->name);
	out_buffer_init(&out, plan->selector, sizeof plan->selector);
	selector_print(plan->inventory, &plan->selection, &out.out);
	plan->device = part != NULL && part->device != NULL ? part->device : disk;
	plan->start_bytes = part != NULL && part->device == NULL ? part->start_bytes : 0;
	plan->size_bytes = part != NULL ? part->size_bytes : disk->size_bytes;
	return find_contents(plan, err);
}

/* ---- reasons to refuse ---- */

/* Nothing that is in use may be on it, by whatever name: the access set knows what is. */
static enum status check_in_use(const struct target_plan *plan, struct error *err)
{
	const struct target_request *request = plan->request;
	enum status st = storage_use_target(request->storage, request->name, &plan->selection,
					    plan->device, err);

	if (st == ST_OK && (plan->device->read_only || plan->selection.disk->device->read_only))
		return fail(err, ST_REFUSED, "%s: it is write-protected", request->name);
	return st;
}

static enum status check_sector_size(const struct target_plan *plan, struct error *err)
{
	const struct target_request *request = plan->request;
	struct image *source = request->n_sources > 0 ? request->source[0].link[0].image : NULL;
	uint32_t needed = 0, has = plan->selection.disk->device->block_bytes;
	enum status st = ST_OK;

	if (source == NULL)
		return ST_OK;
	if (request->first_byte == 0 && request->n_bytes > 0)
		st = part_sector_bytes(&source->blk, &needed);
	if (st != ST_OK)
		return fail(err, st, "%s: reading its beginning: %s", source->name,
			    status_text(st));
	if (needed == 0 || needed == has)
		return ST_OK;
	return fail(err, ST_SECTOR_SIZE,
		    "%s: the disk in %s was partitioned for sectors of %u bytes, and the target "
		    "has sectors of %u: its partitions would not be found",
		    request->name, source->name, needed, has);
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

/*
 * What is not in use reads as zeros, and yet the target must have room for it: a file system that
 * is cut off is lost. The same holds for the partitions of an image that was made so.
 */
static enum status check_partitions(const struct target_plan *plan, struct error *err)
{
	const struct target_request *request = plan->request;
	struct image *image = request->source[0].link[0].image;
	const struct used_blocks *used = request->used;
	struct part_table table = { 0 };
	struct fs volume = { 0 };
	uint64_t end = 0;
	enum status st = ST_OK;

	if (request->first_byte > 0 || plan->copy_bytes == request->n_bytes)
		return ST_OK;
	for (size_t i = 0; used != NULL && i < used->n; i++)
		if (used->part[i].map != NULL)
			end = max_u64(end, used->part[i].start + used->part[i].fs.size);
	st = part_table_read(&image->blk, &table, err);
	for (size_t i = 0; st == ST_OK && i < table.n; i++)
		end = max_u64(end, table.part[i].start_bytes + table.part[i].size_bytes);
	if (st == ST_OK && table.n == 0) {
		st = fs_look(&image->blk, &volume);
		if (st != ST_OK)
			(void)fail(err, st, "%s: reading its beginning: %s", image->name,
				   status_text(st));
		end = max_u64(end, volume.size);
	}
	part_table_free(&table);
	if (st != ST_OK || end <= plan->copy_bytes)
		return st;
	return fail(err, ST_TOO_LARGE,
		    "%s: %ju bytes are too small: partitions or file systems of the source end at "
		    "offset %ju",
		    request->name, plan->size_bytes, end);
}

/* What the target has no place for must be zeros. */
static enum status check_size(struct target_plan *plan, struct error *err)
{
	const struct target_request *request = plan->request;
	uint64_t before = 0, end = request->first_byte + request->n_bytes,
		 limit = request->first_byte + plan->size_bytes;

	plan->copy_bytes = min_u64(request->n_bytes, plan->size_bytes);
	for (size_t i = 0; i < request->n_sources && limit < end; i++) {
		struct image *image = request->source[i].link[0].image;
		uint64_t at = limit > before ? limit - before : 0;

		if (at < image->size) {
			enum status st = find_data(image, at, &at, err);

			if (st != ST_OK)
				return st;
			if (at < image->size && before + at < end)
				return fail(err, ST_TOO_LARGE,
					    "%s: %ju bytes are too small: the source has %ju "
					    "bytes, with data at offset %ju",
					    request->name, plan->size_bytes, request->n_bytes,
					    before + at - request->first_byte);
		}
		before += image->size;
	}
	return request->n_sources == 1 ? check_partitions(plan, err) : ST_OK;
}

/* The value that --erase must have: "S4X9NG0R12", "S4X9NG0R12:3". */
static const char *word_of(const struct target_plan *plan)
{
	const char *value = text_find(plan->selector, '=');

	return value != NULL ? value + 1 : plan->selector;
}

static enum status check_erase(const struct target_plan *plan, struct error *err)
{
	const struct target_request *request = plan->request;
	const char *word = word_of(plan), *quote = text_find(word, ' ') != NULL ? "\"" : "";
	bool right = request->erase != NULL && word[0] != '\0' &&
		     (text_equal_nocase(request->erase, word) ||
		      text_equal_nocase(request->erase, plan->selector));

	if (right || (request->erase == NULL && plan->contents[0] == '\0'))
		return ST_OK;
	if (word[0] == '\0')
		return fail(err, ST_REFUSED,
			    "%s: it contains %s, and it has no name that --erase could take",
			    request->name, plan->contents);
	if (request->erase == NULL)
		return fail(err, ST_REFUSED,
			    "%s: it contains %s; to overwrite it, add --erase=%s%s%s",
			    request->name, plan->contents, quote, word, quote);
	return fail(err, ST_REFUSED,
		    "%s: --erase=%s does not name this target; to overwrite %s, use --erase=%s%s%s",
		    request->name, request->erase,
		    plan->contents[0] != '\0' ? plan->contents : "what is on it", quote, word,
		    quote);
}

enum status target_plan_decide(struct target_plan *plan, struct error *err)
{
	const struct target_request *request = plan->request;
	enum status st = find_target(plan, err);

	if (st == ST_OK)
		st = check_in_use(plan, err);
	if (st == ST_OK && request->format->flat)
		st = check_sector_size(plan, err);
	if (st == ST_OK && request->format->flat)
		st = check_size(plan, err);
	if (st == ST_OK && request->n_sources > 0)
		st = target_gpt_plan(plan, err);
	if (st == ST_OK)
		st = target_contents_look(plan, err);
	if (st == ST_OK)
		st = check_erase(plan, err);
	return st == ST_OK ? target_contents_check(plan, err) : st;
}
