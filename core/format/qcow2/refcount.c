/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reference counts of the clusters of the file: section "Host cluster management".
 *
 * New clusters are allocated past the end of the file only. A cluster inside of it may be in use
 * although its refcount is 0, where some other program has made a mistake; nothing that is written
 * here can then destroy data. A cluster that is released keeps its refcount until nothing on the
 * medium refers to it any more (commit.c).
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/entry.h"
#include "format/qcow2/image.h"

static uint64_t per_block(const struct qcow2_image *q)
{
	uint64_t n = qcow2_refcounts_per_block(&q->header);

	CHECK(n > 0); /* as the header was checked */
	return n;
}

uint64_t qcow2_refcount_max(const struct qcow2_image *q)
{
	return qcow2_refcount_limit(q->header.refcount_order);
}

/* ---- refcounts of clusters ---- */

/*
 * The offset of the block with the refcount of `cluster`; 0: there is none, and so all its
 * refcounts are 0.
 */
static enum status find_block(const struct qcow2_image *q, uint64_t cluster, uint64_t *ret)
{
	uint64_t i = cluster / per_block(q), offset;

	*ret = 0;
	if (i >= q->n_reftable)
		return ST_OK;
	offset = q->reftable[i] & QCOW2_REFTABLE_OFFSET;
	if (offset % qcow2_cluster_bytes(&q->header) != 0)
		return ST_CORRUPT;
	*ret = offset;
	return ST_OK;
}

enum status qcow2_refcount_get(struct qcow2_image *q, uint64_t cluster, uint64_t *ret)
{
	uint64_t offset;
	uint8_t *block;
	enum status st = find_block(q, cluster, &offset);

	*ret = 0;
	if (st != ST_OK || offset == 0)
		return st;
	st = table_cache_get(&q->refcount_cache, offset, &block);
	if (st == ST_OK)
		*ret = qcow2_refcount_at(q->header.refcount_order, block, cluster % per_block(q));
	return st;
}

/* Whether a block must not be changed where it is: see switch.c. */
static bool is_frozen(const struct qcow2_image *q, uint64_t index)
{
	return index < q->n_frozen && q->reftable[index] == q->frozen[index];
}

static enum status move_block(struct qcow2_image *q, uint64_t index);

/* The block exists. */
static enum status refcount_set(struct qcow2_image *q, uint64_t cluster, uint64_t value)
{
	uint64_t offset;
	uint8_t *block;
	enum status st = is_frozen(q, cluster / per_block(q))
				 ? move_block(q, cluster / per_block(q))
				 : ST_OK;

	if (st == ST_OK)
		st = find_block(q, cluster, &offset);
	CHECK(st != ST_OK || offset != 0);
	/*
	 * At any time: what is raised has no reference on the medium yet, what is lowered has none
	 * any more, and to a block that has moved there is none either.
	 */
	if (st == ST_OK && table_cache_is_full(&q->refcount_cache))
		st = table_cache_write(&q->refcount_cache);
	if (st == ST_OK)
		st = table_cache_get(&q->refcount_cache, offset, &block);
	if (st != ST_OK)
		return st;
	qcow2_refcount_put(q->header.refcount_order, block, cluster % per_block(q), value);
	table_cache_change(&q->refcount_cache, offset);
	return ST_OK;
}

/* ---- making room in the refcount structures ---- */

/*
 * Makes the refcount table in memory at least `n` entries long, twice as long as before if that is
 * more. Its new place in the file is allocated by qcow2_alloc(), in which the table in memory is
 * used already; commit.c writes it there.
 */
static enum status grow_reftable(struct qcow2_image *q, uint64_t n)
{
	uint64_t cluster_bytes = qcow2_cluster_bytes(&q->header);
	uint64_t bytes = round_up(max_u64(n, 2 * q->n_reftable) * 8, cluster_bytes);
	uint64_t *table;

	if (bytes > QCOW2_REFTABLE_BYTES_MAX)
		bytes = QCOW2_REFTABLE_BYTES_MAX;
	if (n * 8 > bytes)
		return ST_TOO_LARGE;
	table = mem_alloc((size_t)bytes);
	if (table == NULL)
		return ST_NO_MEMORY;
	memcpy(table, q->reftable, (size_t)q->n_reftable * sizeof *table);
	mem_free(q->reftable);
	q->reftable = table;
	q->n_reftable = bytes / 8;
	q->reftable_moves = true;
	return ST_OK;
}

