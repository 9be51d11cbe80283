/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/bytes.h"
#include "base/range.h"

static void test_range(void **state)
{
	static const struct {
		uint64_t offset, len, limit;
		bool ok;
	} rows[] = {
		{ 0, 0, 0, true },
		{ 0, 1, 0, false },
		{ 1, 0, 0, false },
		{ 0, 10, 10, true },
		{ 5, 5, 10, true },
		{ 5, 6, 10, false },
		{ 10, 0, 10, true },
		{ 11, 0, 10, false },
		{ UINT64_MAX, 1, UINT64_MAX, false },
		{ UINT64_MAX, UINT64_MAX, UINT64_MAX, false },
		{ 1, UINT64_MAX, UINT64_MAX, false },
		{ 0, UINT64_MAX, UINT64_MAX, true },
		{ UINT64_MAX - 1, 2, 10, false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		assert_row(range_ok(rows[i].offset, rows[i].len, rows[i].limit) == rows[i].ok, i);
}

static void test_checked(void **state)
{
	uint64_t n = 7;

	(void)state;
	assert_true(add_ok(UINT64_MAX - 1, 1, &n));
	assert_true(n == UINT64_MAX);
	assert_false(add_ok(UINT64_MAX, 1, &n));
	assert_true(n == UINT64_MAX);
	assert_true(mul_ok(UINT64_MAX, 1, &n));
	assert_false(mul_ok((uint64_t)1 << 32, (uint64_t)1 << 32, &n));
	assert_true(mul_ok(0, UINT64_MAX, &n));
	assert_true(n == 0);
}

static void test_rounding(void **state)
{
	(void)state;
	assert_int_equal(div_up(0, 512), 0);
	assert_int_equal(div_up(1, 512), 1);
	assert_int_equal(div_up(512, 512), 1);
	assert_true(div_up(UINT64_MAX, 2) == (uint64_t)1 << 63);
	assert_int_equal(round_down(1023, 512), 512);
	assert_int_equal(round_up(513, 512), 1024);
	assert_int_equal(round_up(7, 3), 9);
	assert_true(is_power_of_two(1) && is_power_of_two((uint64_t)1 << 63));
	assert_false(is_power_of_two(0) || is_power_of_two(3));
}

static void test_bytes(void **state)
{
	static const le64 little = { { 1, 2, 3, 4, 5, 6, 7, 0x88 } };
	static const be64 big = { { 0x81, 2, 3, 4, 5, 6, 7, 8 } };

	(void)state;
	assert_true(le64_get(little) == 0x8807060504030201);
	assert_true(be64_get(big) == 0x8102030405060708);
	assert_int_equal(le16_get((le16){ { 0xff, 0x80 } }), 0x80ff);
	assert_true(le32_get((le32){ { 1, 2, 3, 0xff } }) == 0xff030201);
	assert_int_equal(be16_get((be16){ { 0x80, 1 } }), 0x8001);
	assert_true(be32_get(be32_of(0xfedcba98)) == 0xfedcba98);
	assert_true(be64_get(be64_of(0xfedcba9876543210)) == 0xfedcba9876543210);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range),
		cmocka_unit_test(test_checked),
		cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
