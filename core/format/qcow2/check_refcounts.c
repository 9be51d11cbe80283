/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The refcounts of the file, and the flags that repeat them: sections "Host cluster management" and
 * "Cluster mapping".
 *
 * Told here, but not by qemu-img: a cluster that is used as two things although its refcount is
 * right, as a live L2 table that was handed out again for data.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/check.h"
#include "format/qcow2/entry.h"

static uint64_t per_block(const struct qcow2_check *c)
{
	return qcow2_refcounts_per_block(&c->q->header);
}

/* ---- refcount blocks ---- */

static void check_block(struct qcow2_check *c, uint64_t entry)
{
	unsigned cluster_bits = c->q->header.cluster_bits;
	uint64_t offset = entry & QCOW2_REFTABLE_OFFSET, cluster = offset >> cluster_bits, n,
		 before = c->result.corruptions;

	if ((entry & QCOW2_REFTABLE_RESERVED) != 0) {
		qcow2_check_corrupt(c, "ERROR refcount table entry %ju has reserved bits set",
				    c->place.index);
	} else if (offset % qcow2_cluster_bytes(&c->q->header) != 0) {
		qcow2_check_corrupt(c,
				    "ERROR refcount block %ju is not cluster aligned; refcount "
				    "table entry corrupted",
				    c->place.index);
	} else if (cluster >= c->n_clusters) {
		qcow2_check_corrupt(c, "ERROR refcount block %ju is outside image", c->place.index);
		c->unusable = true;
		return;
	} else {
		qcow2_count(c, QCOW2_USE_OTHER, offset, qcow2_cluster_bytes(&c->q->header));
		n = qcow2_counts_get(c, cluster);
		if (n != 1)
			qcow2_check_corrupt(c, "ERROR refcount block %ju refcount=%ju",
					    c->place.index, n);
		c->unusable |= qcow2_counts_overlap(c, cluster);
	}
	if (c->result.corruptions > before)
		c->unusable = c->needs_rebuild = true;
}

enum status qcow2_check_blocks(struct qcow2_check *c)
{
	static const char what[] = "refcount table";
	uint64_t table = c->q->header.reftable_offset,
		 n = qcow2_check_in_file(c, table, qcow2_check_reftable_entries(c));
	enum status st = ST_OK;

	c->place = (struct qcow2_place){ .table = NULL };
	qcow2_count(c, QCOW2_USE_OTHER, table, qcow2_check_reftable_entries(c) * 8);
	for (uint64_t first = 0, count; st == ST_OK && first < n; first += count) {
		st = qcow2_check_piece(c, what, table, first, n, &count);
		for (uint64_t i = 0; st == ST_OK && i < count; i++) {
			uint64_t entry = be64_get(c->piece[i]);

			if (entry == 0)
				continue;
			c->place = (struct qcow2_place){ what, table, first + i, entry };
			check_block(c, entry);
		}
	}
	c->place = (struct qcow2_place){ .table = NULL };
	for (uint64_t at = table; at < table + n * 8; at += qcow2_cluster_bytes(&c->q->header))
		c->unusable |= qcow2_counts_overlap(c, at >> c->q->header.cluster_bits);
	return st;
}

/* ---- refcounts ---- */

/* Whether refcounts can be had from the block of an entry of the refcount table. */
static bool is_readable(const struct qcow2_check *c, uint64_t offset)
{
	uint64_t cluster_bytes = qcow2_cluster_bytes(&c->q->header);

	return offset % cluster_bytes == 0 && range_ok(offset, cluster_bytes, INT64_MAX);
}

static void compare_cluster(struct qcow2_check *c, uint64_t cluster, uint64_t refcount)
{
	uint64_t counted = qcow2_counts_get(c, cluster);
	bool overlap = c->overlaps && qcow2_counts_overlap(c, cluster);
	const char *also = overlap ? "; it is used as two different things" : "";

	if (refcount == 0 && counted > 0)
		c->needs_rebuild = true;
	if (refcount < counted)
		qcow2_check_corrupt(c, "ERROR cluster %ju refcount=%ju reference=%ju%s", cluster,
				    refcount, counted, also);
	else if (refcount > counted)
		qcow2_check_leak(c, "Leaked cluster %ju refcount=%ju reference=%ju%s", cluster,
				 refcount, counted, also);
	else if (overlap)
		qcow2_check_corrupt(c, "ERROR cluster %ju refcount=%ju reference=%ju%s", cluster,
				    refcount, counted, also);
}

