/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Disks in blocks (core/format/block_map.c), on a file whose calls fail, and whose unflushed bytes
 * are lost when a flush fails: what is read is what was written; what the medium has after every
 * call is, byte by byte, what was flushed or was written since; after a failed flush the table is
 * not written any more.
 */
#include "unit.h"

#include "base/range.h"
#include "format/block_map.h"
#include "format/image.h"

enum { BLOCK = 96, N_BLOCKS = 7, DISK = N_BLOCKS * BLOCK - 32, FILE_MAX = 1 << 16 };
enum { PLACE_NONE = 0, PLACE_ZERO = 1, PLACE_PACKED = 1 << 30, FIRST_PLACE = 64 };

/* ---- a file ---- */

static struct {
	struct blk blk;
	uint8_t bytes[FILE_MAX], durable[FILE_MAX];
	uint64_t durable_size;
	unsigned calls_to_failure; /* 1: the next; 0: never */
	bool failed_flush;
} f;

/* The table of the format: as it is set, as it was written, and as it is on the medium. */
static uint32_t table[N_BLOCKS], written[N_BLOCKS], durable_table[N_BLOCKS];
static uint64_t end;
static unsigned n_commits;

static bool fails(void)
{
	return f.calls_to_failure > 0 && --f.calls_to_failure == 0;
}

static enum status file_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	assert_true(range_ok(offset, len, blk->size));
	if (fails())
		return ST_IO;
	memcpy(buf, f.bytes + offset, len);
	return ST_OK;
}

/* A write that fails has written a part. */
static enum status file_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	bool bad = fails();

	assert_true(range_ok(offset, len, FILE_MAX));
	memcpy(f.bytes + offset, buf, bad ? len / 2 : len);
	blk->size = max_u64(blk->size, offset + (bad ? len / 2 : len));
	return bad ? ST_IO : ST_OK;
}

static enum status file_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	(void)prealloc;
	if (fails() || size > FILE_MAX)
		return ST_NO_SPACE;
	memset(f.bytes + size, 0, FILE_MAX - size);
	blk->size = size;
	return ST_OK;
}

static enum status file_flush(struct blk *blk)
{
	if (fails()) {
		memcpy(f.bytes, f.durable, sizeof f.bytes);
		blk->size = max_u64(f.durable_size, blk->size);
		memcpy(written, durable_table, sizeof written);
		f.failed_flush = true;
		return ST_IO;
	}
	memcpy(f.durable, f.bytes, sizeof f.bytes);
	f.durable_size = blk->size;
	memcpy(durable_table, written, sizeof written);
	return ST_OK;
}

static void file_close(struct blk *blk)
{
	(void)blk;
}

/* ---- a format ---- */

static void decode(uint32_t entry, uint64_t inside, struct block_run *ret)
{
	*ret = (struct block_run){ .state = entry == PLACE_NONE   ? BLOCK_ABSENT
					    : entry == PLACE_ZERO ? BLOCK_ZERO
								  : BLOCK_STORED,
				   .length = BLOCK - inside };
	if (ret->state != BLOCK_STORED)
		return;
	ret->offset = entry + inside;
	if ((entry & PLACE_PACKED) != 0)
		*ret = (struct block_run){ .state = BLOCK_PACKED,
					   .length = BLOCK - inside,
					   .offset = entry & ~(uint32_t)PLACE_PACKED,
					   .packed_bytes = 1 };
}

static enum status find(struct block_map *map, uint64_t offset, uint64_t len, struct block_run *ret)
{
	(void)map;
	assert_true(range_ok(offset, len, DISK) && len > 0);
	if (fails())
		return ST_IO;
	decode(table[offset / BLOCK], offset % BLOCK, ret);
	return ST_OK;
}

/* A compressed block is one byte, so often. */
static enum status unpack(struct block_map *map, uint64_t offset, const struct block_run *run,
			  void *ret)
{
	uint8_t byte;
	enum status st = blk_read(map->file, run->offset, &byte, 1);

	assert_int_equal(offset % BLOCK, 0);
	memset(ret, byte, BLOCK);
	return st;
}

