/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing the virtual disk, cluster by cluster. Data go to the file at once, tables to the caches;
 * the order between them is commit.c's.
 *
 * A cluster is written in place only if it is this disk's alone (COPIED). Otherwise its new
 * contents go to a new one: what is overwritten is then never anything that a table on the medium
 * refers to.
 */
#include "base/memory.h"
#include "base/range.h"
#include "codec/codec.h"
#include "format/qcow2/entry.h"
#include "format/qcow2/l2.h"
#include "platform/person.h"

static struct qcow2_image *qcow2_of(struct blk *blk)
{
	return (struct qcow2_image *)blk;
}

/* ---- one cluster ---- */

/*
 * The bits of the subclusters that [skip, skip + len) of a cluster touches; all, where there are
 * none.
 */
static uint64_t touched(const struct qcow2_image *q, uint64_t skip, uint64_t len)
{
	uint64_t unit = q->image.cluster_bytes / 32;
	uint64_t first = skip / unit, end = div_up(skip + len, unit);

	if (!qcow2_is_extended(q))
		return QCOW2_ALL_SUBCLUSTERS;
	return QCOW2_ALL_SUBCLUSTERS >> (32 - (end - first)) << first;
}

/*
 * The host cluster of an entry that may be written in place, in the data file or the image; false:
 * there is none.
 */
static bool writable_host_cluster(const struct qcow2_image *q, uint64_t guest, uint64_t entry,
				  uint64_t *ret_offset)
{
	if (q->has_data_file) {
		*ret_offset = guest;
		return true;
	}
	if ((entry & (QCOW2_L2_COMPRESSED | QCOW2_COPIED)) != QCOW2_COPIED ||
	    (entry & QCOW2_ENTRY_OFFSET) == 0)
		return false;
	*ret_offset = entry & QCOW2_ENTRY_OFFSET;
	return true;
}

/*
 * Which subclusters of an entry have data in its host cluster (without subclusters: all or none).
 */
static uint64_t stored(const struct qcow2_image *q, uint64_t entry, uint64_t bitmap)
{
	if ((entry & QCOW2_L2_COMPRESSED) != 0)
		return 0;
	if (qcow2_is_extended(q))
		return bitmap & QCOW2_ALL_SUBCLUSTERS;
	if ((entry & QCOW2_L2_ZERO) != 0 ||
	    ((entry & QCOW2_ENTRY_OFFSET) == 0 && (entry & QCOW2_COPIED) == 0))
		return 0;
	return QCOW2_ALL_SUBCLUSTERS;
}

/* [skip, skip + len) of the cluster at `guest`, with everything else in it as it was before. */
static enum status write_part(struct qcow2_image *q, uint64_t guest, uint64_t skip,
			      const uint8_t *buf, size_t len)
{
	uint64_t entry, bitmap, host, old_stored, mask = touched(q, skip, len);
	size_t cluster_bytes = q->image.cluster_bytes;
	size_t present = (size_t)min_u64(cluster_bytes, q->image.blk.size - guest);
	struct qcow2_slot slot;
	bool is_writable;
	enum status st = qcow2_find_slot(q, guest, &slot);

	if (st != ST_OK)
		return st;
	entry = bytes_from_be(slot.entry, 8);
	if (!qcow2_entry_fits(&q->header, entry, guest))
		return ST_CORRUPT; /* what is written there would never be read */
	bitmap = qcow2_is_extended(q) ? bytes_from_be(slot.entry + 8, 8) : 0;
	old_stored = stored(q, entry, bitmap);
	is_writable = writable_host_cluster(q, guest, entry, &host);
	if (is_writable && (mask & ~old_stored) == 0)
		return blk_write(q->image.data, host + skip, buf, len);

	/* The whole cluster as the guest sees it: read before anything changes. */
	memset(q->copy, 0, cluster_bytes);
	st = q->image.blk.ops->read(&q->image.blk, guest, q->copy, present);
	if (st != ST_OK)
		return st;
	memcpy(q->copy + skip, buf, len);
	if (!is_writable)
		st = qcow2_alloc(q, 1, &host);
	if (st == ST_OK)
		st = blk_write(q->image.data, host, q->copy, cluster_bytes);
	if (st == ST_OK)
		st = qcow2_find_slot(q, guest,
				     &slot); /* reading may have moved the table in the cache */
	if (st == ST_OK && !is_writable)
		/* last: until nothing more can fail, the table refers to it */
		st = qcow2_release_entry(q, entry);
	if (st == ST_OK)
		/* all of it is there now, what showed through from a backing file too */
		qcow2_set_entry(q, &slot, host | QCOW2_COPIED, QCOW2_ALL_SUBCLUSTERS);
	return st;
}

/* ---- runs of whole clusters ---- */

/*
 * Writes whole clusters where they are, as far as they are this disk's own and follow each
 * other; *ret_n of them.
 */