/*
 * Makes the block for refcounts of `index` in cluster `at`, whose own refcount is in it or in an
 * existing block.
 */
static enum status make_block(struct qcow2_image *q, uint64_t index, uint64_t at)
{
	uint8_t *block;
	enum status st = table_cache_make(&q->refcount_cache, at << q->header.cluster_bits, &block);

	if (st != ST_OK)
		return st;
	q->reftable[index] = at << q->header.cluster_bits;
	q->reftable_changed = true;
	return refcount_set(q, at, 1);
}

/*
 * Sees to it that there are blocks for the next `n` clusters. They take clusters themselves, and so
 * shift the place.
 */
static enum status make_blocks(struct qcow2_image *q, uint64_t n)
{
	for (uint64_t i = q->next_cluster / per_block(q);
	     i <= (q->next_cluster + n - 1) / per_block(q); i++) {
		enum status st = ST_OK;

		if (i >= q->n_reftable)
			st = grow_reftable(q, i + 1);
		if (st == ST_OK && (q->reftable[i] & QCOW2_REFTABLE_OFFSET) == 0)
			/* next_cluster moves first: making the block may move another one */
			st = make_block(q, i, q->next_cluster++);
		if (st != ST_OK)
			return st;
	}
	return ST_OK;
}

/*
 * Moves next_cluster on until `n` clusters from there have the refcount 0. Past the end of the
 * file that is so at once, unless the refcounts are wrong; how wrong they may be is bounded.
 */
static enum status find_free(struct qcow2_image *q, uint64_t n)
{
	uint64_t first = q->next_cluster;

	for (uint64_t i = 0; i < n;) {
		uint64_t refcount;
		enum status st = qcow2_refcount_get(q, q->next_cluster + i, &refcount);

		if (st != ST_OK)
			return st;
		if (q->next_cluster - first > QCOW2_SEARCH_MAX)
			return ST_CORRUPT;
		if (refcount != 0) {
			q->next_cluster += i + 1;
			i = 0;
		} else {
			i++;
		}
	}
	return ST_OK;
}

/*
 * Copies a frozen block to a new cluster, where it can be changed. The refcount of that cluster may
 * be in another frozen block.
 */
static enum status move_block(struct qcow2_image *q, uint64_t index)
{
	uint64_t before, at;
	uint8_t *old, *new;
	enum status st;

	do {
		st = find_free(q, 1);
		before = q->next_cluster;
		if (st == ST_OK)
			st = make_blocks(q, 1);
	} while (st == ST_OK && q->next_cluster != before);
	if (st != ST_OK || !is_frozen(q, index)) /* making a block has moved it */
		return st;
	at = q->next_cluster++;
	if (table_cache_is_full(&q->refcount_cache))
		st = table_cache_write(&q->refcount_cache);
	if (st == ST_OK)
		st = table_cache_make(&q->refcount_cache, at << q->header.cluster_bits, &new);
	if (st == ST_OK)
		st = table_cache_get(&q->refcount_cache, q->reftable[index] & QCOW2_REFTABLE_OFFSET,
				     &old);
	if (st != ST_OK)
		return st;
	memcpy(new, old, q->image.cluster_bytes);
	q->reftable[index] = at << q->header.cluster_bits;
	return refcount_set(q, at, 1);
}

/* Makes the refcounts of the next `n` clusters changeable. This takes clusters, too. */
static enum status move_blocks(struct qcow2_image *q, uint64_t n)
{
	uint64_t first = q->next_cluster / per_block(q),
		 last = (q->next_cluster + n - 1) / per_block(q);
	enum status st = ST_OK;

	for (uint64_t i = first; st == ST_OK && i <= last; i++)
		if (is_frozen(q, i))
			st = move_block(q, i);
	return st;
}

/*
 * What a failure leaves raised stays so: at worst a leak: find_free() passes over it, and should it
 * ever get to the medium, it is a leak.
 */
enum status qcow2_alloc(struct qcow2_image *q, uint64_t n, uint64_t *ret_offset)
{
	uint64_t before;
	enum status st;

