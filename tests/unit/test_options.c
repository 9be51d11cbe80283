/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "cli/options.h"

static const struct option options[] = {
	{ 'f', "format", "FMT", "" },   { 'o', NULL, "OPTIONS", "" },
	{ 'q', NULL, NULL, "" },        { 'u', NULL, NULL, "" },
	{ 0, "output", "OFMT", "" },    { 0, "force", NULL, "" },
	{ 0, "force-share", NULL, "" }, { 'F', "format", "FMT", "" },
	{ 'f', "kind", "FMT", "" },     { 0 },
};

static const struct option refused[] = { { 0, "image-opts", NULL, "for a reason" },
					 { 0, "object", NULL, "for another" },
					 { 0 } };

enum { ARGS = 8 };

static int count(char *const *argv)
{
	int n = 0;

	while (n < ARGS && argv[n] != NULL)
		n++;
	return n;
}

/* The result in one line: "f=qcow2 q | a b". */
static void describe(const struct arguments *a, struct out *out)
{
	for (size_t i = 0; i < a->n_values; i++) {
		const struct option *option = &options[a->values[i].option];

		if (option->letter != 0)
			out_printf(out, "%c", option->letter);
		else
			out_text(out, option->name);
		if (a->values[i].value != NULL)
			out_printf(out, "=%s", a->values[i].value);
		out_text(out, " ");
	}
	out_text(out, a->help ? "help |" : "|");
	for (size_t i = 0; i < a->n_operands; i++)
		out_printf(out, " %s", a->operands[i]);
}

static void test_good(void **state)
{
	static const struct {
		const char *argv[ARGS];
		const char *result;
	} rows[] = {
		{ { NULL }, "|" },
		{ { "a", "b" }, "| a b" },
		{ { "-f", "qcow2", "a" }, "f=qcow2 | a" },
		{ { "-fqcow2", "a" }, "f=qcow2 | a" },
		{ { "-F", "qcow2", "-qFraw", "--format", "x", "--form=y", "--kind=z" },
		  "f=qcow2 q f=raw f=x f=y f=z |" },
		{ { "-qf", "raw", "a" }, "q f=raw | a" },
		{ { "-quf", "raw" }, "q u f=raw |" },
		{ { "-qufraw" }, "q u f=raw |" },
		{ { "--format=raw" }, "f=raw |" },
		{ { "--format", "raw" }, "f=raw |" },
		{ { "--form", "raw" }, "f=raw |" },
		{ { "--format=" }, "f= |" },
		{ { "--output=json" }, "output=json |" },
		{ { "--o=json" }, "output=json |" },
		{ { "--force" }, "force |" },
		{ { "--force-share" }, "force-share |" },
		{ { "--force-s" }, "force-share |" },
		{ { "a", "-q", "b" }, "q | a b" },
		{ { "-q", "--", "-q", "--output" }, "q | -q --output" },
		{ { "--", "--" }, "| --" },
		{ { "-", "-q" }, "q | -" },
		{ { "-o", "a=1", "-o", "b=2" }, "o=a=1 o=b=2 |" },
		{ { "-o", "-q" }, "o=-q |" },
		{ { "-f", "--" }, "f=-- |" },
		{ { "-h" }, "help |" },
		{ { "-qh" }, "q help |" },
		{ { "--help", "x" }, "help | x" },
		{ { "--he" }, "help |" },
		{ { "" }, "| " },
	};
	struct capture capture;

	(void)state;
	capture_init(&capture);
	for (size_t i = 0; i < N_OF(rows); i++) {
		char **argv = (char **)(uintptr_t)rows[i].argv;
		struct error err = { "" };
		struct arguments a;

		if (arguments_parse(options, refused, count(argv), argv, &a, &err) != ST_OK)
			fail_msg("row %zu: %s", i, err.text);
		capture_clear(&capture);
		describe(&a, &capture.out);
		if (strcmp(capture.text, rows[i].result) != 0)
			fail_msg("row %zu: \"%s\" instead of \"%s\"", i, capture.text,
				 rows[i].result);
		arguments_free(&a);
	}
	capture_free(&capture);
	assert_int_equal(sim_allocations(), 0);
}

static void test_refused(void **state)
{
	static const struct {
		const char *argv[ARGS];
		const char *words; /* in the error */
	} rows[] = {
		{ { "-x" }, "-x" },
		{ { "-qx" }, "-x" },
		{ { "--nothing" }, "--nothing" },
		{ { "--nothing=1" }, "--nothing" },
		{ { "--fo=1" }, "ambiguous" },
		{ { "--forc" }, "ambiguous" },
		{ { "-f" }, "FMT" },
		{ { "-qf" }, "FMT" },
		{ { "--format" }, "FMT" },
		{ { "--output" }, "OFMT" },
		{ { "--force=yes" }, "no value" },
		{ { "--help=me" }, "no value" },
		{ { "--=1" }, "--" },
		{ { "--image-opts" }, "there is no option --image-opts here: for a reason" },
		{ { "--obj=x" }, "there is no option --object here: for another" },
		{ { "--images" }, "unknown option --images" },
		{ { "--image-opts-" }, "unknown option --image-opts-" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char **argv = (char **)(uintptr_t)rows[i].argv;
		struct error err = { "" };
		struct arguments a;

		if (arguments_parse(options, refused, count(argv), argv, &a, &err) != ST_INVALID)
			fail_msg("row %zu was taken", i);
		if (strstr(err.text, rows[i].words) == NULL)
			fail_msg("row %zu: \"%s\"", i, err.text);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_values(void **state)
{
	char *argv[] = { "-f", "raw", "--output=json", "-f", "qcow2", "-q" };
	struct error err;
	struct arguments a;

	(void)state;
	assert_ok(arguments_parse(options, refused, N_OF(argv), argv, &a, &err));
	assert_true(arguments_has(&a, "f") && arguments_has(&a, "format") &&
		    arguments_has(&a, "q"));
	assert_false(arguments_has(&a, "u") || arguments_has(&a, "force"));
	assert_string_equal(arguments_value(&a, "f"), "qcow2");
	assert_string_equal(arguments_value(&a, "output"), "json");
	assert_null(arguments_value(&a, "o"));
	assert_null(arguments_value(&a, "q"));
	arguments_free(&a);
}

static void test_without_options(void **state)
{
	char *argv[] = { "a", "-h" }, *wrong[] = { "-q" };
	struct error err;
	struct arguments a;

	(void)state;
	assert_ok(arguments_parse(NULL, NULL, N_OF(argv), argv, &a, &err));
	assert_true(a.help);
	assert_int_equal(a.n_operands, 1);
	arguments_free(&a);
	assert_int_equal(arguments_parse(NULL, NULL, N_OF(wrong), wrong, &a, &err), ST_INVALID);
}

static void test_no_memory(void **state)
{
	char *argv[] = { "-f", "raw", "a" };
	unsigned n = 1;

	(void)state;
	for (;; n++) {
		struct error err;
		struct arguments a;
		enum status st;

		sim_fail_allocation(n);
		st = arguments_parse(options, refused, N_OF(argv), argv, &a, &err);
		if (!sim_allocation_failed()) {
			assert_ok(st);
			arguments_free(&a);
			break;
		}
		assert_int_equal(st, ST_NO_MEMORY);
		assert_int_equal(sim_allocations(), 0);
	}
	sim_fail_allocation(0);
	assert_true(n > 1);
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),      cmocka_unit_test(test_refused),
		cmocka_unit_test(test_values),    cmocka_unit_test(test_without_options),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