static enum status write_in_place(struct qcow2_image *q, uint64_t guest, const uint8_t *buf,
				  uint64_t n, uint64_t *ret_n)
{
	uint64_t first = 0, host, count = 0;
	struct qcow2_slot slot;
	enum status st = qcow2_find_slot(q, guest, &slot);

	*ret_n = 0;
	if (st != ST_OK)
		return st;
	for (; count < n; count++) {
		const uint8_t *at = slot.entry + count * qcow2_l2_entry_bytes(&q->header);
		uint64_t in_disk = guest + count * q->image.cluster_bytes;

		if (!qcow2_entry_fits(&q->header, bytes_from_be(at, 8), in_disk))
			return ST_CORRUPT;
		if (!writable_host_cluster(q, in_disk, bytes_from_be(at, 8), &host))
			break;
		if (count == 0)
			first = host;
		if (host != first + count * q->image.cluster_bytes)
			break;
	}
	if (count == 0)
		return ST_OK;
	st = blk_write(q->image.data, first, buf, (size_t)(count * q->image.cluster_bytes));
	for (uint64_t i = 0; st == ST_OK && i < count; i++) {
		uint64_t entry = bytes_from_be(slot.entry, 8),
			 bitmap = qcow2_is_extended(q) ? bytes_from_be(slot.entry + 8, 8) : 0;

		if (stored(q, entry, bitmap) != QCOW2_ALL_SUBCLUSTERS) /* it was only reserved */
			qcow2_set_entry(q, &slot,
					(first + i * q->image.cluster_bytes) | QCOW2_COPIED,
					QCOW2_ALL_SUBCLUSTERS);
		slot.entry += qcow2_l2_entry_bytes(&q->header);
	}
	*ret_n = count;
	return st;
}

/* Writes whole clusters to new places. */
static enum status write_new(struct qcow2_image *q, uint64_t guest, const uint8_t *buf, uint64_t n)
{
	uint64_t cluster_bytes = q->image.cluster_bytes, host;
	struct qcow2_slot slot;
	enum status st = qcow2_alloc(q, n, &host);

	if (st == ST_OK)
		st = blk_write(q->image.data, host, buf, (size_t)(n * cluster_bytes));
	for (uint64_t i = 0; st == ST_OK && i < n; i++) {
		st = qcow2_find_slot(q, guest + i * cluster_bytes, &slot);
		if (st == ST_OK)
			st = qcow2_release_entry(q, bytes_from_be(slot.entry, 8));
		if (st == ST_OK)
			qcow2_set_entry(q, &slot, (host + i * cluster_bytes) | QCOW2_COPIED,
					QCOW2_ALL_SUBCLUSTERS);
	}
	return st;
}

/*
 * How many of the next `n` clusters have to go to a new place before one that can be written where
 * it is.
 */
static enum status count_new(struct qcow2_image *q, uint64_t guest, uint64_t n, uint64_t *ret)
{
	struct qcow2_slot slot;
	enum status st = qcow2_find_slot(q, guest, &slot);
	uint64_t count = 1;

	for (; st == ST_OK && count < n; count++) {
		const uint8_t *at = slot.entry + count * qcow2_l2_entry_bytes(&q->header);
		uint64_t host;

		if (writable_host_cluster(q, guest + count * q->image.cluster_bytes,
					  bytes_from_be(at, 8), &host))
			break;
	}
	*ret = count;
	return st;
}

static enum status write_clusters(struct qcow2_image *q, uint64_t guest, const uint8_t *buf,
				  uint64_t n, uint64_t *ret_n)
{
	enum status st;

	n = qcow2_run_length(q, guest, n);
	st = write_in_place(q, guest, buf, n, ret_n);
	if (st != ST_OK || *ret_n > 0)
		return st;
	st = count_new(q, guest, n, ret_n);
	return st == ST_OK ? write_new(q, guest, buf, *ret_n) : st;
}

static enum status write_all(struct qcow2_image *q, uint64_t offset, const uint8_t *from,
			     size_t len)
{
	uint64_t cluster_bytes = q->image.cluster_bytes;
	enum status st = qcow2_bitmaps_note(q, offset, len);

	while (st == ST_OK && len > 0) {
		uint64_t skip = offset % cluster_bytes, done = min_u64(len, cluster_bytes - skip);

		st = qcow2_make_room(q);
		if (st != ST_OK)
			return st;
		if (skip == 0 && len >= cluster_bytes) {
			uint64_t n;

			st = write_clusters(q, offset, from, len / cluster_bytes, &n);
			done = n * cluster_bytes;
		} else {
			st = write_part(q, offset - skip, skip, from, (size_t)done);
		}
		offset += done;
		from += done;
		len -= (size_t)done;
	}
	return st;
}

