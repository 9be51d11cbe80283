/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/memory.h"
#include "base/range.h"
#include "memory_blk.h"

static uint8_t pattern(uint64_t offset)
{
	return (uint8_t)(offset * 31 + (offset >> 8) * 7 + 1);
}

static void fill(struct memory_blk *m)
{
	for (uint64_t i = 0; i < m->blk.size; i++)
		m->bytes[i] = pattern(i);
}

/*
 * Reads every interesting range through every kind of blk, into buffers of every alignment.
 * memory_blk checks its contract.
 */
static void test_read(void **state)
{
	static const struct memory_blk_kind kinds[] = {
		{ .size = 3 * 65536 },
		{ .size = 3 * 65536 + 77 },
		{ .size = 3 * 65536, .block_bytes = 512, .buffer_align = 1 },
		{ .size = 3 * 65536, .block_bytes = 512, .buffer_align = 8 },
		{ .size = 3 * 65536, .block_bytes = 2048, .buffer_align = 4096 },
		{ .size = 40 * 4096, .block_bytes = 4096, .buffer_align = 4 },
		{ .size = 3 * 65536, .block_bytes = 65536, .buffer_align = 16 },
		{ .size = 512, .block_bytes = 512, .buffer_align = 16 },
	};
	static const uint64_t marks[] = {
		0,     1,     511,   512,         513,    4095,   4096,          4097,
		65535, 65536, 65537, 65536 + 512, 131072, 131073, 3 * 65536 - 1, 3 * 65536,
	};

	(void)state;
	for (size_t k = 0; k < N_OF(kinds); k++) {
		struct memory_blk *m = memory_blk_new(&kinds[k]);

		fill(m);
		for (size_t a = 0; a < N_OF(marks); a++) {
			for (size_t b = a; b < N_OF(marks); b++) {
				uint64_t len = marks[b] - marks[a];
				bool inside = range_ok(marks[a], len, m->blk.size);
				size_t shift = (a + b) % 9;
				uint8_t *buf = malloc(shift + len + 1);

				buf[shift + len] = 0x5c;
				if ((blk_read(&m->blk, marks[a], buf + shift, len) == ST_OK) !=
				    inside)
					fail_msg("kind %zu: %ju to %ju", k, (uintmax_t)marks[a],
						 (uintmax_t)marks[b]);
				for (uint64_t i = 0; inside && i < len; i++)
					assert_true(buf[shift + i] == pattern(marks[a] + i));
				assert_int_equal(buf[shift + len], 0x5c);
				free(buf);
			}
		}
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

/* What fits the device goes to it in one transfer, without a copy in between. */
static void test_no_needless_bounce(void **state)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = 8192, .block_bytes = 512, .buffer_align = 8 });
	uint8_t *buf = io_alloc(4096);

	(void)state;
	sim_fail_allocation(1);
	assert_ok(blk_read(&m->blk, 512, buf, 4096));
	assert_int_equal(m->n_reads, 1);
	assert_int_equal(blk_read(&m->blk, 512, buf + 1, 100), ST_NO_MEMORY);
	sim_fail_allocation(0);
	io_free(buf, 4096);
	blk_close(&m->blk);
	assert_int_equal(sim_allocations(), 0);
}

static void test_read_failure(void **state)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = 4 * 65536, .block_bytes = 512 });
	uint8_t *buf = malloc(4 * 65536);

	(void)state;
	for (uint64_t offset = 0; offset < 2; offset++) { /* straight and bounced */
		m->calls_to_failure = 2;
		m->status = ST_IO;
		assert_int_equal(blk_read(&m->blk, offset, buf, 3 * 65536), ST_IO);
	}
	free(buf);
	blk_close(&m->blk);
	assert_int_equal(sim_allocations(), 0);
}

static void test_read_padded(void **state)
{
	static const struct {
		uint64_t offset;
		size_t len, inside;
	} rows[] = {
		{ 0, 100, 100 },       { 0, 1000, 1000 }, { 0, 1001, 1000 },
		{ 999, 10, 1 },        { 1000, 10, 0 },   { 5000, 10, 0 },
		{ UINT64_MAX, 10, 0 }, { 10, 0, 0 },      { 500, 2000, 500 },
	};
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){ .size = 1000 });

	(void)state;
	fill(m);
	for (size_t i = 0; i < N_OF(rows); i++) {
		uint8_t *buf = malloc(rows[i].len + 1);

		memset(buf, 0x5c, rows[i].len + 1);
		assert_row(blk_read_padded(&m->blk, rows[i].offset, buf, rows[i].len) == ST_OK, i);
		for (size_t k = 0; k < rows[i].len; k++)
			assert_row(buf[k] == (k < rows[i].inside ? pattern(rows[i].offset + k) : 0),
				   i);
		assert_row(buf[rows[i].len] == 0x5c, i);
		free(buf);
	}
	blk_close(&m->blk);
}

