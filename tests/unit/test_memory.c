/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware's memcpy(), memmove(), memset() and memcmp() (drivers/arch/) against those of the C
 * library: every length over several steps of each loop, every alignment, every overlap, and no
 * byte before or after the range.
 */
#include "unit.h"

void *firmware_memcpy(void *restrict to, const void *restrict from, size_t n);
void *firmware_memmove(void *to, const void *from, size_t n);
void *firmware_memset(void *to, int byte, size_t n);
int firmware_memcmp(const void *a, const void *b, size_t n);

enum { LENGTH_MAX = 150, ALIGNMENTS = 16, MARGIN = 64, BYTES = 3 * LENGTH_MAX + 2 * MARGIN };

static void fill(uint8_t bytes[static BYTES], unsigned seed)
{
	for (size_t i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)((i + seed) * 167 + (i >> 3));
}

static void copies(void **state)
{
	uint8_t from[BYTES], got[BYTES], expected[BYTES];

	(void)state;
	fill(from, 1);
	for (size_t n = 0; n <= LENGTH_MAX; n++)
		for (size_t a = 0; a < ALIGNMENTS * ALIGNMENTS; a++) {
			size_t to = MARGIN + a / ALIGNMENTS, at = MARGIN + a % ALIGNMENTS;

			fill(got, 2);
			fill(expected, 2);
			assert_ptr_equal(firmware_memcpy(got + to, from + at, n), got + to);
			memcpy(expected + to, from + at, n);
			assert_memory_equal(got, expected, BYTES);
		}
}

static void moves(void **state)
{
	uint8_t got[BYTES], expected[BYTES];

	(void)state;
	for (size_t n = 0; n <= LENGTH_MAX; n++)
		for (size_t to = MARGIN; to <= MARGIN + 2 * LENGTH_MAX; to++) {
			const size_t from = MARGIN + LENGTH_MAX;

			fill(got, 3);
			fill(expected, 3);
			assert_ptr_equal(firmware_memmove(got + to, got + from, n), got + to);
			memmove(expected + to, expected + from, n);
			assert_memory_equal(got, expected, BYTES);
		}
}

static void sets(void **state)
{
	const int values[] = { 0, 1, 0x7f, 0xff, 0x1a5, -1 };
	uint8_t got[BYTES], expected[BYTES];

	(void)state;
	for (size_t n = 0; n <= LENGTH_MAX; n++)
		for (size_t to = MARGIN; to < MARGIN + ALIGNMENTS; to++)
			for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
				fill(got, 4);
				fill(expected, 4);
				assert_ptr_equal(firmware_memset(got + to, values[i], n), got + to);
				memset(expected + to, values[i], n);
				assert_memory_equal(got, expected, BYTES);
			}
}

static int sign(int value)
{
	return (value > 0) - (value < 0);
}

static void compares(void **state)
{
	uint8_t a[BYTES], b[BYTES];

	(void)state;
	for (size_t n = 0; n <= LENGTH_MAX; n++)
		for (size_t at = MARGIN; at < MARGIN + ALIGNMENTS; at++) {
			fill(a, 5);
			fill(b, 6);
			memcpy(b + MARGIN, a + at, n);
			assert_int_equal(firmware_memcmp(a + at, b + MARGIN, n), 0);
			for (size_t i = 0; i < n; i++) {
				b[MARGIN + i] ^= 0x80; /* tells a comparison with sign */
				if (i + 1 < n)
					b[MARGIN + n - 1] ^= 0xff; /* the first one decides */
				assert_int_equal(sign(firmware_memcmp(a + at, b + MARGIN, n)),
						 sign(memcmp(a + at, b + MARGIN, n)));
				if (i + 1 < n)
					b[MARGIN + n - 1] ^= 0xff;
				b[MARGIN + i] ^= 0x80;
			}
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copies),
		cmocka_unit_test(moves),
		cmocka_unit_test(sets),
		cmocka_unit_test(compares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
