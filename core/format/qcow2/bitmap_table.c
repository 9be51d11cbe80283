/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changing the tables and clusters of bitmaps: section "Bitmap table". They are changed where they
 * are, in a cache of TABLE_CACHE_BYTES however large they are; commit.c writes them after the
 * refcounts of what is new. What is written in place must have one user: with more, the refcounts
 * are wrong, or the bitmap is, and something else could be destroyed.
 */
#include "format/qcow2/bitmap_table.h"

#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/entry.h"

uint64_t qcow2_bitmap_bits_per_cluster(const struct qcow2_image *q)
{
	return qcow2_cluster_bytes(&q->header) * 8;
}

enum status qcow2_bitmap_is_own(struct qcow2_image *q, uint64_t offset)
{
	uint64_t refcount;
	enum status st = qcow2_refcount_get(q, offset >> q->header.cluster_bits, &refcount);

	return st == ST_OK && refcount != 1 ? ST_CORRUPT : st;
}

enum status qcow2_bitmap_make_room(struct qcow2_image *q)
{
	if (q->bitmap_cache.slot == NULL)
		return table_cache_init(&q->bitmap_cache, q->file, q->image.cluster_bytes);
	return table_cache_is_full(&q->bitmap_cache) ? qcow2_commit(q) : ST_OK;
}

enum status qcow2_bitmap_new_table(struct qcow2_image *q, uint64_t n_entries, uint64_t *ret_offset)
{
	uint64_t n = div_up(n_entries * 8, q->image.cluster_bytes);
	uint8_t *bytes;
	enum status st = qcow2_alloc(q, n, ret_offset);

	for (uint64_t i = 0; st == ST_OK && i < n; i++) {
		st = qcow2_bitmap_make_room(q);
		if (st == ST_OK)
			st = table_cache_make(&q->bitmap_cache,
					      *ret_offset + i * q->image.cluster_bytes, &bytes);
	}
	return st;
}

enum status qcow2_bitmap_set_entry(struct qcow2_image *q, uint64_t table, uint64_t index,
				   uint64_t entry)
{
	uint64_t at = table + index * 8, cluster = round_down(at, q->image.cluster_bytes);
	uint8_t *bytes;
	enum status st = qcow2_bitmap_is_own(q, cluster);

	if (st == ST_OK)
		st = table_cache_get(&q->bitmap_cache, cluster, &bytes);
	if (st != ST_OK)
		return st;
	bytes_to_be(bytes + at % q->image.cluster_bytes, 8, entry);
	table_cache_change(&q->bitmap_cache, cluster);
	return ST_OK;
}

void qcow2_bitmap_set_bits(uint8_t *bytes, uint64_t first, uint64_t end, bool set)
{
	while (first < end) {
		if (first % 8 == 0 && end - first >= 8) {
			memset(bytes + first / 8, set ? 0xff : 0, (size_t)(end - first) / 8);
			first = round_down(end, 8);
		} else {
			bytes[first / 8] = (uint8_t)((bytes[first / 8] & ~(1u << first % 8)) |
						     (unsigned)set << first % 8);
			first++;
		}
	}
}

enum status qcow2_bitmap_change_cluster(struct qcow2_image *q, size_t bitmap, uint64_t index,
					uint8_t **ret)
{
	uint64_t n_bits = qcow2_bitmap_bits(&q->image.bitmaps[bitmap],
					    q->image.bitmaps[bitmap].disk_bytes);
	uint64_t entry, offset;
	enum status st = qcow2_bitmap_make_room(q);

	if (st == ST_OK)
		st = qcow2_bitmap_entry(q, bitmap, index, &entry);
	if (st != ST_OK)
		return st;
	offset = entry & QCOW2_ENTRY_OFFSET;
	if (offset != 0) {
		st = qcow2_bitmap_is_own(q, offset);
		if (st == ST_OK)
			st = table_cache_get(&q->bitmap_cache, offset, ret);
		if (st == ST_OK)
			table_cache_change(&q->bitmap_cache, offset);
		return st;
	}
	st = qcow2_alloc(q, 1, &offset);
	if (st == ST_OK)
		st = table_cache_make(&q->bitmap_cache, offset, ret);
	/*
	 * a table must not refer past the end of the file, even if this cluster is
	 * lost with the power
	 */
	if (st == ST_OK)
		st = blk_write(q->file, offset, *ret, q->image.cluster_bytes);
	if (st == ST_OK)
		st = qcow2_bitmap_set_entry(q, q->bitmaps[bitmap].table_offset, index, offset);
	if (st == ST_OK && (entry & QCOW2_BITMAP_TABLE_ONES) != 0)
		qcow2_bitmap_set_bits(*ret, 0,
				      min_u64(qcow2_bitmap_bits_per_cluster(q),
					      n_bits - index * qcow2_bitmap_bits_per_cluster(q)),
				      true);
	return st;
}

enum status qcow2_bitmap_release_clusters(struct qcow2_image *q, size_t bitmap, uint64_t first,
					  bool look)
{
	uint64_t entry;
	enum status st = qcow2_bitmap_make_room(q);

	for (uint64_t i = first; st == ST_OK && i < q->bitmaps[bitmap].table_entries; i++) {
		st = qcow2_bitmap_entry(q, bitmap, i, &entry);
		if (st != ST_OK || (entry & QCOW2_ENTRY_OFFSET) == 0)
			continue;
		st = look ? qcow2_bitmap_is_own(q, entry & QCOW2_ENTRY_OFFSET)
			  : qcow2_unref(q, entry & QCOW2_ENTRY_OFFSET, q->image.cluster_bytes);
	}
	return st;
}

enum status qcow2_bitmap_release_table(struct qcow2_image *q, size_t bitmap)
{
	return qcow2_unref(q, q->bitmaps[bitmap].table_offset,
			   (uint64_t)q->bitmaps[bitmap].table_entries * 8);
}
