/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/* What every unit test includes first: cmocka wants these before it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* cmocka's fail() would hide that of base/error.h. */
#undef fail
#undef fail_msg
#define fail_msg(...) \
	do { \
		print_error("ERROR: " __VA_ARGS__); \
		print_error("\n"); \
		_fail(__FILE__, __LINE__); \
	} while (0)

#include "base/error.h"
#include "sim.h"

#define N_OF(array) (sizeof(array) / sizeof *(array))

#define assert_ok(status) assert_int_equal((status), ST_OK)

/* Compares in a way that shows which row of a table failed. */
#define assert_row(condition, row) \
	do { \
		if (!(condition)) \
			fail_msg("row %zu: %s", (size_t)(row), #condition); \
	} while (0)

/*
 * TEST_FILTER=every_cut build/test/test_NAME runs that test of a program alone; * and ? stand for
 * others.
 */
__attribute__((constructor)) static void take_filter(void)
{
	if (getenv("TEST_FILTER") != NULL)
		cmocka_set_test_filter(getenv("TEST_FILTER"));
}
