/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A walk over the structure table of SMBIOS (SMBIOS 3.6, 6.1). A structure is a formatted area
 * (type, length of the area, handle, fields), followed by its strings, each with a NUL, and an
 * empty one at their end. Two NULs stand for "no strings". The table is the firmware's and not
 * trusted: each length is checked against the bytes that are left.
 */
#include "platform/smbios.h"

#include "base/memory.h"
#include "base/text.h"

enum { OEM_STRINGS = 11, END_OF_TABLE = 127, HEADER_BYTES = 4 };

/* The size of the string at `at`, with its NUL; 0: the table ends before the string. */
static size_t string_bytes(const uint8_t *table, size_t n, size_t at)
{
	for (size_t i = at; i < n; i++)
		if (table[i] == 0)
			return i + 1 - at;
	return 0;
}

bool smbios_strings(const uint8_t *table, size_t n, const char *prefix, struct out *out)
{
	size_t n_prefix = text_length(prefix), at = 0;
	bool found = false;

	while (n - at >= HEADER_BYTES && table[at] != END_OF_TABLE) {
		bool wanted = table[at] == OEM_STRINGS;
		size_t length = table[at + 1], bytes;

		if (length < HEADER_BYTES || length > n - at)
			break;
		at += length;
		if (n - at >= 2 && table[at] == 0 && table[at + 1] == 0) { /* no strings */
			at += 2;
			continue;
		}
		while ((bytes = string_bytes(table, n, at)) > 1) {
			if (wanted && bytes > n_prefix &&
			    memcmp(table + at, prefix, n_prefix) == 0) {
				out_printf(out, "%s\n", (const char *)table + at + n_prefix);
				found = true;
			}
			at += bytes;
		}
		if (bytes == 0)
			break;
		at++;
	}
	return found;
}
