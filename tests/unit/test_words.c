/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/words.h"

static void test_good(void **state)
{
	static const struct {
		const char *line;
		const char *words; /* each in < > */
	} rows[] = {
		{ "", "" },
		{ "   \t ", "" },
		{ "a", "<a>" },
		{ " a  b\tc ", "<a><b><c>" },
		{ "\"a b\" c", "<a b><c>" },
		{ "a\" \"b", "<a b>" },
		{ "\"\"", "<>" },
		{ "\"\" \"\"", "<><>" },
		{ "a\"\"b", "<ab>" },
		{ "\"fs0:\\my disk.qcow2\" 50G", "<fs0:\\my disk.qcow2><50G>" },
		{ "^\"a", "<\"a>" },
		{ "a^ b", "<a b>" },
		{ "\"a^\"b\"", "<a\"b>" },
		{ "^^", "<^>" },
		{ "a^", "<a^>" },
		{ "\xc3\xa4 \xe2\x82\xac", "<\xc3\xa4><\xe2\x82\xac>" },
	};
	struct capture capture;

	(void)state;
	capture_init(&capture);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct error err = { "" };
		struct words words;

		if (words_split(rows[i].line, &words, &err) != ST_OK)
			fail_msg("row %zu: %s", i, err.text);
		capture_clear(&capture);
		for (size_t k = 0; k < words.n; k++)
			out_printf(&capture.out, "<%s>", words.word[k]);
		if (strcmp(capture.text, rows[i].words) != 0)
			fail_msg("row %zu: \"%s\" instead of \"%s\"", i, capture.text,
				 rows[i].words);
		capture_clear(&capture);
		words_print(words.word, words.n, &capture.out); /* and back */
		words_free(&words);
		assert_ok(words_split(capture.text, &words, &err));
		capture_clear(&capture);
		for (size_t k = 0; k < words.n; k++)
			out_printf(&capture.out, "<%s>", words.word[k]);
		assert_string_equal(capture.text, rows[i].words);
		words_free(&words);
	}
	capture_free(&capture);
	assert_int_equal(sim_allocations(), 0);
}

static void test_open_quote(void **state)
{
	static const char *const rows[] = { "\"", "a \"b", "\"a\" \"", "\"a^\"" };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct error err;
		struct words words;

		assert_row(words_split(rows[i], &words, &err) == ST_INVALID, i);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_no_memory(void **state)
{
	unsigned n = 1;

	(void)state;
	for (;; n++) {
		struct error err;
		struct words words;
		enum status st;

		sim_fail_allocation(n);
		st = words_split("create -f qcow2 \"a b\" 1G", &words, &err);
		if (!sim_allocation_failed()) {
			assert_ok(st);
			assert_int_equal(words.n, 5);
			words_free(&words);
			break;
		}
		assert_int_equal(st, ST_NO_MEMORY);
		assert_int_equal(sim_allocations(), 0);
	}
	sim_fail_allocation(0);
	assert_true(n > 5);
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_open_quote),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
