/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All that an L1 table refers to: sections "L1 table", "L2 table"; and whether it is the disk's
 * alone (COPIED).
 */
#include "base/range.h"
#include "format/qcow2/entry.h"
#include "format/qcow2/image.h"
#include "platform/person.h"

/* ---- clusters that are referred to ---- */

enum status qcow2_walk_bytes(struct qcow2_walk *w, uint64_t offset, uint64_t bytes)
{
	uint64_t first = offset >> w->q->header.cluster_bits,
		 end = (offset + bytes - 1) >> w->q->header.cluster_bits;
	enum status st = ST_OK;

	for (uint64_t cluster = first; st == ST_OK && cluster <= end && w->n_visited < w->limit;
	     cluster++) {
		st = w->visit(w->q, cluster);
		w->n_visited += st == ST_OK;
	}
	return st;
}

static enum status visit_entry(struct qcow2_walk *w, uint64_t entry)
{
	uint64_t offset = entry & QCOW2_ENTRY_OFFSET;
	uint32_t bytes = w->q->image.cluster_bytes;

	if ((entry & QCOW2_L2_COMPRESSED) != 0) {
		qcow2_compressed_place(&w->q->header, entry, &offset, &bytes);
	} else if ((entry & QCOW2_L2_RESERVED) != 0 || offset % bytes != 0) {
		return ST_CORRUPT;
	} else if (offset == 0) {
		return ST_OK;
	}
	return offset < w->q->file->size ? qcow2_walk_bytes(w, offset, bytes) : ST_CORRUPT;
}

static enum status visit_table(struct qcow2_walk *w, uint64_t l1_entry)
{
	uint64_t offset = l1_entry & QCOW2_ENTRY_OFFSET, step = qcow2_l2_entry_bytes(&w->q->header);
	uint8_t *table;
	enum status st;

	if ((l1_entry & QCOW2_L1_RESERVED) != 0 || offset % w->q->image.cluster_bytes != 0 ||
	    offset >= w->q->file->size)
		return ST_CORRUPT;
	if (w->can_stop && platform_cancelled())
		return ST_CANCELLED;
	st = qcow2_walk_bytes(w, offset, w->q->image.cluster_bytes);
	if (st == ST_OK)
		st = table_cache_get(&w->q->l2_cache, offset, &table);
	for (uint64_t at = 0; st == ST_OK && at < w->q->image.cluster_bytes; at += step)
		st = visit_entry(w, bytes_from_be(table + at, 8));
	return st;
}

enum status qcow2_walk_l1(struct qcow2_walk *w, const uint64_t *l1, uint64_t n)
{
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i < n; i++)
		if ((l1[i] & QCOW2_ENTRY_OFFSET) != 0)
			st = visit_table(w, l1[i]);
	return st;
}

enum status qcow2_has_users(struct qcow2_image *q, uint64_t cluster)
{
	uint64_t refcount;
	enum status st = qcow2_refcount_get(q, cluster, &refcount);

	return st == ST_OK && refcount == 0 ? ST_CORRUPT : st;
}

enum status qcow2_has_room(struct qcow2_image *q, uint64_t cluster)
{
	uint64_t refcount;
	enum status st = qcow2_refcount_get(q, cluster, &refcount);

	if (st != ST_OK || refcount == 0)
		return st == ST_OK ? ST_CORRUPT : st;
	return refcount < qcow2_refcount_max(q) ? ST_OK : ST_TOO_LARGE;
}

/* ---- COPIED ---- */

/* Clears the flag in one L2 table. */
static enum status clear_table(struct qcow2_image *q, uint64_t offset)
{
	uint64_t step = qcow2_l2_entry_bytes(&q->header);
	uint8_t *table;
	enum status st = qcow2_make_room(q);

	if (st == ST_OK)
		st = table_cache_get(&q->l2_cache, offset, &table);
	for (uint64_t at = 0; st == ST_OK && at < q->image.cluster_bytes; at += step) {
		uint64_t entry = bytes_from_be(table + at, 8);

		if ((entry & QCOW2_COPIED) == 0)
			continue;
		bytes_to_be(table + at, 8, entry & ~QCOW2_COPIED);
		table_cache_change(&q->l2_cache, offset);
	}
	return st;
}

enum status qcow2_clear_copied(struct qcow2_image *q, const uint64_t *l1, uint64_t n)
{
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i < n; i++)
		if ((l1[i] & QCOW2_ENTRY_OFFSET) != 0)
			st = platform_cancelled() ? ST_CANCELLED
						  : clear_table(q, l1[i] & QCOW2_ENTRY_OFFSET);
	return st;
}
