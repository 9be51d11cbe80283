/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Writes a file once, from its beginning to its end.
 *
 * What is written goes to a buffer, which has the end of the file: [passed, size). When the buffer
 * is full, all but the last `kept` bytes of it are appended to the file, in one write per transfer
 * of the file, and are not written again. So the file below sees nothing but writes at its end,
 * which U-Boot's FAT driver does right, and it is never longer than what is final.
 *
 * There is no placeholder at the beginning, unlike in hold.c, because nothing can replace it. After
 * a power failure the file is a beginning of the image. Its last sector is written after a flush of
 * everything else, so that an image that is recognised by its end is complete.
 */
#include "blk/forward.h"

#include "base/memory.h"
#include "base/range.h"

/* a driver that truncates walks through the whole file for each write */
enum { PASSED_AT_ONCE = 1 << 20, READ_BYTES = 64 << 10, LAST_BYTES = 512 };

struct forward {
	struct blk blk; /* first: a struct blk * that comes in is a struct forward * */
	struct blk *file;
	uint8_t *bytes; /* [passed, blk.size) of the file */
	size_t room, kept;
	uint64_t passed, limit;
};

static struct forward *forward_of(struct blk *blk)
{
	return (struct forward *)blk;
}

static size_t n_held(const struct forward *forward)
{
	return (size_t)(forward->blk.size - forward->passed);
}

static enum status forward_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct forward *forward = forward_of(blk);
	uint64_t passed = forward->passed;
	size_t n = offset < passed ? (size_t)min_u64(len, passed - offset) : 0;
	enum status st = n > 0 ? blk_read(forward->file, offset, buf, n) : ST_OK;

	if (st == ST_OK && len > n)
		memcpy((uint8_t *)buf + n, forward->bytes + (size_t)(offset + n - passed), len - n);
	return st;
}

/* Appends the first `n` bytes in memory to the file. */
static enum status pass_on(struct forward *forward, size_t n)
{
	enum status st = blk_write(forward->file, forward->passed, forward->bytes, n);

	if (st != ST_OK)
		return st;
	memmove(forward->bytes, forward->bytes + n, n_held(forward) - n);
	forward->passed += n;
	return ST_OK;
}

static enum status forward_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct forward *forward = forward_of(blk);
	const uint8_t *from = buf;
	enum status st = ST_OK;

	if (offset < forward->passed)
		return ST_UNSUPPORTED;
	if (offset + len > forward->limit)
		return ST_TOO_LARGE;
	for (size_t n; st == ST_OK && len > 0; offset += n, from += n, len -= n) {
		if (offset - forward->passed == forward->room)
			st = pass_on(forward, forward->room - forward->kept);
		n = (size_t)min_u64(len, forward->room - (offset - forward->passed));
		if (st == ST_OK)
			memcpy(forward->bytes + (size_t)(offset - forward->passed), from, n);
		if (st == ST_OK)
			blk->size = max_u64(blk->size, offset + n);
	}
	return st;
}

static enum status forward_flush(struct blk *blk)
{
	return blk_flush(forward_of(blk)->file);
}

static enum status forward_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	(void)prealloc;
	if (size > blk->size)
		return blk_write_zeros(blk, blk->size, size - blk->size);
	if (size < forward_of(blk)->passed)
		return ST_UNSUPPORTED;
	blk->size = size;
	return ST_OK;
}

static void forward_close(struct blk *blk)
{
	struct forward *forward = forward_of(blk);

	blk_close(forward->file);
	io_free(forward->bytes, forward->room);
	mem_free(forward);
}

enum status forward_open(struct blk *file, const struct forward_kind *kind, struct blk **ret)
{
	static const struct blk_ops ops = {
		.read = forward_read,
		.write = forward_write,
		.flush = forward_flush,
		.resize = forward_resize,
		.close = forward_close,
	};
	struct forward *forward;

	if (kind->kept_bytes > SIZE_MAX / 4)
		return ST_NO_MEMORY;
	forward = mem_alloc(sizeof *forward);
	if (forward == NULL)
		return ST_NO_MEMORY;
	*forward = (struct forward){
		.blk = { .ops = &ops,
			 .block_bytes = 1,
			 .buffer_align = 1,
			 .transfer_bytes = file->transfer_bytes },
		.file = file,
		.kept = (size_t)kind->kept_bytes,
		/* what stays is moved each time: not more often than as much was written */
		.room = (size_t)(kind->kept_bytes + max_u64(kind->kept_bytes, PASSED_AT_ONCE)),
		.limit = kind->limit,
	};
	forward->bytes = io_alloc(forward->room);
	if (forward->bytes == NULL) {
		mem_free(forward);
		return ST_NO_MEMORY;
	}
	*ret = &forward->blk;
	return ST_OK;
}

/* Compares the end of the file with what is in memory. */
static enum status read_back(const struct forward *forward)
{
	uint8_t *read = io_alloc(READ_BYTES);
	size_t held = n_held(forward), n;
	enum status st = read != NULL ? ST_OK : ST_NO_MEMORY;

	for (size_t at = 0; st == ST_OK && at < held; at += n) {
		n = (size_t)min_u64(READ_BYTES, held - at);
		st = blk_read(forward->file, forward->passed + at, read, n);
		if (st == ST_OK && memcmp(read, forward->bytes + at, n) != 0)
			st = ST_MISMATCH;
	}
	io_free(read, READ_BYTES);
	return st;
}

/* Writes and flushes `n` bytes from the `at`-th on of those in memory. */
static enum status write_held(struct forward *forward, size_t at, size_t n)
{
	enum status st = n > 0 ? blk_write(forward->file, forward->passed + at, forward->bytes + at,
					   n)
			       : ST_OK;

	return st == ST_OK ? blk_flush(forward->file) : st;
}

enum status forward_release(struct blk *blk)
{
	struct forward *forward = forward_of(blk);
	size_t held = n_held(forward), last = (size_t)min_u64(held, LAST_BYTES);
	enum status st = write_held(forward, 0, held - last);

	if (st == ST_OK)
		st = write_held(forward, held - last, last);
	if (st == ST_OK)
		st = read_back(forward);
	if (st == ST_OK)
		forward->passed = blk->size;
	return st;
}
