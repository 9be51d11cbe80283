/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UTF-8 and UTF-16 (RFC 3629, RFC 2781). Names come from firmware and disks, so malformed sequences
 * are normal: each becomes U+FFFD, and reading continues with the next byte or unit. Overlong
 * forms, encoded surrogates and values above U+10FFFF are malformed.
 */
#include "base/utf.h"

#include <stdbool.h>

enum { REPLACEMENT = 0xfffd };

static bool is_surrogate(uint32_t c)
{
	return c >= 0xd800 && c <= 0xdfff;
}

/* Returns the first character of *units, and advances past it. */
static uint32_t next_of_utf16(const uint16_t **units, size_t *n)
{
	uint32_t c = *(*units)++;

	(*n)--;
	if (!is_surrogate(c))
		return c;
	if (c >= 0xdc00 || *n == 0 || **units < 0xdc00 || **units > 0xdfff)
		return REPLACEMENT;
	c = 0x10000 + ((c - 0xd800) << 10) + (*(*units)++ - 0xdc00u);
	(*n)--;
	return c;
}

uint32_t utf8_next(const char **bytes, size_t *n)
{
	static const uint32_t least[] = { 0, 0x80, 0x800, 0x10000 };
	uint8_t first = (uint8_t) * (*bytes)++;
	size_t more;
	uint32_t c;

	(*n)--;
	if (first < 0x80)
		return first;
	if (first >= 0xc2 && first < 0xe0)
		more = 1;
	else if (first >= 0xe0 && first < 0xf0)
		more = 2;
	else if (first >= 0xf0 && first < 0xf5)
		more = 3;
	else
		return REPLACEMENT;
	c = first & (0x3fu >> more);
	if (more > *n)
		return REPLACEMENT;
	for (size_t i = 0; i < more; i++) {
		uint8_t byte = (uint8_t)(*bytes)[i];

		if ((byte & 0xc0) != 0x80)
			return REPLACEMENT;
		c = c << 6 | (byte & 0x3fu);
	}
	if (c < least[more] || c > 0x10ffff || is_surrogate(c))
		return REPLACEMENT;
	*bytes += more;
	*n -= more;
	return c;
}

size_t utf8_put(uint32_t c, char to[static 4])
{
	if (c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

size_t utf8_length_of_utf16(const uint16_t *units, size_t n)
{
	char scratch[4];
	size_t length = 0;

	while (n > 0)
		length += utf8_put(next_of_utf16(&units, &n), scratch);
	return length;
}

void utf8_from_utf16(char *to, const uint16_t *units, size_t n)
{
	while (n > 0) {
		char bytes[4];
		size_t count = utf8_put(next_of_utf16(&units, &n), bytes);

		for (size_t i = 0; i < count; i++)
			*to++ = bytes[i];
	}
	*to = '\0';
}

size_t utf16_length_of_utf8(const char *bytes, size_t n)
{
	size_t length = 0;

	while (n > 0)
		length += utf8_next(&bytes, &n) >= 0x10000 ? 2 : 1;
	return length;
}

void utf16_from_utf8(uint16_t *to, const char *bytes, size_t n)
{
	while (n > 0) {
		uint32_t c = utf8_next(&bytes, &n);

		if (c >= 0x10000) {
			*to++ = (uint16_t)(0xd800 + ((c - 0x10000) >> 10));
			*to++ = (uint16_t)(0xdc00 + (c & 0x3ff));
		} else {
			*to++ = (uint16_t)c;
		}
	}
	*to = 0;
}

size_t utf8_columns(const char *s)
{
	size_t columns = 0;

	for (; *s != '\0'; s++)
		columns += ((uint8_t)*s & 0xc0) != 0x80;
	return columns;
}
