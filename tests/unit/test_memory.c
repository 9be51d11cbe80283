/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The firmware's memcpy(), memmove(), memset() and memcmp() (drivers/arch/) against those of the C
 * library: every length over several steps of each loop, every alignment, every overlap, and no
 * byte before or after the range.
 */
#include "unit.h"

/* In assembler; without, where the processor has none. */
__attribute__((weak)) void *firmware_memcpy(void *restrict to, const void *restrict from, size_t n);
__attribute__((weak)) void *firmware_memmove(void *to, const void *from, size_t n);
__attribute__((weak)) void *firmware_memset(void *to, int byte, size_t n);
__attribute__((weak)) int firmware_memcmp(const void *a, const void *b, size_t n);

/* In plain C. */
void *generic_memcpy(void *restrict to, const void *restrict from, size_t n);
void *generic_memmove(void *to, const void *from, size_t n);
void *generic_memset(void *to, int byte, size_t n);
int generic_memcmp(const void *a, const void *b, size_t n);

struct functions {
	void *(*copy)(void *restrict to, const void *restrict from, size_t n);
	void *(*move)(void *to, const void *from, size_t n);
	void *(*set)(void *to, int byte, size_t n);
	int (*compare)(const void *a, const void *b, size_t n);
};

enum { LENGTH_MAX = 150, ALIGNMENTS = 16, MARGIN = 64, BYTES = 3 * LENGTH_MAX + 2 * MARGIN };

static void fill(uint8_t bytes[static BYTES], unsigned seed)
{
	for (size_t i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)((i + seed) * 167 + (i >> 3));
}

static void copies(void **state)
{
	uint8_t from[BYTES], got[BYTES], expected[BYTES];
	const struct functions *f = *state;

	fill(from, 1);
	for (size_t n = 0; n <= LENGTH_MAX; n++)
		for (size_t a = 0; a < ALIGNMENTS * ALIGNMENTS; a++) {
			size_t to = MARGIN + a / ALIGNMENTS, at = MARGIN + a % ALIGNMENTS;

			fill(got, 2);
			fill(expected, 2);
			assert_ptr_equal(f->copy(got + to, from + at, n), got + to);
			memcpy(expected + to, from + at, n);
			assert_memory_equal(got, expected, BYTES);
		}
}

static void moves(void **state)
{
	uint8_t got[BYTES], expected[BYTES];
	const struct functions *f = *state;

	for (size_t n = 0; n <= LENGTH_MAX; n++)
		for (size_t to = MARGIN; to <= MARGIN + 2 * LENGTH_MAX; to++) {
			const size_t from = MARGIN + LENGTH_MAX;

			fill(got, 3);
			fill(expected, 3);
			assert_ptr_equal(f->move(got + to, got + from, n), got + to);
			memmove(expected + to, expected + from, n);
			assert_memory_equal(got, expected, BYTES);
		}
}

static void sets(void **state)
{
	const int values[] = { 0, 1, 0x7f, 0xff, 0x1a5, -1 };
	uint8_t got[BYTES], expected[BYTES];
	const struct functions *f = *state;

	for (size_t n = 0; n <= LENGTH_MAX; n++)
		for (size_t to = MARGIN; to < MARGIN + ALIGNMENTS; to++)
			for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
				fill(got, 4);
				fill(expected, 4);
				assert_ptr_equal(f->set(got + to, values[i], n), got + to);
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
	const struct functions *f = *state;

	for (size_t n = 0; n <= LENGTH_MAX; n++)
		for (size_t at = MARGIN; at < MARGIN + ALIGNMENTS; at++) {
			fill(a, 5);
			fill(b, 6);
			memcpy(b + MARGIN, a + at, n);
			assert_int_equal(f->compare(a + at, b + MARGIN, n), 0);
			for (size_t i = 0; i < n; i++) {
				b[MARGIN + i] ^= 0x80; /* tells a comparison with sign */
				if (i + 1 < n)
					b[MARGIN + n - 1] ^= 0xff; /* the first one decides */
				assert_int_equal(sign(f->compare(a + at, b + MARGIN, n)),
						 sign(memcmp(a + at, b + MARGIN, n)));
				if (i + 1 < n)
					b[MARGIN + n - 1] ^= 0xff;
				b[MARGIN + i] ^= 0x80;
			}
		}
}

int main(void)
{
	struct functions assembler = { firmware_memcpy, firmware_memmove, firmware_memset,
				       firmware_memcmp };
	struct functions plain = { generic_memcpy, generic_memmove, generic_memset,
				   generic_memcmp };
	struct functions *first = assembler.copy != NULL ? &assembler : &plain;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_prestate(copies, first),
		cmocka_unit_test_prestate(moves, first),
		cmocka_unit_test_prestate(sets, first),
		cmocka_unit_test_prestate(compares, first),
		cmocka_unit_test_prestate(copies, &plain),
		cmocka_unit_test_prestate(moves, &plain),
		cmocka_unit_test_prestate(sets, &plain),
		cmocka_unit_test_prestate(compares, &plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
