/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing the disk of a qcow image. Room is taken at the end of the file only: plain clusters and
 * L2 tables at the next multiple of the cluster size, compressed clusters at the next byte. The
 * order of writes is told in qcow.c.
 *
 * A file that was cut short has entries that lead past its end, and a new cluster there would
 * belong to two places of the disk; so the image is checked before the first write. On a disk or
 * partition, which has no end that says anything, the end is that of what is in use.
 */
#include "base/range.h"
#include "base/size.h"
#include "format/qcow/image.h"

/* ---- tables ---- */

/* Takes room from a multiple of `align` on. */
static enum status allocate(struct qcow_image *q, uint64_t bytes, uint64_t align, uint64_t *ret)
{
	uint64_t place = round_up(q->end, align);

	if (!range_ok(place, bytes, SIZE_LIMIT))
		return ST_TOO_LARGE;
	*ret = place;
	q->end = place + bytes;
	return ST_OK;
}

static enum status allocate_table(struct two_level *tables, uint64_t *ret)
{
	struct qcow_image *q = tables->user;

	return allocate(q, qcow_l2_bytes(&q->header), qcow_cluster_bytes(&q->header), ret);
}

static enum status allocate_cluster(struct block_map *map, uint64_t index, uint64_t *ret)
{
	struct qcow_image *q = (struct qcow_image *)map->image;
	uint64_t cluster = qcow_cluster_bytes(&q->header);

	(void)index;
	return allocate(q, cluster, cluster, ret);
}

static enum status allocate_packed(struct block_map *map, uint64_t index, uint32_t n, uint64_t *ret)
{
	struct qcow_image *q = (struct qcow_image *)map->image;
	uint64_t limit = UINT64_C(1) << (63 - q->header.cluster_bits);

	(void)index;
	return range_ok(q->end, n, limit) ? allocate(q, n, 1, ret) : ST_TOO_LARGE;
}

static enum status set(struct block_map *map, uint64_t index, enum block_state state,
		       uint64_t offset)
{
	(void)state; /* there is no other than STORED */
	return two_level_set(&((struct qcow_image *)map->image)->tables, index, offset);
}

static enum status set_packed(struct block_map *map, uint64_t index, uint64_t offset, uint32_t n)
{
	struct qcow_image *q = (struct qcow_image *)map->image;

	return two_level_set(&q->tables, index,
			     QCOW_COMPRESSED | (uint64_t)n << (63 - q->header.cluster_bits) |
				     offset);
}

static enum status commit(struct block_map *map)
{
	return two_level_commit(&((struct qcow_image *)map->image)->tables);
}

static bool is_full(const struct block_map *map)
{
	return two_level_is_full(&((const struct qcow_image *)map->image)->tables);
}

const struct two_level_ops qcow_table_ops = { .check = qcow_check_table,
					      .allocate = allocate_table };

const struct block_ops qcow_block_ops = {
	.find = qcow_find,
	.unpack = qcow_unpack,
	.allocate = allocate_cluster,
	.set = set,
	.allocate_packed = allocate_packed,
	.set_packed = set_packed,
	.commit = commit,
	.is_full = is_full,
};

/* ---- the disk ---- */

static enum status qcow_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	return block_map_write(&qcow_of(blk)->map, offset, buf, len);
}

static enum status qcow_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	return block_map_zero(&qcow_of(blk)->map, offset, len);
}

/* Other readers want the last sector to be there as a whole: compressed clusters end in it. */
static enum status end_sector(struct qcow_image *q)
{
	uint64_t size = q->file->size, end = round_up(size, QCOW_SECTOR_BYTES);

	return q->file->device == NULL && size < end ? blk_resize(q->file, end, PREALLOC_OFF)
						     : ST_OK;
}

static enum status qcow_flush(struct blk *blk)
{
	struct qcow_image *q = qcow_of(blk);
	enum status st = q->map.failed == ST_OK && q->map.changed ? end_sector(q) : ST_OK;

	return st == ST_OK ? block_map_flush(&q->map) : st;
}

enum status qcow_store_zeros(struct image *image, uint64_t offset, uint64_t len)
{
	return block_map_store_zeros(&((struct qcow_image *)image)->map, offset, len);
}

enum status qcow_write_compressed(struct image *image, uint64_t offset, const void *packed,
				  size_t n)
{
	return block_map_write_packed(&((struct qcow_image *)image)->map, offset, packed,
				      (uint32_t)n);
}

/*
 * Every entry of the L1 table by itself either still leads to its L2 table or no longer does,
 * whenever the power goes.
 */
enum status qcow_make_empty(struct image *image)
{
	struct qcow_image *q = (struct qcow_image *)image;
	const struct qcow_header *h = &q->header;
	uint64_t l1_bytes = qcow_l1_entries(h) * QCOW_ENTRY_BYTES;
	enum status st = q->map.failed;

	if (st == ST_OK)
		st = blk_write_zeros(q->file, h->l1_offset, l1_bytes);
	if (st == ST_OK)
		st = blk_flush(q->file);
	if (st != ST_OK) {
		q->map.failed = st;
		return st;
	}
	block_map_forget(&q->map);
	two_level_forget(&q->tables);
	q->end = max_u64(h->l1_offset + l1_bytes, h->backing_at + h->backing_bytes);
	if (q->file->device == NULL)
		st = blk_resize(q->file, round_up(q->end, QCOW_SECTOR_BYTES), PREALLOC_OFF);
	return st == ST_OK ? blk_flush(q->file) : st;
}

/* ---- before the first write ---- */

enum status qcow_load_for_writing(struct qcow_image *q, struct error *err)
{
	static const struct blk_ops ops = {
		.read = qcow_read,
		.write = qcow_write,
		.zero = qcow_zero,
		.extent = qcow_extent,
		.flush = qcow_flush,
		.close = image_close_blk,
	};
	struct check_result result = { 0 };
	enum status st = qcow_check(&q->image, NULL, &result, err);

	if (st != ST_OK)
		return st;
	if (result.corruptions > 0)
		return fail(err, ST_CORRUPT,
			    "%ju entries of its tables are wrong (\"check\" lists them), perhaps "
			    "because its file was cut short (%ju bytes): it can be read, but not "
			    "written to",
			    result.corruptions, q->file->size);
	q->end = q->file->device != NULL ? result.image_end_offset : q->file->size;
	if (q->image.unfinished != NULL && result.image_end_offset < q->end) {
		/* what an earlier run has written past its last flush would be waste */
		st = blk_resize(q->file, result.image_end_offset, PREALLOC_OFF);
		if (st != ST_OK)
			return fail(err, st, "cutting off what is past the last flush: %s",
				    status_text(st));
		q->end = result.image_end_offset;
	}
	q->image.blk.ops = &ops;
	return ST_OK;
}
