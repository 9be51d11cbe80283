/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/out_memory.h"

#include <limits.h>

#include "base/memory.h"
#include "base/out.h"

/*
 * Both results of one format, compared. The formats are the point of the test, so they cannot be
 * literals.
 */
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

static void compare(const char *format, ...)
{
	char ours[256], theirs[256];
	struct out_buffer buffer;
	va_list args, again;

	va_start(args, format);
	va_copy(again, args);
	out_buffer_init(&buffer, ours, sizeof ours);
	out_vprintf(&buffer.out, format, args);
	vsnprintf(theirs, sizeof theirs, format, again);
	va_end(again);
	va_end(args);
	if (strcmp(ours, theirs) != 0)
		fail_msg("\"%s\": \"%s\" instead of \"%s\"", format, ours, theirs);
}

static void compare_number(const char *flags, const char *width, const char *precision,
			   char conversion, int64_t value)
{
	char format[64];

	snprintf(format, sizeof format, "[%%%s%s%s%c]", flags, width, precision, conversion);
	compare(format, (int)value);
	snprintf(format, sizeof format, "[%%%s%s%sl%c]", flags, width, precision, conversion);
	compare(format, (long)value);
	snprintf(format, sizeof format, "[%%%s%s%sll%c]", flags, width, precision, conversion);
	compare(format, (long long)value);
	snprintf(format, sizeof format, "[%%%s%s%sz%c]", flags, width, precision, conversion);
	compare(format, (size_t)value);
	snprintf(format, sizeof format, "[%%%s%s%sj%c]", flags, width, precision, conversion);
	compare(format, (intmax_t)value);
}

/* Every combination of flags, width, precision, length and conversion with every value. */
static void test_numbers(void **state)
{
	static const char *const flags[] = { "", "-", "0", "-0" };
	static const char *const widths[] = { "", "1", "7", "40" };
	static const char *const precisions[] = { "", ".", ".0", ".1", ".5", ".30" };
	static const char conversions[] = "diuxX";
	static const int64_t values[] = { 0,      1,       -1,      9,        10,      255,
					  -12345, INT_MAX, INT_MIN, LONG_MAX, LONG_MIN };

	(void)state;
	for (size_t f = 0; f < N_OF(flags); f++)
		for (size_t w = 0; w < N_OF(widths); w++)
			for (size_t p = 0; p < N_OF(precisions); p++)
				for (const char *c = conversions; *c != '\0'; c++)
					for (size_t v = 0; v < N_OF(values); v++)
						compare_number(flags[f], widths[w], precisions[p],
							       *c, values[v]);
}

static void test_texts(void **state)
{
	static const char *const formats[] = {
		"%s",        "[%10s]", "[%-10s]", "[%.2s]",       "[%10.3s]",
		"[%-10.0s]", "[%.s]",  "%s%%",    "100%% of %s!", "[%.40s]",
	};
	static const char *const values[] = { "", "a", "abc", "longer than ten",
					      "\xc3\xa4\xe2\x82\xac" };

	(void)state;
	for (size_t f = 0; f < N_OF(formats); f++)
		for (size_t v = 0; v < N_OF(values); v++)
			compare(formats[f], values[v]);
	compare("[%c][%3c][%-3c]", 'x', 'y', 'z');
	compare("[%*d][%-*d][%*d]", 5, 1, 5, 2, -5, 3);
	compare("[%.*s][%.*s]", 2, "abc", -1, "abc");
	compare("[%0*ju]", 4, (uintmax_t)7);
	compare("nothing");
	compare("");
	compare("%s %d %s %zu %s %jx", "a", -1, "b", (size_t)2, "c", (uintmax_t)UINT64_MAX);
}

/* A precision stops reading: the text need not end in a NUL. */
static void test_text_without_end(void **state)
{
	char *three = malloc(3), to[8];
	struct out_buffer buffer;

	(void)state;
	memcpy(three, "abc", 3);
	out_buffer_init(&buffer, to, sizeof to);
	out_printf(&buffer.out, "%.3s", three);
	assert_string_equal(to, "abc");
	free(three);
}

