/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another size for the disk.
 *
 * Growing: the longer L1 table, if one is needed (commit.c); what the new bytes must have to be
 * zeros; the size in the header, last. Shrinking: the size in the header, first; then the entries
 * past the new end, and their refcounts after them (commit.c).
 *
 * Bitmaps are marked in use before the size changes, and get theirs after it.
 *
 * Whenever the power goes, the disk has its old or its new size, everything up to there is as it
 * was, and what the tables have past it is not read. Clusters that are lost are all that can
 * remain.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/image.h"

static void take_size(struct qcow2_image *q, uint64_t size)
{
	q->image.size = q->image.blk.size = size;
}

static enum status write_size(struct qcow2_image *q, uint64_t size)
{
	enum status st = qcow2_flush(q);
	struct qcow2_header header = q->header; /* its texts stay those of q->header */

	header.size = size;
	if (st == ST_OK)
		st = qcow2_bitmaps_begin_resize(q);
	if (st == ST_OK)
		st = qcow2_header_write_disk(q->file, &header);
	if (st == ST_OK)
		st = qcow2_barrier(q);
	if (st == ST_OK)
		q->header.size = size;
	return st;
}

/* How many L1 entries a disk of this size needs. */
static uint64_t l1_entries(const struct qcow2_image *q, uint64_t size)
{
	return div_up(size, qcow2_l2_coverage(&q->header));
}

/* ---- before ---- */

/*
 * Whether what is new of the disk gets entries in the tables: of a raw data file all is the disk's,
 * and what somebody writes into the file is to be seen through the image.
 */
static bool maps_new(const struct qcow2_image *q, enum prealloc prealloc)
{
	return prealloc != PREALLOC_OFF || (q->header.autoclear & QCOW2_AUTOCLEAR_RAW_DATA) != 0;
}

/* The clusters that growing takes, at most, without the refcount structures. */
static uint64_t new_clusters(const struct qcow2_image *q, uint64_t size, enum prealloc prealloc)
{
	uint64_t cluster_bytes = qcow2_cluster_bytes(&q->header), entries = l1_entries(q, size),
		 n = 0;

	if (entries > q->header.l1_entries)
		n = div_up(entries * 8, cluster_bytes);
	if (maps_new(q, prealloc)) {
		n += entries - q->image.size / qcow2_l2_coverage(&q->header);
		n += q->has_data_file ? 0
				      : div_up(size, cluster_bytes) - q->image.size / cluster_bytes;
	}
	return n;
}

enum status qcow2_plan_resize_as(const struct image *image, uint32_t version, uint64_t size,
				 enum prealloc prealloc, uint64_t ret[], struct error *err)
{
	const struct qcow2_image *q = (const struct qcow2_image *)image;
	uint64_t cluster_bytes = image->cluster_bytes, n, n_bitmaps;
	enum status st;

	if (size % 512 != 0)
		return fail(err, ST_INVALID,
			    "a disk in a qcow2 image has a multiple of 512 bytes; %ju is none",
			    size);
	if (version < 3 && q->header.n_snapshots > 0)
		return fail(err, ST_UNSUPPORTED,
			    "it has snapshots, and in version 2 of the format (compat 0.10) these "
			    "do not say how large the disk was; delete them, or convert the image");
	if (l1_entries(q, size) * 8 > QCOW2_L1_BYTES_MAX)
		return fail(err, ST_TOO_LARGE,
			    "a disk of %ju bytes is more than a qcow2 image can have with clusters "
			    "of %ju bytes",
			    size, cluster_bytes);
	st = qcow2_bitmaps_plan_resize(q, size, &n_bitmaps, err);
	if (st != ST_OK)
		return st;
	ret[0] = q->file->size;
	if (q->has_data_file)
		ret[1] = size;
	if (size <= image->size)
		return ST_OK;
	n = new_clusters(q, size, prealloc) + n_bitmaps;
	/* Refcounts of these, with those of the blocks that have them. */
	if (n > 0)
		n += div_up(n << q->header.refcount_order, cluster_bytes * 8) + 2;
	/* with the limit on the L1 table, no more than 2^63 + 2^62 */
	ret[0] = round_up(q->file->size, cluster_bytes) + n * cluster_bytes;
	return ST_OK;
}

enum status qcow2_plan_resize(const struct image *image, uint64_t size, enum prealloc prealloc,
			      uint64_t ret[], struct error *err)
{
	return qcow2_plan_resize_as(image, ((const struct qcow2_image *)image)->header.version,
				    size, prealloc, ret, err);
}

/* ---- growing ---- */

