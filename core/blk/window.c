/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A range of another blk. Offsets are moved by the start of the window, and everything else is the
 * business of the blk below, which also does the alignment: a window may begin anywhere.
 *
 * A window that grows has its bytes reserved: up to its limit they lie in the blk below, with
 * whatever was there before. So it grows by making them zeros, never by only changing its size, and
 * shrinking leaves them as they are.
 */
#include "blk/window.h"

#include "base/memory.h"
#include "base/range.h"

struct window {
	struct blk blk; /* first: a struct blk * that comes in is a struct window * */
	struct blk *below;
	struct window_kind kind;
};

static struct window *window_of(struct blk *blk)
{
	return (struct window *)blk;
}

static uint64_t below_offset(struct blk *blk, uint64_t offset)
{
	return window_of(blk)->kind.start + offset;
}

static enum status window_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return blk_read(window_of(blk)->below, below_offset(blk, offset), buf, len);
}

/* Whether the window may end at `end`. */
static bool has_room(struct blk *blk, uint64_t end)
{
	return end <= max_u64(window_of(blk)->kind.limit, blk->size);
}

static enum status window_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	enum status st = has_room(blk, offset + len)
				 ? blk_write(window_of(blk)->below, below_offset(blk, offset), buf,
					     len)
				 : ST_NO_SPACE;

	if (st == ST_OK)
		blk->size = max_u64(blk->size, offset + len);
	return st;
}

static enum status window_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	enum status st = has_room(blk, offset + len)
				 ? blk_write_zeros(window_of(blk)->below, below_offset(blk, offset),
						   len)
				 : ST_NO_SPACE;

	if (st == ST_OK)
		blk->size = max_u64(blk->size, offset + len);
	return st;
}

static enum status window_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	return blk_extent_below(window_of(blk)->below, below_offset(blk, offset), offset, len, ret);
}

static enum status window_flush(struct blk *blk)
{
	return blk_flush(window_of(blk)->below);
}

static enum status window_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	enum status st = ST_OK;

	(void)prealloc; /* the space is there */
	if (size > blk->size)
		st = window_zero(blk, blk->size, size - blk->size);
	if (st == ST_OK)
		blk->size = size;
	return st;
}

/* The blk below knows only what all of it takes: what is data in the window is added up. */
static enum status window_allocated(struct blk *blk, uint64_t *ret)
{
	enum status st = ST_OK;
	struct extent extent;

	*ret = 0;
	for (uint64_t at = 0; st == ST_OK && at < blk->size; at += extent.length) {
		st = blk_extent(blk, at, blk->size - at, &extent);
		if (st == ST_OK && !extent.zero)
			*ret += extent.length;
	}
	return st;
}

static void window_close(struct blk *blk)
{
	if (window_of(blk)->kind.owns)
		blk_close(window_of(blk)->below);
	mem_free(blk);
}

struct blk *window_open(struct blk *below, const struct window_kind *kind)
{
	static const struct blk_ops for_reading = {
		.read = window_read,
		.extent = window_extent,
		.flush = window_flush,
		.allocated = window_allocated,
		.close = window_close,
	};
	static const struct blk_ops of_fixed_size = {
		.read = window_read,
		.write = window_write,
		.zero = window_zero,
		.extent = window_extent,
		.flush = window_flush,
		.allocated = window_allocated,
		.close = window_close,
	};
	static const struct blk_ops growing = {
		.read = window_read,
		.write = window_write,
		.zero = window_zero,
		.extent = window_extent,
		.flush = window_flush,
		.resize = window_resize,
		.allocated = window_allocated,
		.close = window_close,
	};
	struct window *window = mem_alloc(sizeof *window);

	if (window == NULL)
		return NULL;
	window->blk = (struct blk){
		.ops = below->ops->write == NULL  ? &for_reading
		       : kind->limit > kind->size ? &growing
						  : &of_fixed_size,
		.size = kind->size,
		.block_bytes = 1,
		.buffer_align = 1,
		.transfer_bytes = below->transfer_bytes,
		.zero_bytes = below->zero_bytes,
		.device = below->device,
		.parallel_reads = below->parallel_reads,
		.sequential = below->sequential,
	};
	window->below = below;
	window->kind = *kind;
	return &window->blk;
}
