/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * base64 (RFC 4648, section 4): each character is 6 bits, and '=' fills up the last 4.
 */
#include "base/base64.h"

static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool base64_decode(const char *text, size_t n, uint8_t *to, size_t *ret)
{
	uint32_t bits = 0;
	size_t n_characters = 0, n_bytes = 0, n_fill = 0;

	for (size_t i = 0; i < n; i++) {
		char c = text[i];

		if (is_blank(c))
			continue;
		if (c == '=') {
			n_fill++;
			continue;
		}
		if (value_of(c) < 0 || n_fill > 0)
			return false;
		bits = (bits & 0x3ffff) << 6 | (uint32_t)value_of(c);
		/* What is written lies before what is still to be read. */
		if (++n_characters % 4 != 1)
			to[n_bytes++] = (uint8_t)(bits >> (6 - 2 * ((n_characters - 1) % 4)));
	}
	*ret = n_bytes;
	return n_characters % 4 != 1 && n_fill <= 2;
}
