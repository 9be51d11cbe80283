/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Storing compressed clusters: section "Compressed Clusters Descriptor". They follow each other in
 * host clusters that they share, without regard to sectors, so that a host cluster has as many
 * users as compressed clusters touch it. A host cluster that is full of users, or is not followed
 * by a free one, is left, and the next compressed cluster begins a new one.
 */
#include "base/range.h"
#include "format/qcow2/entry.h"
#include "format/qcow2/l2.h"

/* Whether `n` bytes can begin where the last compressed cluster ends, in its host cluster. */
static enum status may_follow(struct qcow2_image *q, uint64_t n, uint64_t room, bool *ret)
{
	uint64_t cluster = q->pack_offset / q->image.cluster_bytes, refcount;
	enum status st;

	*ret = false;
	/* The next cluster is free if nothing else was allocated since. */
	if (room == 0 || (n > room && cluster + 1 != q->next_cluster))
		return ST_OK;
	st = qcow2_refcount_get(q, cluster, &refcount);
	*ret = st == ST_OK && refcount < qcow2_refcount_max(q);
	return st;
}

/* Finds a place for `n` bytes, less than a cluster, and counts a user of each cluster there. */
static enum status alloc_packed(struct qcow2_image *q, uint64_t n, uint64_t *ret_offset)
{
	uint64_t cluster_bytes = q->image.cluster_bytes, last = q->pack_offset,
		 room = round_up(last, cluster_bytes) - last;
	bool follows;
	enum status st = may_follow(q, n, room, &follows);

	if (st == ST_OK && (!follows || n > room)) {
		st = qcow2_alloc(q, 1, ret_offset);
		/* a refcount block may have come between */
		follows = follows && *ret_offset == last + room;
	}
	if (st != ST_OK)
		return st;
	if (follows) {
		st = qcow2_ref(q, last / cluster_bytes);
		*ret_offset = last;
	}
	q->pack_offset = *ret_offset + n;
	return st;
}

static enum status write_compressed(struct qcow2_image *q, uint64_t guest, const void *packed,
				    size_t n)
{
	struct image *image = &q->image;
	unsigned offset_bits = qcow2_compressed_offset_bits(&q->header);
	struct qcow2_slot slot;
	uint64_t offset, sectors;
	enum status st = qcow2_bitmaps_note(q, guest,
					    min_u64(image->cluster_bytes, image->size - guest));

	if (st == ST_OK)
		st = qcow2_make_room(q);
	if (st == ST_OK)
		/* first, so that a new table lies before the data, which ends the file */
		st = qcow2_find_slot(q, guest, &slot);
	if (st == ST_OK)
		st = alloc_packed(q, n, &offset);
	if (st == ST_OK && offset + n > UINT64_C(1) << offset_bits)
		st = ST_TOO_LARGE;
	if (st == ST_OK)
		st = blk_write(q->file, offset, packed, n);
	if (st == ST_OK)
		st = qcow2_find_slot(q, guest, &slot);
	if (st == ST_OK)
		st = qcow2_release_entry(q, bytes_from_be(slot.entry, 8));
	if (st != ST_OK)
		return st;
	sectors = (offset + n - 1) / 512 - offset / 512;
	qcow2_set_entry(q, &slot, QCOW2_L2_COMPRESSED | sectors << offset_bits | offset, 0);
	return ST_OK;
}

enum status qcow2_write_compressed(struct image *image, uint64_t guest, const void *packed,
				   size_t n)
{
	struct qcow2_image *q = (struct qcow2_image *)image;

	return q->failed == ST_OK ? qcow2_changed(q, write_compressed(q, guest, packed, n))
				  : q->failed;
}
