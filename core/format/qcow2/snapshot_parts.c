/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What making, deleting and applying a snapshot have in common: releasing clusters at once that
 * nothing on the medium refers to, writing an L1 table to a new place, and the words of their
 * failures.
 */
#include "format/qcow2/snapshot_parts.h"

#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/entry.h"

enum status qcow2_snapshot_release(struct qcow2_image *q, uint64_t offset, uint64_t bytes)
{
	struct qcow2_walk w = { .q = q, .visit = qcow2_release_one, .limit = UINT64_MAX };

	return bytes > 0 ? qcow2_walk_bytes(&w, offset, bytes) : ST_OK;
}

enum status qcow2_snapshot_release_l1(struct qcow2_image *q, uint64_t offset, const uint64_t *l1,
				      uint64_t n)
{
	struct qcow2_walk w = { .q = q, .visit = qcow2_release_one, .limit = UINT64_MAX };
	enum status st = qcow2_walk_l1(&w, l1, n);

	return st == ST_OK ? qcow2_snapshot_release(q, offset, n * 8) : st;
}

enum status qcow2_snapshot_write_l1(struct qcow2_image *q, const uint64_t *l1, uint64_t n,
				    uint64_t *ret_offset)
{
	uint64_t *copy;
	enum status st;

	*ret_offset = 0;
	if (n == 0)
		return ST_OK;
	copy = mem_alloc((size_t)n * 8);
	if (copy == NULL)
		return ST_NO_MEMORY;
	for (uint64_t i = 0; i < n; i++)
		copy[i] = l1[i] & ~QCOW2_COPIED;
	st = qcow2_alloc(q, div_up(n * 8, q->image.cluster_bytes), ret_offset);
	if (st == ST_OK)
		st = qcow2_write_table(q, *ret_offset, copy, 0, n);
	mem_free(copy);
	return st;
}

enum status qcow2_snapshot_failed(const struct qcow2_image *q, enum status st, const char *what,
				  struct error *err)
{
	switch (st) {
	case ST_CORRUPT:
		return fail(err, st,
			    "%s: its tables refer to clusters that are not there, or not in use; "
			    "check the image",
			    what);
	case ST_TOO_LARGE:
		return fail(err, st,
			    "%s: a cluster would have more users than refcounts of %u bits can "
			    "count, or the image become too large",
			    what, 1u << q->header.refcount_order);
	default:
		return fail(err, st, "%s: %s", what, status_text(st));
	}
}

enum status qcow2_snapshot_half_done(enum status st, const char *what, struct error *err)
{
	return fail(err, st,
		    "%s is done, but not all clusters that are free now could be marked so (%s); "
		    "\"check -r leaks\" does that",
		    what, status_text(st));
}

enum status qcow2_snapshot_refuse(const struct qcow2_image *q, struct error *err)
{
	if (q->has_data_file)
		return fail(err, ST_UNSUPPORTED,
			    "its data is in another file, which has no snapshots");
	return qcow2_may_change(q, err);
}
