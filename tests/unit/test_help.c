/* SPDX-License-Identifier: BSD-2-Clause */
/* What the program says of itself. */
#include "cli/dispatch.h"
#include "format/image.h"
#include "run.h"

enum { COLUMNS = 79 }; /* a console of 80 goes to the next line by itself behind the 80th */

static void check_width(void)
{
	const char *end;

	for (const char *line = out.text; *line != '\0'; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		if (end - line > COLUMNS)
			fail_msg("wider than %d: %.*s", COLUMNS, (int)(end - line), line);
	}
}

static void each_command_is_explained(void **state)
{
	(void)state;
	for (size_t i = 0; commands[i] != NULL; i++) {
		char line[128];

		assert_int_equal(RUN("help", "all"), EXIT_OK);
		check_width();
		snprintf(line, sizeof line, "\n  %-10s %s\n", commands[i]->name,
			 commands[i]->summary);
		assert_non_null(strstr(out.text, line));
		assert_int_equal(RUN("help", commands[i]->name), EXIT_OK);
		check_width();
		assert_non_null(strstr(out.text, commands[i]->name));
		snprintf(line, sizeof line, "\nExample:\n  efi-img %s", commands[i]->name);
		assert_non_null(strstr(out.text, line));
	}
	assert_int_equal(RUN("help", "exit-codes"), EXIT_OK);
	check_width();
	for (size_t i = 0; image_formats[i] != NULL; i++) {
		if (image_formats[i]->create.plan == NULL)
			continue; /* images of this format are read, and not made */
		assert_int_equal(RUN("create", "-f", image_formats[i]->name, "-o", "help"),
				 EXIT_OK);
		check_width();
	}
	assert_int_equal(RUN("version"), EXIT_OK);
	assert_non_null(strstr(out.text, "efi-img"));
}

/* With the command line before it and the prompt after it. */
static void overview_fits_a_screen(void **state)
{
	size_t lines = 0;
	char word[32];

	(void)state;
	assert_int_equal(RUN("help"), EXIT_OK);
	check_width();
	for (const char *p = out.text; *p != '\0'; p++)
		lines += *p == '\n';
	assert_true(lines <= 25 - 2);
	for (size_t i = 0; commands[i] != NULL; i++) {
		bool expert = commands[i]->purpose == PURPOSE_EXPERT;

		snprintf(word, sizeof word, " %s%s", commands[i]->name, expert ? "" : " ");
		assert_non_null(strstr(out.text, word));
		if (strstr(out.text, commands[i]->summary) == NULL)
			assert_true(expert);
	}
}

/* Common options first; those that do nothing, and other spellings, on a line after all others. */
static void long_lists_have_sections(void **state)
{
	static const char *const order[] = {
		"\nOptions:\n",
		"\n  -O, --target-format=FMT\n",
		"\nDisks and partitions:\n",
		"\n      --erase=NAME ",
		"\nImages:\n",
		"\n  -S, --sparse-size=SIZE\n",
		"\n  -h, --help ",
		"\nOther spellings: -b, --output-format, "
		"--target-options, --source-snapshot\n",
		"\nAccepted for compatibility, without effect: -t, -T, "
		"-r, -m, -W, -C, -U\n"
	};
	const char *at;

	(void)state;
	assert_int_equal(RUN("help", "convert"), EXIT_OK);
	at = out.text;
	for (size_t i = 0; i < N_OF(order); i++) {
		at = strstr(at, order[i]);
		if (at == NULL)
			fail_msg("%s", order[i]);
	}
	assert_null(strstr(out.text, "\n  -t"));
	assert_null(strstr(out.text, "--output-format="));
	assert_int_equal(RUN("help", "capture"), EXIT_OK);
	assert_non_null(strstr(out.text, "\n\nMore options:\n      --split=SIZE"));
	assert_null(strstr(out.text, "Other spellings"));
	/* More names than a line has room for. */
	assert_int_equal(RUN("help", "measure"), EXIT_OK);
	check_width();
}

static void each_way_to_ask(void **state)
{
	char overview[8192], both[8192];

	(void)state;
	assert_int_equal(RUN("help"), EXIT_OK);
	snprintf(overview, sizeof overview, "%s", out.text);
	assert_int_equal(RUN("--help"), EXIT_OK);
	assert_string_equal(out.text, overview);
	assert_int_equal(RUN("-h"), EXIT_OK);
	assert_string_equal(out.text, overview);
	/* Several commands are explained one after the other. */
	assert_int_equal(RUN("help", "version"), EXIT_OK);
	snprintf(both, sizeof both, "%s\n%s", out.text, out.text);
	assert_int_equal(RUN("help", "version", "version"), EXIT_OK);
	assert_string_equal(out.text, both);
}

