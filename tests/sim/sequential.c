/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A test double for sources that are read in one direction. It counts the bytes that a stream would
 * have to decompress: from the end of the last read, or anew from offset 0 for a read before it.
 */
#include "sequential.h"

#include "base/check.h"
#include "base/memory.h"

struct sequential {
	struct blk blk; /* first: a struct blk * that comes in is a struct sequential * */
	struct blk *below;
	uint64_t position; /* the end of the last read */
};

static uint64_t n_allowed, n_passed;

void sequential_allow(uint64_t n)
{
	n_allowed = n;
	n_passed = 0;
}

uint64_t sequential_passed(void)
{
	return n_passed;
}

static enum status sequential_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct sequential *stream = (struct sequential *)blk;

	n_passed += offset + len - (offset >= stream->position ? stream->position : 0);
	if (n_passed > n_allowed)
		return ST_UNSUPPORTED;
	stream->position = offset + len;
	return blk_read(stream->below, offset, buf, len);
}

static void sequential_close(struct blk *blk)
{
	blk_close(((struct sequential *)blk)->below);
	mem_free(blk);
}

struct blk *sequential_open(struct blk *below)
{
	static const struct blk_ops ops = { .read = sequential_read, .close = sequential_close };
	struct sequential *stream = mem_alloc(sizeof *stream);

	CHECK(stream != NULL);
	stream->blk = (struct blk){ .ops = &ops,
				    .size = below->size,
				    .block_bytes = 1,
				    .buffer_align = 1,
				    .transfer_bytes = below->transfer_bytes,
				    .sequential = true };
	stream->below = below;
	return &stream->blk;
}
