/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory of the tests themselves: what is in it stays, and the sanitizer knows which bytes of it
 * are nobody's.
 */
#include "unit.h"

#include "pages.h"

/* MALLOC_WAITS: C libraries may return at once what was freed last, the sanitizer's does not. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define IS_NOBODYS(p) (__asan_address_is_poisoned(p) != 0)
#define MALLOC_WAITS  true
#else
#define IS_NOBODYS(p) ((void)(p), expected) /* nobody knows */
#define MALLOC_WAITS  false
#endif

static void assert_nobodys(const uint8_t *p, bool expected)
{
	assert_int_equal(IS_NOBODYS(p), expected);
}

/*
 * Below and above what is kept, and from one power of two to another; each smaller and larger than
 * the one before.
 */
static const size_t sizes[] = {
	100, 70000, 66000, 131072, 131073, 65536, 65535, 1 << 20, 3 << 20, 1
};

static void resized(void **state)
{
	uint8_t *p = NULL;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		size_t both = n < sizes[i] ? n : sizes[i];

		p = pages_resize(p, n, sizes[i]);
		for (size_t at = 0; at < both; at++)
			assert_row(p[at] == (uint8_t)(at % 251), i);
		n = sizes[i];
		assert_nobodys(p, false);
		assert_nobodys(p + n - 1, false);
		assert_nobodys(p + n, true);
		for (size_t at = 0; at < n; at++)
			p[at] = (uint8_t)(at % 251);
	}
	pages_free(p, n);
	pages_free(NULL, 0);
}

/*
 * Whoever keeps what was freed is caught, until it is somebody else's, which is not at once. For
 * the sizes that malloc() has to itself, only that of the sanitizer promises so.
 */
static void freed(void **state)
{
	uint8_t *old, *other;

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		for (unsigned again = 0; again < 80; again++) { /* more than are kept */
			old = pages_new(sizes[i]);
			pages_free(old, sizes[i]);
			assert_nobodys(old, true);
			other = pages_new(sizes[i]);
			if (sizes[i] >= PAGES_LEAST || MALLOC_WAITS)
				assert_row(other != old, i);
			assert_nobodys(other + sizes[i] - 1, false);
			assert_nobodys(other + sizes[i], true);
			pages_free(other, sizes[i]);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(resized),
		cmocka_unit_test(freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