/* What the report of a bug must name. */
static void version_names_the_build(void **state)
{
	(void)state;
	assert_int_equal(RUN("--version"), EXIT_OK);
	assert_string_equal(out.text,
			    "efi-img version 0.1.0 (x86_64)\n"
			    "build 2ae6d0c2e9c5b7f3a1d4e8f60912b3c4d5e6f708\n"
			    "with libdeflate 1.14, zstd 1.5.4, bzip2 1.0.8\n"
			    "Copyright (c) 2026 the efi-img authors; licence BSD-2-Clause\n");
}

/* What was not written, or what a person has stopped at the end of a screenful, is no success. */
static void output_that_fails(void **state)
{
	char *words[] = { (char *)(uintptr_t) "help" }, text[8];
	struct out_buffer full;
	struct console console = { .out = &full.out, .err = &err.out };

	(void)state;
	capture_clear(&err);
	out_buffer_init(&full, text, sizeof text);
	assert_int_equal(cli_run(&console, 1, words), EXIT_ERROR);
	assert_string_equal(err.text, "efi-img: the output could not be written completely\n");
	capture_clear(&err);
	out_buffer_init(&full, text, sizeof text);
	sim_cancel(1);
	assert_int_equal(cli_run(&console, 1, words), EXIT_ERROR);
	sim_cancel(0);
	assert_string_equal(err.text, "efi-img: stopped\n");
}

/*
 * Options that have a value, but none when they are not given: what they are about is not there
 * then, or must be given.
 */
static bool needs_no_default(const struct option *option)
{
	static const char *const names[] = { "options", "target-format-options",
					     "backing", "backing-format",
					     "erase",   "manifest",
					     "bmap",    "map",
					     "merge",   "source-file",
					     "check",   "create",
					     "apply",   "delete",
					     "size",    "image" };

	if (strstr(option->help, "accepted for compatibility") != NULL ||
	    strcmp(option->help, OPTION_SAME) == 0)
		return true;
	for (size_t i = 0; i < N_OF(names); i++)
		if (option->name != NULL && strcmp(option->name, names[i]) == 0)
			return true;
	return false;
}

static void each_option_says_its_default(void **state)
{
	(void)state;
	for (size_t i = 0; commands[i] != NULL; i++)
		for (const struct option *o = commands[i]->options; o != NULL && !option_is_end(o);
		     o++)
			if (o->value != NULL && !needs_no_default(o) &&
			    strstr(o->help, "default") == NULL)
				fail_msg("%s: --%s: what without it? \"%s\"", commands[i]->name,
					 o->name, o->help);
}

static void what_is_mistyped(void **state)
{
	static const struct {
		const char *words[WORDS], *said;
	} rows[] = {
		{ { "conver" }, "there is no command \"conver\"; did you mean convert?\n" },
		{ { "help", "chekc" }, "there is no command \"chekc\"; did you mean check?\n" },
		{ { "nothing" }, "there is no command \"nothing\"\n" },
		{ { "ls" }, "there is no command \"ls\"; did you mean list?\n" },
		{ { "backup", "a", "b" }, "did you mean capture?\n" },
		{ { "convert", "--target-formt=raw" },
		  "unknown option --target-formt; did you mean --target-format?\n" },
		{ { "check", "--ouptut", "json", "a" },
		  "unknown option --ouptut; did you mean --output?\n" },
		{ { "create", "--partition" }, "unknown option --partition\n" },
		{ { "create", "-f", "qcow2", "-o", "cluser_size=4k", "a", "1M" },
		  "lists those it has; did you mean cluster_size?\n" },
		{ { "create", "-f", "qcow2", "-o", "sectors=4k", "a", "1M" },
		  "lists those it has\n" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		assert_int_equal(run(rows[i].words), EXIT_ERROR);
		if (strstr(err.text, rows[i].said) == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
}

static unsigned pages;

static void page(void)
{
	pages++;
}

static void pages_where_asked(void **state)
{
	struct console console = { .out = &out.out, .err = &err.out, .page = page };
	char *argv[] = { (char *)(uintptr_t) "help", (char *)(uintptr_t) "-b",
			 (char *)(uintptr_t) "list" };

	(void)state;
	assert_int_equal(RUN("help", "-b"), EXIT_OK); /* nothing to page */
	assert_int_equal(cli_run(&console, 1, argv), EXIT_OK);
	assert_int_equal(pages, 0);
	assert_int_equal(cli_run(&console, 3, argv), EXIT_OK);
	assert_int_equal(pages, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_command_is_explained),
		cmocka_unit_test(overview_fits_a_screen),
		cmocka_unit_test(long_lists_have_sections),
		cmocka_unit_test(each_way_to_ask),
		cmocka_unit_test(version_names_the_build),
		cmocka_unit_test(output_that_fails),
		cmocka_unit_test(each_option_says_its_default),
		cmocka_unit_test(what_is_mistyped),
		cmocka_unit_test(pages_where_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
