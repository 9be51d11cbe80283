/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Dirty bitmaps of images (what a backup program has to read again): adding, removing, merging,
 * copying. A bitmap that is marked as in use was not stored when the image was closed; it is never
 * read, only removed.
 */
#include "edit/bitmaps.h"

#include "base/range.h"
#include "base/text.h"
#include "platform/person.h"

bool bitmaps_find(const struct image *image, const char *name, size_t *ret_index)
{
	for (size_t i = 0; i < image->n_bitmaps; i++)
		if (text_equal(image->bitmaps[i].name, name)) {
			*ret_index = i;
			return true;
		}
	return false;
}

enum status bitmaps_get(const struct image *image, const char *name, size_t *ret_index,
			struct error *err)
{
	struct error why;
	enum status st;

	if (!bitmaps_find(image, name, ret_index))
		return fail(err, ST_NOT_FOUND,
			    "%s: it has no bitmap \"%s\"; `efi-img info` lists those that it has",
			    image->name, name);
	if (image->bitmaps[*ret_index].in_use)
		return fail(err, ST_CORRUPT,
			    "%s: the bitmap \"%s\" is marked as in use: it was not stored when the "
			    "image was closed, and is incomplete; it can only be removed",
			    image->name, name);
	st = image->format->bitmaps.check(image, *ret_index, &why);
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", image->name, why.text);
}

uint64_t bitmaps_granularity(const struct image *image)
{
	enum { MIN = 4096, MAX = 65536 };

	return image->cluster_bytes != 0 ? min_u64(max_u64(image->cluster_bytes, MIN), MAX) : MAX;
}

/* What is set in `source`, set in `target`; NULL: only looked at. */
static enum status go_through(struct image *target, size_t to, struct image *source, size_t from,
			      struct error *err)
{
	uint64_t size = source->bitmaps[from].disk_bytes, n = 0;
	const char *name = source->bitmaps[from].name;
	bool set;

	for (uint64_t at = 0; at < size; at += n) {
		enum status st = target == NULL && platform_cancelled()
					 ? ST_CANCELLED
					 : source->format->bitmaps.run(source, from, at, &set, &n);

		if (st != ST_OK)
			return fail(err, st,
				    "%s: reading the bitmap \"%s\" at offset %ju of the disk: %s",
				    source->name, name, at, status_text(st));
		if (target == NULL || !set)
			continue;
		st = target->format->bitmaps.mark(target, to, at, n);
		if (st != ST_OK)
			return fail(err, st, "%s: changing the bitmap \"%s\": %s", target->name,
				    target->bitmaps[to].name, status_text(st));
	}
	return ST_OK;
}

static enum status check_size(const struct image *target, uint64_t disk_bytes,
			      const struct image *source, size_t from, struct error *err)
{
	if (source->bitmaps[from].disk_bytes == disk_bytes)
		return ST_OK;
	return fail(err, ST_INVALID,
		    "%s: the bitmap \"%s\" is for a disk of %ju bytes, and cannot be copied to %s, "
		    "whose disk has %ju",
		    source->name, source->bitmaps[from].name, source->bitmaps[from].disk_bytes,
		    target->name, disk_bytes);
}

enum status bitmaps_merge(struct image *target, size_t to, struct image *source, size_t from,
			  struct error *err)
{
	enum status st = check_size(target, target->bitmaps[to].disk_bytes, source, from, err);

	if (st != ST_OK || (target == source && to == from))
		return st;
	st = go_through(NULL, 0, source, from, err); /* what cannot be read is not half merged */
	if (st == ST_OK)
		st = go_through(target, to, source, from, err);
	return st == ST_OK ? image_flush(target, err) : st;
}

static enum status add(struct image *target, const struct bitmap *bitmap, bool write,
		       struct error *err)
{
	struct error why;
	enum status st = target->format->bitmaps.add(target, bitmap->name,
						     bitmap->granularity_bytes, false, write, &why);

	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", target->name, why.text);
}

enum status bitmaps_plan_copy(struct image *target, const struct image *source, struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0, k; st == ST_OK && i < source->n_bitmaps; i++) {
		if (source->bitmaps[i].in_use)
			continue;
		st = bitmaps_get(source, source->bitmaps[i].name, &k, err);
		if (st == ST_OK && k != i)
			st = fail(err, ST_CORRUPT, "%s: it has two bitmaps with the name \"%s\"",
				  source->name, source->bitmaps[i].name);
		if (st == ST_OK)
			st = check_size(target, target->size, source, i, err);
		if (st == ST_OK)
			st = add(target, &source->bitmaps[i], false, err);
	}
	return st;
}

enum status bitmaps_copy(struct image *target, struct image *source, struct error *err)
{
	struct error why;
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < source->n_bitmaps; i++) {
		size_t to = target->n_bitmaps;

		if (source->bitmaps[i].in_use)
			continue;
		st = add(target, &source->bitmaps[i], true, err);
		if (st == ST_OK)
			st = bitmaps_merge(target, to, source, i, err);
		if (st != ST_OK || !source->bitmaps[i].automatic)
			continue;
		st = target->format->bitmaps.set_automatic(target, to, true, &why);
		if (st != ST_OK)
			st = fail(err, st, "%s: %s", target->name, why.text);
	}
	return st;
}
