/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The disk and all snapshots without the zero flag, which version 2 of the format does not have
 * (section "Standard Cluster Descriptor").
 *
 * Each entry with the flag is changed where it is: it then has a cluster with zeros, or none where
 * zeros show anyway. An L2 table may have several users; its clusters then have each of them as
 * well. The order in which that gets to the medium is that of all changes (commit.c), and each
 * entry reads the same before and after.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/entry.h"
#include "format/qcow2/image.h"
#include "platform/person.h"

/* One L2 table that is looked at. */
struct table {
	uint64_t offset, users;
	bool of_disk; /* and not of a snapshot: COPIED has a meaning */
};

/* To be done with each L2 table of the disk and the snapshots, as often as it is referred to. */
struct pass {
	enum status (*visit)(struct qcow2_image *, const struct table *, struct qcow2_survey *);
	struct qcow2_survey *survey; /* of the visitor */
	const struct qcow2_steps *steps;
	uint64_t n_done, n; /* entries of L1 tables */
};

static bool is_zero_entry(uint64_t entry)
{
	return (entry & (QCOW2_L2_COMPRESSED | QCOW2_L2_ZERO)) == QCOW2_L2_ZERO;
}

/* ---- all L2 tables ---- */

static enum status pass_l1(struct qcow2_image *q, struct pass *pass, const uint64_t *l1, uint64_t n,
			   bool of_disk)
{
	/* an L1 table has each L2 table once */
	uint64_t left = q->file->size >> q->header.cluster_bits;
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i < n; i++) {
		struct table t = { .offset = l1[i] & QCOW2_ENTRY_OFFSET, .of_disk = of_disk };

		qcow2_tell_step(pass->steps, pass->n_done++, pass->n);
		if (t.offset == 0)
			continue;
		if (left == 0 || (l1[i] & QCOW2_L1_RESERVED) != 0 ||
		    t.offset % q->image.cluster_bytes != 0 || t.offset >= q->file->size)
			return ST_CORRUPT;
		left--;
		st = platform_cancelled()
			     ? ST_CANCELLED
			     : qcow2_refcount_get(q, t.offset >> q->header.cluster_bits, &t.users);
		if (st == ST_OK)
			st = t.users > 0 ? pass->visit(q, &t, pass->survey) : ST_CORRUPT;
	}
	return st;
}

static enum status pass_all(struct qcow2_image *q, struct pass *pass, struct error *err)
{
	enum status st;

	pass->n = q->header.l1_entries;
	for (size_t i = 0; i < q->image.n_snapshots; i++)
		pass->n += q->snapshots[i].l1_entries;
	st = pass_l1(q, pass, q->l1, q->header.l1_entries, true);
	for (size_t i = 0; st == ST_OK && i < q->image.n_snapshots; i++) {
		uint64_t *l1, disk_bytes;
		uint32_t n;

		st = qcow2_snapshot_l1(q, i, &l1, &n, &disk_bytes, err);
		if (st != ST_OK)
			return st;
		st = pass_l1(q, pass, l1, n, false);
		mem_free(l1);
	}
	if (st == ST_CORRUPT)
		return fail(err, st,
			    "its tables refer to clusters that are not there, or not in use; check "
			    "the image");
	return st == ST_OK ? ST_OK : fail(err, st, "replacing zero clusters: %s", status_text(st));
}

/* ---- what there is ---- */

static enum status survey_table(struct qcow2_image *q, const struct table *t,
				struct qcow2_survey *survey)
{
	uint64_t n = 0;
	uint8_t *table;
	enum status st = table_cache_get(&q->l2_cache, t->offset, &table);

	for (uint64_t at = 0; st == ST_OK && at < q->image.cluster_bytes; at += 8) {
		uint64_t entry = bytes_from_be(table + at, 8);

		n += is_zero_entry(entry);
		survey->has_compressed = survey->has_compressed ||
					 (entry & QCOW2_L2_COMPRESSED) != 0;
	}
	survey->n_zero += div_up(n, t->users); /* each user comes here */
	return st;
}

