/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/crc32.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
