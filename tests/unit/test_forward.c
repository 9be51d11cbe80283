/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "blk/forward.h"
#include "memory_blk.h"

enum { MIB = 1 << 20, KEPT = 70000, LENGTH = 5 * MIB + 12345, STEP = 33333 };

/* A file below, whose writes are all at its end, or fail. */
struct appended {
	struct blk blk; /* first: a struct blk * that comes in is a struct appended * */
	struct memory_blk *memory;
	unsigned n_writes, n_flushes;
	bool loses; /* what is written from now on, and says that all went well */
};

static struct memory_blk *memory_of(struct blk *blk)
{
	return ((struct appended *)blk)->memory;
}

static enum status appended_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return blk_read(&memory_of(blk)->blk, offset, buf, len);
}

static enum status appended_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct appended *file = (struct appended *)blk;
	uint8_t *zeros = file->loses ? calloc(1, len) : NULL;
	enum status st;

	assert_int_equal(offset, blk->size);
	file->n_writes++;
	st = blk_write(&file->memory->blk, offset, zeros != NULL ? zeros : buf, len);
	free(zeros);
	if (st == ST_OK)
		blk->size = file->memory->blk.size;
	return st;
}

static enum status appended_flush(struct blk *blk)
{
	((struct appended *)blk)->n_flushes++;
	return blk_flush(&memory_of(blk)->blk);
}

static enum status appended_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	(void)blk;
	(void)size;
	(void)prealloc;
	fail_msg("the file is resized");
	return ST_OK;
}

static void appended_close(struct blk *blk)
{
	blk_close(&memory_of(blk)->blk);
}

static struct appended file;

static struct blk *open_forward(uint64_t limit)
{
	static const struct blk_ops ops = {
		.read = appended_read,
		.write = appended_write,
		.flush = appended_flush,
		.resize = appended_resize,
		.close = appended_close,
	};
	struct blk *blk;

	file = (struct appended){
		.blk = { .ops = &ops,
			 .block_bytes = 1,
			 .buffer_align = 1,
			 .transfer_bytes = 1 << 20 },
		.memory = memory_blk_new(
			&(struct memory_blk_kind){ .writable = true, .limit = 2 * LENGTH }),
	};
	assert_ok(forward_open(&file.blk,
			       &(struct forward_kind){ .kept_bytes = KEPT, .limit = limit }, &blk));
	return blk;
}

static uint8_t *noise(size_t n)
{
	uint8_t *bytes = malloc(n);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i * i >> 9);
	return bytes;
}

static void assert_same(struct blk *blk, const uint8_t *expected, size_t n)
{
	uint8_t *seen = malloc(n);

	assert_int_equal(blk->size, n);
	assert_ok(blk_read(blk, 0, seen, n));
	assert_memory_equal(seen, expected, n);
	free(seen);
}

/*
 * Written in steps, each of which changes bytes before it as well, and then zeros beyond a gap: the
 * file gets each byte once, few writes, and its end at the release.
 */
static void test_front_to_back(void **state)
{
	struct blk *blk = open_forward(UINT64_MAX);
	uint8_t *bytes = noise(LENGTH + 1000);

	(void)state;
	for (size_t at = 0; at < LENGTH; at += STEP) {
		size_t back = at < KEPT - STEP ? at : KEPT - STEP,
		       n = LENGTH - at < STEP ? LENGTH - at : STEP;

		bytes[at - back] ^= 0x55;
		assert_ok(blk_write(blk, at - back, bytes + at - back, back + n));
	}
	memset(bytes + LENGTH, 0, 1000);
	assert_ok(blk_resize(blk, LENGTH + 1000, PREALLOC_OFF));
	assert_same(blk, bytes, LENGTH + 1000);
	assert_true(file.n_writes > 0 && file.n_writes <= LENGTH / MIB + 1);
	assert_true(file.blk.size <= LENGTH + 1000 - KEPT);
	assert_ok(blk_flush(blk)); /* of what is in the file */
	assert_true(file.n_flushes == 1 && file.blk.size <= LENGTH + 1000 - KEPT);
	assert_ok(forward_release(blk));
	assert_int_equal(file.blk.size, LENGTH + 1000);
	assert_same(&file.blk, bytes, LENGTH + 1000);
	assert_same(blk, bytes, LENGTH + 1000);
	assert_int_equal(blk_write(blk, LENGTH, bytes, 1), ST_UNSUPPORTED); /* all is final */
	free(bytes);
	blk_close(blk);
	assert_int_equal(sim_allocations(), 0);
}

static void test_what_is_final(void **state)
{
	struct blk *blk = open_forward(3 * MIB);
	uint8_t *bytes = noise(3 * MIB + 1);
	uint64_t passed;

	(void)state;
	assert_ok(blk_write(blk, 0, bytes, 2 * MIB));
	passed = file.blk.size;
	assert_true(passed > 0 && passed <= 2 * MIB - KEPT);
	assert_int_equal(blk_write(blk, passed - 1, "x", 1), ST_UNSUPPORTED);
	assert_int_equal(blk_resize(blk, passed - 1, PREALLOC_OFF), ST_UNSUPPORTED);
	assert_same(blk, bytes, 2 * MIB);
	assert_ok(blk_resize(blk, passed, PREALLOC_OFF));
	assert_same(blk, bytes, passed);
	assert_ok(blk_write(blk, passed, bytes + passed, 3 * MIB - passed));
	assert_int_equal(blk_write(blk, 3 * MIB, bytes, 1), ST_TOO_LARGE);
	assert_ok(forward_release(blk));
	assert_same(&file.blk, bytes, 3 * MIB);
	free(bytes);
	blk_close(blk);
	assert_int_equal(sim_allocations(), 0);
}

static void test_failures(void **state)
{
	struct blk *blk;
	uint8_t *bytes = noise(MIB);

	(void)state;
	for (unsigned n = 1; n <= 2; n++) {
		struct memory_blk *m = memory_blk_new(
			&(struct memory_blk_kind){ .writable = true });

		sim_fail_allocation(n);
		assert_int_equal(forward_open(&m->blk, &(struct forward_kind){ .kept_bytes = 1 },
					      &blk),
				 ST_NO_MEMORY);
		blk_close(&m->blk);
		assert_int_equal(sim_allocations(), 0);
	}
	assert_int_equal(forward_open(NULL, &(struct forward_kind){ .kept_bytes = UINT64_MAX },
				      &blk),
			 ST_NO_MEMORY);
	for (unsigned n = 1; n <= 2; n++) { /* the write of the end, and its reading back */
		blk = open_forward(UINT64_MAX);
		assert_ok(blk_write(blk, 0, bytes, KEPT));
		file.memory->calls_to_failure = n;
		file.memory->status = ST_IO;
		assert_int_equal(forward_release(blk), ST_IO);
		blk_close(blk);
	}
	blk = open_forward(UINT64_MAX);
	assert_ok(blk_write(blk, 0, bytes, KEPT));
	file.loses = true;
	assert_int_equal(forward_release(blk), ST_MISMATCH);
	blk_close(blk);
	blk = open_forward(UINT64_MAX);
	assert_ok(forward_release(blk)); /* of nothing */
	assert_int_equal(file.n_writes, 0);
	file.memory->calls_to_failure = 1;
	file.memory->status = ST_NO_SPACE;
	assert_ok(blk_write(blk, 0, bytes, MIB));
	assert_int_equal(blk_write(blk, MIB, bytes, MIB), ST_NO_SPACE);
	blk_close(blk);
	free(bytes);
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_front_to_back),
		cmocka_unit_test(test_what_is_final),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
