/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Headers with so much in them that they cannot be changed in one sector: an extension that is not
 * known here must stay.
 */
#include "run.h"

#include "base/bytes.h"

enum { EXTENSIONS_AT = 100, AUTOCLEAR_AT = 88, UNKNOWN_BYTES = 600, HEAD_BYTES = 4096 };

static const struct sim_volume_kind kind = { .free_bytes = 16 << 20 };

static int tear_down(void **state)
{
	(void)state;
	sim_volume(&kind);
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}

/* Puts an extension of many different bytes in, `n` bytes behind where they begin. */
static uint8_t *put_unknown(size_t n)
{
	uint64_t size;
	uint8_t *file = (uint8_t *)(uintptr_t)sim_file("a", &size);
	size_t at = (size_t)bytes_from_be(file + EXTENSIONS_AT, 4) + n;

	memmove(file + at + 8 + UNKNOWN_BYTES, file + at, HEAD_BYTES);
	bytes_to_be(file + at, 4, 0x12345678);
	bytes_to_be(file + at + 4, 4, UNKNOWN_BYTES);
	for (size_t i = 0; i < UNKNOWN_BYTES; i++)
		file[at + 8 + i] = (uint8_t)(i * 7 + 1);
	return file;
}

static void nothing_is_changed(void **state)
{
	static uint8_t before[HEAD_BYTES];

	(void)state;
	sim_volume(&kind);
	put_raw("b", 1, 1 << 20, 0);
	MUST("create", "-f", "qcow2", "a", "1M", NULL);
	memcpy(before, put_unknown(0), HEAD_BYTES);
	assert_int_equal(RUN("rebase", "-u", "-F", "raw", "-b", "b", "a"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "its header is too full to be changed in a way that no "
					 "power failure can harm"));
	assert_memory_equal(sim_file("a", &(uint64_t){ 0 }), before, HEAD_BYTES);
	MUST("check", "a", NULL);
}

/* Bitmaps that do not count any more may stay, then: the image can be written to all the same. */
static void stale_bitmaps_stay(void **state)
{
	const uint8_t *file;
	size_t at;

	(void)state;
	sim_volume(&kind);
	MUST("create", "-f", "qcow2", "a", "1M", NULL);
	MUST("bitmap", "--add", "a", "of-before", NULL);
	file = sim_file("a", &(uint64_t){ 0 });
	at = (size_t)bytes_from_be(file + EXTENSIONS_AT, 4);
	assert_int_equal(bytes_from_be(file + at, 4), 0x23852875);
	put_unknown(8 + 24)[AUTOCLEAR_AT + 7] &= 0xfe;
	MUST("resize", "a", "2M", NULL);
	assert_int_equal(RUN("check", "a"), 3); /* what the bitmaps have is nobody's */
	file = sim_file("a", &(uint64_t){ 0 });
	assert_int_equal(bytes_from_be(file + at, 4), 0x23852875);
	assert_int_equal(bytes_from_be(file + at + 32, 4), 0x12345678);
	MUST("info", "a", NULL);
	assert_null(strstr(out.text, "of-before"));
	assert_non_null(strstr(out.text, "2 MiB"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nothing_is_changed, tear_down),
		cmocka_unit_test_teardown(stale_bitmaps_stay, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
