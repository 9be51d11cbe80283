/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/printable.h"

static void test_table(void **state)
{
	static const struct {
		const char *text;
		size_t max;
		const char *shown;
	} rows[] = {
		{ "", 10, "" },
		{ "plain ~", 10, "plain ~" },
		{ "W\xc3\xb6rk \xf0\x9f\x92\xbe", 10, "W\xc3\xb6rk \xf0\x9f\x92\xbe" },
		{ "\x1b[31mred\n\r\t\x7f", 20, "?[31mred????" },
		{ "\xc2\x9b"
		  "31m",
		  10, "?31m" }, /* CSI of the C1 controls */
		{ "\x9b"
		  "31m",
		  10, "?31m" }, /* the same as a raw byte */
		{ "a\xe2\x80\xae"
		  "b",
		  10, "a?b" }, /* right-to-left override */
		{ "a\xe2\x80\xa8"
		  "b",
		  10, "a?b" }, /* line separator */
		{ "a\xe2\x81\xa6"
		  "b",
		  10, "a?b" }, /* isolate */
		{ "\xff\xfe", 10, "??" },
		{ "12345", 5, "12345" },
		{ "123456", 5, "12..." },
		{ "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 5,
		  "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4" },
		{ "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", 5, "\xc3\xa4\xc3\xa4..." },
	};
	struct capture capture;

	(void)state;
	capture_init(&capture);
	for (size_t i = 0; i < N_OF(rows); i++) {
		capture_clear(&capture);
		out_printable(&capture.out, rows[i].text, rows[i].max);
		assert_string_equal(capture.text, rows[i].shown);
	}
	capture_free(&capture);
}

/* Never more columns than asked for, whatever the bytes are. */
static void test_columns(void **state)
{
	struct capture capture;
	unsigned random = 1;

	(void)state;
	capture_init(&capture);
	for (int i = 0; i < 20000; i++) {
		char text[40];
		size_t n;

		for (size_t k = 0; k < sizeof text; k++) {
			random = random * 1103515245 + 12345;
			text[k] = (char)(random >> 16);
		}
		text[sizeof text - 1] = '\0';
		capture_clear(&capture);
		out_printable(&capture.out, text, 12);
		n = 0;
		for (size_t k = 0; k < capture.n; k++)
			n += (capture.text[k] & 0xc0) != 0x80;
		assert_true(n <= 12);
	}
	capture_free(&capture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_columns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
