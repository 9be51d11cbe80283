/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading bitmaps: section "Bitmaps". Changing them: bitmap_write.c. */
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "format/qcow2/entry.h"
#include "format/qcow2/image.h"

/* ---- the directory ---- */

static enum status read_failed(struct error *err, enum status st)
{
	return fail(err, st, "reading the bitmap directory: %s", status_text(st));
}

/* Reads the entry at `*at` and moves on to the next; `end` is that of the directory. */
static enum status read_entry(struct blk *file, uint64_t *at, uint64_t end, struct bitmap *bitmap,
			      struct qcow2_bitmap *inner, struct error *err)
{
	struct qcow2_disk_bitmap disk;
	size_t name_bytes;
	uint64_t rest;
	enum status st;

	if (!range_ok(*at, sizeof disk, end))
		return fail(err, ST_CORRUPT,
			    "the bitmap directory is too short for the bitmaps it should have");
	st = blk_read_padded(file, *at, &disk, sizeof disk);
	if (st != ST_OK)
		return read_failed(err, st);
	inner->flags_at = *at + offsetof(struct qcow2_disk_bitmap, flags);
	*at += sizeof disk;
	name_bytes = (size_t)bytes_from_be(disk.name_bytes, 2);
	inner->extra_bytes = be32_get(disk.extra_bytes);
	rest = (uint64_t)inner->extra_bytes + name_bytes;
	if (name_bytes == 0 || name_bytes > QCOW2_BITMAP_NAME_MAX || !range_ok(*at, rest, end))
		return fail(err, ST_CORRUPT,
			    "the bitmap directory has an entry with a name of %zu and extra data "
			    "of %u bytes",
			    name_bytes, inner->extra_bytes);
	if (disk.type != QCOW2_BITMAP_TYPE_DIRTY ||
	    disk.granularity_bits < QCOW2_GRANULARITY_BITS_MIN ||
	    disk.granularity_bits > QCOW2_GRANULARITY_BITS_MAX)
		return fail(err, ST_CORRUPT,
			    "the bitmap directory has an entry of type %u with a granularity of "
			    "2^%u bytes",
			    disk.type, disk.granularity_bits);
	bitmap->name = mem_alloc(name_bytes + 1);
	if (bitmap->name == NULL)
		return fail_no_memory(err);
	st = blk_read_padded(file, *at + inner->extra_bytes, bitmap->name, name_bytes);
	if (st != ST_OK)
		return read_failed(err, st);
	inner->flags = be32_get(disk.flags);
	inner->table_offset = be64_get(disk.table_offset);
	inner->table_entries = be32_get(disk.table_entries);
	bitmap->in_use = (inner->flags & QCOW2_BITMAP_FLAG_IN_USE) != 0;
	bitmap->automatic = (inner->flags & QCOW2_BITMAP_FLAG_AUTO) != 0;
	bitmap->granularity_bytes = (uint64_t)1 << disk.granularity_bits;
	*at = min_u64(round_up(*at + rest, 8), end);
	return ST_OK;
}

enum status qcow2_bitmaps_read(struct qcow2_image *q, struct error *err)
{
	const struct qcow2_bitmaps_place *place = &q->header.bitmaps;
	struct image *image = &q->image;
	uint64_t at = place->directory_offset;
	uint64_t end = at + place->directory_bytes; /* checked with the extension */

	if (place->n == 0)
		return ST_OK;
	image->bitmaps = mem_alloc(place->n * sizeof *image->bitmaps); /* at most 65535 */
	q->bitmaps = mem_alloc(place->n * sizeof *q->bitmaps);
	if (image->bitmaps == NULL || q->bitmaps == NULL)
		return fail_no_memory(err);
	while (image->n_bitmaps < place->n) {
		struct bitmap *bitmap = &image->bitmaps[image->n_bitmaps];
		enum status st = read_entry(q->file, &at, end, bitmap,
					    &q->bitmaps[image->n_bitmaps++], err);

		if (st != ST_OK)
			return st;
		bitmap->disk_bytes = image->size;
	}
	q->directory_rest = end - at;
	return ST_OK;
}

uint64_t qcow2_bitmaps_bytes(const struct bitmap *bitmaps, size_t n, uint64_t disk_bytes,
			     uint64_t cluster_bytes)
{
	uint64_t bytes = 0, directory_bytes = 0;

	for (size_t i = 0; i < n; i++) {
		const struct bitmap *bitmap = &bitmaps[i];
		uint64_t n_clusters = div_up(div_up(qcow2_bitmap_bits(bitmap, disk_bytes), 8),
					     cluster_bytes);

		if (bitmap->in_use) /* it may not be complete: it is not copied */
			continue;
		bytes += n_clusters * cluster_bytes + round_up(n_clusters * 8, cluster_bytes);
		directory_bytes += round_up(sizeof(struct qcow2_disk_bitmap) +
						    text_length(bitmap->name),
					    8);
	}
	return bytes + round_up(directory_bytes, cluster_bytes);
}

/* ---- their bits ---- */

