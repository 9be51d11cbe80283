/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looking for zeros: each byte counts, at each place and in ranges of each length, wherever they
 * begin.
 */
#include "unit.h"

#include "base/zero.h"

static void every_byte(void **state)
{
	uint8_t bytes[256];

	(void)state;
	for (size_t first = 0; first < 17; first++)
		for (size_t n = 0; n <= 200; n++) {
			memset(bytes, 0xff, sizeof bytes);
			memset(bytes + first, 0, n);
			assert_true(is_zero(bytes + first, n));
			for (size_t i = first; i < first + n; i++) {
				bytes[i] = (uint8_t)(1 << i % 8);
				assert_false(is_zero(bytes + first, n));
				bytes[i] = 0;
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(every_byte) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
