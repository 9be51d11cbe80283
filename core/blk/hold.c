#include "blk/hold.h"

#include "base/memory.h"
#include "base/platform.h"
#include "base/range.h"
#include "base/zero.h"

struct hold {
	struct blk blk; /* first: a struct blk * that comes in is a struct hold * */
	struct blk *file;
	uint8_t *kept;
	uint8_t *read; /* what was written, to compare it; before that, any zeros */
	size_t n;
	bool released;
	bool may_begin; /* the very first sector may be there, although the release has failed */
};

static struct hold *hold_of(struct blk *blk)
{
	return (struct hold *)blk;
}

static enum status hold_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct hold *hold = hold_of(blk);
	enum status st = blk_read(hold->file, offset, buf, len);

	if (st == ST_OK && !hold->released && offset < hold->n)
		memcpy(buf, hold->kept + offset, (size_t)min_u64(len, hold->n - offset));
	return st;
}

/* There are zeros where the first bytes will be. Being stopped is no reason not to write them: a map or a journal is written then. */
static enum status grow(struct hold *hold, uint64_t size)
{
	size_t n = (size_t)(size - hold->file->size);

	memset(hold->read, 0, n);
	return blk_write(hold->file, hold->file->size, hold->read, n);
}

static enum status hold_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct hold *hold = hold_of(blk);
	const uint8_t *from = buf;
	enum status st = ST_OK;

	if (!hold->released && offset < hold->n) {
		size_t n = (size_t)min_u64(len, hold->n - offset);

		memcpy(hold->kept + offset, from, n);
		if (offset + n > hold->file->size)
			st = grow(hold, offset + n);
		offset += n;
		from += n;
		len -= n;
	}
	if (st == ST_OK && len > 0)
		st = blk_write(hold->file, offset, from, len);
	blk->size = hold->file->size;
	return st;
}

static enum status hold_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	struct hold *hold = hold_of(blk);

	if (!hold->released && offset < hold->n) {
		size_t n = (size_t)min_u64(len, hold->n - offset);

		memset(hold->kept + offset, 0, n);
		offset += n;
		len -= n;
	}
	return blk_write_zeros(hold->file, offset, len);
}

static enum status hold_flush(struct blk *blk)
{
	return blk_flush(hold_of(blk)->file);
}

static enum status hold_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	enum status st = blk_resize(hold_of(blk)->file, size, prealloc);

	blk->size = hold_of(blk)->file->size;
	return st;
}

static enum status hold_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	const struct hold *hold = hold_of(blk);

	if (hold->released || offset >= hold->n)
		return blk_extent(hold->file, offset, len, ret);
	*ret = (struct extent){ .length = min_u64(len, hold->n - offset), .allocated = true, .data = true, .has_offset = true, .offset = offset };
	return ST_OK;
}

static enum status hold_allocated(struct blk *blk, uint64_t *ret)
{
	return blk_allocated(hold_of(blk)->file, ret);
}

static void hold_close(struct blk *blk)
{
	blk_close(hold_of(blk)->file);
	io_free(hold_of(blk)->kept, hold_of(blk)->n);
	io_free(hold_of(blk)->read, hold_of(blk)->n);
	mem_free(blk);
}

/*
 * Zeros where something is that must not be recognised any more. They are written, so that a disk that cannot be is found now.
 * Some drivers hide that a write has failed.
 */
static enum status wipe(struct blk *file, uint8_t *read, size_t n)
{
	enum status st;

	n = (size_t)min_u64(n, file->size);
	memset(read, 0, n);
	st = blk_write(file, 0, read, n);
	if (st == ST_OK && n > 0)
		st = blk_flush(file);
	if (st == ST_OK)
		st = blk_read(file, 0, read, n);
	return st == ST_OK && !is_zero(read, n) ? ST_MISMATCH : st;
}

enum status hold_open(struct blk *file, size_t n, struct blk **ret)
{
	static const struct blk_ops ops = {
		.read = hold_read,
		.write = hold_write,
		.extent = hold_extent,
		.flush = hold_flush,
		.resize = hold_resize,
		.allocated = hold_allocated,
		.close = hold_close,
	};
	static const struct blk_ops of_fixed_size = {
		.read = hold_read,
		.write = hold_write,
		.zero = hold_zero,
		.flush = hold_flush,
		.close = hold_close,
	};
	struct hold *hold = mem_alloc(sizeof *hold);
	uint8_t *kept = io_alloc(n), *read = io_alloc(n);
	enum status st = hold != NULL && kept != NULL && read != NULL ? wipe(file, read, n) : ST_NO_MEMORY;

	if (st != ST_OK) {
		io_free(kept, n);
		io_free(read, n);
		mem_free(hold);
		return st;
	}
	memset(kept, 0, n);
	hold->blk = (struct blk){
		.ops = file->ops->resize != NULL ? &ops : &of_fixed_size,
		.size = file->size,
		.block_bytes = file->block_bytes,
		.buffer_align = file->buffer_align,
		.transfer_bytes = file->transfer_bytes,
		.zero_bytes = file->zero_bytes,
	};
	hold->file = file;
	hold->kept = kept;
	hold->read = read;
	hold->n = n;
	*ret = &hold->blk;
	return ST_OK;
}

/* Writes what was kept back of [from, to), as far as the file goes, flushes it and reads it back. */
static enum status give(struct hold *hold, size_t from, size_t to)
{
	size_t end = (size_t)min_u64(to, hold->file->size), n = end > from ? end - from : 0;
	enum status st = n > 0 ? blk_write(hold->file, from, hold->kept + from, n) : ST_OK;

	if (st == ST_OK)
		st = blk_flush(hold->file);
	if (st == ST_OK && n > 0)
		st = blk_read(hold->file, from, hold->read + from, n);
	return st == ST_OK && memcmp(hold->kept + from, hold->read + from, n) != 0 ? ST_MISMATCH : st;
}

enum status hold_release(struct blk *blk)
{
	struct hold *hold = hold_of(blk);
	size_t first = (size_t)min_u64(round_up(HOLD_IMAGE_BYTES, blk->block_bytes), hold->n);
	enum status st = blk_flush(hold->file);

	if (hold->released)
		return st;
	if (st == ST_OK && hold->n > first)
		st = give(hold, first, hold->n);
	if (st == ST_OK) {
		st = give(hold, 0, first);
		hold->may_begin = st != ST_OK && wipe(hold->file, hold->read, first) != ST_OK;
	}
	hold->released = st == ST_OK;
	return st;
}

bool hold_may_begin(struct blk *blk)
{
	return hold_of(blk)->may_begin;
}
