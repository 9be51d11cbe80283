/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changing entries of L2 tables: sections "L1 table" and "L2 table". A table is changed in the
 * cache, and only if the disk alone refers to it (COPIED); one that a snapshot has as well is
 * copied first. commit.c writes it, after the refcounts of all that it refers to, and lowers the
 * refcount of what it does not refer to any more after that.
 */
#include "format/qcow2/l2.h"

#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/entry.h"

/*
 * Makes the L1 entry refer to a table of this disk alone: a new one, or a copy of one that a
 * snapshot has as well.
 */
static enum status unshare_l2_table(struct qcow2_image *q, uint64_t l1_index, uint64_t *ret_offset)
{
	uint64_t old = q->l1[l1_index] & QCOW2_ENTRY_OFFSET, offset;
	uint8_t *from, *table;
	enum status st = ST_OK;

	if (old != 0 && (q->l1[l1_index] & QCOW2_COPIED) != 0) {
		*ret_offset = old;
		return ST_OK;
	}
	st = qcow2_alloc(q, 1, &offset);
	if (st == ST_OK)
		st = table_cache_make(&q->l2_cache, offset, &table);
	if (st == ST_OK && old != 0) {
		st = table_cache_get(&q->l2_cache, old, &from);
		if (st == ST_OK)
			memcpy(table, from, q->image.cluster_bytes);
		if (st == ST_OK)
			st = qcow2_unref(q, old, q->image.cluster_bytes);
	}
	if (st != ST_OK)
		return st;
	q->l1[l1_index] = offset | QCOW2_COPIED;
	qcow2_note_l1(q, l1_index);
	*ret_offset = offset;
	return ST_OK;
}

enum status qcow2_find_slot(struct qcow2_image *q, uint64_t offset, struct qcow2_slot *ret)
{
	uint64_t coverage = qcow2_l2_coverage(&q->header),
		 index = offset % coverage / q->image.cluster_bytes;
	uint8_t *table;
	enum status st = unshare_l2_table(q, offset / coverage, &ret->table_offset);

	if (st == ST_OK)
		st = table_cache_get(&q->l2_cache, ret->table_offset, &table);
	if (st == ST_OK)
		ret->entry = table + index * qcow2_l2_entry_bytes(&q->header);
	return st;
}

void qcow2_set_entry(struct qcow2_image *q, const struct qcow2_slot *slot, uint64_t entry,
		     uint64_t bitmap)
{
	bytes_to_be(slot->entry, 8, entry);
	if (qcow2_is_extended(q))
		bytes_to_be(slot->entry + 8, 8, bitmap);
	table_cache_change(&q->l2_cache, slot->table_offset);
}

enum status qcow2_release_entry(struct qcow2_image *q, uint64_t entry)
{
	if ((entry & QCOW2_L2_COMPRESSED) != 0) {
		uint64_t offset;
		uint32_t bytes;

		qcow2_compressed_place(&q->header, entry, &offset, &bytes);
		q->cluster_entry = UINT64_MAX;
		return qcow2_unref(q, offset, bytes);
	}
	if ((entry & QCOW2_ENTRY_OFFSET) == 0 || q->has_data_file)
		return ST_OK;
	if ((entry & QCOW2_ENTRY_OFFSET) % q->image.cluster_bytes != 0)
		return ST_CORRUPT;
	return qcow2_unref(q, entry & QCOW2_ENTRY_OFFSET, q->image.cluster_bytes);
}

uint64_t qcow2_run_length(const struct qcow2_image *q, uint64_t guest, uint64_t n)
{
	uint64_t coverage = qcow2_l2_coverage(&q->header);
	uint64_t in_table = (coverage - guest % coverage) / q->image.cluster_bytes;
	uint64_t in_block = qcow2_cluster_bytes(&q->header) * 8 >> q->header.refcount_order;

	return min_u64(n, min_u64(in_table, in_block));
}
