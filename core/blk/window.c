/* SPDX-License-Identifier: BSD-2-Clause */
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

static enum status window_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return blk_read(window_of(blk)->below, window_of(blk)->kind.start + offset, buf, len);
}

static enum status window_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct window *window = window_of(blk);
	enum status st;

	if (!range_ok(offset, len, max_u64(window->kind.limit, blk->size)))
		return ST_NO_SPACE;
	st = blk_write(window->below, window->kind.start + offset, buf, len);
	if (st == ST_OK)
		blk->size = max_u64(blk->size, offset + len);
	return st;
}

static enum status window_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	return blk_write_zeros(window_of(blk)->below, window_of(blk)->kind.start + offset, len);
}

static enum status window_flush(struct blk *blk)
{
	return blk_flush(window_of(blk)->below);
}

static enum status window_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct window *window = window_of(blk);
	enum status st = ST_OK;

	(void)prealloc; /* the space is there */
	if (size > window->kind.limit)
		return ST_NO_SPACE;
	if (size > blk->size)
		st = blk_write_zeros(window->below, window->kind.start + blk->size,
				     size - blk->size);
	if (st == ST_OK)
		blk->size = size;
	return st;
}

static uint64_t window_writes(struct blk *blk)
{
	uint64_t n = 0;

	(void)blk_writes(window_of(blk)->below, &n); /* it is asked only if that knows it */
	return n;
}

static void window_close(struct blk *blk)
{
	if (window_of(blk)->kind.owns)
		blk_close(window_of(blk)->below);
	mem_free(blk);
}

struct blk *window_open(struct blk *below, const struct window_kind *kind)
{
	static const struct blk_ops for_reading = { .read = window_read,
						    .flush = window_flush,
						    .close = window_close };
	static const struct blk_ops of_device = { .read = window_read,
						  .flush = window_flush,
						  .writes = window_writes,
						  .close = window_close };
	static const struct blk_ops of_fixed_size = {
		.read = window_read,
		.write = window_write,
		.zero = window_zero,
		.flush = window_flush,
		.close = window_close,
	};
	static const struct blk_ops growing = {
		.read = window_read,
		.write = window_write,
		.flush = window_flush,
		.resize = window_resize,
		.close = window_close,
	};
	struct window *window = mem_alloc(sizeof *window);

	if (window == NULL)
		return NULL;
	window->blk = (struct blk){
		.ops = below->ops->writes != NULL  ? &of_device
		       : below->ops->write == NULL ? &for_reading
		       : kind->limit > kind->size  ? &growing
						   : &of_fixed_size,
		.size = kind->size,
		.block_bytes = 1,
		.buffer_align = 1,
		.transfer_bytes = below->transfer_bytes,
		.zero_bytes = below->zero_bytes,
	};
	window->below = below;
	window->kind = *kind;
	return &window->blk;
}
