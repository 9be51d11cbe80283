/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A test double for sources that are read in one direction. Skipping forward is free here, as it is
 * not in a real stream; what is counted is how often the whole stream would be decompressed again.
 */
#include "sequential.h"

#include "base/check.h"
#include "base/memory.h"

struct sequential {
	struct blk blk; /* first: a struct blk * that comes in is a struct sequential * */
	struct blk *below;
	uint64_t position; /* the end of the last read */
};

static unsigned n_allowed, n_restarts;

void sequential_allow(unsigned n)
{
	n_allowed = n;
	n_restarts = 0;
}

unsigned sequential_restarts(void)
{
	return n_restarts;
}

static enum status sequential_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct sequential *stream = (struct sequential *)blk;

	if (offset < stream->position && ++n_restarts > n_allowed)
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
