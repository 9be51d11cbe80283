/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changing bitmaps: section "Bitmaps". Their clusters and tables are changed where they are, in a
 * cache of TABLE_CACHE_BYTES however large they are; commit.c writes them after the refcounts of
 * what is new.
 *
 * A bitmap that is about to change is marked in_use in the directory first, in place, and that is
 * on the medium before anything else; qcow2_bitmaps_store() takes the mark away when all of the
 * bitmap, and all of what it is to note, is on the medium. When the power goes between, the mark
 * says that the bitmap cannot be relied on: a wrong one is never believed. Those that do not change
 * are not marked.
 *
 * Adding, removing, clearing and another size of the disk make a new directory (and new tables) at
 * a new place; the header's switch to it is the moment at which all is as it will be, and then the
 * old ones are released: commit.c.
 */
#include "format/qcow2/bitmap_table.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "format/qcow2/entry.h"

enum { DIRECTORY_BYTES_MAX = 64 << 20 }; /* as in QEMU */

/* ---- the directory ---- */

static uint64_t entry_bytes(const char *name)
{
	return round_up(sizeof(struct qcow2_disk_bitmap) + text_length(name), 8);
}

static uint64_t directory_bytes(const struct image *image)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < image->n_bitmaps; i++)
		bytes += entry_bytes(image->bitmaps[i].name);
	return bytes;
}

static uint32_t flags(const struct qcow2_image *q, size_t i)
{
	const struct bitmap *bitmap = &q->image.bitmaps[i];

	return (q->bitmaps[i].flags &
		~(uint32_t)(QCOW2_BITMAP_FLAG_AUTO | QCOW2_BITMAP_FLAG_IN_USE)) |
	       (bitmap->automatic ? QCOW2_BITMAP_FLAG_AUTO : 0) |
	       (bitmap->in_use || q->bitmaps[i].changing ? QCOW2_BITMAP_FLAG_IN_USE : 0);
}

static void encode_entry(const struct qcow2_image *q, size_t i, uint8_t *to)
{
	const struct bitmap *bitmap = &q->image.bitmaps[i];
	size_t name_bytes = text_length(bitmap->name);
	struct qcow2_disk_bitmap disk = {
		.table_offset = be64_of(q->bitmaps[i].table_offset),
		.table_entries = be32_of(q->bitmaps[i].table_entries),
		.flags = be32_of(flags(q, i)),
		.type = QCOW2_BITMAP_TYPE_DIRTY,
		.granularity_bits = (uint8_t)__builtin_ctzll(bitmap->granularity_bytes),
	};

	bytes_to_be(disk.name_bytes, 2, name_bytes);
	memcpy(to, &disk, sizeof disk);
	memcpy(to + sizeof disk, bitmap->name, name_bytes);
}

enum status qcow2_bitmaps_write_directory(struct qcow2_image *q, struct qcow2_bitmaps_place *ret)
{
	struct qcow2_bitmaps_place place = {
		.n = (uint32_t)q->image.n_bitmaps,
		.directory_bytes = directory_bytes(&q->image),
	};
	uint8_t *directory, *at;
	enum status st;

	*ret = place;
	if (place.n == 0)
		return ST_OK;
	directory = at = mem_alloc((size_t)place.directory_bytes);
	if (directory == NULL)
		return ST_NO_MEMORY;
	for (size_t i = 0; i < place.n; at += entry_bytes(q->image.bitmaps[i].name), i++)
		encode_entry(q, i, at);
	st = qcow2_alloc(q, div_up(place.directory_bytes, q->image.cluster_bytes),
			 &ret->directory_offset);
	if (st == ST_OK)
		st = blk_write(q->file, ret->directory_offset, directory,
			       (size_t)place.directory_bytes);
	mem_free(directory);
	return st;
}

enum status qcow2_bitmaps_moved(struct qcow2_image *q, const struct qcow2_bitmaps_place *old)
{
	uint64_t at = q->header.bitmaps.directory_offset;

