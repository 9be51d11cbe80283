/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/tree.h"

static void write_tree(struct tree *tree)
{
	tree_object(tree, NULL);
	tree_text(tree, "file-name", "a \"b\"\\\t\x01");
	tree_number(tree, "size", UINT64_MAX);
	tree_bool(tree, "dirty", false);
	tree_null(tree, "nothing");
	tree_array(tree, "empty");
	tree_end(tree);
	tree_array(tree, "list");
	tree_number(tree, NULL, 1);
	tree_object(tree, NULL);
	tree_bool(tree, "lazy-refcounts", true);
	tree_end(tree);
	tree_object(tree, NULL);
	tree_end(tree);
	tree_end(tree);
	tree_end(tree);
}

static void test_json(void **state)
{
	struct capture capture;
	struct tree tree;

	(void)state;
	capture_init(&capture);
	tree_init(&tree, &capture.out, TREE_JSON);
	write_tree(&tree);
	assert_string_equal(capture.text, "{\n"
					  "    \"file-name\": \"a \\\"b\\\"\\\\\\t\\u0001\",\n"
					  "    \"size\": 18446744073709551615,\n"
					  "    \"dirty\": false,\n"
					  "    \"nothing\": null,\n"
					  "    \"empty\": [\n"
					  "    ],\n"
					  "    \"list\": [\n"
					  "        1,\n"
					  "        {\n"
					  "            \"lazy-refcounts\": true\n"
					  "        },\n"
					  "        {\n"
					  "        }\n"
					  "    ]\n"
					  "}\n");
	capture_free(&capture);
}

static void test_empty_array(void **state)
{
	struct capture capture;
	struct tree tree;

	(void)state;
	capture_init(&capture);
	tree_init(&tree, &capture.out, TREE_JSON);
	tree_array(&tree, NULL);
	tree_end(&tree);
	assert_string_equal(capture.text, "[\n]\n");
	capture_free(&capture);
}

/*
 * ASCII only, whatever the text holds: pairs of surrogates beyond U+FFFF, and U+FFFD for what is
 * malformed.
 */
static void test_json_text(void **state)
{
	static const struct {
		const char *text, *json;
	} rows[] = {
		{ "", "\"\"" },
		{ "plain ~/", "\"plain ~/\"" },
		{ "\b\f\n\r\t", "\"\\b\\f\\n\\r\\t\"" },
		{ "\x1b\x7f", "\"\\u001B\\u007F\"" },
		{ "\xc3\xa4", "\"\\u00E4\"" },
		{ "\xf0\x9f\x92\xbe", "\"\\uD83D\\uDCBE\"" },
		{ "\xff"
		  "a",
		  "\"\\uFFFDa\"" },
	};
	struct capture capture;

	(void)state;
	capture_init(&capture);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct tree tree;

		capture_clear(&capture);
		tree_init(&tree, &capture.out, TREE_JSON);
		tree_text(&tree, NULL, rows[i].text);
		if (strncmp(capture.text, rows[i].json, strlen(rows[i].json)) != 0)
			fail_msg("row %zu: %s", i, capture.text);
	}
	capture_free(&capture);
}

static void test_lines(void **state)
{
	struct capture capture;
	struct tree tree;

	(void)state;
	capture_init(&capture);
	tree_init(&tree, &capture.out, TREE_LINES);
	tree_object(&tree, "Format specific information");
	tree_text(&tree, "compression-type", "zlib");
	tree_array(&tree, "bitmaps");
	tree_object(&tree, NULL);
	tree_number(&tree, "granularity", 65536);
	tree_end(&tree);
	tree_end(&tree);
	tree_bool(&tree, "corrupt", false);
	tree_end(&tree);
	assert_string_equal(capture.text, "Format specific information:\n"
					  "    compression type: zlib\n"
					  "    bitmaps:\n"
					  "        [0]:\n"
					  "            granularity: 65536\n"
					  "    corrupt: false\n");
	capture_free(&capture);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_empty_array),
		cmocka_unit_test(test_json_text),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
