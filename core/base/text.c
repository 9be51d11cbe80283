/* SPDX-License-Identifier: BSD-2-Clause */
/* Functions of <string.h> and <ctype.h>, which the core does not have, independent of a locale. */
#include "base/text.h"

#include "base/memory.h"
#include "base/range.h"

size_t text_length(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

int text_compare(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

bool text_equal(const char *a, const char *b)
{
	return text_compare(a, b) == 0;
}

char text_lower(char c)
{
	if (c >= 'A' && c <= 'Z')
		c |= 'a' - 'A';
	return c;
}

bool text_equal_nocase(const char *a, const char *b)
{
	while (*a != '\0' && text_lower(*a) == text_lower(*b)) {
		a++;
		b++;
	}
	return text_lower(*a) == text_lower(*b);
}

bool text_starts_with(const char *s, const char *prefix)
{
	while (*prefix != '\0' && *s == *prefix) {
		s++;
		prefix++;
	}
	return *prefix == '\0';
}

bool text_starts_with_nocase(const char *s, const char *prefix)
{
	while (*prefix != '\0' && text_lower(*s) == text_lower(*prefix)) {
		s++;
		prefix++;
	}
	return *prefix == '\0';
}

bool text_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int text_hex_digit(char c)
{
	if (text_is_digit(c))
		return c - '0';
	c = text_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *text_find(const char *s, char c)
{
	for (; *s != '\0'; s++)
		if (*s == c)
			return s;
	return NULL;
}

char *text_copy_n(const char *s, size_t n)
{
	char *copy = mem_alloc(n + 1);

	if (copy != NULL)
		memcpy(copy, s, n);
	return copy;
}

char *text_copy(const char *s)
{
	return text_copy_n(s, text_length(s));
}

bool text_to_u64(const char *s, uint64_t *ret)
{
	uint64_t n = 0;

	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++)
		if (!text_is_digit(*s) || !mul_ok(n, 10, &n) ||
		    !add_ok(n, (uint64_t)(*s - '0'), &n))
			return false;
	*ret = n;
	return true;
}