	for (size_t i = 0; i < q->image.n_bitmaps; i++) {
		q->bitmaps[i].flags_at = at + offsetof(struct qcow2_disk_bitmap, flags);
		q->bitmaps[i].flags = flags(q, i);
		at += entry_bytes(q->image.bitmaps[i].name);
	}
	return old->n > 0 ? qcow2_unref(q, old->directory_offset, old->directory_bytes) : ST_OK;
}

/* Writes the flags of a bitmap where they are: they are all in one sector. */
static enum status write_flags(struct qcow2_image *q, size_t i)
{
	be32 field = be32_of(flags(q, i));
	enum status st = qcow2_bitmap_is_own(q, q->bitmaps[i].flags_at);

	if (st == ST_OK)
		st = blk_write(q->file, q->bitmaps[i].flags_at, &field, sizeof field);
	if (st == ST_OK)
		q->bitmaps[i].flags = flags(q, i);
	return st;
}

/* ---- in use ---- */

/*
 * Marks a bitmap that is about to change, if it is not yet. *marked: that has to get onto the
 * medium.
 */
static enum status begin_one(struct qcow2_image *q, size_t i, bool *marked)
{
	if (q->image.bitmaps[i].in_use || q->bitmaps[i].changing)
		return ST_OK;
	*marked = true;
	q->bitmaps[i].changing = true;
	return write_flags(q, i);
}

enum status qcow2_bitmaps_store(struct qcow2_image *q)
{
	bool stored = false;
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < q->image.n_bitmaps; i++) {
		if (!q->bitmaps[i].changing)
			continue;
		q->bitmaps[i].changing = false;
		st = write_flags(q, i);
		stored = true;
	}
	return st == ST_OK && stored ? qcow2_barrier(q) : st;
}

enum status qcow2_bitmaps_load(struct qcow2_image *q, struct error *err)
{
	const struct qcow2_bitmaps_place none = { 0 };
	enum status st = q->header.has_stale_bitmaps ? qcow2_set_bitmaps(q, &none, true, err)
						     : ST_OK;

	/* the header is too full for it: they may stay, since they do not count */
	if (st == ST_UNSUPPORTED)
		st = ST_OK;
	if (st == ST_OK && q->directory_rest > 0)
		return fail(err, ST_CORRUPT,
			    "its bitmap directory has %ju bytes more than its %zu bitmaps take; it "
			    "can be read, but not written to",
			    q->directory_rest, q->image.n_bitmaps);
	for (size_t i = 0; st == ST_OK && i < q->image.n_bitmaps; i++)
		st = qcow2_bitmap_check(&q->image, i, err);
	return st;
}

/* ---- marking ---- */

static enum status mark(struct qcow2_image *q, size_t i, uint64_t offset, uint64_t len)
{
	uint64_t granularity = q->image.bitmaps[i].granularity_bytes,
		 per_cluster = qcow2_bitmap_bits_per_cluster(q);
	uint64_t bit = offset / granularity, end = (offset + len - 1) / granularity + 1, next;
	enum status st = ST_OK;

	for (; st == ST_OK && bit < end; bit = next) {
		uint8_t *bytes;

		next = min_u64(end, round_down(bit, per_cluster) + per_cluster);
		st = qcow2_bitmap_change_cluster(q, i, bit / per_cluster, &bytes);
		if (st == ST_OK)
			qcow2_bitmap_set_bits(bytes, bit % per_cluster,
					      bit % per_cluster + (next - bit), true);
	}
	return st;
}

enum status qcow2_bitmap_mark(struct image *image, size_t index, uint64_t offset, uint64_t len)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	bool marked = false;
	enum status st = q->failed;

	if (st == ST_OK)
		st = begin_one(q, index, &marked);
	if (st == ST_OK && marked)
		st = qcow2_barrier(q);
	if (st == ST_OK)
		st = mark(q, index, offset, len);
	return qcow2_changed(q, st);
}

enum status qcow2_bitmaps_note(struct qcow2_image *q, uint64_t offset, uint64_t len)
{
	bool marked = false;
	enum status st = ST_OK;