/* A raw data file is read without the tables, and so must have the zeros itself. */
static enum status grow_data_file(struct qcow2_image *q, uint64_t before, uint64_t size,
				  enum prealloc prealloc)
{
	struct blk *data = q->image.data;
	enum status st = ST_OK;

	if (!q->has_data_file)
		return ST_OK;
	if (data->size > before && (q->header.autoclear & QCOW2_AUTOCLEAR_RAW_DATA) != 0)
		st = blk_write_zeros(data, before, min_u64(data->size, size) - before);
	if (st == ST_OK && data->size < size)
		st = blk_resize(data, size, prealloc);
	return st;
}

/*
 * Gives a place to what is new of the disk, which reads as zeros already: the last cluster of the
 * disk as it was is stored as a whole, so that later writes to it take no new one either.
 */
static enum status preallocate_new(struct qcow2_image *q, uint64_t before, uint64_t size,
				   enum prealloc prealloc)
{
	uint64_t end = min_u64(round_up(before, q->image.cluster_bytes), size);
	enum status st = ST_OK;

	if (prealloc != PREALLOC_OFF && !q->has_data_file && end > before)
		st = qcow2_write_zero_bytes(q, before, end - before);
	return st == ST_OK ? qcow2_preallocate(q, end, size, prealloc) : st;
}

static enum status grow(struct qcow2_image *q, uint64_t size, enum prealloc prealloc)
{
	uint64_t before = q->image.size, entries = l1_entries(q, size);
	enum status st = ST_OK;

	if (entries > q->header.l1_entries)
		st = qcow2_grow_l1(q, (uint32_t)entries);
	if (st == ST_OK)
		st = grow_data_file(q, before, size, prealloc);
	if (st != ST_OK)
		return st;
	take_size(q, size);
	/*
	 * Of what was there before the disk was once shrunk, of its last cluster, and of the
	 * backing file nothing may show.
	 */
	st = qcow2_write_zeros(q, before, size - before, false);
	if (st == ST_OK && maps_new(q, prealloc))
		st = preallocate_new(q, before, size, prealloc);
	if (st == ST_OK)
		st = write_size(q, size);
	if (st != ST_OK) {
		take_size(q, before);
		return st;
	}
	return qcow2_bitmaps_resize(q, size);
}

/* ---- shrinking ---- */

static enum status shrink(struct qcow2_image *q, uint64_t size)
{
	enum status st = write_size(q, size);

	if (st != ST_OK)
		return st;
	take_size(q, size);
	st = qcow2_release_from(q, round_up(size, q->image.cluster_bytes));
	if (st == ST_OK)
		st = qcow2_bitmaps_resize(q, size);
	if (st == ST_OK && q->has_data_file && q->image.data->size > size)
		st = blk_resize(q->image.data, size, PREALLOC_OFF);
	return st == ST_OK ? qcow2_trim(q) : st;
}

enum status qcow2_trim(struct qcow2_image *q)
{
	struct blk *file = q->file;
	uint64_t n, n_dropped, refcount = 0;
	enum status st;

	do {
		st = qcow2_flush(q); /* which may make the file longer */
		if (st == ST_OK)
			st = qcow2_drop_empty_blocks(q, &n_dropped);
	} while (st == ST_OK && n_dropped > 0);
	n = div_up(file->size, q->image.cluster_bytes);
	while (st == ST_OK && n > 1) { /* the first cluster has the header */
		st = qcow2_refcount_get(q, n - 1, &refcount);
		if (refcount > 0)
			break;
		n -= st == ST_OK;
	}
	if (st != ST_OK || n * q->image.cluster_bytes >= file->size)
		return st;
	q->next_cluster = n;
	q->pack_offset = 0;
	st = blk_resize(file, n * q->image.cluster_bytes, PREALLOC_OFF);
	return st == ST_OK ? qcow2_barrier(q) : st;
}

enum status qcow2_make_empty(struct image *image)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	enum status st = q->failed;

	if (st == ST_OK)
		st = qcow2_release_from(q, 0);
	if (st == ST_OK)
		st = qcow2_trim(q);
	return qcow2_changed(q, st);
}

enum status qcow2_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct qcow2_image *q = (struct qcow2_image *)blk;
	uint64_t sizes[QCOW2_FILES_MAX];
	struct error why;
	enum status st = q->failed;

	size = round_up(size, 512);
	if (st == ST_OK)
		st = qcow2_plan_resize(&q->image, size, prealloc, sizes, &why);
	if (st != ST_OK || size == blk->size)
		return st;
	return qcow2_changed(q, size > blk->size ? grow(q, size, prealloc) : shrink(q, size));
}
