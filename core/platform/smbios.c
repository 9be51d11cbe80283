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

enum {
	FIRMWARE_INFORMATION = 0,
	SYSTEM_INFORMATION = 1,
	OEM_STRINGS = 11,
	END_OF_TABLE = 127,
	HEADER_BYTES = 4
};

/* Of FIRMWARE_INFORMATION: an offset and a bit of what is there. */
enum { EXTENSION_2 = 0x13, VIRTUAL_MACHINE = 1 << 4 };

/* Of SYSTEM_INFORMATION: the offsets of the numbers of two strings. */
enum { MANUFACTURER = 4, PRODUCT = 5 };

/* The size of the string at `at`, with its NUL; 0: the table ends before the string. */
static size_t string_bytes(const uint8_t *table, size_t n, size_t at)
{
	for (size_t i = at; i < n; i++)
		if (table[i] == 0)
			return i + 1 - at;
	return 0;
}

/* Returns where the strings of the structure at `at` begin, or n where it is cut off. */
static size_t strings_of(const uint8_t *table, size_t n, size_t at)
{
	size_t length = table[at + 1];

	return length < HEADER_BYTES || length > n - at ? n : at + length;
}

/* Returns where the structure after the one whose strings begin at `at` begins, or n. */
static size_t after_strings(const uint8_t *table, size_t n, size_t at)
{
	size_t bytes;

	if (n - at >= 2 && table[at] == 0 && table[at + 1] == 0) /* no strings */
		return at + 2;
	while ((bytes = string_bytes(table, n, at)) > 1)
		at += bytes;
	return bytes == 0 ? n : at + 1;
}

static bool is_structure(const uint8_t *table, size_t n, size_t at)
{
	return n - at >= HEADER_BYTES && table[at] != END_OF_TABLE;
}

bool smbios_strings(const uint8_t *table, size_t n, const char *prefix, struct out *out)
{
	size_t n_prefix = text_length(prefix), bytes;
	bool found = false;

	for (size_t at = 0, strings; is_structure(table, n, at);
	     at = after_strings(table, n, strings)) {
		strings = strings_of(table, n, at);
		if (table[at] != OEM_STRINGS)
			continue;
		for (at = strings; (bytes = string_bytes(table, n, at)) > 1; at += bytes)
			if (bytes > n_prefix && memcmp(table + at, prefix, n_prefix) == 0) {
				out_printf(out, "%s\n", (const char *)table + at + n_prefix);
				found = true;
			}
	}
	return found;
}

bool smbios_is_virtual(const uint8_t *table, size_t n)
{
	for (size_t at = 0, strings; is_structure(table, n, at);
	     at = after_strings(table, n, strings)) {
		strings = strings_of(table, n, at);
		if (table[at] == FIRMWARE_INFORMATION && strings - at > EXTENSION_2 && strings < n)
			return (table[at + EXTENSION_2] & VIRTUAL_MACHINE) != 0;
	}
	return false;
}

/* Returns string `number` of those that begin at `at`; NULL: there is none. */
static const char *string_at(const uint8_t *table, size_t n, size_t at, unsigned number)
{
	size_t bytes;

	while ((bytes = string_bytes(table, n, at)) > 1 && number > 0) {
		if (--number == 0)
			return (const char *)table + at;
		at += bytes;
	}
	return NULL;
}

/* Whether a string tells anything: boards are sold with these in place of a name. */
static bool is_filled_in(const char *text)
{
	static const char *const empty[] = {
		"to be filled by o.e.m.", "system manufacturer", "system product name",
		"default string",         "not specified",
	};

	for (size_t i = 0; text != NULL && i < sizeof empty / sizeof empty[0]; i++)
		if (text_equal_nocase(text, empty[i]))
			return false;
	return text != NULL;
}

void smbios_model(const uint8_t *table, size_t n, struct out *out)
{
	static const size_t field[] = { MANUFACTURER, PRODUCT };
	const char *between = "";

	for (size_t at = 0, strings; is_structure(table, n, at);
	     at = after_strings(table, n, strings)) {
		strings = strings_of(table, n, at);
		if (table[at] != SYSTEM_INFORMATION || strings - at <= PRODUCT || strings == n)
			continue;
		for (size_t i = 0; i < sizeof field / sizeof field[0]; i++) {
			const char *text = string_at(table, n, strings, table[at + field[i]]);

			if (!is_filled_in(text))
				continue;
			out_printf(out, "%s%s", between, text);
			between = " ";
		}
		return;
	}
}