	do {
		st = find_free(q, n);
		before = q->next_cluster;
		if (st == ST_OK)
			st = make_blocks(q, n);
		if (st == ST_OK)
			st = move_blocks(q, n);
	} while (st == ST_OK && q->next_cluster != before);
	if (st == ST_OK && q->next_cluster + n > QCOW2_OFFSET_LIMIT >> q->header.cluster_bits)
		st = ST_TOO_LARGE;
	for (uint64_t i = 0; st == ST_OK && i < n; i++)
		st = refcount_set(q, q->next_cluster + i, 1);
	if (st != ST_OK)
		return st;
	*ret_offset = q->next_cluster << q->header.cluster_bits;
	q->next_cluster += n;
	return ST_OK;
}

enum status qcow2_ref_more(struct qcow2_image *q, uint64_t cluster, uint64_t n)
{
	uint64_t refcount;
	enum status st = qcow2_refcount_get(q, cluster, &refcount);

	if (st != ST_OK)
		return st;
	if (refcount == 0)
		return ST_CORRUPT;
	return n <= qcow2_refcount_max(q) - refcount ? refcount_set(q, cluster, refcount + n)
						     : ST_TOO_LARGE;
}

enum status qcow2_ref(struct qcow2_image *q, uint64_t cluster)
{
	return qcow2_ref_more(q, cluster, 1);
}

/* ---- giving clusters up ---- */

enum status qcow2_unref(struct qcow2_image *q, uint64_t offset, uint64_t bytes)
{
	uint64_t first = offset >> q->header.cluster_bits,
		 n = ((offset + bytes - 1) >> q->header.cluster_bits) - first + 1;

	if (q->n_released > 0 &&
	    q->released[q->n_released - 1].first + q->released[q->n_released - 1].n == first) {
		q->released[q->n_released - 1].n += n;
		return ST_OK;
	}
	if (q->n_released == q->released_capacity) {
		size_t capacity = 2 * q->released_capacity + 64;
		struct qcow2_run *grown = mem_alloc(capacity * sizeof *grown);

		if (grown == NULL)
			return ST_NO_MEMORY;
		memcpy(grown, q->released, q->n_released * sizeof *grown);
		mem_free(q->released);
		q->released = grown;
		q->released_capacity = capacity;
	}
	q->released[q->n_released++] = (struct qcow2_run){ .first = first, .n = n };
	return ST_OK;
}

void qcow2_unref_undo(struct qcow2_image *q, size_t n, uint64_t last_n)
{
	q->n_released = n;
	if (n > 0)
		q->released[n - 1].n = last_n;
}

enum status qcow2_release_one(struct qcow2_image *q, uint64_t cluster)
{
	uint64_t refcount;
	enum status st = qcow2_refcount_get(q, cluster, &refcount);

	if (st != ST_OK)
		return st;
	return refcount > 0 ? refcount_set(q, cluster, refcount - 1) : ST_CORRUPT;
}

/* Whether a block counts no cluster but itself. */
static enum status is_empty(struct qcow2_image *q, uint64_t index, uint64_t offset, bool *ret)
{
	uint64_t own = offset >> q->header.cluster_bits, first = index * per_block(q);
	uint8_t *block;
	enum status st = table_cache_get(&q->refcount_cache, offset, &block);

	*ret = st == ST_OK;
	for (uint64_t i = 0; *ret && i < per_block(q); i++)
		*ret = first + i == own ||
		       qcow2_refcount_at(q->header.refcount_order, block, i) == 0;
	return st;
}

enum status qcow2_drop_empty_blocks(struct qcow2_image *q, uint64_t *ret_n)
{
	uint64_t n = per_block(q);
	enum status st = ST_OK;

	*ret_n = 0;
	/* Block 0 counts the header. */
	for (uint64_t i = 1; st == ST_OK && i < q->n_reftable; i++) {
		uint64_t offset;
		bool empty = false;

		st = find_block(q, i * n, &offset);
		if (st == ST_OK && offset != 0)
			st = is_empty(q, i, offset, &empty);
		if (st != ST_OK || !empty)
			continue;
		if ((offset >> q->header.cluster_bits) / n != i)
			st = qcow2_unref(q, offset, q->image.cluster_bytes);
		if (st != ST_OK)
			continue;
		q->reftable[i] = 0;
		q->reftable_changed = true;
		++*ret_n;
	}
	return st;
}