/* A file grows as it is written, and a gap reads as zeros, not as what was there before. */
static void test_write_grows(void **state)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = 10, .writable = true, .limit = 400000 });
	uint8_t *data = malloc(200000);

	(void)state;
	memset(data, 0x77, 200000);
	assert_ok(blk_write(&m->blk, 5, data, 10));
	assert_int_equal(m->blk.size, 15);
	assert_ok(blk_write(&m->blk, 15, data, 5));
	assert_int_equal(m->blk.size, 20);
	assert_int_equal(m->n_resizes, 0);
	assert_ok(blk_write(&m->blk, 1000, data, 200000));
	assert_int_equal(m->blk.size, 201000);
	assert_int_equal(m->n_resizes, 1);
	for (size_t i = 20; i < 1000; i++)
		assert_int_equal(m->bytes[i], 0);
	assert_int_equal(m->bytes[1000], 0x77);
	assert_int_equal(m->bytes[200999], 0x77);
	assert_int_equal(blk_write(&m->blk, 399999, data, 2), ST_NO_SPACE);
	assert_int_equal(blk_write(&m->blk, 500000, data, 1), ST_NO_SPACE);
	assert_int_equal(blk_write(&m->blk, UINT64_MAX, data, 1), ST_INVALID);
	assert_ok(blk_flush(&m->blk));
	assert_int_equal(m->n_flushes, 1);
	free(data);
	blk_close(&m->blk);
}

/*
 * Any range from any buffer into any device: what is around it stays, and memory_blk checks its
 * contract.
 */
static void test_write(void **state)
{
	static const struct memory_blk_kind kinds[] = {
		{ .size = 3 * 65536 },
		{ .size = 3 * 65536, .block_bytes = 512, .buffer_align = 8 },
		{ .size = 3 * 65536, .block_bytes = 4096, .buffer_align = 4096 },
		{ .size = 3 * 65536, .block_bytes = 65536, .buffer_align = 16 },
		{ .size = 512, .block_bytes = 512, .buffer_align = 16 },
	};
	static const uint64_t marks[] = { 0,     1,      511,    512,           513,
					  4095,  4096,   4097,   65535,         65536,
					  65537, 131072, 131073, 3 * 65536 - 1, 3 * 65536 };

	(void)state;
	for (size_t k = 0; k < N_OF(kinds); k++) {
		struct memory_blk_kind kind = kinds[k];
		struct memory_blk *m;

		kind.writable = true;
		m = memory_blk_new(&kind);
		for (size_t a = 0; a < N_OF(marks); a++) {
			for (size_t b = a; b < N_OF(marks); b++) {
				uint64_t len = marks[b] - marks[a];
				bool inside = range_ok(marks[a], len, m->blk.size);
				size_t shift = (a + b) % 9;
				uint8_t *buf = malloc(shift + len + 1);

				fill(m);
				memset(buf, 0xee, shift + len + 1);
				if ((blk_write(&m->blk, marks[a], buf + shift, len) == ST_OK) !=
				    inside)
					fail_msg("kind %zu: %ju to %ju", k, (uintmax_t)marks[a],
						 (uintmax_t)marks[b]);
				for (uint64_t i = 0; i < m->blk.size; i++)
					assert_true(m->bytes[i] ==
						    (inside && i >= marks[a] && i < marks[b]
							     ? 0xee
							     : pattern(i)));
				free(buf);
			}
		}
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

/* Every call to the device that a write takes fails once. */
static void test_write_failure(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 5; n++) {
		struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){
			.size = 3 * 65536, .block_bytes = 512, .writable = true });
		uint8_t *buf = calloc(1, 100000);

		m->calls_to_failure = n;
		m->status = ST_IO;
		/* head, whole, tail, whole */
		assert_int_equal(blk_write(&m->blk, 100, buf, 100000), n <= 4 ? ST_IO : ST_OK);
		free(buf);
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_write_refused(void **state)
{
	struct memory_blk *reading = memory_blk_new(&(struct memory_blk_kind){ .size = 512 });
	struct memory_blk *fixed = memory_blk_new(
		&(struct memory_blk_kind){ .size = 512, .writable = true });

	(void)state;
	assert_int_equal(blk_write(&reading->blk, 0, "x", 1), ST_READ_ONLY);
	assert_int_equal(blk_write_zeros(&reading->blk, 0, 1), ST_READ_ONLY);
	assert_int_equal(blk_resize(&reading->blk, 512, PREALLOC_OFF), ST_READ_ONLY);
	assert_ok(blk_flush(&reading->blk));
	assert_ok(blk_write(&fixed->blk, 511, "x", 1));
	assert_int_equal(blk_write(&fixed->blk, 511, "xy", 2), ST_INVALID);
	assert_int_equal(blk_write(&fixed->blk, 513, "x", 1), ST_INVALID);
	assert_int_equal(blk_resize(&fixed->blk, 513, PREALLOC_OFF), ST_UNSUPPORTED);
	assert_ok(blk_resize(&fixed->blk, 512, PREALLOC_OFF));
	blk_close(&reading->blk);
	blk_close(&fixed->blk);
	blk_close(NULL);
}

static void test_no_memory(void **state)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = 1024, .block_bytes = 512, .writable = true });

	(void)state;
	sim_fail_allocation(1);
	assert_int_equal(blk_write(&m->blk, 1, "x", 1), ST_NO_MEMORY);
	sim_fail_allocation(0);
	assert_int_equal(m->bytes[1], 0);
	blk_close(&m->blk);
}

