/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A blk of which only what is in use is seen. Requests are cut at unused granules alone: a gap of
 * less than two of them, in a disk of an aged file system, costs less to read than a request more.
 *
 * Granules are multiples of the blocks of every device, so that a request that blk.c has aligned
 * stays aligned.
 */
#include "blk/mask.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"

struct mask {
	struct blk blk; /* first: a struct blk * that comes in is a struct mask * */
	struct blk *below;
	struct mask_kind kind;
};

static struct mask *mask_of(struct blk *blk)
{
	return (struct mask *)blk;
}

/* Makes zeros of what is unused in `len` bytes that were read at `offset`. */
static void clear_unused(const struct mask *mask, uint64_t offset, uint8_t *bytes, size_t len)
{
	uint64_t n;

	for (size_t at = 0; at < len; at += (size_t)n) {
		bool unused = mask->kind.unused(mask->kind.user, offset + at, &n);

		n = min_u64(n, len - at);
		if (unused)
			memset(bytes + at, 0, (size_t)n);
	}
}

static enum status mask_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	const struct mask *mask = mask_of(blk);
	uint8_t *bytes = buf;
	enum status st = ST_OK;

	for (uint64_t n; st == ST_OK && len > 0; offset += n, bytes += n, len -= (size_t)n) {
		bool unused = used_map_unused(mask->kind.map, offset, &n);

		n = min_u64(n, len);
		if (unused) {
			memset(bytes, 0, (size_t)n);
			continue;
		}
		st = blk_read(mask->below, offset, bytes, (size_t)n);
		if (st == ST_OK)
			clear_unused(mask, offset, bytes, (size_t)n);
	}
	return st;
}

static enum status mask_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	const struct mask *mask = mask_of(blk);
	uint64_t n;

	if (!used_map_unused(mask->kind.map, offset, &n))
		return blk_extent_below(mask->below, offset, offset, min_u64(n, len), ret);
	*ret = (struct extent){
		.length = n, .allocated = true, .zero = true, .has_offset = true, .offset = offset
	};
	return ST_OK;
}

static enum status mask_flush(struct blk *blk)
{
	return blk_flush(mask_of(blk)->below);
}

static void mask_close(struct blk *blk)
{
	if (mask_of(blk)->kind.owns)
		blk_close(mask_of(blk)->below);
	mem_free(blk);
}

struct blk *mask_open(struct blk *below, const struct mask_kind *kind)
{
	static const struct blk_ops ops = {
		.read = mask_read,
		.extent = mask_extent,
		.flush = mask_flush,
		.close = mask_close,
	};
	struct mask *mask = mem_alloc(sizeof *mask);

	CHECK(kind->map->disk_bytes == below->size && USED_GRANULE % below->block_bytes == 0);
	if (mask == NULL)
		return NULL;
	mask->blk = (struct blk){
		.ops = &ops,
		.size = below->size,
		.block_bytes = below->block_bytes,
		.buffer_align = below->buffer_align,
		.transfer_bytes = below->transfer_bytes,
		.zero_bytes = below->zero_bytes,
		.device = below->device,
		.sequential = below->sequential,
	};
	mask->below = below;
	mask->kind = *kind;
	return &mask->blk;
}
