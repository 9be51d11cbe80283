/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Refcount structures made anew: section "Host cluster management". They count themselves as well.
 *
 * They are written after everything else and flushed before anything refers to them: until the
 * header does, the image is what it was.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/entry.h"
#include "platform/person.h"

static uint64_t per_block(const struct qcow2_new_refcounts *n)
{
	return (uint64_t)8 << n->cluster_bits >> n->refcount_order;
}

enum status qcow2_new_refcounts_plan(struct qcow2_new_refcounts *n)
{
	uint64_t before;

	n->n_blocks = n->n_table = 0;
	do { /* a block counts at least 64 clusters: this comes to an end soon */
		before = n->n_blocks + n->n_table;
		n->n_blocks = div_up(n->n_clusters + before, per_block(n));
		n->n_table = div_up(n->n_blocks * 8, (uint64_t)1 << n->cluster_bits);
	} while (n->n_blocks + n->n_table != before);
	return n->n_table << n->cluster_bits > QCOW2_REFTABLE_BYTES_MAX ||
			       qcow2_new_refcounts_end(n) > QCOW2_OFFSET_LIMIT
		       ? ST_TOO_LARGE
		       : ST_OK;
}

static enum status write_block(const struct qcow2_new_refcounts *n, uint64_t index, uint8_t *block)
{
	uint64_t first = index * per_block(n), end = first + per_block(n);
	enum status st = ST_OK;

	memset(block, 0, (size_t)1 << n->cluster_bits);
	if (first < n->n_clusters)
		st = n->fill(n->arg, first, min_u64(end, n->n_clusters) - first, block);
	for (uint64_t i = max_u64(first, n->n_clusters);
	     i < min_u64(end, n->n_clusters + n->n_blocks + n->n_table); i++)
		qcow2_refcount_put(n->refcount_order, block, i - first, 1);
	if (st == ST_OK)
		st = blk_write(n->file, (n->n_clusters + index) << n->cluster_bits, block,
			       (size_t)1 << n->cluster_bits);
	return st;
}

/* A piece of the table, as long as a cluster. */
static enum status write_piece(const struct qcow2_new_refcounts *n, uint64_t piece, uint8_t *buf)
{
	size_t bytes = (size_t)1 << n->cluster_bits;
	uint64_t first = piece * bytes / 8;

	memset(buf, 0, bytes);
	for (uint64_t i = first; i < min_u64(first + bytes / 8, n->n_blocks); i++)
		bytes_to_be(buf + (i - first) * 8, 8, (n->n_clusters + i) << n->cluster_bits);
	return blk_write(n->file, qcow2_new_refcounts_table(n) + piece * bytes, buf, bytes);
}

enum status qcow2_new_refcounts_write(const struct qcow2_new_refcounts *n, uint8_t *block)
{
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i < n->n_blocks; i++)
		st = platform_cancelled() ? ST_CANCELLED : write_block(n, i, block);
	for (uint64_t i = 0; st == ST_OK && i < n->n_table; i++)
		st = write_piece(n, i, block);
	return st == ST_OK ? blk_flush(n->file) : st;
}
