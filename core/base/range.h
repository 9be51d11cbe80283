/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Arithmetic on untrusted offsets and lengths. No sum here can wrap. */

/* Returns whether [offset, offset + len) lies in [0, limit). An empty range at `limit` does. */
static inline bool range_ok(uint64_t offset, uint64_t len, uint64_t limit)
{
	return offset <= limit && len <= limit - offset;
}

/* Sets *ret to a + b, or a * b. False: the result does not fit; *ret is unchanged. */
static inline bool add_ok(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t sum;

	if (__builtin_add_overflow(a, b, &sum))
		return false;
	*ret = sum;
	return true;
}

static inline bool mul_ok(uint64_t a, uint64_t b, uint64_t *ret)
{
	uint64_t product;

	if (__builtin_mul_overflow(a, b, &product))
		return false;
	*ret = product;
	return true;
}

static inline uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}
static inline uint64_t max_u64(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Returns n / unit, rounded up; unit > 0. */
static inline uint64_t div_up(uint64_t n, uint64_t unit)
{
	return n / unit + (n % unit != 0);
}

/*
 * Return `n` rounded to a multiple of `unit` > 0. The caller knows that the result of rounding up
 * fits.
 */
static inline uint64_t round_down(uint64_t n, uint64_t unit)
{
	return n - n % unit;
}
static inline uint64_t round_up(uint64_t n, uint64_t unit)
{
	return div_up(n, unit) * unit;
}

static inline bool is_power_of_two(uint64_t n)
{
	return n != 0 && (n & (n - 1)) == 0;
}
