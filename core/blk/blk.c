/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is the same for every kind of blk: ranges are checked against the size before a driver sees
 * them; long transfers are cut into those that a device takes; what is not made of whole blocks, or
 * lies in a buffer that the device cannot use, goes through a bounce buffer. A kind of blk can then
 * be written down to its own work.
 *
 * The bounce buffer is allocated for each call and holds at most one transfer. Writing part of a
 * block reads that block first and writes it back whole, so that the bytes around the range stay; a
 * power failure between the two writes of one range leaves the first one done.
 *
 * Nothing is cached, retried or reordered here.
 */
#include "blk/blk.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "platform/person.h"

/*
 * Zeros are written in pieces of this size: large enough for full speed, small enough to stop
 * within a second.
 */
enum { ZEROS_BYTES = 1 << 20 };

static bool fits_device(const struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	uint64_t mask = blk->block_bytes - 1;

	return (offset & mask) == 0 && (len & mask) == 0 &&
	       ((uintptr_t)buf & (blk->buffer_align - 1)) == 0;
}

static enum status read_aligned(struct blk *blk, uint64_t offset, uint8_t *buf, size_t len)
{
	while (len > 0) {
		size_t n = (size_t)min_u64(len, blk->transfer_bytes);
		enum status st = blk->ops->read(blk, offset, buf, n);

		if (st != ST_OK)
			return st;
		offset += n;
		buf += n;
		len -= n;
	}
	return ST_OK;
}

/* Reads through a buffer that the device can use. */
static enum status read_bounced(struct blk *blk, uint64_t offset, uint8_t *buf, size_t len)
{
	size_t bounce_bytes = (size_t)min_u64(blk->transfer_bytes,
					      round_up(len, blk->block_bytes) + blk->block_bytes);
	uint8_t *bounce = io_alloc(bounce_bytes);
	enum status st = ST_OK;

	if (bounce == NULL)
		return ST_NO_MEMORY;
	while (st == ST_OK && len > 0) {
		uint64_t start = round_down(offset, blk->block_bytes);
		size_t skip = (size_t)(offset - start);
		size_t span = (size_t)min_u64(round_up(skip + len, blk->block_bytes), bounce_bytes);
		size_t n = (size_t)min_u64(span - skip, len);

		st = blk->ops->read(blk, start, bounce, span);
		if (st == ST_OK)
			memcpy(buf, bounce + skip, n);
		offset += n;
		buf += n;
		len -= n;
	}
	io_free(bounce, bounce_bytes);
	return st;
}

enum status blk_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	if (!range_ok(offset, len, blk->size))
		return ST_INVALID;
	if (len == 0)
		return ST_OK;
	if (fits_device(blk, offset, buf, len))
		return read_aligned(blk, offset, buf, len);
	return read_bounced(blk, offset, buf, len);
}

enum status blk_read_padded(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	size_t inside = offset < blk->size ? (size_t)min_u64(len, blk->size - offset) : 0;

	memset((uint8_t *)buf + inside, 0, len - inside);
	return inside > 0 ? blk_read(blk, offset, buf, inside) : ST_OK;
}

/*
 * Makes [offset, offset + len) writable: it lies in the blk, or begins at the end or before the end
 * of a blk that can grow.
 */
static enum status prepare_write(struct blk *blk, uint64_t offset, uint64_t len)
{
	uint64_t end;

	if (blk->ops->write == NULL)
		return ST_READ_ONLY;
	if (!add_ok(offset, len, &end))
		return ST_INVALID;
	if (end <= blk->size)
		return ST_OK;
	if (blk->ops->resize == NULL)
		return ST_INVALID;
	if (end > SIZE_LIMIT)
		return ST_TOO_LARGE;
	return len > 0 && offset > blk->size ? blk->ops->resize(blk, offset, PREALLOC_OFF) : ST_OK;
}

static enum status write_aligned(struct blk *blk, uint64_t offset, const uint8_t *buf, size_t len)
{
	enum status st = ST_OK;

	while (st == ST_OK && len > 0) {
		size_t n = (size_t)min_u64(len, blk->transfer_bytes);

		st = blk->ops->write(blk, offset, buf, n);
		offset += n;
		buf += n;
		len -= n;
	}
	return st;
}

/* Reads the blocks at both ends of a span of which a write covers only [skip, skip + n). */
static enum status read_ends(struct blk *blk, uint64_t start, uint8_t *span, size_t span_bytes,
			     size_t skip, size_t n)
{
	size_t block = blk->block_bytes, last = span_bytes - block;
	bool at_end = skip + n < span_bytes;
	enum status st = ST_OK;

	if (skip > 0 || (at_end && last == 0))
		st = blk->ops->read(blk, start, span, block);
	if (st == ST_OK && at_end && last > 0)
		st = blk->ops->read(blk, start + last, span + last, block);
	return st;
}

