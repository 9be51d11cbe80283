/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/nearest.h"

static const char *const names[] = { "check", "commit", "compare", "convert",      "create",
				     "dd",    "info",   "list",    "source-format" };

static const char *find(const char *word, size_t n)
{
	struct nearest nearest = { 0 };

	for (size_t i = 0; i < N_OF(names); i++)
		nearest_try(&nearest, word, n, names[i]);
	return nearest.found;
}

static void test_found(void **state)
{
	static const struct {
		const char *word, *name; /* NULL: none */
	} rows[] = {
		{ "convert", "convert" },
		{ "conver", "convert" },   /* one less */
		{ "convertt", "convert" }, /* one more */
		{ "comvert", "convert" },  /* another one */
		{ "covnert", "convert" },  /* exchanged */
		{ "ovnert", "convert" },   /* both */
		{ "chekc", "check" },
		{ "lst", "list" },
		{ "ilst", "list" },
		{ "inof", "info" },
		{ "conv", "convert" },         /* abbreviated */
		{ "soruce", "source-format" }, /* and mistyped */
		{ "comp", "compare" },
		{ "com", "commit" }, /* the shortest */
		{ "compareall", "compare" },
		{ "ls", NULL }, /* too short to tell */
		{ "", NULL },
		{ "delete", NULL },
		{ "partition", NULL },
		{ "ecnovret", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const char *found = find(rows[i].word, strlen(rows[i].word));

		if ((found == NULL) != (rows[i].name == NULL) ||
		    (found != NULL && strcmp(found, rows[i].name) != 0))
			fail_msg("\"%s\": %s instead of %s", rows[i].word, found, rows[i].name);
	}
}

/* Words may have any length, and need no NUL after them. */
static void test_any_length(void **state)
{
	char word[200];

	(void)state;
	memset(word, 'c', sizeof word);
	for (size_t n = 0; n <= sizeof word; n++)
		assert_null(find(word, n));
	assert_string_equal(find("create=4k", 6), "create");
}

static void test_said(void **state)
{
	struct nearest nearest = { 0 };
	struct error err = { "it is not there" };

	(void)state;
	nearest_say(&nearest, "--", &err);
	assert_string_equal(err.text, "it is not there");
	nearest_try(&nearest, "forc", 4, "force");
	nearest_say(&nearest, "--", &err);
	assert_string_equal(err.text, "it is not there; did you mean --force?");
	memset(err.text, 'x', sizeof err.text - 1); /* no room for another word */
	nearest_say(&nearest, "--", &err);
	assert_int_equal(strlen(err.text), sizeof err.text - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_found),
		cmocka_unit_test(test_any_length),
		cmocka_unit_test(test_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
