/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another size for the disk: an item of the metadata, which is changed through the log like
 * everything else.
 *
 * Growing: what the last block has past the old end becomes zeros (flush); the entries of the new
 * blocks are set, in as many rounds of the log as it takes, each of which is about nothing that
 * belongs to the disk yet; then the size (log_write.c). Whatever the BAT had past the old end is
 * replaced. The BAT stays where it is: it has room for larger disks, and where it ends, growing
 * does.
 *
 * Shrinking: the size; then, when the log is empty, the file ends after the last block that is
 * left. Blocks that are dropped between others leave room that nothing uses.
 */
#include "base/range.h"
#include "format/vhdx/image.h"

/* How many blocks a BAT of the image can be about. */
static uint64_t most_blocks(const struct vhdx_image *v)
{
	uint64_t n = v->bat.bytes / 8;

	return n - n / (v->chunk_blocks + 1);
}

enum status vhdx_plan_resize(const struct image *image, uint64_t size, enum prealloc prealloc,
			     uint64_t ret[], struct error *err)
{
	const struct vhdx_image *v = (const struct vhdx_image *)image;
	uint64_t most = min_u64(VHDX_SIZE_MAX, most_blocks(v) * v->block_bytes);
	uint64_t n_blocks = div_up(size, v->block_bytes), more = 0;

	if (size > most)
		return fail(err, ST_TOO_LARGE,
			    "its disk can have %ju bytes at most (its BAT has 0x%jx); convert it "
			    "to a larger image",
			    most, v->bat.bytes);
	if (size % v->sector_bytes != 0)
		return fail(err, ST_INVALID,
			    "its disk has sectors of %u bytes, and %ju is no "
			    "multiple of that",
			    v->sector_bytes, size);
	if (prealloc != PREALLOC_OFF && !v->leaves_allocated)
		return fail(err, ST_UNSUPPORTED,
			    "option --preallocation: only new blocks of fixed VHDX images are "
			    "allocated");
	if (prealloc == PREALLOC_METADATA)
		return fail(err, ST_UNSUPPORTED,
			    "option --preallocation=metadata: off, falloc or full");
	if (v->leaves_allocated && n_blocks > v->n_blocks)
		more = (n_blocks - v->n_blocks) * v->block_bytes;
	ret[0] = max_u64(image->file[0].blk->size, v->end + more);
	return ST_OK;
}

/* Flushes data, and writes what changed in the tables. */
static enum status commit(struct vhdx_image *v)
{
	enum status st = blk_flush(v->file);

	if (st == ST_OK)
		st = vhdx_log_commit(v);
	return st == ST_OK ? blk_flush(v->file) : st;
}

/* Changes the size in the metadata; on failure it stays what it is, in memory. */
static enum status set_size(struct vhdx_image *v, uint64_t size)
{
	le64 new = le64_of(size), old = le64_of(v->image.size);
	enum status st = vhdx_write_metadata(v, v->size_at, &new, sizeof new), back;

	if (st == ST_OK)
		st = commit(v);
	if (st != ST_OK) {
		back = vhdx_write_metadata(v, v->size_at, &old, sizeof old);
		v->failed = back != ST_OK ? back : v->failed;
		return st;
	}
	v->image.size = v->image.blk.size = v->map.size = size;
	v->n_blocks = div_up(size, v->block_bytes);
	v->n_entries = vhdx_entries(v->n_blocks, v->chunk_blocks, v->has_parent);
	return ST_OK;
}

/* What the last block has past the end of the disk becomes zeros. */
static enum status clear_rest(struct vhdx_image *v)
{
	uint64_t rest = round_up(v->image.size, v->block_bytes) - v->image.size;
	struct block_run run;
	enum status st;

	if (rest == 0)
		return ST_OK;
	st = vhdx_block_ops.find(&v->map, v->image.size - 1, 1, &run);
	if (st != ST_OK || run.state != BLOCK_STORED)
		return st;
	return blk_write_zeros(v->file, run.offset + 1, rest);
}

/* Sets the BAT entries of the blocks from the old number to `n`. */
static enum status add_blocks(struct vhdx_image *v, uint64_t n, enum prealloc prealloc)
{
	uint64_t first = v->n_blocks, place = v->end;
	enum status st = ST_OK;

	if (v->leaves_allocated && n > first) {
		uint64_t end = place + (n - first) * v->block_bytes;

		st = end > v->file->size ? blk_resize(v->file, end, prealloc) : ST_OK;
		if (st != ST_OK)
			return st;
		v->end = end;
	}
	for (uint64_t i = first; st == ST_OK && i < n; i++) {
		uint64_t value = VHDX_ZERO;

		if (v->leaves_allocated)
			value = (place + (i - first) * v->block_bytes) | VHDX_PRESENT;
		if (v->map.ops->is_full(&v->map))
			st = commit(v);
		if (st == ST_OK && i > 0 && i % v->chunk_blocks == 0)
			st = vhdx_entry_set(v, vhdx_entry_of(v, i) - 1, 0);
		if (st == ST_OK && v->map.ops->is_full(&v->map))
			st = commit(v);
		if (st == ST_OK)
			st = vhdx_entry_set(v, vhdx_entry_of(v, i), value);
	}
	if (st == ST_OK && v->map.ops->is_full(&v->map))
		st = commit(v);
	return st;
}

static enum status find_end(void *user, uint64_t entry, uint64_t value, struct error *err)
{
	struct vhdx_image *v = user;

	(void)err;
	if ((value & VHDX_BAT_STATE) == VHDX_PRESENT && !vhdx_is_bitmap_entry(v, entry))
		v->end = max_u64(v->end, (value & VHDX_BAT_OFFSET) + v->block_bytes);
	return ST_OK;
}

/* The file ends where what is left in it does. */
static enum status cut_file(struct vhdx_image *v)
{
	struct error why;
	enum status st = vhdx_log_end(v);

	if (st != ST_OK)
		return st;
	v->end = 0;
	for (size_t i = 0; i < v->n_parts; i++)
		v->end = max_u64(v->end, v->part[i].offset + v->part[i].bytes);
	st = vhdx_bat_each(v, find_end, v, &why);
	if (st != ST_OK || v->end >= v->file->size) {
		v->end = round_up(v->file->size, VHDX_MIB);
		return st;
	}
	return blk_resize(v->file, v->end, PREALLOC_OFF);
}

enum status vhdx_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct vhdx_image *v = (struct vhdx_image *)blk;
	uint64_t rounded = round_up(size, v->sector_bytes), old = v->image.size, needed[1];
	struct error why;
	enum status st = vhdx_plan_resize(&v->image, rounded, prealloc, needed, &why);

	if (st == ST_OK && rounded != old)
		st = vhdx_session_begin(v, true);
	if (st != ST_OK || rounded == old)
		return st;
	st = block_map_flush(&v->map);
	if (st == ST_OK && rounded > old)
		st = clear_rest(v);
	if (st == ST_OK && rounded > old)
		st = add_blocks(v, div_up(rounded, v->block_bytes), prealloc);
	if (st == ST_OK)
		st = set_size(v, rounded);
	return st == ST_OK && rounded < old ? cut_file(v) : st;
}