	CHECK(len > 0);
	for (size_t i = 0; st == ST_OK && i < q->image.n_bitmaps; i++)
		if (q->image.bitmaps[i].automatic)
			st = begin_one(q, i, &marked);
	if (st == ST_OK && marked)
		st = qcow2_barrier(q);
	for (size_t i = 0; st == ST_OK && i < q->image.n_bitmaps; i++)
		if (q->image.bitmaps[i].automatic && !q->image.bitmaps[i].in_use)
			st = mark(q, i, offset, len);
	return st;
}

/* ---- add, remove, clear, enable ---- */

static enum status failed(const struct qcow2_image *q, size_t i, enum status st, const char *what,
			  struct error *err)
{
	if (st == ST_CORRUPT)
		return fail(err, st,
			    "%s the bitmap \"%s\": its table refers to clusters that are not its "
			    "own; check the image",
			    what, q->image.bitmaps[i].name);
	return fail(err, st, "%s the bitmap \"%s\": %s", what, q->image.bitmaps[i].name,
		    status_text(st));
}

static enum status check_new(struct qcow2_image *q, const struct bitmap *new, struct error *err)
{
	const struct image *image = &q->image;
	struct qcow2_bitmaps_place place = { .n = 1 };

	if (q->header.version < 3)
		return fail(err, ST_UNSUPPORTED,
			    "version 2 of the format (compat 0.10) has no bitmaps");
	if (image->size == 0)
		return fail(err, ST_INVALID, "its disk of 0 bytes cannot have bitmaps");
	if (*new->name == '\0' || text_length(new->name) > QCOW2_BITMAP_NAME_MAX)
		return fail(err, ST_INVALID, "the name of a bitmap has 1 to %d bytes, not %zu",
			    QCOW2_BITMAP_NAME_MAX, text_length(new->name));
	if (!is_power_of_two(new->granularity_bytes) ||
	    new->granularity_bytes < UINT64_C(1) << QCOW2_GRANULARITY_BITS_MIN ||
	    new->granularity_bytes > UINT64_C(1) << QCOW2_GRANULARITY_BITS_MAX)
		return fail(err, ST_INVALID,
			    "the granularity %ju is not a power of two from 512 to 2G",
			    new->granularity_bytes);
	if (div_up(qcow2_bitmap_bits(new, image->size), 8) > QCOW2_BITMAP_BYTES_MAX)
		return fail(err, ST_TOO_LARGE,
			    "with a granularity of %ju bytes a bitmap of the disk of %ju would be "
			    "larger than %d bytes; use a larger one",
			    new->granularity_bytes, image->size, QCOW2_BITMAP_BYTES_MAX);
	if (image->n_bitmaps >= QCOW2_BITMAPS_MAX ||
	    directory_bytes(image) + entry_bytes(new->name) > DIRECTORY_BYTES_MAX)
		return fail(err, ST_TOO_LARGE, "it has %zu bitmaps, and can have no more",
			    image->n_bitmaps);
	for (size_t i = 0; i < image->n_bitmaps; i++)
		if (text_equal(image->bitmaps[i].name, new->name))
			return fail(err, ST_EXISTS, "it has a bitmap \"%s\" already", new->name);
	return qcow2_set_bitmaps(q, &place, false, err);
}

/* Puts one more at the end of both lists. */
static enum status append(struct qcow2_image *q, const struct bitmap *bitmap,
			  const struct qcow2_bitmap *inner)
{
	size_t n = q->image.n_bitmaps;
	struct bitmap *bitmaps = mem_alloc((n + 1) * sizeof *bitmaps);
	struct qcow2_bitmap *inners = mem_alloc((n + 1) * sizeof *inners);
	char *name = text_copy(bitmap->name);

	if (bitmaps == NULL || inners == NULL || name == NULL) {
		mem_free(bitmaps);
		mem_free(inners);
		mem_free(name);
		return ST_NO_MEMORY;
	}
	if (n > 0) {
		memcpy(bitmaps, q->image.bitmaps, n * sizeof *bitmaps);
		memcpy(inners, q->bitmaps, n * sizeof *inners);
	}
	bitmaps[n] = *bitmap;
	bitmaps[n].name = name;
	inners[n] = *inner;
	mem_free(q->image.bitmaps);
	mem_free(q->bitmaps);
	q->image.bitmaps = bitmaps;
	q->bitmaps = inners;
	q->image.n_bitmaps++;
	return ST_OK;
}

