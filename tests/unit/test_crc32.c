/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/crc32.h"
#include "base/crc32c.h"

static void test_known(void **state)
{
	(void)state;
	assert_int_equal(crc32(0, "", 0), 0);
	assert_int_equal(crc32(0, "123456789", 9), 0xcbf43926); /* the check value of this CRC */
	assert_int_equal(crc32(0, "\0\0\0\0", 4), 0x2144df1c);
}

static void test_pieces(void **state)
{
	uint8_t bytes[100];

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 37);
	for (size_t cut = 0; cut <= sizeof bytes; cut++)
		assert_int_equal(crc32(crc32(0, bytes, cut), bytes + cut, sizeof bytes - cut),
				 crc32(0, bytes, sizeof bytes));
}

/* As many zeros as a disk has, without a byte for each. */
static void test_zeros(void **state)
{
	static const uint8_t zeros[5000];
	uint32_t pieces = 7;

	(void)state;
	for (size_t n = 0; n <= sizeof zeros; n += n < 70 ? 1 : 493) {
		assert_int_equal(crc32_zeros(0, n), crc32(0, zeros, n));
		assert_int_equal(crc32_zeros(0x12345678, n), crc32(0x12345678, zeros, n));
	}
	for (unsigned i = 0; i < 1 << 10; i++)
		pieces = crc32_zeros(pieces, UINT64_C(3) << 50);
	assert_int_equal(pieces, crc32_zeros(7, UINT64_C(3) << 60));
}

/* The remainder bit by bit, as the definition has it. */
static uint32_t slow_crc32c(const uint8_t *bytes, size_t n)
{
	uint32_t crc = UINT32_MAX;

	for (size_t i = 0; i < n; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ ((crc & 1) != 0 ? 0x82f63b78u : 0);
	}
	return ~crc;
}

static void test_castagnoli(void **state)
{
	static const uint8_t zeros[32];
	uint8_t bytes[256];

	(void)state;
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283); /* the check value of this CRC */
	assert_int_equal(crc32c(0, zeros, sizeof zeros), 0x8a9136aa); /* RFC 3720, B.4 */
	for (size_t i = 0; i < sizeof bytes; i++) {
		uint8_t one = (uint8_t)i;

		bytes[i] = (uint8_t)(i * 37);
		assert_int_equal(crc32c(0, &one, 1), slow_crc32c(&one, 1)); /* each of the table */
	}
	for (size_t cut = 0; cut <= sizeof bytes; cut++)
		assert_int_equal(crc32c(crc32c(0, bytes, cut), bytes + cut, sizeof bytes - cut),
				 slow_crc32c(bytes, sizeof bytes));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_zeros),
		cmocka_unit_test(test_castagnoli),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