uint64_t qcow2_bitmap_bits(const struct bitmap *bitmap, uint64_t disk_bytes)
{
	return div_up(disk_bytes, bitmap->granularity_bytes);
}

uint64_t qcow2_bitmap_entries(const struct qcow2_image *q, const struct bitmap *bitmap,
			      uint64_t disk_bytes)
{
	return div_up(qcow2_bitmap_bits(bitmap, disk_bytes), qcow2_cluster_bytes(&q->header) * 8);
}

enum status qcow2_bitmap_check(const struct image *image, size_t index, struct error *err)
{
	const struct qcow2_image *q = (const struct qcow2_image *)image;
	const struct bitmap *bitmap = &image->bitmaps[index];
	const struct qcow2_bitmap *inner = &q->bitmaps[index];
	uint64_t cluster_bytes = image->cluster_bytes,
		 needed = qcow2_bitmap_entries(q, bitmap, bitmap->disk_bytes);

	if (inner->extra_bytes > 0 || (inner->flags & ~(uint32_t)QCOW2_BITMAP_FLAGS_KNOWN) != 0)
		return fail(err, ST_UNSUPPORTED,
			    "its bitmap \"%s\" has extra data or flags that are not known here",
			    bitmap->name);
	if (inner->table_offset == 0 || inner->table_offset % cluster_bytes != 0 ||
	    inner->table_offset >= q->file->size || inner->table_entries == 0 ||
	    inner->table_entries > QCOW2_BITMAP_BYTES_MAX / cluster_bytes ||
	    (!bitmap->in_use && inner->table_entries < needed))
		return fail(err, ST_CORRUPT,
			    "the table of its bitmap \"%s\" cannot be at 0x%jx, with %u entries "
			    "(%ju are needed)",
			    bitmap->name, inner->table_offset, inner->table_entries, needed);
	return ST_OK;
}

enum status qcow2_bitmap_entry(struct qcow2_image *q, size_t bitmap, uint64_t index, uint64_t *ret)
{
	size_t cluster_bytes = q->image.cluster_bytes;
	uint64_t at = q->bitmaps[bitmap].table_offset + index * 8, entry;
	/* New clusters may be in memory only. */
	uint64_t end = max_u64(q->file->size, q->next_cluster << q->header.cluster_bits);
	uint8_t *table;
	enum status st = ST_OK;

	if (q->bitmap_cache.slot == NULL)
		st = table_cache_init(&q->bitmap_cache, q->file, cluster_bytes);
	if (st == ST_OK)
		st = table_cache_get(&q->bitmap_cache, round_down(at, cluster_bytes), &table);
	if (st != ST_OK)
		return st;
	entry = bytes_from_be(table + at % cluster_bytes, 8);
	if ((entry & QCOW2_BITMAP_TABLE_RESERVED) != 0 ||
	    (entry & QCOW2_ENTRY_OFFSET) % cluster_bytes != 0 ||
	    (entry & QCOW2_ENTRY_OFFSET) >= end ||
	    ((entry & QCOW2_ENTRY_OFFSET) != 0 && (entry & QCOW2_BITMAP_TABLE_ONES) != 0))
		return ST_CORRUPT;
	*ret = entry;
	return ST_OK;
}

/* How many of the bits [first, end) are like the first, which is *ret_set. */
static uint64_t count_alike(const uint8_t *bytes, uint64_t first, uint64_t end, bool *ret_set)
{
	bool set = (bytes[first / 8] >> first % 8 & 1) != 0;
	uint64_t bit = first + 1;

	while (bit < end) {
		if (bit % 8 == 0 && bytes[bit / 8] == (set ? 0xff : 0))
			bit += 8;
		else if ((bytes[bit / 8] >> bit % 8 & 1) == set)
			bit++;
		else
			break;
	}
	*ret_set = set;
	return min_u64(bit, end) - first;
}

enum status qcow2_bitmap_run(struct image *image, size_t index, uint64_t offset, bool *ret_set,
			     uint64_t *ret_bytes)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	const struct bitmap *bitmap = &image->bitmaps[index];
	uint64_t per_cluster = qcow2_cluster_bytes(&q->header) * 8,
		 bit = offset / bitmap->granularity_bytes;
	uint64_t n = min_u64(per_cluster - bit % per_cluster,
			     qcow2_bitmap_bits(bitmap, bitmap->disk_bytes) - bit),
		 entry;
	uint8_t *bytes;
	enum status st = qcow2_bitmap_entry(q, index, bit / per_cluster, &entry);

	if (st == ST_OK && (entry & QCOW2_ENTRY_OFFSET) == 0) {
		*ret_set = (entry & QCOW2_BITMAP_TABLE_ONES) != 0;
	} else if (st == ST_OK) {
		st = table_cache_get(&q->bitmap_cache, entry & QCOW2_ENTRY_OFFSET, &bytes);
		if (st == ST_OK)
			n = count_alike(bytes, bit % per_cluster, bit % per_cluster + n, ret_set);
	}
	if (st == ST_OK)
		*ret_bytes = min_u64((bit + n) * bitmap->granularity_bytes, bitmap->disk_bytes) -
			     offset;
	return st;
}