static void test_extent_refused(void **state)
{
	static const struct {
		uint64_t offset, len;
	} rows[] = { { 0, 0 }, { 0, 513 }, { 512, 1 }, { UINT64_MAX, 2 } };
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){ .size = 512 });
	struct extent extent;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		assert_row(blk_extent(&m->blk, rows[i].offset, rows[i].len, &extent) == ST_INVALID,
			   i);
	assert_ok(blk_extent(&m->blk, 511, 1, &extent));
	blk_close(&m->blk);
}

static void test_zeros(void **state)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = 100, .writable = true, .limit = 8 << 20 });

	(void)state;
	fill(m);
	assert_ok(blk_write_zeros(&m->blk, 50, 0));
	assert_int_equal(m->blk.size, 100);
	assert_ok(blk_write_zeros(&m->blk, 50, 5 << 20));
	assert_int_equal(m->blk.size, 50 + (5 << 20));
	assert_int_equal(m->bytes[49], pattern(49));
	for (size_t i = 50; i < m->blk.size; i++)
		assert_true(m->bytes[i] == 0);
	assert_int_equal(blk_write_zeros(&m->blk, m->blk.size, 8 << 20), ST_NO_SPACE);
	blk_close(&m->blk);
	assert_int_equal(sim_allocations(), 0);
}

/* What it does not do itself is written, and so is all of what it has begun and cannot. */
static void test_zeros_by_the_device(void **state)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){
		.size = 64 << 10, .block_bytes = 512, .writable = true, .zero_bytes = 8192 });

	(void)state;
	fill(m);
	assert_ok(blk_write_zeros(&m->blk, 1000, 8192));
	assert_true(m->n_zeros == 1 && m->n_writes == 0);
	assert_ok(blk_write_zeros(&m->blk, 1000 + 8192, 8191));
	assert_true(m->n_zeros == 1 && m->n_writes > 0);
	m->calls_to_failure = 1;
	m->status = ST_IO;
	assert_int_equal(blk_write_zeros(&m->blk, 30000, 8192), ST_IO);
	m->calls_to_failure = 0;
	for (size_t i = 0; i < m->blk.size; i++)
		assert_int_equal(m->bytes[i], i < 1000 || i >= 1000 + 8192 + 8191 ? pattern(i) : 0);
	assert_int_equal(blk_write_zeros(&m->blk, m->blk.size - 8192, 8193), ST_INVALID);
	blk_close(&m->blk);
	assert_int_equal(sim_allocations(), 0);
}

struct upper {
	struct blk blk; /* first: a struct blk * that comes in is a struct upper * */
	struct blk *below;
};

static enum status flush_by_zeros(struct blk *blk)
{
	return blk_write_zeros(blk, 0, blk->size);
}

static enum status flush_below(struct blk *blk)
{
	struct blk *below = ((struct upper *)blk)->below;
	enum status st = blk_flush(below);

	return st == ST_OK ? blk_write_zeros(below, 0, 512) : st;
}

/* A flush is not cancelled, nor by the flush of another blk in it; what comes after it is. */
static void test_flush_cancelled(void **state)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = 4 << 20, .writable = true });
	struct blk_ops ops = *m->blk.ops, upper_ops = { .flush = flush_below };
	struct upper upper = { { .ops = &upper_ops }, &m->blk };

	(void)state;
	ops.flush = flush_by_zeros;
	m->blk.ops = &ops;
	sim_cancel(1);
	assert_ok(blk_flush(&upper.blk));
	assert_int_equal(blk_write_zeros(&m->blk, 0, 512), ST_CANCELLED);
	sim_cancel(0);
	blk_close(&m->blk);
	assert_int_equal(sim_allocations(), 0);
}

static void test_zeros_cancelled(void **state)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .writable = true, .limit = 8 << 20 });

	(void)state;
	sim_cancel(3);
	assert_int_equal(blk_write_zeros(&m->blk, 0, 8 << 20), ST_CANCELLED);
	sim_cancel(0);
	assert_int_equal(m->blk.size, 2 << 20);
	sim_fail_allocation(1);
	assert_int_equal(blk_write_zeros(&m->blk, 0, 10), ST_NO_MEMORY);
	sim_fail_allocation(0);
	blk_close(&m->blk);
	assert_int_equal(sim_allocations(), 0);
}

static void test_allocated(void **state)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){ .size = 777 });
	uint64_t bytes;

	(void)state;
	assert_ok(blk_allocated(&m->blk, &bytes));
	assert_int_equal(bytes, 777);
	blk_close(&m->blk);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_no_needless_bounce),
		cmocka_unit_test(test_read_failure),
		cmocka_unit_test(test_read_padded),
		cmocka_unit_test(test_write_grows),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_write_failure),
		cmocka_unit_test(test_write_refused),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_extent_refused),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_zeros_by_the_device),
		cmocka_unit_test(test_zeros_cancelled),
		cmocka_unit_test(test_flush_cancelled),
		cmocka_unit_test(test_allocated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
