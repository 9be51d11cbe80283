#include "blk/hold.h"

#include "base/memory.h"
#include "base/platform.h"
#include "base/range.h"

struct hold {
	struct blk blk; /* first: a struct blk * that comes in is a struct hold * */
	struct blk *file;
	uint8_t sector[HOLD_BYTES];
	bool released;
};

static struct hold *hold_of(struct blk *blk)
{
	return (struct hold *)blk;
}

static enum status hold_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct hold *hold = hold_of(blk);
	enum status st = blk_read(hold->file, offset, buf, len);

	if (st == ST_OK && !hold->released && offset < HOLD_BYTES)
		memcpy(buf, hold->sector + offset, (size_t)min_u64(len, HOLD_BYTES - offset));
	return st;
}

static enum status hold_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct hold *hold = hold_of(blk);
	const uint8_t *from = buf;
	enum status st = ST_OK;

	if (!hold->released && offset < HOLD_BYTES) {
		size_t n = (size_t)min_u64(len, HOLD_BYTES - offset);

		memcpy(hold->sector + offset, from, n);
		if (offset + n > hold->file->size)
			st = blk_write_zeros(hold->file, hold->file->size, offset + n - hold->file->size);
		offset += n;
		from += n;
		len -= n;
	}
	if (st == ST_OK && len > 0)
		st = blk_write(hold->file, offset, from, len);
	blk->size = hold->file->size;
	return st;
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
	return blk_extent(hold_of(blk)->file, offset, len, ret);
}

static enum status hold_allocated(struct blk *blk, uint64_t *ret)
{
	return blk_allocated(hold_of(blk)->file, ret);
}

static void hold_close(struct blk *blk)
{
	blk_close(hold_of(blk)->file);
	mem_free(blk);
}

struct blk *hold_open(struct blk *file)
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
	struct hold *hold = mem_alloc(sizeof *hold);

	if (hold == NULL)
		return NULL;
	hold->blk = (struct blk){
		.ops = &ops,
		.size = file->size,
		.block_bytes = file->block_bytes,
		.buffer_align = file->buffer_align,
		.transfer_bytes = file->transfer_bytes,
	};
	hold->file = file;
	return &hold->blk;
}

enum status hold_release(struct blk *blk)
{
	struct hold *hold = hold_of(blk);
	enum status st = blk_flush(hold->file);

	if (st == ST_OK && !hold->released && hold->file->size > 0)
		st = blk_write(hold->file, 0, hold->sector, (size_t)min_u64(HOLD_BYTES, hold->file->size));
	if (st == ST_OK)
		st = blk_flush(hold->file);
	hold->released = hold->released || st == ST_OK;
	return st;
}
