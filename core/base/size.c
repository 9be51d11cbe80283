/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sizes in qemu-img's notation, in integers only: firmware code here uses no floating point.
 * qemu-img parses a fraction as a double and prints with %.3g; both results are the same for every
 * size that can be told apart.
 */
#include "base/size.h"

#include <stdbool.h>

#include "base/range.h"
#include "base/text.h"

static const char suffixes[] = "bkmgtpe";

static int suffix_power(char c)
{
	const char *found = c != '\0' ? text_find(suffixes, text_lower(c)) : NULL;

	return found != NULL ? (int)(found - suffixes) : -1;
}

static bool parse_hex(const char *s, uint64_t *ret)
{
	uint64_t n = 0;

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		int digit = text_hex_digit(*s);

		if (digit < 0)
			return false;
		if (!mul_ok(n, 16, &n) || !add_ok(n, (uint64_t)digit, &n))
			n = UINT64_MAX;
	}
	*ret = n;
	return true;
}

/*
 * The bytes of ".digits" of a unit of 2^shift bytes, rounded down. Digits after the 18th are less
 * than a byte.
 */
static uint64_t fraction_bytes(const char *digits, size_t n, int shift)
{
	uint64_t numerator = 0, denominator = 1, bytes = 0;

	for (size_t i = 0; i < n && i < 18; i++) {
		numerator = numerator * 10 + (uint64_t)(digits[i] - '0');
		denominator *= 10;
	}
	while (shift-- > 0) {
		numerator *= 2;
		bytes *= 2;
		if (numerator >= denominator) {
			numerator -= denominator;
			bytes++;
		}
	}
	return bytes;
}

static bool parse_decimal(const char *s, uint64_t *ret)
{
	uint64_t whole = 0, fraction;
	const char *digits;
	size_t n_digits = 0;
	bool has_point = false;
	int power = 0;

	if (!text_is_digit(*s))
		return false;
	for (; text_is_digit(*s); s++)
		if (!mul_ok(whole, 10, &whole) || !add_ok(whole, (uint64_t)(*s - '0'), &whole))
			whole = UINT64_MAX;
	digits = s;
	if (*s == '.') {
		has_point = true;
		digits = ++s;
		while (text_is_digit(*s)) {
			s++;
			n_digits++;
		}
	}
	if (*s != '\0') {
		power = suffix_power(*s++);
		if (power < 0 || *s != '\0')
			return false;
	}
	if (has_point && power == 0) /* of a byte, there is no fraction but 0 */
		for (size_t i = 0; i < n_digits; i++)
			if (digits[i] != '0')
				return false;
	fraction = fraction_bytes(digits, n_digits, 10 * power);
	if (!mul_ok(whole, (uint64_t)1 << (10 * power), &whole) || !add_ok(whole, fraction, &whole))
		whole = UINT64_MAX;
	*ret = whole;
	return true;
}

enum status size_parse(const char *text, const char *what, uint64_t *ret_bytes, struct error *err)
{
	bool hex = text[0] == '0' && text_lower(text[1]) == 'x';
	uint64_t bytes = 0;

	if (!(hex ? parse_hex(text + 2, &bytes) : parse_decimal(text, &bytes)))
		return fail(err, ST_INVALID,
			    "%s: \"%s\" is not a size; write a number of bytes, or a number with "
			    "one of the suffixes k, M, G, T, P, E (powers of 1024), such as 64M or "
			    "1.5G",
			    what, text);
	if (bytes > SIZE_LIMIT)
		return fail(err, ST_INVALID, "%s: \"%s\" is more than the largest size, %ju bytes",
			    what, text, SIZE_LIMIT);
	*ret_bytes = bytes;
	return ST_OK;
}

/*
 * Prints bytes / 2^shift as %.3g does: three digits, half rounded to even, without trailing zeros.
 */
static void print_three_digits(struct out *out, uint64_t bytes, int shift)
{
	uint64_t whole = bytes >> shift;
	uint64_t rest = shift > 0 ? bytes & (((uint64_t)1 << shift) - 1) : 0;
	uint64_t half = shift > 0 ? (uint64_t)1 << (shift - 1) : 0;
	uint64_t digits = whole, scale = 1;

	/* 0.97 to 0.99 has three digits after the point, 1.xx two, 12.x one, 123 none */
	while (digits < 100 && shift > 0) {
		rest *= 10; /* rest < 2^60 */
		digits = digits * 10 + (rest >> shift);
		rest &= ((uint64_t)1 << shift) - 1;
		scale *= 10;
	}
	if (rest > half || (shift > 0 && rest == half && digits % 2 == 1))
		digits++;
	if (digits == 1000 && scale == 1) {
		out_text(out, "1e+03");
		return;
	}
	while (scale > 1 && digits % 10 == 0) {
		digits /= 10;
		scale /= 10;
	}
	out_printf(out, "%ju", digits / scale);
	if (scale > 1) {
		int n = 0;

		for (uint64_t s = scale; s > 1; s /= 10)
			n++;
		out_printf(out, ".%0*ju", n, digits % scale);
	}
}

void size_print(struct out *out, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	int power = 0;

	/* the next unit where this one would have four digits before the point */
	while (power < 6 && bytes >> (10 * power) >= 1000)
		power++;
	print_three_digits(out, bytes, 10 * power);
	out_printf(out, " %s", units[power]);
}