static void test_buffer(void **state)
{
	static const struct {
		size_t capacity;
		const char *text, *kept;
	} rows[] = {
		{ 1, "", "" },
		{ 1, "a", "" },
		{ 4, "abc", "abc" },
		{ 4, "abcd", "abc" },
		{ 4, "ab\xc3\xa4", "ab" },
		{ 5, "ab\xc3\xa4", "ab\xc3\xa4" },
		{ 5, "ab\xe2\x82\xac", "ab" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char *to = malloc(rows[i].capacity);
		struct out_buffer buffer;

		out_buffer_init(&buffer, to, rows[i].capacity);
		out_text(&buffer.out, rows[i].text);
		assert_string_equal(to, rows[i].kept);
		assert_row(buffer.length == strlen(rows[i].kept), i);
		assert_row(buffer.out.failed == (strcmp(rows[i].text, rows[i].kept) != 0), i);
		free(to);
	}
}

/* What was cut once stays as it is. */
static void test_buffer_full(void **state)
{
	struct out_buffer buffer;
	char to[4];

	(void)state;
	out_buffer_init(&buffer, to, sizeof to);
	out_text(&buffer.out, "abcd");
	out_text(&buffer.out, "e");
	assert_string_equal(to, "abc");
	out_buffer_init(&buffer, to, sizeof to);
	out_spaces(&buffer.out, 2);
	assert_string_equal(to, "  ");
}

static void test_names_with_a_colon(void **state)
{
	char to[64];
	struct out_buffer buffer;

	(void)state;
	out_buffer_init(&buffer, to, sizeof to);
	out_printf(&buffer.out, "%s: %s:%s %s: %.3s: %s", "blk3:", "a:", "b:", "", "fs0:\\x", "c:");
	assert_string_equal(to, "blk3: a::b: : fs0: c:");
}

static void test_new(void **state)
{
	char longer[3000];
	char *text;

	(void)state;
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	text = out_new("%s.%03u", longer, 7u);
	assert_non_null(text);
	assert_int_equal(strlen(text), sizeof longer - 1 + strlen(".007"));
	assert_string_equal(text + sizeof longer - 1, ".007");
	mem_free(text);
	sim_fail_allocation(1);
	assert_null(out_new("%s", ""));
	sim_fail_allocation(0);
}

/* Room is made as it is needed, and what was there stays. */
static void test_memory(void **state)
{
	static char expected[12000];
	struct out_memory memory;

	(void)state;
	for (size_t i = 0; i < sizeof expected; i++)
		expected[i] = (char)('a' + i % 23);
	out_memory_init(&memory, 11000);
	for (size_t n = 0; n < sizeof expected; n += 3000) {
		assert_true(memory.n == n && memory.left_out == 0);
		memory.out.write(&memory.out, expected + n, 3000);
	}
	assert_int_equal(memory.n, 11000);
	assert_int_equal(memory.left_out, 1000);
	assert_true(memory.out.failed);
	assert_memory_equal(memory.text, expected, 11000);
	out_memory_clear(&memory);
	sim_fail_allocation(1);
	memory.out.write(&memory.out, expected, 11000); /* there is room already */
	sim_fail_allocation(0);
	assert_true(memory.n == 11000 && !memory.out.failed);
	out_memory_free(&memory);
	memory.out.write(&memory.out, expected, 10000); /* at once */
	assert_memory_equal(memory.text, expected, 10000);
	out_memory_free(&memory);
	assert_int_equal(sim_allocations(), 0);
}

static void test_error(void **state)
{
	struct error err;
	char longer[3000];

	(void)state;
	assert_int_equal(fail(&err, ST_IO, "%s: %u", "disk", 7u), ST_IO);
	assert_string_equal(err.text, "disk: 7");
	memset(longer, 'x', sizeof longer - 1);
	longer[sizeof longer - 1] = '\0';
	assert_int_equal(fail(&err, ST_CORRUPT, "%s", longer), ST_CORRUPT);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
	assert_int_equal(fail_no_memory(&err), ST_NO_MEMORY);
	assert_string_equal(err.text, "not enough memory");
}

static void test_status(void **state)
{
	(void)state;
	for (int i = 0; i < N_STATUSES; i++) {
		const char *text = status_text((enum status)i);

		assert_non_null(text);
		assert_true(strlen(text) > 0);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(text, status_text((enum status)k));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_text_without_end),
		cmocka_unit_test(test_buffer),
		cmocka_unit_test(test_buffer_full),
		cmocka_unit_test(test_names_with_a_colon),
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_error),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
