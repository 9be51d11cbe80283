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
#include "format/qcow2/image.h"
#include "platform/person.h"

#define ALL_SUBCLUSTERS UINT64_C(0xffffffff)

static struct qcow2_image *qcow2_of(struct blk *blk)
{
	return (struct qcow2_image *)blk;
}

static bool is_extended(const struct qcow2_image *q)
{
	return (q->header.incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0;
}

/* ---- L2 entries ---- */

/* The place of one entry in a table that may be changed. */
struct slot {
	uint8_t *entry;
	uint64_t table_offset;
};

/*
 * Gives the L1 entry a table of this disk's own: a new one, or a copy of one that a snapshot has as
 * well.
 */
static enum status own_table(struct qcow2_image *q, uint64_t l1_index, uint64_t *ret_offset)
{
	uint64_t old = q->l1[l1_index] & QCOW2_ENTRY_OFFSET, offset;
	uint8_t *from, *table;
	enum status st = ST_OK;

	if (old != 0 && (q->l1[l1_index] & QCOW2_COPIED) != 0) {
		*ret_offset = old;
		return ST_OK;
	}
	st = qcow2_alloc(q, 1, &offset);
	if (st == ST_OK)
		st = qcow2_cache_make(&q->l2_cache, offset, &table);
	if (st == ST_OK && old != 0) {
		st = qcow2_cache_get(&q->l2_cache, old, &from);
		if (st == ST_OK)
			memcpy(table, from, q->image.cluster_bytes);
		if (st == ST_OK)
			st = qcow2_unref(q, old, q->image.cluster_bytes);
	}
	if (st != ST_OK)
		return st;
	q->l1[l1_index] = offset | QCOW2_COPIED;
	qcow2_note_l1(q, l1_index);
	*ret_offset = offset;
	return ST_OK;
}

static enum status find_slot(struct qcow2_image *q, uint64_t offset, struct slot *ret)
{
	uint64_t coverage = qcow2_l2_coverage(&q->header),
		 index = offset % coverage / q->image.cluster_bytes;
	uint8_t *table;
	enum status st = own_table(q, offset / coverage, &ret->table_offset);

	if (st == ST_OK)
		st = qcow2_cache_get(&q->l2_cache, ret->table_offset, &table);
	if (st == ST_OK)
		ret->entry = table + index * qcow2_l2_entry_bytes(&q->header);
	return st;
}

static void set_entry(struct qcow2_image *q, const struct slot *slot, uint64_t entry,
		      uint64_t bitmap)
{
	bytes_to_be(slot->entry, 8, entry);
	if (is_extended(q))
		bytes_to_be(slot->entry + 8, 8, bitmap);
	qcow2_cache_change(&q->l2_cache, slot->table_offset);
}

/* Gives up what an entry refers to, which is about to be replaced. */
static enum status drop_entry(struct qcow2_image *q, uint64_t entry)
{
	if ((entry & QCOW2_L2_COMPRESSED) != 0) {
		uint64_t offset;
		uint32_t bytes;

		qcow2_compressed_place(&q->header, entry, &offset, &bytes);
		q->cluster_entry = UINT64_MAX;
		return qcow2_unref(q, offset, bytes);
	}
	if ((entry & QCOW2_ENTRY_OFFSET) == 0 || q->has_data_file)
		return ST_OK;
	if ((entry & QCOW2_ENTRY_OFFSET) % q->image.cluster_bytes != 0)
		return ST_CORRUPT;
	return qcow2_unref(q, entry & QCOW2_ENTRY_OFFSET, q->image.cluster_bytes);
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

	if (!is_extended(q))
		return ALL_SUBCLUSTERS;
	return ALL_SUBCLUSTERS >> (32 - (end - first)) << first;
}

/*
 * The host cluster of an entry that may be written in place, in the data file or the image; false:
 * there is none.
 */
static bool own_cluster(const struct qcow2_image *q, uint64_t guest, uint64_t entry,
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
	if (is_extended(q))
		return bitmap & ALL_SUBCLUSTERS;
	if ((entry & QCOW2_L2_ZERO) != 0 ||
	    ((entry & QCOW2_ENTRY_OFFSET) == 0 && (entry & QCOW2_COPIED) == 0))
		return 0;
	return ALL_SUBCLUSTERS;
}

/* [skip, skip + len) of the cluster at `guest`, with everything else in it as it was before. */
static enum status write_part(struct qcow2_image *q, uint64_t guest, uint64_t skip,
			      const uint8_t *buf, size_t len)
{
	uint64_t cluster_bytes = q->image.cluster_bytes, entry, bitmap, host, old_stored,
		 mask = touched(q, skip, len);
	size_t present = (size_t)min_u64(cluster_bytes, q->image.blk.size - guest);
	struct slot slot;
	bool is_own;
	enum status st = find_slot(q, guest, &slot);

	if (st != ST_OK)
		return st;
	entry = bytes_from_be(slot.entry, 8);
	if (!qcow2_entry_fits(&q->header, entry, guest))
		return ST_CORRUPT; /* nobody would read what is written there */
	bitmap = is_extended(q) ? bytes_from_be(slot.entry + 8, 8) : 0;
	old_stored = stored(q, entry, bitmap);
	is_own = own_cluster(q, guest, entry, &host);
	if (is_own && (mask & ~old_stored) == 0)
		return blk_write(q->image.data, host + skip, buf, len);

	/* The whole cluster as the guest sees it: read before anything changes. */
	memset(q->copy, 0, cluster_bytes);
	st = q->image.blk.ops->read(&q->image.blk, guest, q->copy, present);
	if (st != ST_OK)
		return st;
	memcpy(q->copy + skip, buf, len);
	if (!is_own)
		st = qcow2_alloc(q, 1, &host);
	if (st == ST_OK)
		st = blk_write(q->image.data, host, q->copy, cluster_bytes);
	if (st == ST_OK)
		st = find_slot(q, guest, &slot); /* reading may have moved the table in the cache */
	if (st == ST_OK && !is_own)
		/* last: until nothing more can fail, the table refers to it */
		st = drop_entry(q, entry);
	if (st == ST_OK)
		/* all of it is there now, what showed through from a backing file too */
		set_entry(q, &slot, host | QCOW2_COPIED, ALL_SUBCLUSTERS);
	return st;
}

/* ---- runs of whole clusters ---- */

/*
 * How many of the next `n` clusters from `guest` on lie in one L2 table and can be allocated at
 * once.
 */
static uint64_t run_length(const struct qcow2_image *q, uint64_t guest, uint64_t n)
{
	uint64_t coverage = qcow2_l2_coverage(&q->header);
	uint64_t in_table = (coverage - guest % coverage) / q->image.cluster_bytes;
	uint64_t in_block = qcow2_cluster_bytes(&q->header) * 8 >> q->header.refcount_order;

	return min_u64(n, min_u64(in_table, in_block));
}

/*
 * Writes whole clusters where they are, as far as they are this disk's own and lie behind each
 * other; *ret_n of them.
 */
static enum status write_in_place(struct qcow2_image *q, uint64_t guest, const uint8_t *buf,
				  uint64_t n, uint64_t *ret_n)
{
	uint64_t first = 0, host, count = 0;
	struct slot slot;
	enum status st = find_slot(q, guest, &slot);

	*ret_n = 0;
	if (st != ST_OK)
		return st;
	for (; count < n; count++) {
		const uint8_t *at = slot.entry + count * qcow2_l2_entry_bytes(&q->header);
		uint64_t in_disk = guest + count * q->image.cluster_bytes;

		if (!qcow2_entry_fits(&q->header, bytes_from_be(at, 8), in_disk))
			return ST_CORRUPT;
		if (!own_cluster(q, in_disk, bytes_from_be(at, 8), &host))
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
			 bitmap = is_extended(q) ? bytes_from_be(slot.entry + 8, 8) : 0;

		if (stored(q, entry, bitmap) != ALL_SUBCLUSTERS) /* it was only reserved */
			set_entry(q, &slot, (first + i * q->image.cluster_bytes) | QCOW2_COPIED,
				  ALL_SUBCLUSTERS);
		slot.entry += qcow2_l2_entry_bytes(&q->header);
	}
	*ret_n = count;
	return st;
}

/* Writes whole clusters to new places. */
static enum status write_new(struct qcow2_image *q, uint64_t guest, const uint8_t *buf, uint64_t n)
{
	uint64_t cluster_bytes = q->image.cluster_bytes, host;
	struct slot slot;
	enum status st = qcow2_alloc(q, n, &host);

	if (st == ST_OK)
		st = blk_write(q->image.data, host, buf, (size_t)(n * cluster_bytes));
	for (uint64_t i = 0; st == ST_OK && i < n; i++) {
		st = find_slot(q, guest + i * cluster_bytes, &slot);
		if (st == ST_OK)
			st = drop_entry(q, bytes_from_be(slot.entry, 8));
		if (st == ST_OK)
			set_entry(q, &slot, (host + i * cluster_bytes) | QCOW2_COPIED,
				  ALL_SUBCLUSTERS);
	}
	return st;
}

/*
 * How many of the next `n` clusters have to go to a new place before one that can be written where
 * it is.
 */
static enum status count_new(struct qcow2_image *q, uint64_t guest, uint64_t n, uint64_t *ret)
{
	struct slot slot;
	enum status st = find_slot(q, guest, &slot);
	uint64_t count = 1;

	for (; st == ST_OK && count < n; count++) {
		const uint8_t *at = slot.entry + count * qcow2_l2_entry_bytes(&q->header);
		uint64_t host;

		if (own_cluster(q, guest + count * q->image.cluster_bytes, bytes_from_be(at, 8),
				&host))
			break;
	}
	*ret = count;
	return st;
}

static enum status write_clusters(struct qcow2_image *q, uint64_t guest, const uint8_t *buf,
				  uint64_t n, uint64_t *ret_n)
{
	enum status st;

	n = run_length(q, guest, n);
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
	struct slot slot;
	uint64_t entry, zero = q->header.version >= 3 && !is_extended(q) ? QCOW2_L2_ZERO : 0;
	enum status st = find_slot(q, guest, &slot);

	if (st != ST_OK)
		return st;
	entry = bytes_from_be(slot.entry, 8);
	if (q->has_data_file) {
		/* A raw data file must read as zeros by itself. */
		st = blk_write_zeros(q->image.data, guest,
				     min_u64(q->image.cluster_bytes, q->image.blk.size - guest));
		if (st == ST_OK)
			set_entry(q, &slot, guest | QCOW2_COPIED | zero, ALL_SUBCLUSTERS << 32);
		return st;
	}
	st = drop_entry(q, entry);
	if (st == ST_OK)
		set_entry(q, &slot, zero, ALL_SUBCLUSTERS << 32);
	return st;
}

static enum status zero_part(struct qcow2_image *q, uint64_t offset, uint64_t len)
{
	uint64_t skip = offset % q->image.cluster_bytes;
	uint8_t *zeros = mem_alloc((size_t)len);
	enum status st;

	if (zeros == NULL)
		return ST_NO_MEMORY;
	st = write_part(q, offset - skip, skip, zeros, (size_t)len);
	mem_free(zeros);
	return st;
}

/*
 * Whether a mapping reads as zeros without anything being changed; so do holes behind the end of
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
			st = zero_part(q, offset, done);
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

/* ---- clusters that are given up, or reserved ---- */

/*
 * Gives up an L2 table with everything in it. It may be a snapshot's as well: then each of its
 * clusters counts that user too.
 */
static enum status drop_table(struct qcow2_image *q, uint64_t l1_index)
{
	uint64_t offset = q->l1[l1_index] & QCOW2_ENTRY_OFFSET,
		 entry_bytes = qcow2_l2_entry_bytes(&q->header);
	size_t n = q->n_released;
	uint64_t last_n = n > 0 ? q->released[n - 1].n : 0;
	uint8_t *table;
	enum status st = offset % q->image.cluster_bytes == 0
				 ? qcow2_cache_get(&q->l2_cache, offset, &table)
				 : ST_CORRUPT;

	for (uint64_t at = 0; st == ST_OK && at < q->image.cluster_bytes; at += entry_bytes)
		st = drop_entry(q, bytes_from_be(table + at, 8));
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
static enum status drop_rest(struct qcow2_image *q, uint64_t guest)
{
	uint64_t coverage = qcow2_l2_coverage(&q->header),
		 end = guest - guest % coverage + coverage;
	enum status st = ST_OK;

	for (; st == ST_OK && guest < end; guest += q->image.cluster_bytes) {
		struct slot slot;

		st = find_slot(q, guest, &slot);
		if (st == ST_OK)
			st = drop_entry(q, bytes_from_be(slot.entry, 8));
		if (st == ST_OK)
			set_entry(q, &slot, 0, 0);
	}
	return st;
}

enum status qcow2_drop_from(struct qcow2_image *q, uint64_t guest)
{
	uint64_t coverage = qcow2_l2_coverage(&q->header);
	enum status st = ST_OK;

	for (uint64_t i = guest / coverage; st == ST_OK && i < q->header.l1_entries; i++) {
		if ((q->l1[i] & QCOW2_ENTRY_OFFSET) == 0)
			continue;
		st = qcow2_make_room(q);
		if (st == ST_OK)
			st = i * coverage >= guest ? drop_table(q, i) : drop_rest(q, guest);
	}
	return st;
}

/*
 * `n` clusters from `guest` on, of one L2 table. The file has its zeros there before an entry
 * refers to them.
 */
static enum status reserve_run(struct qcow2_image *q, uint64_t guest, uint64_t n,
			       enum prealloc prealloc)
{
	uint64_t cluster_bytes = q->image.cluster_bytes, host = guest;
	enum status st = ST_OK;

	if (!q->has_data_file) {
		st = qcow2_alloc(q, n, &host);
		if (st == ST_OK && host + n * cluster_bytes > q->file->size)
			st = blk_resize(q->file, host + n * cluster_bytes, prealloc);
	}
	for (uint64_t i = 0; st == ST_OK && i < n; i++) {
		struct slot slot;

		st = find_slot(q, guest + i * cluster_bytes, &slot);
		if (st == ST_OK)
			st = drop_entry(q, bytes_from_be(slot.entry, 8));
		if (st == ST_OK)
			set_entry(q, &slot, (host + i * cluster_bytes) | QCOW2_COPIED,
				  ALL_SUBCLUSTERS);
	}
	return st;
}

enum status qcow2_preallocate(struct qcow2_image *q, uint64_t guest, uint64_t end,
			      enum prealloc prealloc)
{
	enum status st = ST_OK;

	while (st == ST_OK && guest < end) {
		uint64_t n = run_length(q, guest, div_up(end - guest, q->image.cluster_bytes));

		st = platform_cancelled() ? ST_CANCELLED : qcow2_make_room(q);
		if (st == ST_OK)
			st = reserve_run(q, guest, n, prealloc);
		guest += n * q->image.cluster_bytes;
	}
	return st;
}

/* ---- compressed clusters ---- */

/* Room for `n` bytes, less than a cluster, behind the last compressed cluster or in a new one. */
static enum status alloc_packed(struct qcow2_image *q, uint64_t n, uint64_t *ret_offset)
{
	uint64_t cluster_bytes = q->image.cluster_bytes,
		 room = cluster_bytes - q->pack_offset % cluster_bytes, offset;
	enum status st;

	if (q->pack_offset % cluster_bytes == 0)
		room = 0;
	/* The cluster behind it can be had if nothing else was allocated since. */
	if (room > 0 && (n <= room || q->pack_offset / cluster_bytes + 1 == q->next_cluster)) {
		uint64_t packed = q->pack_offset, refcount;

		st = qcow2_refcount_get(q, packed / cluster_bytes, &refcount);
		if (st != ST_OK)
			return st;
		if (refcount < qcow2_refcount_max(q)) {
			if (n > room)
				st = qcow2_alloc(q, 1, &offset);
			if (st == ST_OK && (n <= room || offset == packed - packed % cluster_bytes +
									   cluster_bytes)) {
				st = qcow2_ref(q, packed / cluster_bytes);
				q->pack_offset = packed + n;
				*ret_offset = packed;
				return st;
			}
			if (st != ST_OK)
				return st;
			*ret_offset = offset; /* a refcount block came between: begin anew there */
			q->pack_offset = offset + n;
			return ST_OK;
		}
	}
	st = qcow2_alloc(q, 1, &offset);
	if (st == ST_OK) {
		*ret_offset = offset;
		q->pack_offset = offset + n;
	}
	return st;
}

static enum status write_compressed(struct qcow2_image *q, uint64_t guest, const void *packed,
				    size_t n)
{
	struct image *image = &q->image;
	unsigned offset_bits = 62 - (q->header.cluster_bits - 8);
	struct slot slot;
	uint64_t offset, sectors;
	enum status st = qcow2_bitmaps_note(q, guest,
					    min_u64(image->cluster_bytes, image->size - guest));

	if (st == ST_OK)
		st = qcow2_make_room(q);
	if (st == ST_OK)
		/* first, so that a new table lies before the data, which ends the file */
		st = find_slot(q, guest, &slot);
	if (st == ST_OK)
		st = alloc_packed(q, n, &offset);
	if (st == ST_OK && offset + n > UINT64_C(1) << offset_bits)
		st = ST_TOO_LARGE;
	if (st == ST_OK)
		st = blk_write(q->file, offset, packed, n);
	if (st == ST_OK)
		st = find_slot(q, guest, &slot);
	if (st == ST_OK)
		st = drop_entry(q, bytes_from_be(slot.entry, 8));
	if (st != ST_OK)
		return st;
	sectors = (offset + n - 1) / 512 - offset / 512;
	set_entry(q, &slot, QCOW2_L2_COMPRESSED | sectors << offset_bits | offset, 0);
	return ST_OK;
}

enum status qcow2_write_compressed(struct image *image, uint64_t guest, const void *packed,
				   size_t n)
{
	struct qcow2_image *q = (struct qcow2_image *)image;

	return q->failed == ST_OK ? qcow2_changed(q, write_compressed(q, guest, packed, n))
				  : q->failed;
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