enum status qcow2_survey_zeros(struct qcow2_image *q, struct qcow2_survey *ret, struct error *err)
{
	static const struct qcow2_steps untold = { .progress = NULL };
	struct pass pass = { .visit = survey_table, .survey = ret, .steps = &untold };

	*ret = (struct qcow2_survey){ 0 };
	return pass_all(q, &pass, err);
}

/* ---- replacing ---- */

/* The cluster that an entry with the zero flag gets instead; 0: none is needed. */
static enum status give_cluster(struct qcow2_image *q, const struct table *t, uint64_t *ret)
{
	enum status st;

	*ret = 0;
	if (q->image.backing_name == NULL)
		return ST_OK;
	st = qcow2_alloc(q, 1, ret);
	return st == ST_OK && t->users > 1
		       ? qcow2_ref_more(q, *ret >> q->header.cluster_bits, t->users - 1)
		       : st;
}

/*
 * What an entry with the zero flag becomes. A cluster that others use too is not theirs only as
 * zeros: it is left to them, and this table's users of it are to be released (*ret_left; 0: it is
 * kept).
 */
static enum status replace(struct qcow2_image *q, const struct table *t, uint64_t entry,
			   uint64_t *ret, uint64_t *ret_left)
{
	uint64_t old = entry & QCOW2_ENTRY_OFFSET, offset = old, users = 0;
	enum status st = old % q->image.cluster_bytes == 0 && old < q->file->size ? ST_OK
										  : ST_CORRUPT;

	*ret = entry & ~QCOW2_L2_ZERO;
	*ret_left = 0;
	if (st == ST_OK && old != 0)
		st = qcow2_refcount_get(q, old >> q->header.cluster_bits, &users);
	if (st == ST_OK && (old == 0 || users != t->users)) {
		if (old != 0 && users < t->users)
			return ST_CORRUPT;
		st = give_cluster(q, t, &offset);
		*ret = offset != 0 && t->of_disk && t->users == 1 ? offset | QCOW2_COPIED : offset;
		*ret_left = old;
	}
	return st == ST_OK && offset != 0 ? blk_write_zeros(q->file, offset, q->image.cluster_bytes)
					  : st;
}

static enum status expand_table(struct qcow2_image *q, const struct table *t,
				struct qcow2_survey *unused)
{
	enum status st = ST_OK;

	(void)unused;
	for (uint64_t at = 0; st == ST_OK && at < q->image.cluster_bytes; at += 8) {
		uint64_t entry, left = 0;
		uint8_t *table;

		st = table_cache_get(&q->l2_cache, t->offset, &table);
		entry = st == ST_OK ? bytes_from_be(table + at, 8) : 0;
		if (!is_zero_entry(entry))
			continue;
		st = qcow2_make_room(q);
		if (st == ST_OK)
			st = replace(q, t, entry, &entry, &left);
		if (st == ST_OK)
			st = table_cache_get(&q->l2_cache, t->offset, &table);
		for (uint64_t i = 0; st == ST_OK && left != 0 && i < t->users; i++)
			st = qcow2_unref(q, left, q->image.cluster_bytes);
		if (st != ST_OK)
			break;
		bytes_to_be(table + at, 8, entry);
		table_cache_change(&q->l2_cache, t->offset);
	}
	return st;
}

enum status qcow2_expand_zeros(struct qcow2_image *q, const struct qcow2_steps *steps,
			       struct error *err)
{
	struct pass pass = { .visit = expand_table, .steps = steps };
	enum status st = pass_all(q, &pass, err);

	if (st != ST_OK)
		return st;
	st = qcow2_flush(q);
	return st == ST_OK ? ST_OK : fail(err, st, "writing zero clusters: %s", status_text(st));
}
