/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The block map of a raw image, for bmaptool (docs/SPEC.md): which ranges are mapped, and their
 * hashes. A copy gives all of the image to its observers, in order, so that one walk along the
 * sorted ranges finds the hashes of a new map, and checks those of an old one.
 *
 * A range that differs ends the copy before its last piece is written; what came before it is on
 * the disk by then, whose beginning stays zeros. bmap_text.c reads and writes the file.
 */
#include "record/bmap_parts.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "platform/files.h"
#include "platform/path.h"

enum {
	BLOCK_BYTES = 4096,
	/* then the shortest gaps are mapped as well: the file has at most 30 MiB */
	UNUSED_MAX = 256 << 10,
};

_Static_assert(USED_GRANULE % BLOCK_BYTES == 0, "what is unused consists of blocks");

/* ---- Hashes ---- */

static void add(struct bmap *bmap, const uint8_t *bytes, uint64_t n)
{
	if (bytes != NULL)
		sha256_add(&bmap->sha, bytes, (size_t)n);
	else
		sha256_add_zeros(&bmap->sha, n);
}

/* The range that is being hashed has ended. */
static void end_range(struct bmap *bmap)
{
	struct bmap_range *range = &bmap->range[bmap->at];
	uint8_t hash[SHA256_BYTES];

	sha256_end(&bmap->sha, hash);
	sha256_begin(&bmap->sha);
	bmap->differs = bmap->checks && memcmp(hash, range->hash, sizeof hash) != 0;
	if (bmap->differs)
		return;
	memcpy(range->hash, hash, sizeof hash);
	bmap->at++;
}

static void take(struct observer *observer, uint64_t offset, const uint8_t *bytes, uint64_t n,
		 const uint64_t result[static OBSERVER_RESULTS])
{
	struct bmap *bmap = (struct bmap *)observer;
	uint64_t end = min_u64(offset + n, bmap->size);

	(void)result;
	while (!bmap->differs && bmap->at < bmap->n && bmap->range[bmap->at].offset < end) {
		const struct bmap_range *range = &bmap->range[bmap->at];
		uint64_t from = max_u64(offset, range->offset);
		uint64_t to = min_u64(end, range->offset + range->length);

		add(bmap, bytes != NULL ? bytes + (from - offset) : NULL, to - from);
		if (to < range->offset + range->length)
			break;
		end_range(bmap);
	}
	bmap->done = end;
}

static enum status approve(const struct observer *observer, struct error *err)
{
	const struct bmap *bmap = (const struct bmap *)observer;
	const struct bmap_range *range = &bmap->range[bmap->at];

	if (!bmap->differs)
		return ST_OK;
	return fail(err, ST_CORRUPT,
		    "%s: its field \"Range\" %zu (offset %ju, %ju bytes): the SHA-256 of the image "
		    "is another one: the image is damaged, or the map is that of another image",
		    bmap->file, bmap->at + 1, range->offset, range->length);
}

enum status bmap_end(struct bmap *bmap, struct error *err)
{
	const uint64_t none[OBSERVER_RESULTS] = { 0 };

	take(&bmap->observer, bmap->done, NULL, bmap->size - bmap->done, none);
	return approve(&bmap->observer, err);
}

/* ---- Ranges ---- */

static const struct observer_ops ops = { .piece = take, .approve = approve };

static void begin(struct bmap *bmap, uint64_t size)
{
	*bmap = (struct bmap){ .observer = { &ops }, .size = size, .block_bytes = BLOCK_BYTES };
	sha256_begin(&bmap->sha);
}

/* Adds what is mapped of a new image, or counts it, if there is no room for it yet. */
static void find_ranges(struct bmap *bmap, const struct used_map *used, uint64_t least)
{
	uint64_t length, from = 0;
	size_t n = 0;

	for (uint64_t at = 0; at < bmap->size; at += length) {
		bool unused = at < used->disk_bytes && used_map_unused(used, at, &length) &&
			      length >= least;

		if (at >= used->disk_bytes)
			length = bmap->size - at;
		if (unused && at > from && bmap->range != NULL)
			bmap->range[n] = (struct bmap_range){ .offset = from, .length = at - from };
		n += unused && at > from;
		if (unused)
			from = at + length;
	}
	if (from < bmap->size && bmap->range != NULL)
		bmap->range[n] = (struct bmap_range){ .offset = from, .length = bmap->size - from };
	bmap->n = n + (from < bmap->size);
}

enum status bmap_open(struct bmap *bmap, uint64_t size, const struct used_map *used,
		      struct error *err)
{
	static const struct used_map nothing; /* of no bytes: all of the image is mapped */
	uint64_t least = used != NULL ? used_map_least(used, UNUSED_MAX) : 1;

	begin(bmap, size);
	bmap->unused = true;
	find_ranges(bmap, used != NULL ? used : &nothing, least);
	bmap->range = mem_alloc((bmap->n + 1) * sizeof *bmap->range);
	if (bmap->range == NULL)
		return fail_no_memory(err);
	find_ranges(bmap, used != NULL ? used : &nothing, least);
	return ST_OK;
}

enum status bmap_read(struct bmap *bmap, const char *file, const char *image, uint64_t size,
		      struct error *err)
{
	enum status st;

	begin(bmap, size);
	bmap->checks = true;
	bmap->file = text_copy(file);
	if (bmap->file == NULL)
		return fail_no_memory(err);
	st = bmap_parse(bmap, image, err);
	if (st != ST_OK)
		bmap_close(bmap);
	return st;
}

void bmap_close(struct bmap *bmap)
{
	mem_free(bmap->range);
	mem_free(bmap->file);
	*bmap = (struct bmap){ 0 };
}

bool bmap_unmapped(void *user, uint64_t offset, uint64_t *ret_length)
{
	const struct bmap *bmap = user;
	size_t low = 0, high = bmap->n;
	const struct bmap_range *range;

	while (low < high) { /* the first range that ends after `offset` */
		size_t middle = low + (high - low) / 2;

		range = &bmap->range[middle];
		if (range->offset + range->length <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	range = &bmap->range[low];
	if (low < bmap->n && range->offset <= offset) {
		*ret_length = range->offset + range->length - offset;
		return false;
	}
	*ret_length = (low < bmap->n ? range->offset : bmap->size) - offset;
	return true;
}

/* ---- Names ---- */

enum status bmap_find(const char *image, char **ret, struct error *err)
{
	size_t n = text_length(image), n_folders = (size_t)(path_leaf(image) - image);
	char *name = mem_alloc(n + sizeof BMAP_ENDING);

	*ret = NULL;
	if (name == NULL)
		return fail_no_memory(err);
	memcpy(name, image, n);
	while (n > n_folders) {
		struct place place;
		struct error ignored; /* then there is none */

		memcpy(name + n, BMAP_ENDING, sizeof BMAP_ENDING);
		if (platform_look(name, &place, &ignored) == ST_OK && place.exists) {
			*ret = name;
			return ST_OK;
		}
		do
			n--;
		while (n > n_folders && name[n] != '.');
	}
	mem_free(name);
	return ST_OK;
}

enum status bmap_plan(struct storage *storage, const char *file, bool replace, struct error *err)
{
	struct place place;
	enum status st = platform_look(file, &place, err);

	if (st == ST_OK)
		st = storage_use(storage, ROLE_BMAP, ACCESS_CREATE, file, err);
	if (st == ST_OK && place.exists && !replace)
		return fail(err, ST_EXISTS,
			    "the block map %s exists; give another name, or --force to overwrite "
			    "it",
			    file);
	return st;
}