static enum status qcow2_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct qcow2_image *q = qcow2_of(blk);
	enum status st = offset + len > blk->size
				 ? qcow2_resize(blk, round_up(offset + len, 512), PREALLOC_OFF)
				 : q->failed;

	return st == ST_OK ? qcow2_changed(q, write_all(q, offset, buf, len)) : st;
}

/* ---- zeros ---- */

/* Whole clusters that read as zeros from now on, without data where the version can say that. */
static enum status zero_cluster(struct qcow2_image *q, uint64_t guest)
{
	struct qcow2_slot slot;
	uint64_t entry, zero = q->header.version >= 3 && !qcow2_is_extended(q) ? QCOW2_L2_ZERO : 0;
	enum status st = qcow2_find_slot(q, guest, &slot);

	if (st != ST_OK)
		return st;
	entry = bytes_from_be(slot.entry, 8);
	if (q->has_data_file) {
		/* A raw data file must read as zeros by itself. */
		st = blk_write_zeros(q->image.data, guest,
				     min_u64(q->image.cluster_bytes, q->image.blk.size - guest));
		if (st == ST_OK)
			qcow2_set_entry(q, &slot, guest | QCOW2_COPIED | zero,
					QCOW2_ALL_SUBCLUSTERS << 32);
		return st;
	}
	st = qcow2_release_entry(q, entry);
	if (st == ST_OK)
		qcow2_set_entry(q, &slot, zero, QCOW2_ALL_SUBCLUSTERS << 32);
	return st;
}

enum status qcow2_write_zero_bytes(struct qcow2_image *q, uint64_t offset, uint64_t len)
{
	uint64_t skip = offset % q->image.cluster_bytes;
	uint8_t *zeros = mem_alloc((size_t)len);
	enum status st = zeros == NULL ? ST_NO_MEMORY : qcow2_make_room(q);

	if (st == ST_OK)
		st = write_part(q, offset - skip, skip, zeros, (size_t)len);
	mem_free(zeros);
	return st;
}

/*
 * Whether a mapping reads as zeros without anything being changed; so do holes past the end of
 * the backing file, unless zeros are to be stored.
 */
static bool is_zero(const struct qcow2_image *q, uint64_t offset,
		    const struct qcow2_mapping *mapping, bool store)
{
	const struct image *backing = q->image.backing;

	return mapping->kind == QCOW2_MAP_ZERO ||
	       (mapping->kind == QCOW2_MAP_HOLE && !store &&
		(backing == NULL || offset >= backing->blk.size));
}

enum status qcow2_write_zeros(struct qcow2_image *q, uint64_t offset, uint64_t len, bool store)
{
	uint64_t cluster_bytes = q->image.cluster_bytes;
	enum status st = ST_OK;

	while (st == ST_OK && len > 0) {
		struct qcow2_mapping mapping;
		uint64_t done = min_u64(len, cluster_bytes - offset % cluster_bytes);
		bool whole = offset % cluster_bytes == 0 &&
			     (done == cluster_bytes || offset + done == q->image.blk.size);

		st = platform_cancelled() ? ST_CANCELLED : qcow2_make_room(q);
		if (st == ST_OK)
			st = qcow2_map(q, offset, len, &mapping);
		if (st != ST_OK)
			return st;
		if (is_zero(q, offset, &mapping, store))
			done = mapping.length;
		else if (whole && (q->header.version >= 3 || (q->image.backing == NULL && !store)))
			st = zero_cluster(q, offset);
		else
			st = qcow2_write_zero_bytes(q, offset, done);
		offset += done;
		len -= done;
	}
	return st;
}

static enum status zero_range(struct qcow2_image *q, uint64_t offset, uint64_t len, bool store)
{
	enum status st = q->failed;

	if (st == ST_OK)
		st = qcow2_bitmaps_note(q, offset, len);
	if (st == ST_OK)
		st = qcow2_write_zeros(q, offset, len, store);
	return qcow2_changed(q, st);
}

static enum status qcow2_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	enum status st = offset + len > blk->size
				 ? qcow2_resize(blk, round_up(offset + len, 512), PREALLOC_OFF)
				 : ST_OK;

	return st == ST_OK ? zero_range(qcow2_of(blk), offset, len, false) : st;
}

enum status qcow2_store_zeros(struct image *image, uint64_t offset, uint64_t len)
{
	return zero_range((struct qcow2_image *)image, offset, len, true);
}

static enum status qcow2_flush_disk(struct blk *blk)
{
	struct qcow2_image *q = qcow2_of(blk);
	enum status st = qcow2_flush(q);

	return st == ST_OK && q->failed == ST_OK ? qcow2_changed(q, qcow2_bitmaps_store(q)) : st;
}

const struct blk_ops qcow2_write_ops = {
	.read = qcow2_read,
	.write = qcow2_write,
	.zero = qcow2_zero,
	.extent = qcow2_extent,
	.flush = qcow2_flush_disk,
	.resize = qcow2_resize,
	.close = image_close_blk,
};