/*
 * Compares block `index`, whose refcounts are in c->table: those of a block, or zeros if there is
 * none.
 */
static void compare_block(struct qcow2_check *c, uint64_t index, bool exists)
{
	unsigned order = c->q->header.refcount_order;
	uint64_t first = index * per_block(c), n = min_u64(per_block(c), c->n_clusters - first),
		 used = n;
	uint8_t *counts = c->counts + index * qcow2_cluster_bytes(&c->q->header);
	size_t bytes = (size_t)div_up(n << order, 8);

	while (used > 0 && qcow2_refcount_at(order, c->table, used - 1) == 0 &&
	       qcow2_refcount_at(order, counts, used - 1) == 0)
		used--;
	if (used > 0)
		c->result.image_end_offset = (first + used) << c->q->header.cluster_bits;
	if (!exists && used > 0)
		c->unusable = true;
	if (c->overlaps || memcmp(counts, c->table, bytes) != 0)
		for (uint64_t i = 0; i < used; i++)
			compare_cluster(c, first + i, qcow2_refcount_at(order, c->table, i));
	memcpy(counts, c->table, bytes);
}

enum status qcow2_check_refcounts(struct qcow2_check *c)
{
	uint64_t table = c->q->header.reftable_offset,
		 n_blocks = div_up(c->n_clusters, per_block(c));
	uint64_t n = min_u64(qcow2_check_in_file(c, table, qcow2_check_reftable_entries(c)),
			     n_blocks),
		 count = 0;
	enum status st = ST_OK;

	c->result.image_end_offset = qcow2_cluster_bytes(&c->q->header);
	for (uint64_t i = 0; st == ST_OK && i < n_blocks; i++) {
		uint64_t offset;

		if (i < n && i % QCOW2_CHECK_PIECE == 0)
			st = qcow2_check_piece(c, "refcount table", table, i, n, &count);
		if (st != ST_OK)
			break;
		offset = i < n ? be64_get(c->piece[i % QCOW2_CHECK_PIECE]) & QCOW2_REFTABLE_OFFSET
			       : 0;
		if (!is_readable(c, offset)) {
			c->unreadable = c->unusable = true;
			qcow2_check_unknown(c,
					    min_u64(per_block(c), c->n_clusters - i * per_block(c)),
					    "Can't get refcount for cluster %ju and those after "
					    "it: there can be no refcount block at 0x%jx",
					    i * per_block(c), offset);
			continue;
		}
		if (offset != 0 && offset < c->file->size)
			st = qcow2_check_table(c, "refcount block", offset);
		else
			memset(c->table, 0, c->q->image.cluster_bytes);
		if (st == ST_OK)
			compare_block(c, i, offset != 0 && offset < c->file->size);
	}
	return st;
}

/* ---- COPIED ---- */

/* Reads one refcount from the file. */
static enum status read_refcount(struct qcow2_check *c, uint64_t cluster, uint64_t *ret,
				 bool *ret_known)
{
	unsigned order = c->q->header.refcount_order;
	uint64_t index = cluster / per_block(c), in_block = cluster % per_block(c), offset;
	/* in the block: the eight bytes that have it */
	uint64_t at = in_block << order >> 3 & ~(uint64_t)7;
	uint8_t bytes[8];
	enum status st;

	*ret = 0;
	*ret_known = true;
	if (index >= qcow2_check_reftable_entries(c))
		return ST_OK;
	st = blk_read_padded(c->file, c->q->header.reftable_offset + index * 8, bytes,
			     sizeof bytes);
	offset = bytes_from_be(bytes, sizeof bytes) & QCOW2_REFTABLE_OFFSET;
	if (st != ST_OK || offset == 0)
		return st;
	*ret_known = is_readable(c, offset);
	if (!*ret_known)
		return ST_OK;
	st = blk_read_padded(c->file, offset + at, bytes, sizeof bytes);
	if (st == ST_OK)
		*ret = qcow2_refcount_at(order, bytes, in_block - (at << 3 >> order));
	return st;
}

