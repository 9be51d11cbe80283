/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing the disk of a QED image, and changing its size. Room is taken at the end of the file
 * only: QED does not say which clusters are free. The order of writes is told in qed.c.
 *
 * The end is where no entry leads to. A file that was cut short has entries that lead past its end,
 * and a new cluster there would belong to two places of the disk; so the image is checked before
 * the first write (qed_find_end()), which costs reading the L2 tables: 128 MiB per TiB.
 *
 * On a disk or partition, which has no end that says anything, the end is that of the last cluster
 * in use; and of a new image whose copy is resumed, whose file is cut there.
 *
 * Growing: what the new bytes must have to be zeros (a backing file may be longer than the disk
 * was), flush, then the size in the header.
 */
#include "base/range.h"
#include "base/size.h"
#include "format/qed/image.h"

/* ---- tables ---- */

/* Takes room at the end of the file. */
static enum status allocate(struct qed_image *q, uint64_t bytes, uint64_t *ret)
{
	enum status st = qed_set_need_check(q, true);

	if (st != ST_OK)
		return st;
	if (!range_ok(q->end, bytes, SIZE_LIMIT))
		return ST_TOO_LARGE;
	*ret = q->end;
	q->end += bytes;
	return ST_OK;
}

static enum status allocate_table(struct two_level *tables, uint64_t *ret)
{
	struct qed_image *q = tables->user;

	return allocate(q, q->header.table_bytes, ret);
}

static enum status allocate_cluster(struct block_map *map, uint64_t index, uint64_t *ret)
{
	struct qed_image *q = (struct qed_image *)map->image;

	(void)index;
	return allocate(q, q->header.cluster_bytes, ret);
}

static enum status set(struct block_map *map, uint64_t index, enum block_state state,
		       uint64_t offset)
{
	struct qed_image *q = (struct qed_image *)map->image;
	enum status st = qed_set_need_check(q, true);

	if (st != ST_OK)
		return st;
	return two_level_set(&q->tables, index, state == BLOCK_ZERO ? QED_ENTRY_ZERO : offset);
}

static enum status commit(struct block_map *map)
{
	return two_level_commit(&((struct qed_image *)map->image)->tables);
}

static bool is_full(const struct block_map *map)
{
	return two_level_is_full(&((const struct qed_image *)map->image)->tables);
}

const struct two_level_ops qed_table_ops = { .check = qed_check_table, .allocate = allocate_table };

const struct block_ops qed_block_ops = { .find = qed_find,
					 .allocate = allocate_cluster,
					 .set = set,
					 .commit = commit,
					 .is_full = is_full };

/* ---- the disk ---- */

static enum status qed_flush(struct blk *blk)
{
	struct qed_image *q = qed_of(blk);
	enum status st = block_map_flush(&q->map);

	return st == ST_OK ? qed_set_need_check(q, false) : st;
}

enum status qed_store_zeros(struct image *image, uint64_t offset, uint64_t len)
{
	return block_map_store_zeros(&((struct qed_image *)image)->map, offset, len);
}

/* ---- the size ---- */

enum status qed_plan_resize(const struct image *image, uint64_t size, enum prealloc prealloc,
			    uint64_t ret[], struct error *err)
{
	const struct qed_image *q = (const struct qed_image *)image;
	const struct qed_header *h = &q->header;
	uint64_t most = qed_size_max(h->cluster_bytes, h->table_bytes), zeros = 0, n_tables;

	if (prealloc != PREALLOC_OFF)
		return fail(err, ST_UNSUPPORTED,
			    "option --preallocation: a QED image is not preallocated");
	if (size % QED_SECTOR_BYTES != 0)
		return fail(err, ST_INVALID,
			    "a disk in a QED image has a multiple of 512 bytes; %ju is none", size);
	if (size < image->size)
		return fail(err, ST_UNSUPPORTED, "disks in images of format qed cannot shrink");
	if (size > most)
		return fail(err, ST_TOO_LARGE,
			    "a disk of %ju bytes is more than this image can have: %ju", size,
			    most);
	if (image->backing != NULL && image->backing->size > image->size)
		zeros = min_u64(size, image->backing->size) - image->size;
	/* Zeros take an entry each, and no cluster; one cluster may be needed for a part of one. */
	n_tables = zeros > 0 ? div_up(zeros, qed_l2_coverage(h)) + 1 : 0;
	ret[0] = q->file->size;
	if (zeros > 0)
		ret[0] = q->end + n_tables * h->table_bytes + h->cluster_bytes;
	return ST_OK;
}

static void take_size(struct qed_image *q, uint64_t size)
{
	q->image.size = q->image.blk.size = q->map.size = size;
	two_level_set_l1(&q->tables, q->header.l1_offset,
			 div_up(size, qed_l2_coverage(&q->header)));
}

/* What is stored past the old end of the disk, where nothing should be, becomes zeros. */
static enum status zero_stored(struct qed_image *q, uint64_t from, uint64_t end)
{
	enum status st = ST_OK;

	while (st == ST_OK && from < end) {
		struct extent extent;

		st = block_map_extent(&q->map, from, end - from, &extent);
		if (st == ST_OK && extent.data)
			st = block_map_zero(&q->map, from, extent.length);
		from += st == ST_OK ? extent.length : 0;
	}
	return st;
}

