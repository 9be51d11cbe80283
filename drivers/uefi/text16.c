/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings of the firmware, which are NUL-terminated UTF-16 (UEFI 2.10, 2.3.1), and base/utf.h. */
#include <efi.h>

#include "text16.h"

#include <stdint.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/utf.h"

size_t text16_length(const CHAR16 *s)
{
	size_t n = 0;

	while (s[n] != 0)
		n++;
	return n;
}

CHAR16 *text16_from_utf8(const char *s)
{
	size_t n_bytes = text_length(s);
	CHAR16 *copy = mem_alloc((utf16_length_of_utf8(s, n_bytes) + 1) * sizeof *copy);

	if (copy != NULL)
		utf16_from_utf8(copy, s, n_bytes);
	return copy;
}

char *text16_to_utf8_n(const CHAR16 *s, size_t n)
{
	size_t length = 0;
	char *copy;

	while (length < n && s[length] != 0)
		length++;
	copy = mem_alloc(utf8_length_of_utf16(s, length) + 1);
	if (copy != NULL)
		utf8_from_utf16(copy, s, length);
	return copy;
}

char *text16_to_utf8(const CHAR16 *s)
{
	return text16_to_utf8_n(s, text16_length(s));
}