/*
 * Writes through a buffer that the device can use; of blocks that are not all written, the rest is
 * kept.
 */
static enum status write_bounced(struct blk *blk, uint64_t offset, const uint8_t *buf, size_t len)
{
	size_t bounce_bytes = (size_t)min_u64(blk->transfer_bytes,
					      round_up(len, blk->block_bytes) + blk->block_bytes);
	uint8_t *bounce = io_alloc(bounce_bytes);
	enum status st = ST_OK;

	if (bounce == NULL)
		return ST_NO_MEMORY;
	while (st == ST_OK && len > 0) {
		uint64_t start = round_down(offset, blk->block_bytes);
		size_t skip = (size_t)(offset - start);
		size_t span = (size_t)min_u64(round_up(skip + len, blk->block_bytes), bounce_bytes);
		size_t n = (size_t)min_u64(span - skip, len);

		st = read_ends(blk, start, bounce, span, skip, n);
		memcpy(bounce + skip, buf, n);
		if (st == ST_OK)
			st = blk->ops->write(blk, start, bounce, span);
		offset += n;
		buf += n;
		len -= n;
	}
	io_free(bounce, bounce_bytes);
	return st;
}

enum status blk_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	enum status st = prepare_write(blk, offset, len);

	if (st != ST_OK || len == 0)
		return st;
	if (fits_device(blk, offset, buf, len))
		return write_aligned(blk, offset, buf, len);
	return write_bounced(blk, offset, buf, len);
}

static enum status write_zeros(struct blk *blk, uint64_t offset, uint64_t len)
{
	size_t piece = (size_t)min_u64(len, ZEROS_BYTES);
	uint8_t *zeros = io_alloc(piece);
	enum status st = ST_OK;

	if (zeros == NULL)
		return ST_NO_MEMORY;
	memset(zeros, 0, piece);
	while (st == ST_OK && len > 0) {
		size_t n = (size_t)min_u64(len, piece);

		st = platform_cancelled() ? ST_CANCELLED : blk_write(blk, offset, zeros, n);
		offset += n;
		len -= n;
	}
	io_free(zeros, piece);
	return st;
}

enum status blk_write_zeros(struct blk *blk, uint64_t offset, uint64_t len)
{
	enum status st;

	if (len == 0)
		return ST_OK;
	st = prepare_write(blk, offset, len);
	if (st == ST_OK)
		st = blk->ops->zero != NULL ? blk->ops->zero(blk, offset, len) : ST_UNSUPPORTED;
	return st == ST_UNSUPPORTED ? write_zeros(blk, offset, len) : st;
}

enum status blk_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	enum status st;

	if (len == 0 || !range_ok(offset, len, blk->size))
		return ST_INVALID;
	if (blk->ops->extent == NULL) {
		*ret = (struct extent){ .length = len,
					.allocated = true,
					.data = true,
					.has_offset = true,
					.offset = offset };
		return ST_OK;
	}
	st = blk->ops->extent(blk, offset, len, ret);
	CHECK(st != ST_OK || ret->length > 0);
	if (st == ST_OK)
		ret->length = min_u64(ret->length, len);
	return st;
}

enum status blk_extent_below(struct blk *below, uint64_t below_offset, uint64_t offset,
			     uint64_t len, struct extent *ret)
{
	struct extent extent;
	enum status st = blk_extent(below, below_offset, len, &extent);

	if (st == ST_OK)
		*ret = (struct extent){ .length = extent.length,
					.allocated = true,
					.zero = extent.zero,
					.data = extent.data || !extent.zero,
					.has_offset = true,
					.offset = offset };
	return st;
}

enum status blk_flush(struct blk *blk)
{
	enum status st;

	/* A flush may make tables and files longer by zeros, and is never stopped by halves. */
	platform_cancel_defer();
	st = blk->ops->flush != NULL ? blk->ops->flush(blk) : ST_OK;
	platform_cancel_allow();
	return st;
}

enum status blk_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	if (blk->ops->write == NULL)
		return ST_READ_ONLY;
	if (blk->ops->resize == NULL)
		return size == blk->size ? ST_OK : ST_UNSUPPORTED;
	if (size > SIZE_LIMIT)
		return ST_TOO_LARGE;
	return blk->ops->resize(blk, size, prealloc);
}

enum status blk_allocated(struct blk *blk, uint64_t *ret_bytes)
{
	if (blk->ops->allocated != NULL)
		return blk->ops->allocated(blk, ret_bytes);
	*ret_bytes = blk->size;
	return ST_OK;
}

void blk_close(struct blk *blk)
{
	if (blk != NULL)
		blk->ops->close(blk);
}
