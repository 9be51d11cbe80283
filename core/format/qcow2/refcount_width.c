/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another width of refcounts: section "Host cluster management".
 *
 *   1. all refcounts in the new width, in new blocks with a new table, after everything that is
 *      in use. The old structure counts them, and nothing refers to them                    flush
 *   2. header: the new table and the width, in one sector                                   flush
 *   3. the old blocks and the old table released
 *
 * The header's sector decides. When the power goes before, the new structure wastes space, and when
 * it goes after, the old one does.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/entry.h"
#include "format/qcow2/image.h"
#include "platform/person.h"

/* The new structure: blocks one after the other, then the table that lists them. */
struct structure {
	unsigned order;
	uint64_t offset, n_blocks, n_table; /* clusters */
	/* clusters that the old structure needs to count these, at most */
	uint64_t n_spare;
};

static uint64_t per_block(const struct qcow2_image *q, unsigned order)
{
	return qcow2_cluster_bytes(&q->header) * 8 >> order;
}

/* ---- before ---- */

/* Looks at the refcounts of one block, the first of them that of `cluster`. */
static enum status survey_block(struct qcow2_image *q, uint64_t cluster, uint64_t offset,
				unsigned order, uint64_t *end, struct error *err)
{
	uint64_t limit = div_up(q->file->size, q->image.cluster_bytes) + QCOW2_SEARCH_MAX, refcount;
	uint8_t *block;
	enum status st = offset % q->image.cluster_bytes == 0
				 ? table_cache_get(&q->refcount_cache, offset, &block)
				 : ST_CORRUPT;

	if (st != ST_OK)
		return fail(err, st, "reading the refcount block at 0x%jx: %s", offset,
			    status_text(st));
	if (block[0] == 0 && memcmp(block, block + 1, q->image.cluster_bytes - 1) == 0)
		return ST_OK;
	for (uint64_t i = 0; i < per_block(q, q->header.refcount_order); i++, cluster++) {
		refcount = qcow2_refcount_at(q->header.refcount_order, block, i);
		if (refcount > qcow2_refcount_limit(order))
			return fail(err, ST_TOO_LARGE,
				    "option refcount_bits: cluster %ju has %ju users, more than %u "
				    "bits can count",
				    cluster, refcount, 1u << order);
		if (refcount != 0 && cluster >= limit)
			return fail(err, ST_CORRUPT,
				    "cluster %ju is said to be in use, far past the end of the "
				    "file; check the image",
				    cluster);
		if (refcount != 0)
			*end = cluster + 1;
	}
	return ST_OK;
}

/*
 * Looks at all refcounts: *ret_end is the first cluster from which on none is in use. ST_TOO_LARGE:
 * one does not fit into the new width. ST_CORRUPT: they say that far more is in use than the file
 * has.
 */
static enum status survey(struct qcow2_image *q, unsigned order, uint64_t *ret_end,
			  struct error *err)
{
	uint64_t n = per_block(q, q->header.refcount_order);
	enum status st = ST_OK;

	*ret_end = 1;
	for (uint64_t i = 0; st == ST_OK && i < q->n_reftable; i++) {
		uint64_t offset = q->reftable[i] & QCOW2_REFTABLE_OFFSET;

		if (offset == 0)
			continue;
		if (platform_cancelled())
			return fail(err, ST_CANCELLED, "reading the refcounts: %s",
				    status_text(ST_CANCELLED));
		st = survey_block(q, i * n, offset, order, ret_end, err);
	}
	return st;
}

/*
 * How large the structure has to be, with its own refcounts, and with what the old one takes to
 * count it: each old block has 64 refcounts or more, and the old table can get twice as long as it
 * is, or as it has to be.
 */
static struct structure measure(const struct qcow2_image *q, unsigned order, uint64_t end)
{
	struct structure s = { .order = order, .n_blocks = 1, .n_table = 1 };
	uint64_t own = 0;

	while (own != s.n_blocks + s.n_table) {
		uint64_t old_bytes;

		own = s.n_blocks + s.n_table;
		old_bytes = div_up(end + 2 * own, per_block(q, q->header.refcount_order)) * 8;
		s.n_spare = own +
			    3 * max_u64(q->header.reftable_clusters,
					div_up(old_bytes, q->image.cluster_bytes)) +
			    16;
		s.n_blocks = div_up(end + own + s.n_spare, per_block(q, order));
		s.n_table = div_up(s.n_blocks * 8, qcow2_cluster_bytes(&q->header));
	}
	return s;
}

/* What the new structure is to be, with nothing changed yet. */
static enum status prepare(struct qcow2_image *q, unsigned order, struct structure *ret,
			   struct error *err)
{
	uint64_t end;
	enum status st = survey(q, order, &end, err);

	if (st != ST_OK)
		return st;
	*ret = measure(q, order, max_u64(end, q->next_cluster));
	if (ret->n_table << q->header.cluster_bits > QCOW2_REFTABLE_BYTES_MAX)
		return fail(err, ST_TOO_LARGE,
			    "option refcount_bits: the refcount table would be longer than %d "
			    "bytes; use fewer bits, or convert the image to larger clusters",
			    QCOW2_REFTABLE_BYTES_MAX);
	return ST_OK;
}

enum status qcow2_plan_refcount_order(struct qcow2_image *q, unsigned order, uint64_t *ret_clusters,
				      struct error *err)
{
	struct structure s;
	enum status st = prepare(q, order, &s, err);

