/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Holds back the first bytes of a file or disk that is being written, so that it is recognised only
 * when it is complete.
 *
 * Write order: the placeholder, flushed and read back; everything else, in any order; a flush; the
 * bytes held back after the first sector, flushed and read back; the first sector, flushed and read
 * back. After a power failure at any moment the first sector is the old one, the placeholder, or
 * the final one with everything else on the medium. This relies on the device: it writes a sector
 * whole or not at all, and a flush does what it says.
 *
 * When a copy is resumed, either the placeholder is on the medium already, or the file is not the
 * unfinished copy. So the placeholder is written only before the first write that is passed on;
 * until then the caller may find out which.
 */
#include "blk/hold.h"

#include "base/memory.h"
#include "base/range.h"
#include "blk/mark.h"

struct hold {
	struct blk blk; /* first: a struct blk * that comes in is a struct hold * */
	struct blk *file;
	uint8_t *kept;
	uint8_t *read; /* what was read back, to compare it */
	uint8_t *placeholder;
	size_t n;             /* of each */
	size_t n_placeholder; /* bytes of it that the file has, even if its contents are shorter */
	bool pending;         /* the placeholder is still to be written, before anything else */
	bool released;
	bool first_sector_uncertain; /* it may be on the medium, although the release has failed */
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

/* Writes the placeholder, flushes it, and reads it back: some drivers hide a failed write. */
static enum status write_placeholder(struct hold *hold, uint64_t bytes)
{
	size_t n = (size_t)max_u64(hold->n_placeholder, bytes);
	enum status st = n > 0 ? blk_write(hold->file, 0, hold->placeholder, n) : ST_OK;

	if (st == ST_OK && n > 0)
		st = blk_flush(hold->file);
	if (st == ST_OK)
		st = blk_read(hold->file, 0, hold->read, n);
	return st == ST_OK && memcmp(hold->read, hold->placeholder, n) != 0 ? ST_MISMATCH : st;
}

static enum status begin(struct hold *hold)
{
	enum status st = write_placeholder(hold, min_u64(hold->n, hold->file->size));

	hold->pending = hold->pending && st != ST_OK;
	return st;
}

/* Before a change is passed on to the file. */
static enum status before_change(struct hold *hold)
{
	return hold->pending ? begin(hold) : ST_OK;
}

/*
 * Makes the file at least `size` bytes long, as far as it is held back, by the rest of the
 * placeholder. Not by blk_resize(), which stops when the person stops the work: a map or a journal
 * is written at that very moment.
 */
static enum status grow(struct hold *hold, uint64_t size)
{
	uint64_t from = hold->file->size, to = min_u64(size, hold->n);
	enum status st = ST_OK;

	if (from < to)
		st = before_change(hold);
	if (st == ST_OK && from < to)
		st = blk_write(hold->file, from, hold->placeholder + from, (size_t)(to - from));
	return st;
}

/* While a file has the mark, it may be longer than what was written to it; the release cuts it. */
static void set_size(struct hold *hold, uint64_t written)
{
	uint64_t size = hold->file->size;

	if (!hold->released && size <= hold->n_placeholder)
		size = max_u64(hold->blk.size, min_u64(written, size));
	hold->blk.size = size;
}

static enum status hold_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct hold *hold = hold_of(blk);
	const uint8_t *from = buf;
	uint64_t end = offset + len;
	enum status st = hold->released ? ST_OK : grow(hold, end);

	if (!hold->released && offset < hold->n) {
		size_t n = (size_t)min_u64(len, hold->n - offset);

		memcpy(hold->kept + offset, from, n);
		offset += n;
		from += n;
		len -= n;
	}
	if (st == ST_OK && len > 0)
		st = before_change(hold);
	if (st == ST_OK && len > 0)
		st = blk_write(hold->file, offset, from, len);
	set_size(hold, end);
	return st;
}

static enum status hold_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	struct hold *hold = hold_of(blk);
	uint64_t end = offset + len;
	enum status st = hold->released ? ST_OK : grow(hold, end);

	if (!hold->released && offset < hold->n) {
		size_t n = (size_t)min_u64(len, hold->n - offset);

		memset(hold->kept + offset, 0, n);
		offset += n;
		len -= n;
	}
	if (st == ST_OK && len > 0)
		st = before_change(hold);
	if (st == ST_OK)
		st = blk_write_zeros(hold->file, offset, len);
	set_size(hold, end);
	return st;
}

static enum status hold_flush(struct blk *blk)
{
	return blk_flush(hold_of(blk)->file);
}

static enum status hold_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct hold *hold = hold_of(blk);
	enum status st = before_change(hold);

	if (st == ST_OK && !hold->released)
		st = grow(hold, size);
	if (st == ST_OK)
		st = blk_resize(hold->file,
				hold->released ? size : max_u64(size, hold->n_placeholder),
				prealloc);
	if (st == ST_OK && size < blk->size) {
		blk->size = size;
		if (size < hold->n)
			memset(hold->kept + size, 0, hold->n - (size_t)size);
	}
	set_size(hold, size);
	return st;
}

