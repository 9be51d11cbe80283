/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Releasing what the disk has stored from some place on: when it shrinks, or is emptied. Each entry
 * goes together with what it refers to, in memory; on the medium the tables are first (commit.c),
 * so that clusters can be lost when the power goes, and never be in use and free at the same time.
 */
#include "base/bytes.h"
#include "format/qcow2/entry.h"
#include "format/qcow2/l2.h"

/*
 * Releases an L2 table with all that it refers to. It may be a snapshot's as well: then each of its
 * clusters counts that user too.
 */
static enum status release_table(struct qcow2_image *q, uint64_t l1_index)
{
	uint64_t offset = q->l1[l1_index] & QCOW2_ENTRY_OFFSET,
		 entry_bytes = qcow2_l2_entry_bytes(&q->header);
	size_t n = q->n_released;
	uint64_t last_n = n > 0 ? q->released[n - 1].n : 0;
	uint8_t *table;
	enum status st = offset % q->image.cluster_bytes == 0
				 ? table_cache_get(&q->l2_cache, offset, &table)
				 : ST_CORRUPT;

	for (uint64_t at = 0; st == ST_OK && at < q->image.cluster_bytes; at += entry_bytes)
		st = qcow2_release_entry(q, bytes_from_be(table + at, 8));
	if (st == ST_OK)
		st = qcow2_unref(q, offset, q->image.cluster_bytes);
	if (st != ST_OK) {
		qcow2_unref_undo(q, n, last_n); /* the table still refers to all of it */
		return st;
	}
	q->l1[l1_index] = 0;
	qcow2_note_l1(q, l1_index);
	return ST_OK;
}

/* The same for the rest of a table, from the cluster at `guest` on. */
static enum status release_rest_of_table(struct qcow2_image *q, uint64_t guest)
{
	uint64_t coverage = qcow2_l2_coverage(&q->header),
		 end = guest - guest % coverage + coverage;
	enum status st = ST_OK;

	for (; st == ST_OK && guest < end; guest += q->image.cluster_bytes) {
		struct qcow2_slot slot;

		st = qcow2_find_slot(q, guest, &slot);
		if (st == ST_OK)
			st = qcow2_release_entry(q, bytes_from_be(slot.entry, 8));
		if (st == ST_OK)
			qcow2_set_entry(q, &slot, 0, 0);
	}
	return st;
}

enum status qcow2_release_from(struct qcow2_image *q, uint64_t guest)
{
	uint64_t coverage = qcow2_l2_coverage(&q->header);
	enum status st = ST_OK;

	for (uint64_t i = guest / coverage; st == ST_OK && i < q->header.l1_entries; i++) {
		if ((q->l1[i] & QCOW2_ENTRY_OFFSET) == 0)
			continue;
		st = qcow2_make_room(q);
		if (st == ST_OK)
			st = i * coverage >= guest ? release_table(q, i)
						   : release_rest_of_table(q, guest);
	}
	return st;
}
