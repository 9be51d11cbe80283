/* SPDX-License-Identifier: BSD-2-Clause */
/* The first sector of a file that is not complete (blk/mark.h). */
#include "unit.h"

#include "blk/mark.h"
#include "disk/part.h"
#include "format/image.h"
#include "memory_blk.h"

static const uint8_t id[MARK_ID_BYTES] = { 0, 1, 0x7f, 0x80, 0xff, '\n' };

static void test_round_trip(void **state)
{
	static const uint8_t none[MARK_ID_BYTES];
	uint8_t mark[MARK_BYTES], found[MARK_ID_BYTES];

	(void)state;
	for (enum mark_kind kind = MARK_IMAGE; kind <= MARK_RECORD; kind++) {
		mark_make(kind, id, mark);
		assert_true(mark_parse(mark, kind, found));
		assert_memory_equal(found, id, sizeof id);
		assert_false(
			mark_parse(mark, kind == MARK_IMAGE ? MARK_RECORD : MARK_IMAGE, found));
		mark_make(kind, NULL, mark);
		assert_true(mark_parse(mark, kind, found));
		assert_memory_equal(found, none, sizeof none);
	}
}

/* Each bit of the two lines that count, and none of those of the explanation. */
static void test_every_bit(void **state)
{
	uint8_t mark[MARK_BYTES], found[MARK_ID_BYTES], before[MARK_ID_BYTES];
	size_t lines = 0;

	(void)state;
	mark_make(MARK_IMAGE, id, mark);
	for (unsigned n = 0; n < 2; lines++)
		n += mark[lines] == '\n';
	for (size_t i = 0; i < 8 * sizeof mark; i++) {
		bool other;

		mark[i / 8] ^= (uint8_t)(1 << i % 8);
		memset(before, 0xee, sizeof before);
		memcpy(found, before, sizeof found);
		other = !mark_parse(mark, MARK_IMAGE, found);
		assert_row(other ? memcmp(found, before, sizeof found) == 0
				 : i / 8 >= lines || memcmp(found, id, sizeof id) != 0,
			   i);
		assert_row(!other || i / 8 < lines, i);
		mark[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

/* It is text to the last byte, and nothing that anything is started or opened by. */
static void test_no_magic(void **state)
{
	uint8_t mark[MARK_BYTES];

	(void)state;
	for (enum mark_kind kind = MARK_IMAGE; kind <= MARK_RECORD; kind++) {
		struct image_probe probe = { .size = MARK_BYTES };

		mark_make(kind, id, mark);
		memcpy(probe.head, mark, sizeof mark);
		for (size_t i = 0; i < sizeof mark; i++)
			assert_row((mark[i] >= ' ' && mark[i] < 0x7f) || mark[i] == '\n', i);
		assert_int_equal(mark[MARK_BYTES - 1], '\n');
		for (size_t i = 0; image_formats[i] != NULL; i++)
			assert_row(image_formats[i]->flat || image_formats[i]->probe(&probe) == 0,
				   i);
	}
}

static void test_read(void **state)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){
		.size = 4096, .block_bytes = 1, .writable = true, .limit = 4096 });
	uint8_t found[MARK_ID_BYTES];
	bool marked;

	(void)state;
	mark_make(MARK_IMAGE, id, m->bytes);
	assert_ok(mark_read(&m->blk, MARK_IMAGE, &marked, found));
	assert_true(marked && memcmp(found, id, sizeof id) == 0);
	assert_ok(mark_read(&m->blk, MARK_RECORD, &marked, found));
	assert_false(marked);
	assert_ok(blk_resize(&m->blk, MARK_BYTES - 1, PREALLOC_OFF));
	assert_ok(mark_read(&m->blk, MARK_IMAGE, &marked, found));
	assert_false(marked);
	assert_ok(blk_resize(&m->blk, MARK_BYTES, PREALLOC_OFF));
	m->calls_to_failure = 1;
	m->status = ST_IO;
	assert_int_equal(mark_read(&m->blk, MARK_IMAGE, &marked, found), ST_IO);
	assert_false(marked);
	blk_close(&m->blk);
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_every_bit),
		cmocka_unit_test(test_no_magic),
		cmocka_unit_test(test_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