static enum status hold_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	const struct hold *hold = hold_of(blk);

	if (hold->released || offset >= hold->n)
		return blk_extent_below(hold->file, offset, offset, len, ret);
	*ret = (struct extent){ .length = min_u64(len, hold->n - offset),
				.allocated = true,
				.data = true,
				.has_offset = true,
				.offset = offset };
	return ST_OK;
}

static enum status hold_allocated(struct blk *blk, uint64_t *ret)
{
	return blk_allocated(hold_of(blk)->file, ret);
}

static void free_buffers(struct hold *hold)
{
	io_free(hold->kept, hold->n);
	io_free(hold->read, hold->n);
	io_free(hold->placeholder, hold->n);
	mem_free(hold);
}

static void hold_close(struct blk *blk)
{
	blk_close(hold_of(blk)->file);
	free_buffers(hold_of(blk));
}

static struct hold *make(struct blk *file, const struct hold_kind *kind)
{
	struct hold *hold = mem_alloc(sizeof *hold);

	if (hold == NULL)
		return NULL;
	hold->n = kind->bytes;
	hold->kept = io_alloc(hold->n);
	hold->read = io_alloc(hold->n);
	hold->placeholder = io_alloc(hold->n);
	if (hold->kept == NULL || hold->read == NULL || hold->placeholder == NULL) {
		free_buffers(hold);
		return NULL;
	}
	memset(hold->kept, 0, hold->n);
	memset(hold->placeholder, 0, hold->n);
	if (kind->mark != NULL) {
		memcpy(hold->placeholder, kind->mark, MARK_BYTES);
		hold->n_placeholder = MARK_BYTES;
	}
	hold->file = file;
	return hold;
}

enum status hold_open(struct blk *file, const struct hold_kind *kind, struct blk **ret)
{
	static const struct blk_ops ops = {
		.read = hold_read,
		.write = hold_write,
		.zero = hold_zero,
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
		.extent = hold_extent,
		.flush = hold_flush,
		.allocated = hold_allocated,
		.close = hold_close,
	};
	struct hold *hold = make(file, kind);
	uint64_t size = file->size; /* without the placeholder */
	enum status st = ST_OK;

	if (hold == NULL)
		return ST_NO_MEMORY;
	hold->pending = kind->resumes;
	if (!kind->resumes)
		st = begin(hold);
	if (st != ST_OK) {
		free_buffers(hold);
		return st;
	}
	hold->blk = (struct blk){
		.ops = file->ops->resize != NULL ? &ops : &of_fixed_size,
		.size = size,
		.block_bytes = file->block_bytes,
		.buffer_align = file->buffer_align,
		.transfer_bytes = file->transfer_bytes,
		.zero_bytes = file->zero_bytes,
		.device = file->device,
		.parallel_reads = file->parallel_reads,
	};
	*ret = &hold->blk;
	return ST_OK;
}

bool hold_untouched(struct blk *blk)
{
	return hold_of(blk)->pending;
}

/*
 * Writes what was held back of [from, to), as far as the contents go, and cuts off what is left of
 * the mark after them; flushes the file and reads the range back.
 */
static enum status write_held(struct hold *hold, size_t from, size_t to)
{
	size_t end = (size_t)min_u64(to, hold->blk.size), n = end > from ? end - from : 0;
	enum status st = n > 0 ? blk_write(hold->file, from, hold->kept + from, n) : ST_OK;

	if (st == ST_OK && hold->file->size > hold->blk.size)
		st = blk_resize(hold->file, hold->blk.size, PREALLOC_OFF);
	if (st == ST_OK)
		st = blk_flush(hold->file);
	if (st == ST_OK && n > 0)
		st = blk_read(hold->file, from, hold->read + from, n);
	return st == ST_OK && memcmp(hold->kept + from, hold->read + from, n) != 0 ? ST_MISMATCH
										   : st;
}

enum status hold_release(struct blk *blk)
{
	struct hold *hold = hold_of(blk);
	size_t first = (size_t)min_u64(round_up(HOLD_IMAGE_BYTES, blk->block_bytes), hold->n);
	enum status st = before_change(hold);

	if (st == ST_OK)
		st = blk_flush(hold->file);
	if (hold->released)
		return st;
	if (st == ST_OK && hold->n > first)
		st = write_held(hold, first, hold->n);
	if (st == ST_OK) {
		st = write_held(hold, 0, first);
		hold->first_sector_uncertain = st != ST_OK &&
					       write_placeholder(hold, min_u64(first,
									       hold->file->size)) !=
						       ST_OK;
	}
	hold->released = st == ST_OK;
	return st;
}

bool hold_first_sector_uncertain(struct blk *blk)
{
	return hold_of(blk)->first_sector_uncertain;
}