static enum status grow(struct qed_image *q, uint64_t before, uint64_t size)
{
	uint64_t covered = q->image.backing != NULL ? min_u64(size, q->image.backing->size) : 0;
	enum status st = ST_OK;

	if (covered > before)
		st = block_map_store_zeros(&q->map, before, covered - before);
	if (st == ST_OK)
		st = zero_stored(q, before, size);
	if (st == ST_OK)
		st = block_map_flush(&q->map);
	if (st == ST_OK)
		st = qed_write_field(q, QED_AT_SIZE, size);
	if (st == ST_OK)
		q->header.size = size;
	return st;
}

static enum status qed_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct qed_image *q = qed_of(blk);
	uint64_t before = q->image.size, file_bytes;
	struct error why;
	enum status st;

	size = round_up(size, QED_SECTOR_BYTES);
	st = qed_plan_resize(&q->image, size, prealloc, &file_bytes, &why);
	if (st != ST_OK || size == before)
		return st;
	/* First what was written before: the last cluster ends with zeros. */
	st = block_map_flush(&q->map);
	if (st != ST_OK)
		return st;
	take_size(q, size);
	st = grow(q, before, size);
	if (st != ST_OK) {
		/* whether the header has the new size is not known: nothing more is written */
		q->map.failed = st;
		block_map_forget(&q->map);
		two_level_forget(&q->tables);
		take_size(q, before);
	}
	return st;
}

/*
 * Every entry of the L1 table by itself either still leads to its L2 table or no longer does,
 * whenever the power goes.
 */
enum status qed_make_empty(struct image *image)
{
	struct qed_image *q = (struct qed_image *)image;
	const struct qed_header *h = &q->header;
	enum status st = q->map.failed;

	if (st == ST_OK)
		st = qed_set_need_check(q, true);
	if (st == ST_OK)
		st = blk_write_zeros(q->file, h->l1_offset, h->table_bytes);
	if (st == ST_OK)
		st = blk_flush(q->file);
	if (st != ST_OK) {
		q->map.failed = st;
		return st;
	}
	block_map_forget(&q->map);
	two_level_forget(&q->tables);
	q->end = max_u64(h->bytes, h->l1_offset + h->table_bytes);
	if (q->file->device == NULL)
		st = blk_resize(q->file, q->end, PREALLOC_OFF);
	return st == ST_OK ? qed_flush(&image->blk) : st;
}

/* ---- writing, also past the end of the disk ---- */

/* The disk grows, if need be, to have the range that is written. */
static enum status make_room(struct blk *blk, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len;

	return end > blk->size ? qed_resize(blk, end, PREALLOC_OFF) : ST_OK;
}

static enum status qed_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	enum status st = make_room(blk, offset, len);

	return st == ST_OK ? block_map_write(&qed_of(blk)->map, offset, buf, len) : st;
}

static enum status qed_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	enum status st = make_room(blk, offset, len);

	return st == ST_OK ? block_map_zero(&qed_of(blk)->map, offset, len) : st;
}

/* ---- before the first write ---- */

const struct blk_ops qed_write_ops = {
	.read = qed_read,
	.write = qed_write,
	.zero = qed_zero,
	.extent = qed_extent,
	.flush = qed_flush,
	.resize = qed_resize,
	.close = image_close_blk,
};

/* An image that was not closed cleanly may have entries for what was never written. */
static enum status repair_dirty(struct qed_image *q, struct error *err)
{
	struct check_result result = { 0 };
	struct error why;
	enum status st;

	if ((q->header.features & QED_NEED_CHECK) == 0)
		return ST_OK;
	st = qed_repair(&q->image, REPAIR_ALL, NULL, &result, &why);
	if (st != ST_OK)
		return fail(err, st, "it was not closed cleanly, and repairing it failed: %s",
			    why.text);
	if (result.corruptions > 0)
		return fail(err, ST_CORRUPT,
			    "it was not closed cleanly, and %ju errors in it cannot be repaired: "
			    "\"check\" lists them; it can be read, but not written to",
			    result.corruptions);
	return ST_OK;
}

enum status qed_load_for_writing(struct qed_image *q, struct error *err)
{
	uint64_t used = 0;
	enum status st = repair_dirty(q, err);

	if (st == ST_OK)
		st = qed_find_end(q, &used, err);
	if (st != ST_OK)
		return st;
	/* What a file has after its last whole cluster may be a part of one: it stays. */
	q->end = q->file->device != NULL ? used : round_up(q->file->size, q->header.cluster_bytes);
	if (q->image.unfinished != NULL && q->file->device == NULL && used < q->end) {
		/* what an earlier run has written past its last flush would be leaks for ever */
		st = blk_resize(q->file, used, PREALLOC_OFF);
		if (st != ST_OK)
			return fail(err, st, "cutting off what is past the last flush: %s",
				    status_text(st));
		q->end = used;
	}
	if (q->header.autoclear != 0) {
		/* "Header": they would no longer be true once something is written */
		st = qed_write_field(q, QED_AT_AUTOCLEAR, 0);
		if (st != ST_OK)
			return fail(err, st, "clearing feature bits: %s", status_text(st));
		q->header.autoclear = 0;
	}
	q->image.blk.ops = &qed_write_ops;
	return ST_OK;
}