static enum status allocate(struct block_map *map, uint64_t index, uint64_t *ret)
{
	(void)map;
	assert_true(index < N_BLOCKS);
	if (fails())
		return ST_NO_SPACE;
	*ret = end;
	end += BLOCK;
	return ST_OK;
}

static enum status set(struct block_map *map, uint64_t index, enum block_state state,
		       uint64_t offset)
{
	(void)map;
	assert_true(state == BLOCK_ZERO || (state == BLOCK_STORED && offset >= FIRST_PLACE));
	if (fails())
		return ST_NO_MEMORY;
	table[index] = state == BLOCK_ZERO ? PLACE_ZERO : (uint32_t)offset;
	return ST_OK;
}

static enum status allocate_packed(struct block_map *map, uint64_t index, uint32_t n, uint64_t *ret)
{
	(void)map;
	(void)index;
	if (fails())
		return ST_NO_SPACE;
	*ret = end;
	end += n;
	return ST_OK;
}

static enum status set_packed(struct block_map *map, uint64_t index, uint64_t offset, uint32_t n)
{
	(void)map;
	(void)n;
	if (fails())
		return ST_NO_MEMORY;
	table[index] = PLACE_PACKED | (uint32_t)offset;
	return ST_OK;
}

static enum status commit(struct block_map *map)
{
	(void)map;
	assert_false(f.failed_flush); /* it may have lost what the table refers to */
	n_commits++;
	if (fails())
		return ST_IO;
	memcpy(written, table, sizeof written);
	return ST_OK;
}

static unsigned full_after; /* is_full says so whenever it gets 0 */

static bool is_full(const struct block_map *map)
{
	(void)map;
	return full_after > 0 && --full_after == 0;
}

static struct image image;
static struct block_map map;

static void begin(void)
{
	static const struct blk_ops file_ops = { .read = file_read,
						 .write = file_write,
						 .resize = file_resize,
						 .flush = file_flush,
						 .close = file_close };
	static const struct block_ops ops = {
		.find = find,
		.unpack = unpack,
		.allocate = allocate,
		.set = set,
		.allocate_packed = allocate_packed,
		.set_packed = set_packed,
		.commit = commit,
		.is_full = is_full,
	};

	memset(&f, 0, sizeof f);
	f.blk = (struct blk){ .ops = &file_ops,
			      .size = FIRST_PLACE,
			      .block_bytes = 1,
			      .buffer_align = 1,
			      .transfer_bytes = 64 << 10 };
	f.durable_size = FIRST_PLACE;
	memset(table, 0, sizeof table);
	memset(written, 0, sizeof written);
	memset(durable_table, 0, sizeof durable_table);
	end = FIRST_PLACE;
	n_commits = 0;
	map = (struct block_map){ .ops = &ops,
				  .file = &f.blk,
				  .image = &image,
				  .size = DISK,
				  .block_bytes = BLOCK,
				  .zero_state = true };
}

/* ---- what must hold ---- */

static uint8_t now[DISK], flushed[DISK];
static bool known[DISK], may_be[DISK][256]; /* `now` is sure; what was written since the flush */

static void note(uint64_t offset, uint64_t len, uint8_t byte, bool ok)
{
	for (uint64_t i = offset; i < offset + len; i++) {
		may_be[i][byte] = true;
		known[i] = ok;
		now[i] = byte;
	}
}

/* What the next one who opens the image reads. */
static uint8_t on_medium(uint64_t at)
{
	struct block_run run;

	decode(durable_table[at / BLOCK], at % BLOCK, &run);
	if (run.state == BLOCK_ABSENT || run.state == BLOCK_ZERO)
		return 0;
	assert_true(run.offset < f.durable_size);
	return f.durable[run.offset];
}

static void assert_medium(void)
{
	for (uint64_t i = 0; i < DISK; i++)
		assert_true(on_medium(i) == flushed[i] || may_be[i][on_medium(i)]);
}

