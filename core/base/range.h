/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Arithmetic on offsets and lengths that come from outside. No sum here can wrap. */

/* True when [offset, offset + len) lies inside [0, limit). An empty range at `limit` does. */
static inline bool range_ok(uint64_t offset, uint64_t len, uint64_t limit)
{
	return offset <= limit && len <= limit - offset;
}

/* ret = a + b, or a * b; false, and ret untouched, when that does not fit. */
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

/* How many units of `unit` (> 0) are needed for `n`. */
static inline uint64_t div_up(uint64_t n, uint64_t unit)
{
	return n / unit + (n % unit != 0);
}

/*
 * `n` rounded down, or up, to a multiple of `unit` (> 0). Up: the caller knows that the result
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
