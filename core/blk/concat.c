/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Several blks, one after the other. Each part begins where the limit of the one before it ends,
 * not where its contents end: so the place of a byte never changes while the blk grows and shrinks,
 * and is found by a binary search.
 *
 * Whoever reads the parts later, after a power failure perhaps, knows the order of the bytes only
 * from the lengths of the parts. Therefore the order of writes matters where a part ends: a part is
 * full and flushed before the next one becomes longer than 0, and a part is empty and flushed
 * before the one before it becomes shorter.
 */
#include "blk/concat.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"

struct part {
	struct blk *blk;
	uint64_t start, limit; /* bytes; the part begins at `start` of the whole */
	bool dirty;            /* written to since its last flush */
};

struct concat {
	struct blk blk; /* first: a struct blk * that comes in is a struct concat * */
	struct part *part;
	size_t n, capacity;
};

static struct concat *concat_of(struct blk *blk)
{
	return (struct concat *)blk;
}

/* The index of the last part that begins at or before `offset`. */
static size_t part_at(const struct concat *concat, uint64_t offset)
{
	size_t low = 0, high = concat->n;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (concat->part[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* What of a range lies in one part. */
struct piece {
	struct part *part;
	uint64_t at; /* in the part */
	uint64_t length;
};

static struct piece piece_of(const struct concat *concat, uint64_t offset, uint64_t len)
{
	struct part *part = &concat->part[part_at(concat, offset)];
	uint64_t at = offset - part->start;

	return (struct piece){ part, at, min_u64(len, part->limit - at) };
}

static enum status concat_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	uint8_t *to = buf;
	enum status st = ST_OK;

	while (st == ST_OK && len > 0) {
		struct piece piece = piece_of(concat_of(blk), offset, len);

		st = blk_read(piece.part->blk, piece.at, to, (size_t)piece.length);
		offset += piece.length;
		to += piece.length;
		len -= (size_t)piece.length;
	}
	return st;
}

static enum status flush_part(struct part *part)
{
	enum status st = part->dirty ? blk_flush(part->blk) : ST_OK;

	part->dirty = part->dirty && st != ST_OK;
	return st;
}

/* Before a part changes: if it is empty, the part before it, which is full, is flushed. */
static enum status begin_change(struct concat *concat, struct part *part)
{
	enum status st = ST_OK;

	if (part > concat->part && part->blk->size == 0)
		st = flush_part(part - 1);
	part->dirty = part->dirty || st == ST_OK;
	return st;
}

/* After a part has got bytes: the whole ends where the part does, or later. */
static void take_size(struct concat *concat, const struct part *part)
{
	if (part->blk->size > 0)
		concat->blk.size = max_u64(concat->blk.size, part->start + part->blk->size);
}

static enum status concat_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct concat *concat = concat_of(blk);
	const uint8_t *from = buf;
	enum status st = ST_OK;

	while (st == ST_OK && len > 0) {
		struct piece piece = piece_of(concat, offset, len);

		if (piece.length == 0)
			return ST_NO_SPACE;
		st = begin_change(concat, piece.part);
		if (st == ST_OK)
			st = blk_write(piece.part->blk, piece.at, from, (size_t)piece.length);
		take_size(concat, piece.part);
		offset += piece.length;
		from += piece.length;
		len -= (size_t)piece.length;
	}
	return st;
}

static enum status concat_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	struct concat *concat = concat_of(blk);
	enum status st = ST_OK;

	while (st == ST_OK && len > 0) {
		struct piece piece = piece_of(concat, offset, len);

		if (piece.length == 0)
			return ST_NO_SPACE;
		st = begin_change(concat, piece.part);
		if (st == ST_OK)
			st = blk_write_zeros(piece.part->blk, piece.at, piece.length);
		take_size(concat, piece.part);
		offset += piece.length;
		len -= piece.length;
	}
	return st;
}

static enum status concat_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	struct piece piece = piece_of(concat_of(blk), offset, len);

	return blk_extent_below(piece.part->blk, piece.at, offset, piece.length, ret);
}

static enum status concat_flush(struct blk *blk)
{
	struct concat *concat = concat_of(blk);
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < concat->n; i++) {
		struct part *part = &concat->part[i];

		/* A device that is open for reading is flushed, too: see blk_flush(). */
		st = part->blk->ops->write != NULL ? flush_part(part) : blk_flush(part->blk);
	}
	return st;
}

static enum status grow(struct concat *concat, uint64_t size, enum prealloc prealloc)
{
	enum status st = ST_OK;

	for (size_t i = part_at(concat, concat->blk.size); st == ST_OK && concat->blk.size < size;
	     i++) {
		struct part *part = &concat->part[i];

		if (i == concat->n)
			return ST_NO_SPACE;
		st = begin_change(concat, part);
		if (st == ST_OK)
			st = blk_resize(part->blk, min_u64(size - part->start, part->limit),
					prealloc);
		take_size(concat, part);
	}
	return st;
}

static enum status shrink(struct concat *concat, uint64_t size)
{
	size_t last = part_at(concat, size);
	enum status st = ST_OK;