static void assert_reads(void)
{
	uint8_t back[DISK];
	unsigned calls = f.calls_to_failure;

	f.calls_to_failure = 0;
	assert_ok(block_map_read(&map, 0, back, DISK));
	f.calls_to_failure = calls;
	/* Where unflushed bytes were lost, what is read is the medium's business. */
	for (uint64_t i = 0; i < DISK && !f.failed_flush; i++)
		assert_true(!known[i] || back[i] == now[i]);
}

static uint32_t dice(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

static enum status step(uint32_t *state)
{
	uint64_t offset = dice(state) % DISK, len = 1 + dice(state) % (2 * BLOCK);
	uint8_t bytes[2 * BLOCK], byte = (uint8_t)(1 + dice(state) % 250);
	uint32_t what = dice(state) % 10;
	enum status st;

	len = min_u64(len, DISK - offset);
	if (what < 4) {
		memset(bytes, byte, sizeof bytes);
		st = block_map_write(&map, offset, bytes, (size_t)len);
		note(offset, len, byte, st == ST_OK);
	} else if (what < 7) {
		st = what == 6 ? block_map_store_zeros(&map, offset, len)
			       : block_map_zero(&map, offset, len);
		note(offset, len, 0, st == ST_OK);
	} else if (what < 8) {
		offset = round_down(offset, BLOCK);
		st = block_map_write_packed(&map, offset, &byte, 1);
		note(offset, min_u64(BLOCK, DISK - offset), byte, st == ST_OK);
	} else {
		st = block_map_flush(&map);
		if (st == ST_OK) {
			for (uint64_t i = 0; i < DISK; i++)
				flushed[i] = on_medium(i);
			for (uint64_t i = 0; i < DISK; i++)
				assert_true(!known[i] || flushed[i] == now[i]);
			memset(may_be, 0, sizeof may_be);
		}
	}
	return st;
}

static void run_steps(uint32_t seed, unsigned failure)
{
	uint32_t state = seed;

	begin();
	memset(now, 0, sizeof now);
	memset(flushed, 0, sizeof flushed);
	memset(known, true, sizeof known);
	memset(may_be, 0, sizeof may_be);
	full_after = seed % 3 == 0 ? 5 : 0;
	f.calls_to_failure = failure;
	for (unsigned i = 0; i < 30; i++) {
		bool lost = f.failed_flush;
		enum status st = step(&state);

		if (lost)
			assert_int_not_equal(st, ST_OK); /* nothing is written any more */
		assert_medium();
		assert_reads();
		if (seed % 3 == 0 && full_after == 0)
			full_after = 4;
	}
}

static void test_all_well(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < 1500; seed++)
		run_steps(seed, 0);
}

static void test_each_call_fails(void **state)
{
	(void)state;
	for (uint32_t seed = 0; seed < 60; seed++)
		for (unsigned n = 1; n < 120; n++)
			run_steps(seed, n);
}

/* The flush that failed has lost the data; the next one would succeed. */
static void test_lost_flush(void **state)
{
	uint8_t bytes[BLOCK];

	(void)state;
	begin();
	memset(bytes, 1, sizeof bytes);
	assert_ok(block_map_write(&map, 0, bytes, sizeof bytes));
	f.calls_to_failure = 2; /* after `set` */
	assert_int_equal(block_map_flush(&map), ST_IO);
	assert_true(f.failed_flush);
	assert_int_equal(block_map_flush(&map), ST_IO);
	assert_int_equal(n_commits, 0);
	assert_int_equal(block_map_write(&map, 0, bytes, sizeof bytes), ST_IO);
	assert_int_equal(block_map_zero(&map, 0, BLOCK), ST_IO);
	assert_int_equal(block_map_write_packed(&map, 0, bytes, 1), ST_IO);
	assert_int_equal(on_medium(0), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_well),
		cmocka_unit_test(test_each_call_fails),
		cmocka_unit_test(test_lost_flush),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
