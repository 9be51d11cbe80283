/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/memory.h"
#include "base/text.h"

static void test_compare(void **state)
{
	static const struct {
		const char *a, *b;
		int order;
	} rows[] = {
		{ "", "", 0 },    { "a", "a", 0 }, { "a", "b", -1 },
		{ "ab", "a", 1 }, { "", "a", -1 }, { "\xc3\xa4", "z", 1 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		int order = text_compare(rows[i].a, rows[i].b);

		assert_row((order > 0) - (order < 0) == rows[i].order, i);
		assert_row(text_equal(rows[i].a, rows[i].b) == (rows[i].order == 0), i);
	}
	assert_true(text_equal_nocase("BLK0:", "blk0:"));
	assert_false(text_equal_nocase("blk0:", "blk0"));
	assert_false(text_equal_nocase("\xc3\x84", "\xc3\xa4"));
	assert_true(text_starts_with("serial=1", "serial="));
	assert_true(text_starts_with("a", ""));
	assert_false(text_starts_with("ser", "serial"));
	assert_true(text_starts_with_nocase("A.Raw.resume", "a.rAW"));
	assert_false(text_starts_with_nocase("a.ra", "a.raw"));
}

static void test_find(void **state)
{
	const char *s = "a=b=c";

	(void)state;
	assert_ptr_equal(text_find(s, '='), s + 1);
	assert_null(text_find(s, 'x'));
	assert_null(text_find("", 'x'));
	assert_int_equal(text_length(s), 5);
}

static void test_numbers(void **state)
{
	static const struct {
		const char *text;
		bool good;
		uint64_t value;
	} rows[] = {
		{ "0", true, 0 },
		{ "10", true, 10 },
		{ "00012", true, 12 },
		{ "18446744073709551615", true, UINT64_MAX },
		{ "18446744073709551616", false, 0 },
		{ "99999999999999999999", false, 0 },
		{ "", false, 0 },
		{ "1 ", false, 0 },
		{ "-1", false, 0 },
		{ "0x1", false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		uint64_t value = 42;

		assert_row(text_to_u64(rows[i].text, &value) == rows[i].good, i);
		assert_row(value == (rows[i].good ? rows[i].value : 42), i);
	}
}

static void test_copy(void **state)
{
	char *copy = text_copy("abc");

	(void)state;
	assert_string_equal(copy, "abc");
	mem_free(copy);
	copy = text_copy_n("abc", 2);
	assert_string_equal(copy, "ab");
	mem_free(copy);
	sim_fail_allocation(1);
	assert_null(text_copy("abc"));
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
