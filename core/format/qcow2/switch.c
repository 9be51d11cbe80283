/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Other users for most clusters of an image, in one step: making and deleting snapshots.
 *
 * These change refcounts of all that the disk refers to, and with them the COPIED flags of the
 * entries that lead there (sections "Host cluster management", "Cluster mapping"). Both lie in many
 * sectors. In whatever order they are written in place, a power cut between them leaves flags that
 * contradict refcounts, and every check calls that corrupt. So nothing is changed in place:
 *
 *   1. Refcount blocks and L2 tables are copied to new clusters before they change; the new
 *      refcount table, the new L1 table of the disk, and what the caller makes (a snapshot table,
 *      the L1 table of a snapshot) go to new clusters too. Nothing on the medium refers to them.
 *                                                                                           flush
 *   2. header: L1 table, refcount table and snapshot table, in one sector                   flush
 *   3. what only the old structures used is released (commit.c)
 *
 * Before 2 the medium has what it had, in a file that is longer: not even a cluster is lost. After
 * 2 it has the new state; what 3 has not released yet are leaks. A failure before 2 forgets the
 * tables in memory and cuts the file. Where it is not known whether the header was written, both
 * states are whole.
 *
 * The price is the space of the tables that change, which efi-img does not use again: of an image
 * with clusters of 64 KiB 32 KiB of refcounts per GiB, and 8 KiB per GiB of what was written since
 * the last snapshot. Bitmaps do not take part.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/entry.h"
#include "format/qcow2/image.h"
#include "platform/person.h"

enum status qcow2_switch_begin(struct qcow2_image *q, struct qcow2_switch *s)
{
	size_t l1_bytes = q->header.l1_entries * sizeof *s->l1;
	size_t reftable_bytes = (size_t)q->n_reftable * sizeof *s->old_reftable;
	enum status st = qcow2_flush(q);

	*s = (struct qcow2_switch){ 0 };
	if (st != ST_OK)
		return st;
	s->l1 = mem_alloc(l1_bytes);
	s->old_reftable = mem_alloc(reftable_bytes);
	if (s->l1 == NULL || s->old_reftable == NULL) {
		qcow2_switch_end(q, s);
		return ST_NO_MEMORY;
	}
	memcpy(s->l1, q->l1, l1_bytes);
	memcpy(s->old_reftable, q->reftable, reftable_bytes);
	s->old_reftable_entries = q->n_reftable;
	s->old_next_cluster = q->next_cluster;
	s->old_file_bytes = q->file->size;
	s->begun = true;
	q->frozen = s->old_reftable;
	q->n_frozen = q->n_reftable;
	return ST_OK;
}

/* ---- L2 tables ---------------------------------------------------------------------------------
 */

/* An entry with the flag as it is to be: without it, or with it where it has one user. */
static enum status edit(struct qcow2_image *q, uint64_t entry, bool share, uint64_t *ret)
{
	uint64_t offset = entry & QCOW2_ENTRY_OFFSET, refcount;
	enum status st;

	*ret = share ? entry & ~QCOW2_COPIED : entry;
	if (share || (entry & (QCOW2_L2_COMPRESSED | QCOW2_COPIED)) != 0 || offset == 0)
		return ST_OK;
	st = qcow2_refcount_get(q, offset >> q->header.cluster_bits, &refcount);
	if (st == ST_OK && refcount == 1)
		*ret = entry | QCOW2_COPIED;
	return st;
}

/* Whether a table has an entry that changes. */
static enum status has_changes(struct qcow2_image *q, uint64_t offset, bool share, bool *ret)
{
	uint64_t step = qcow2_l2_entry_bytes(&q->header), entry, edited;
	uint8_t *table;
	enum status st = table_cache_get(&q->l2_cache, offset, &table);

	*ret = false;
	for (uint64_t at = 0; st == ST_OK && !*ret && at < q->image.cluster_bytes; at += step) {
		entry = bytes_from_be(table + at, 8);
		st = edit(q, entry, share, &edited);
		*ret = entry != edited;
	}
	return st;
}

static enum status copy_edited(struct qcow2_image *q, uint64_t from, uint64_t to, bool share)
{
	uint64_t step = qcow2_l2_entry_bytes(&q->header), entry;
	uint8_t *old, *new;
	enum status st = ST_OK;

	/* Nothing refers to the copies that were changed: they may be written at any time. */
	if (table_cache_is_full(&q->l2_cache))
		st = table_cache_write(&q->l2_cache);
	if (st == ST_OK)
		st = table_cache_make(&q->l2_cache, to, &new);
	if (st == ST_OK)
		st = table_cache_get(&q->l2_cache, from, &old);
	if (st != ST_OK)
		return st;
	memcpy(new, old, q->image.cluster_bytes);
	for (uint64_t at = 0; st == ST_OK && at < q->image.cluster_bytes; at += step) {
		st = edit(q, bytes_from_be(new + at, 8), share, &entry);
		bytes_to_be(new + at, 8, entry);
	}
	return st;
}

/* Copies the table of the disk if entries change; the copy has as many users as `users`. */
static enum status replace_table(struct qcow2_image *q, uint64_t *l1_entry, bool share,
				 unsigned users)
{
	uint64_t old = *l1_entry & QCOW2_ENTRY_OFFSET, new;
	bool changes;
	enum status st = has_changes(q, old, share, &changes);

	if (st != ST_OK || !changes)
		return st;
	st = qcow2_alloc(q, 1, &new);
	if (st == ST_OK)
		st = copy_edited(q, old, new, share);
	if (st == ST_OK && users > 1)
		st = qcow2_ref_more(q, new >> q->header.cluster_bits, users - 1);
	for (unsigned i = 0; st == ST_OK && i < users; i++)
		st = qcow2_release_one(q, old >> q->header.cluster_bits);
	*l1_entry = (*l1_entry & ~QCOW2_ENTRY_OFFSET) | new;
	return st;
}