	if (st == ST_OK)
		*ret_clusters = s.n_blocks + s.n_table + s.n_spare;
	return st;
}

/* ---- the new structure ---- */

static enum status write_blocks(struct qcow2_image *q, const struct structure *s,
				const struct qcow2_steps *steps)
{
	uint64_t n = per_block(q, s->order), refcount;
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i < s->n_blocks; i++) {
		st = platform_cancelled() ? ST_CANCELLED : ST_OK;
		memset(q->copy, 0, q->image.cluster_bytes);
		for (uint64_t j = 0; st == ST_OK && j < n; j++) {
			st = qcow2_refcount_get(q, i * n + j, &refcount);
			qcow2_refcount_put(s->order, q->copy, j, refcount);
		}
		if (st == ST_OK)
			st = blk_write(q->file, s->offset + (i << q->header.cluster_bits), q->copy,
				       q->image.cluster_bytes);
		qcow2_tell_step(steps, i + 1, s->n_blocks);
	}
	return st;
}

/* Step 1. */
static enum status write_structure(struct qcow2_image *q, struct structure *s, uint64_t *table,
				   const struct qcow2_steps *steps)
{
	uint64_t cluster_bytes = q->image.cluster_bytes;
	enum status st = qcow2_alloc(q, s->n_blocks + s->n_table, &s->offset);

	if (st == ST_OK)
		st = qcow2_flush(q);
	if (st == ST_OK && q->next_cluster > s->n_blocks * per_block(q, s->order))
		st = ST_CORRUPT; /* measure() has seen to it that there is room */
	if (st == ST_OK)
		st = write_blocks(q, s, steps);
	for (uint64_t i = 0; i < s->n_blocks; i++)
		table[i] = s->offset + i * cluster_bytes;
	if (st == ST_OK)
		st = qcow2_write_table(q, s->offset + s->n_blocks * cluster_bytes, table, 0,
				       s->n_table * cluster_bytes / 8);
	return st == ST_OK ? qcow2_barrier(q) : st;
}

/* Step 2. *table is then the old one, with its clusters and its place in *ret_old. */
static enum status switch_structure(struct qcow2_image *q, const struct structure *s,
				    uint64_t **table, struct qcow2_header *ret_old)
{
	struct qcow2_header changed = q->header; /* its texts stay those of q->header */
	uint64_t *old = q->reftable;
	enum status st;

	changed.reftable_offset = s->offset + (s->n_blocks << changed.cluster_bits);
	changed.reftable_clusters = (uint32_t)s->n_table;
	changed.refcount_order = s->order;
	st = qcow2_header_write_features(q->file, &changed);
	if (st == ST_OK)
		st = qcow2_barrier(q);
	if (st != ST_OK)
		return st;
	*ret_old = q->header;
	q->header = changed;
	q->reftable = *table;
	q->n_reftable = (s->n_table << changed.cluster_bits) / 8;
	*table = old;
	return ST_OK;
}

/*
 * Step 3. Old blocks that are still cached are not asked for again: new ones do not lie where they
 * are.
 */
static enum status give_up(struct qcow2_image *q, const uint64_t *table,
			   const struct qcow2_header *old)
{
	uint64_t table_bytes = (uint64_t)old->reftable_clusters << old->cluster_bits;
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i < table_bytes / 8; i++) {
		if ((table[i] & QCOW2_REFTABLE_OFFSET) == 0)
			continue;
		st = qcow2_make_room(q);
		if (st == ST_OK)
			st = qcow2_unref(q, table[i] & QCOW2_REFTABLE_OFFSET,
					 q->image.cluster_bytes);
	}
	if (st == ST_OK)
		st = qcow2_unref(q, old->reftable_offset, table_bytes);
	return st == ST_OK ? qcow2_flush(q) : st;
}

/* Releases what was allocated. If that fails as well, clusters are lost. */
static void undo(struct qcow2_image *q, const struct structure *s)
{
	enum status st = s->offset != 0
				 ? qcow2_unref(q, s->offset,
					       (s->n_blocks + s->n_table) << q->header.cluster_bits)
				 : ST_OK;

	if (st == ST_OK)
		(void)qcow2_flush(q);
}

enum status qcow2_change_refcount_order(struct qcow2_image *q, unsigned order,
					const struct qcow2_steps *steps, struct error *err)
{
	struct qcow2_header old;
	struct structure s;
	uint64_t *table;
	enum status st = qcow2_flush(q);

	if (st != ST_OK)
		return fail(err, st, "writing what has changed: %s", status_text(st));
	st = prepare(q, order, &s, err);
	if (st != ST_OK)
		return st;
	table = mem_alloc((size_t)(s.n_table << q->header.cluster_bits));
	if (table == NULL)
		return fail_no_memory(err);
	st = write_structure(q, &s, table, steps);
	if (st != ST_OK)
		undo(q, &s);
	else
		st = switch_structure(q, &s, &table, &old);
	if (st != ST_OK) {
		mem_free(table);
		return fail(err, st, "writing the new refcounts: %s", status_text(st));
	}
	st = give_up(q, table, &old);
	mem_free(table);
	if (st != ST_OK)
		return fail(err, st,
			    "refcounts have %u bits now, but not all clusters that are free now "
			    "could be marked so (%s); \"check -r leaks\" does that",
			    1u << order, status_text(st));
	return ST_OK;
}
