/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hexadecimal text of hashes and identifiers. Only lower case is accepted, so that a value has one
 * spelling.
 */
#include "base/hex.h"

static const char digits[] = "0123456789abcdef";

void hex_text(const uint8_t *bytes, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++) {
		*ret++ = digits[bytes[i] >> 4];
		*ret++ = digits[bytes[i] & 15];
	}
	*ret = '\0';
}

static bool digit_value(char c, unsigned *ret)
{
	for (*ret = 0; *ret < 16; ++*ret)
		if (c == digits[*ret])
			return true;
	return false;
}

bool hex_parse(const char *text, uint8_t *ret, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned high, low;

		if (!digit_value(text[2 * i], &high) || !digit_value(text[2 * i + 1], &low))
			return false;
		ret[i] = (uint8_t)(high << 4 | low);
	}
	return text[2 * n] == '\0';
}