enum status qcow2_check_refcount(struct qcow2_check *c, uint64_t cluster, uint64_t *ret,
				 bool *ret_known)
{
	enum status st = ST_OK;

	*ret_known = true;
	if (cluster < c->n_clusters && !c->unreadable)
		*ret = qcow2_counts_get(c, cluster);
	else
		st = read_refcount(c, cluster, ret, ret_known);
	return st == ST_OK ? ST_OK
			   : fail(c->err, st, "reading the refcount of cluster %ju: %s", cluster,
				  status_text(st));
}

/*
 * Checks the flag of the current entry, of an L1 or an L2 table, which leads to `offset`.
 * *ret_known false: nothing can be said about it.
 */
static enum status check_flag(struct qcow2_check *c, uint64_t offset, bool is_l2, bool in_data_file,
			      bool *ret_known)
{
	struct qcow2_place place = c->place;
	uint64_t refcount = 1;
	bool copied = (c->place.value & QCOW2_COPIED) != 0;
	enum status st = ST_OK;

	*ret_known = true;
	if (!in_data_file)
		st = qcow2_check_refcount(c, offset >> c->q->header.cluster_bits, &refcount,
					  ret_known);
	if (st != ST_OK)
		return st;
	if (!*ret_known || (refcount == 1) == copied)
		return ST_OK;
	c->place = (struct qcow2_place){ .table = NULL }; /* the words say it */
	if (is_l2)
		qcow2_check_corrupt(c, QCOW2_L2_FLAG_WORDS, "ERROR", place.value, refcount);
	else
		qcow2_check_corrupt(c, QCOW2_L1_FLAG_WORDS, "ERROR", place.index, place.value,
				    refcount);
	c->place = place;
	c->n_flags++;
	return ST_OK;
}

static enum status check_l2_flags(struct qcow2_check *c, uint64_t table)
{
	size_t entry_bytes = (size_t)qcow2_l2_entry_bytes(&c->q->header),
	       n = c->q->image.cluster_bytes / entry_bytes;
	bool data_file = (c->q->header.incompatible & QCOW2_INCOMPAT_DATA_FILE) != 0;
	enum status st = qcow2_check_table(c, "L2 table", table);
	bool known;

	for (size_t i = 0; st == ST_OK && i < n; i++) {
		uint64_t entry = bytes_from_be(c->table + i * entry_bytes, 8),
			 offset = entry & QCOW2_ENTRY_OFFSET;

		if ((entry & QCOW2_L2_COMPRESSED) != 0 || offset == 0)
			/* cluster 0 of a data file is mapped by its flag, which is then right */
			continue;
		c->place = (struct qcow2_place){ "L2 table", table, i, entry };
		st = check_flag(c, offset, true, data_file, &known);
	}
	return st;
}

enum status qcow2_check_copied(struct qcow2_check *c)
{
	static const char what[] = "L1 table";
	uint64_t l1_offset = c->q->header.l1_offset, n_tables = 0;
	uint64_t n = qcow2_check_in_file(c, l1_offset, c->q->header.l1_entries);
	enum status st = ST_OK;
	bool known;

	for (uint64_t first = 0, count; st == ST_OK && first < n; first += count) {
		st = qcow2_check_piece(c, what, l1_offset, first, n, &count);
		for (uint64_t i = 0; st == ST_OK && i < count; i++) {
			uint64_t entry = be64_get(c->piece[i]), offset = entry & QCOW2_ENTRY_OFFSET;

			if (offset == 0)
				continue;
			c->place = (struct qcow2_place){ what, l1_offset, first + i, entry };
			st = check_flag(c, offset, false, false, &known);
			if (st == ST_OK && known && offset < c->file->size &&
			    ++n_tables <= c->n_clusters)
				st = check_l2_flags(c, offset);
		}
	}
	return st;
}
