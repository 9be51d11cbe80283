/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A blk over memory. Every member checks what blk/blk.h promises to it: whole blocks, aligned
 * buffers, bounded lengths, ranges inside the blk. Memory after the end is garbage, as on a FAT
 * volume, so that growth that does not write its zeros is seen.
 */
#include "memory_blk.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/range.h"

enum { GARBAGE = 0xaa };

static struct memory_blk *memory_of(struct blk *blk)
{
	return (struct memory_blk *)blk;
}

static enum status next_status(struct memory_blk *m)
{
	if (m->calls_to_failure == 0)
		return ST_OK;
	if (m->calls_to_failure > 1) {
		m->calls_to_failure--;
		return ST_OK;
	}
	return m->status;
}

static void check_contract(struct blk *blk, uint64_t offset, const void *buf, size_t len,
			   uint64_t limit)
{
	CHECK(offset % blk->block_bytes == 0 && len % blk->block_bytes == 0);
	CHECK((uintptr_t)buf % blk->buffer_align == 0);
	CHECK(len > 0 && len <= blk->transfer_bytes);
	CHECK(range_ok(offset, len, limit));
}

static enum status memory_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct memory_blk *m = memory_of(blk);
	enum status st = next_status(m);

	check_contract(blk, offset, buf, len, blk->size);
	m->n_reads++;
	if (st == ST_OK)
		memcpy(buf, m->bytes + offset, len);
	return st;
}

static enum status memory_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct memory_blk *m = memory_of(blk);
	enum status st = next_status(m);

	m->n_writes++;
	CHECK(offset <= blk->size);
	if (st == ST_OK && blk->ops->resize != NULL && !range_ok(offset, len, m->limit))
		return ST_NO_SPACE;
	check_contract(blk, offset, buf, len, max_u64(blk->size, m->limit));
	if (st != ST_OK)
		return st;
	memcpy(m->bytes + offset, buf, len);
	blk->size = max_u64(blk->size, offset + len);
	return ST_OK;
}

static enum status memory_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	struct memory_blk *m = memory_of(blk);
	enum status st = len < blk->zero_bytes ? ST_UNSUPPORTED : next_status(m);

	CHECK(range_ok(offset, len, blk->size));
	if (st != ST_OK)
		return st;
	m->n_zeros++;
	memset(m->bytes + offset, 0, len);
	return ST_OK;
}

static enum status memory_flush(struct blk *blk)
{
	memory_of(blk)->n_flushes++;
	return ST_OK;
}

static enum status memory_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct memory_blk *m = memory_of(blk);

	(void)prealloc; /* memory is always there */
	m->n_resizes++;
	if (size > m->limit)
		return ST_NO_SPACE;
	if (size > blk->size)
		memset(m->bytes + blk->size, 0, size - blk->size);
	else
		memset(m->bytes + size, GARBAGE, blk->size - size);
	blk->size = size;
	return ST_OK;
}

static void memory_close(struct blk *blk)
{
	free(memory_of(blk)->bytes);
	free(blk);
}

static const struct blk_ops for_reading = { .read = memory_read, .close = memory_close };
static const struct blk_ops of_fixed_size = {
	.read = memory_read,
	.write = memory_write,
	.flush = memory_flush,
	.close = memory_close,
};
static const struct blk_ops zeroing = {
	.read = memory_read,
	.write = memory_write,
	.zero = memory_zero,
	.flush = memory_flush,
	.close = memory_close,
};
static const struct blk_ops growing = {
	.read = memory_read,
	.write = memory_write,
	.flush = memory_flush,
	.resize = memory_resize,
	.close = memory_close,
};

struct memory_blk *memory_blk_new(const struct memory_blk_kind *kind)
{
	struct memory_blk *m = calloc(1, sizeof *m);
	uint64_t capacity = max_u64(kind->size, kind->limit);

	m->blk.ops = !kind->writable        ? &for_reading
		     : kind->limit > 0      ? &growing
		     : kind->zero_bytes > 0 ? &zeroing
					    : &of_fixed_size;
	m->blk.zero_bytes = kind->zero_bytes;
	m->blk.size = kind->size;
	m->blk.block_bytes = kind->block_bytes > 0 ? kind->block_bytes : 1;
	m->blk.buffer_align = kind->buffer_align > 0 ? kind->buffer_align : 1;
	m->blk.transfer_bytes = kind->transfer_bytes > 0 ? kind->transfer_bytes : 65536;
	m->limit = kind->limit;
	m->bytes = malloc(capacity + 1);
	memset(m->bytes, 0, kind->size);
	memset(m->bytes + kind->size, GARBAGE, capacity - kind->size);
	return m;
}