	for (size_t i = concat->n; st == ST_OK && i-- > last;) {
		struct part *part = &concat->part[i];
		uint64_t left = i > last ? 0 : size - part->start;

		if (part->blk->size > left)
			st = blk_resize(part->blk, left, PREALLOC_OFF);
		if (st == ST_OK)
			st = blk_flush(part->blk);
		concat->blk.size = min_u64(concat->blk.size, part->start + part->blk->size);
	}
	return st;
}

static enum status concat_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	return size < blk->size ? shrink(concat_of(blk), size)
				: grow(concat_of(blk), size, prealloc);
}

static enum status concat_allocated(struct blk *blk, uint64_t *ret)
{
	const struct concat *concat = concat_of(blk);
	enum status st = ST_OK;

	*ret = 0;
	for (size_t i = 0; st == ST_OK && i < concat->n; i++) {
		uint64_t bytes = 0;

		st = blk_allocated(concat->part[i].blk, &bytes);
		*ret += bytes;
	}
	return st;
}

static void concat_close(struct blk *blk)
{
	struct concat *concat = concat_of(blk);

	for (size_t i = 0; i < concat->n; i++)
		blk_close(concat->part[i].blk);
	mem_free(concat->part);
	mem_free(concat);
}

static enum status make_room(struct concat *concat, size_t n)
{
	struct part *more;

	if (n <= concat->capacity)
		return ST_OK;
	n = (size_t)max_u64(n, 2 * concat->capacity);
	more = mem_alloc(n * sizeof *more);
	if (more == NULL)
		return ST_NO_MEMORY;
	if (concat->n > 0)
		memcpy(more, concat->part, concat->n * sizeof *more);
	mem_free(concat->part);
	concat->part = more;
	concat->capacity = n;
	return ST_OK;
}

/* Adds a part that there is room for. */
static void add(struct concat *concat, const struct concat_part *new)
{
	const struct part *before = concat->n > 0 ? &concat->part[concat->n - 1] : NULL;
	struct part *part = &concat->part[concat->n++];
	const struct blk *blk = new->blk;

	*part = (struct part){ .blk = new->blk,
			       .start = before != NULL ? before->start + before->limit : 0,
			       .limit = new->limit };
	CHECK(blk->size <= part->limit && part->start + part->limit >= part->start);
	CHECK(blk->size == 0 || before == NULL || before->blk->size == before->limit);
	concat->blk.transfer_bytes = (uint32_t)min_u64(concat->blk.transfer_bytes,
						       blk->transfer_bytes);
	concat->blk.zero_bytes = (uint32_t)max_u64(concat->blk.zero_bytes, blk->zero_bytes);
	concat->blk.parallel_reads = concat->blk.parallel_reads && blk->parallel_reads;
	concat->blk.sequential = concat->blk.sequential || blk->sequential;
	take_size(concat, part);
}

enum status concat_append(struct blk *blk, const struct concat_part *part)
{
	struct concat *concat = concat_of(blk);
	enum status st = make_room(concat, concat->n + 1);

	if (st == ST_OK)
		add(concat, part);
	return st;
}

void concat_drop_last(struct blk *blk)
{
	struct concat *concat = concat_of(blk);

	CHECK(concat->n > 1 && concat->part[concat->n - 1].blk->size == 0);
	blk_close(concat->part[--concat->n].blk);
}

static const struct blk_ops *ops_for(const struct concat_part *part, size_t n)
{
	static const struct blk_ops for_reading = {
		.read = concat_read,
		.extent = concat_extent,
		.flush = concat_flush,
		.allocated = concat_allocated,
		.close = concat_close,
	};
	static const struct blk_ops of_fixed_size = {
		.read = concat_read,
		.write = concat_write,
		.zero = concat_zero,
		.extent = concat_extent,
		.flush = concat_flush,
		.allocated = concat_allocated,
		.close = concat_close,
	};
	static const struct blk_ops growing = {
		.read = concat_read,
		.write = concat_write,
		.zero = concat_zero,
		.extent = concat_extent,
		.flush = concat_flush,
		.resize = concat_resize,
		.allocated = concat_allocated,
		.close = concat_close,
	};

	for (size_t i = 0; i < n; i++)
		if (part[i].blk->ops->write == NULL)
			return &for_reading;
	return part[n - 1].blk->ops->resize != NULL ? &growing : &of_fixed_size;
}

enum status concat_open(const struct concat_part *part, size_t n, struct blk **ret)
{
	struct concat *concat = mem_alloc(sizeof *concat);

	if (concat == NULL || make_room(concat, n) != ST_OK) {
		mem_free(concat);
		return ST_NO_MEMORY;
	}
	concat->blk = (struct blk){
		.ops = ops_for(part, n),
		.block_bytes = 1,
		.buffer_align = 1,
		.transfer_bytes = part[0].blk->transfer_bytes,
		.parallel_reads = true,
	};
	for (size_t i = 0; i < n; i++)
		add(concat, &part[i]);
	*ret = &concat->blk;
	return ST_OK;
}