enum status qcow2_bitmap_add(struct image *image, const char *name, uint64_t granularity_bytes,
			     bool automatic, bool write, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	struct bitmap bitmap = {
		.name = (char *)(uintptr_t)name, /* only read */
		.granularity_bytes = granularity_bytes,
		.disk_bytes = image->size,
		.automatic = automatic,
	};
	struct qcow2_bitmap inner = { 0 };
	enum status st = qcow2_may_change(q, err);

	if (st == ST_OK)
		st = check_new(q, &bitmap, err);
	if (st != ST_OK || !write)
		return st;
	inner.table_entries = (uint32_t)qcow2_bitmap_entries(q, &bitmap, image->size);
	st = qcow2_bitmap_make_room(q);
	if (st == ST_OK)
		st = qcow2_bitmap_new_table(q, inner.table_entries, &inner.table_offset);
	if (st == ST_OK)
		st = append(q, &bitmap, &inner);
	if (st == ST_OK) {
		q->bitmaps_move = true;
		st = qcow2_flush(q);
	}
	if (qcow2_changed(q, st) == ST_OK)
		return ST_OK;
	return fail(err, st, "adding the bitmap \"%s\": %s", name, status_text(st));
}

enum status qcow2_bitmap_remove(struct image *image, size_t index, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	enum status st = qcow2_may_change(q, err);

	if (st != ST_OK)
		return st;
	st = qcow2_bitmap_release_clusters(q, index, 0, true);
	if (st == ST_OK)
		st = qcow2_bitmap_release_clusters(q, index, 0, false);
	if (st == ST_OK)
		st = qcow2_bitmap_release_table(q, index);
	if (qcow2_changed(q, st) != ST_OK)
		return failed(q, index, st, "removing", err);
	mem_free(image->bitmaps[index].name);
	image->n_bitmaps--;
	for (size_t i = index; i < image->n_bitmaps; i++) {
		image->bitmaps[i] = image->bitmaps[i + 1];
		q->bitmaps[i] = q->bitmaps[i + 1];
	}
	q->bitmaps_move = true;
	st = qcow2_changed(q, qcow2_flush(q));
	return st == ST_OK ? ST_OK : fail(err, st, "removing a bitmap: %s", status_text(st));
}

enum status qcow2_bitmap_clear(struct image *image, size_t index, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	uint64_t table;
	enum status st = qcow2_may_change(q, err);

	if (st != ST_OK)
		return st;
	st = qcow2_bitmap_release_clusters(q, index, 0, true);
	if (st == ST_OK)
		st = qcow2_bitmap_new_table(q, q->bitmaps[index].table_entries, &table);
	if (st == ST_OK)
		st = qcow2_bitmap_release_clusters(q, index, 0, false);
	if (st == ST_OK)
		st = qcow2_bitmap_release_table(q, index);
	if (st == ST_OK) {
		q->bitmaps[index].table_offset = table;
		q->bitmaps_move = true;
		st = qcow2_flush(q);
	}
	return qcow2_changed(q, st) == ST_OK ? ST_OK : failed(q, index, st, "clearing", err);
}

enum status qcow2_bitmap_set_automatic(struct image *image, size_t index, bool automatic,
				       struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	enum status st = qcow2_may_change(q, err);

	if (st != ST_OK)
		return st;
	image->bitmaps[index].automatic = automatic;
	st = write_flags(q, index);
	if (st == ST_OK)
		st = qcow2_barrier(q);
	return qcow2_changed(q, st) == ST_OK ? ST_OK : failed(q, index, st, "changing", err);
}

/* ---- another size of the disk ---- */