enum status qcow2_switch_share(struct qcow2_image *q, struct qcow2_switch *s)
{
	enum status st = ST_OK;

	for (uint32_t i = 0; st == ST_OK && i < q->header.l1_entries; i++) {
		if ((s->l1[i] & QCOW2_ENTRY_OFFSET) != 0)
			st = platform_cancelled() ? ST_CANCELLED
						  : replace_table(q, &s->l1[i], true, 2);
		s->l1[i] &= ~QCOW2_COPIED;
	}
	return st;
}

enum status qcow2_switch_own(struct qcow2_image *q, struct qcow2_switch *s)
{
	enum status st = ST_OK;

	for (uint32_t i = 0; st == ST_OK && i < q->header.l1_entries; i++) {
		uint64_t offset = s->l1[i] & QCOW2_ENTRY_OFFSET, refcount;

		if (offset == 0)
			continue;
		st = platform_cancelled()
			     ? ST_CANCELLED
			     : qcow2_refcount_get(q, offset >> q->header.cluster_bits, &refcount);
		/* What a table with two users refers to has two as well. */
		if (st != ST_OK || refcount != 1)
			continue;
		st = replace_table(q, &s->l1[i], false, 1);
		s->l1[i] |= QCOW2_COPIED;
	}
	return st;
}

/* ---- the step ----------------------------------------------------------------------------------
 */

/* Step 1, the places and tables that `to` is to name. */
static enum status write_new(struct qcow2_image *q, const struct qcow2_switch *s,
			     struct qcow2_header *to)
{
	uint64_t l1_bytes = (uint64_t)to->l1_entries * 8;
	enum status st = ST_OK;

	if (l1_bytes > 0)
		st = qcow2_alloc(q, div_up(l1_bytes, q->image.cluster_bytes), &to->l1_offset);
	if (st == ST_OK)
		st = qcow2_place_reftable(q, &to->reftable_offset, &to->reftable_clusters);
	if (st == ST_OK)
		st = table_cache_write(&q->l2_cache);
	if (st == ST_OK)
		st = table_cache_write(&q->refcount_cache);
	if (st == ST_OK)
		st = qcow2_write_table(q, to->reftable_offset, q->reftable, 0, q->n_reftable);
	if (st == ST_OK)
		st = qcow2_write_table(q, to->l1_offset, s->l1, 0, to->l1_entries);
	return st == ST_OK ? qcow2_barrier(q) : st;
}

enum status qcow2_switch_commit(struct qcow2_image *q, struct qcow2_switch *s,
				uint64_t snapshots_offset, uint32_t n_snapshots)
{
	struct qcow2_header changed = q->header; /* its texts stay those of q->header */
	enum status st;

	changed.snapshots_offset = snapshots_offset;
	changed.n_snapshots = n_snapshots;
	st = write_new(q, s, &changed);
	if (st != ST_OK)
		return st;
	s->decided = true;
	st = qcow2_header_write_tables(q->file, &changed);
	if (st == ST_OK)
		st = qcow2_barrier(q);
	if (st != ST_OK)
		return st;
	s->done = true;
	s->old_header = q->header;
	q->header = changed;
	mem_free(q->l1);
	q->l1 = s->l1;
	s->l1 = NULL;
	q->frozen = NULL;
	q->n_frozen = 0;
	q->reftable_moves = q->reftable_changed = false;
	return ST_OK;
}

enum status qcow2_switch_release(struct qcow2_image *q, const struct qcow2_switch *s)
{
	const struct qcow2_header *old = &s->old_header;
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i < s->old_reftable_entries; i++) {
		uint64_t block = s->old_reftable[i] & QCOW2_REFTABLE_OFFSET;

		if (block == 0 || q->reftable[i] == s->old_reftable[i])
			continue;
		st = qcow2_make_room(q);
		if (st == ST_OK)
			st = qcow2_unref(q, block, q->image.cluster_bytes);
	}
	if (st == ST_OK)
		st = qcow2_unref(q, old->reftable_offset,
				 (uint64_t)old->reftable_clusters << old->cluster_bits);
	if (st == ST_OK && old->l1_entries > 0)
		st = qcow2_unref(q, old->l1_offset, (uint64_t)old->l1_entries * 8);
	return st == ST_OK ? qcow2_flush(q) : st;
}

/* Makes everything in memory what it was. */
static void undo(struct qcow2_image *q, struct qcow2_switch *s)
{
	struct blk *file = q->file;
	uint64_t end = s->old_next_cluster << q->header.cluster_bits;

	mem_free(q->reftable);
	q->reftable = s->old_reftable;
	q->n_reftable = s->old_reftable_entries;
	s->old_reftable = NULL;
	q->frozen = NULL;
	q->n_frozen = 0;
	q->reftable_moves = q->reftable_changed = false;
	q->n_released = 0;
	table_cache_forget(&q->refcount_cache, end);
	table_cache_forget(&q->l2_cache, end);
	if (s->decided)
		return; /* perhaps the header names what is there */
	q->next_cluster = s->old_next_cluster;
	if (file->size > s->old_file_bytes)
		(void)blk_resize(file, s->old_file_bytes, PREALLOC_OFF); /* nothing refers to it */
}

void qcow2_switch_end(struct qcow2_image *q, struct qcow2_switch *s)
{
	if (s->begun && !s->done)
		undo(q, s);
	mem_free(s->l1);
	mem_free(s->old_reftable);
	*s = (struct qcow2_switch){ 0 };
}
