/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/utf.h"

static void test_good(void **state)
{
	static const struct {
		const char *utf8;
		uint16_t utf16[8];
		size_t n_units, columns;
	} rows[] = {
		{ "", { 0 }, 0, 0 },
		{ "abc", { 'a', 'b', 'c' }, 3, 3 },
		{ "\x7f", { 0x7f }, 1, 1 },
		{ "\xc2\x80", { 0x80 }, 1, 1 },
		{ "\xc3\xa4x", { 0xe4, 'x' }, 2, 2 },
		{ "\xdf\xbf", { 0x7ff }, 1, 1 },
		{ "\xe0\xa0\x80", { 0x800 }, 1, 1 },
		{ "\xed\x9f\xbf", { 0xd7ff }, 1, 1 },
		{ "\xee\x80\x80", { 0xe000 }, 1, 1 },
		{ "\xef\xbf\xbf", { 0xffff }, 1, 1 },
		{ "\xf0\x90\x80\x80", { 0xd800, 0xdc00 }, 2, 1 },
		{ "\xf4\x8f\xbf\xbf", { 0xdbff, 0xdfff }, 2, 1 },
		{ "\xf0\x9f\x92\xbe!", { 0xd83d, 0xdcbe, '!' }, 3, 2 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		size_t n = strlen(rows[i].utf8), n_units = utf16_length_of_utf8(rows[i].utf8, n);
		uint16_t *units = malloc((n_units + 1) * sizeof *units);
		char *text;

		assert_row(n_units == rows[i].n_units, i);
		utf16_from_utf8(units, rows[i].utf8, n);
		assert_row(memcmp(units, rows[i].utf16, n_units * sizeof *units) == 0 &&
				   units[n_units] == 0,
			   i);
		assert_row(utf8_length_of_utf16(units, n_units) == n, i);
		text = malloc(n + 1);
		utf8_from_utf16(text, units, n_units);
		assert_row(strcmp(text, rows[i].utf8) == 0, i);
		assert_row(utf8_columns(text) == rows[i].columns, i);
		free(text);
		free(units);
	}
}

/* What is malformed becomes U+FFFD, a byte or unit at a time. */
static void test_malformed(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		const char *shown; /* '?' stands for U+FFFD */
	} rows[] = {
		{ "\x80", 1, "?" },
		{ "\xff\xfe", 2, "??" },
		{ "a\xc3", 2, "a?" },
		{ "\xc3z", 2, "?z" },
		{ "\xc0\x80", 2, "??" },
		{ "\xc1\xbf", 2, "??" },
		{ "\xe0\x80\x80", 3, "???" },
		{ "\xe0\x9f\xbf", 3, "???" },
		{ "\xed\xa0\x80", 3, "???" },
		{ "\xed\xbf\xbf", 3, "???" },
		{ "\xf0\x80\x80\x80", 4, "????" },
		{ "\xf0\x8f\xbf\xbf", 4, "????" },
		{ "\xf4\x90\x80\x80", 4, "????" },
		{ "\xf5\x80\x80\x80", 4, "????" },
		{ "\xe2\x82", 2, "??" },
		{ "\xe2\x82x", 3, "??x" },
		{ "\xf0\x9f\x92", 3, "???" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char *exact = malloc(rows[i].n); /* so that reading beyond is seen */
		uint16_t units[8];
		size_t n;

		memcpy(exact, rows[i].bytes, rows[i].n);
		n = utf16_length_of_utf8(exact, rows[i].n);
		assert_row(n == strlen(rows[i].shown), i);
		utf16_from_utf8(units, exact, rows[i].n);
		for (size_t k = 0; k < n; k++)
			assert_row(units[k] ==
					   (rows[i].shown[k] == '?' ? 0xfffd : rows[i].shown[k]),
				   i);
		free(exact);
	}
}

static void test_lone_surrogates(void **state)
{
	static const struct {
		uint16_t units[4];
		size_t n;
		const char *text;
	} rows[] = {
		{ { 0xd800 }, 1, "\xef\xbf\xbd" },
		{ { 0xdc00 }, 1, "\xef\xbf\xbd" },
		{ { 0xd800, 'a' },
		  2,
		  "\xef\xbf\xbd"
		  "a" },
		{ { 0xdc00, 0xd800 }, 2, "\xef\xbf\xbd\xef\xbf\xbd" },
		{ { 0xd800, 0xd83d, 0xdcbe }, 3, "\xef\xbf\xbd\xf0\x9f\x92\xbe" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char text[16];

		assert_row(utf8_length_of_utf16(rows[i].units, rows[i].n) == strlen(rows[i].text),
			   i);
		utf8_from_utf16(text, rows[i].units, rows[i].n);
		assert_row(strcmp(text, rows[i].text) == 0, i);
	}
}

/* Every character there is, there and back. */
static void test_all(void **state)
{
	(void)state;
	for (uint32_t c = 1; c <= 0x10ffff; c++) {
		uint16_t units[3], again[3];
		size_t n_units = c < 0x10000 ? 1 : 2, n = 0;
		const char *p;
		char text[5];

		if (c >= 0xd800 && c < 0xe000)
			continue;
		units[0] = (uint16_t)(c < 0x10000 ? c : 0xd800 + ((c - 0x10000) >> 10));
		units[1] = (uint16_t)(0xdc00 + (c & 0x3ff));
		utf8_from_utf16(text, units, n_units);
		utf16_from_utf8(again, text, strlen(text));
		if (memcmp(units, again, n_units * sizeof *units) != 0 || again[n_units] != 0)
			fail_msg("U+%04X", c);
		p = text;
		n = strlen(text);
		if (utf8_next(&p, &n) != c || n != 0 || *p != '\0')
			fail_msg("U+%04X", c);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_lone_surrogates),
		cmocka_unit_test(test_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