enum status qcow2_bitmaps_plan_resize(const struct qcow2_image *q, uint64_t disk_bytes,
				      uint64_t *ret_clusters, struct error *err)
{
	*ret_clusters = 0;
	for (size_t i = 0; i < q->image.n_bitmaps; i++) {
		const struct bitmap *bitmap = &q->image.bitmaps[i];

		if (bitmap->in_use)
			return fail(err, ST_CORRUPT,
				    "its bitmap \"%s\" was not stored when it should have been, "
				    "and cannot get another size; `efi-img bitmap --remove` "
				    "deletes it",
				    bitmap->name);
		if (div_up(qcow2_bitmap_bits(bitmap, disk_bytes), 8) > QCOW2_BITMAP_BYTES_MAX)
			return fail(err, ST_TOO_LARGE,
				    "for a disk of %ju bytes its bitmap \"%s\" would be larger "
				    "than %d bytes; delete it, or add it anew with a larger "
				    "granularity",
				    disk_bytes, bitmap->name, QCOW2_BITMAP_BYTES_MAX);
		*ret_clusters += 1 + div_up(qcow2_bitmap_entries(q, bitmap, disk_bytes) * 8,
					    q->image.cluster_bytes);
	}
	return ST_OK;
}

enum status qcow2_bitmaps_begin_resize(struct qcow2_image *q)
{
	bool marked = false;
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < q->image.n_bitmaps; i++)
		st = begin_one(q, i, &marked);
	return st == ST_OK && marked ? qcow2_barrier(q) : st;
}

/*
 * Makes the unused bits of the last cluster that stays zeros, as they must be, and new ones have to
 * be.
 */
static enum status clear_tail(struct qcow2_image *q, size_t i, uint64_t disk_bytes)
{
	const struct bitmap *bitmap = &q->image.bitmaps[i];
	uint64_t per_cluster = qcow2_bitmap_bits_per_cluster(q), entry;
	uint64_t n = min_u64(qcow2_bitmap_bits(bitmap, bitmap->disk_bytes),
			     qcow2_bitmap_bits(bitmap, disk_bytes));
	uint8_t *bytes;
	enum status st = n % per_cluster != 0 ? qcow2_bitmap_entry(q, i, n / per_cluster, &entry)
					      : ST_OK;

	if (st != ST_OK || n % per_cluster == 0 || entry == 0)
		return st;
	st = qcow2_bitmap_change_cluster(q, i, n / per_cluster, &bytes);
	if (st == ST_OK)
		qcow2_bitmap_set_bits(bytes, n % per_cluster, per_cluster, false);
	return st;
}

/* Moves the table of a bitmap to a new place with another length. */
static enum status move_table(struct qcow2_image *q, size_t i, uint32_t n)
{
	uint64_t table, entry;
	enum status st = qcow2_bitmap_release_clusters(q, i, n, true);

	if (st == ST_OK)
		st = qcow2_bitmap_new_table(q, n, &table);
	for (uint32_t k = 0; st == ST_OK && k < n && k < q->bitmaps[i].table_entries; k++) {
		st = qcow2_bitmap_make_room(q);
		if (st == ST_OK)
			st = qcow2_bitmap_entry(q, i, k, &entry);
		if (st == ST_OK && entry != 0)
			st = qcow2_bitmap_set_entry(q, table, k, entry);
	}
	if (st == ST_OK)
		st = qcow2_bitmap_release_clusters(q, i, n, false);
	if (st == ST_OK)
		st = qcow2_bitmap_release_table(q, i);
	if (st != ST_OK)
		return st;
	q->bitmaps[i].table_offset = table;
	q->bitmaps[i].table_entries = n;
	q->bitmaps_move = true;
	return ST_OK;
}

enum status qcow2_bitmaps_resize(struct qcow2_image *q, uint64_t disk_bytes)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < q->image.n_bitmaps; i++) {
		struct bitmap *bitmap = &q->image.bitmaps[i];
		uint64_t n = qcow2_bitmap_entries(q, bitmap, disk_bytes);

		st = clear_tail(q, i, disk_bytes);
		if (st == ST_OK && n != q->bitmaps[i].table_entries)
			st = move_table(q, i, (uint32_t)n);
		if (st == ST_OK)
			bitmap->disk_bytes = disk_bytes;
	}
	return st;
}
