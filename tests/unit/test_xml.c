/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * XML and base64, as descriptors of images have them: what is read of good text, and that bad text
 * ends it.
 */
#include "unit.h"

#include "base/base64.h"
#include "base/memory.h"
#include "base/xml.h"

static char said[1024];

/* What is read of a text, in a short form. The text ends where its memory ends. */
static const char *events(const char *text)
{
	size_t n = strlen(text);
	char *copy = malloc(n + 1);
	struct xml xml;

	memcpy(copy, text, n);
	said[0] = '\0';
	xml_begin(&xml, copy, n);
	while (xml_next(&xml)) {
		size_t at = strlen(said);

		snprintf(said + at, sizeof said - at, "%s%.*s|",
			 xml.kind == XML_OPEN    ? "+"
			 : xml.kind == XML_CLOSE ? "-"
						 : "=",
			 (int)(xml.kind == XML_TEXT ? xml.text_length : xml.name_length),
			 xml.kind == XML_TEXT ? xml.text : xml.name);
	}
	assert_int_equal(xml.kind, XML_END);
	assert_false(xml_next(&xml));
	free(copy);
	return said;
}

static void test_events(void **state)
{
	static const struct {
		const char *text, *events;
	} rows[] = {
		{ "", "" },
		{ "<a/>", "+a|-a|" },
		{ "<a />", "+a|-a|" },
		{ "<a></a>", "+a|-a|" },
		{ "<a>b</a >c", "+a|=b|-a|=c|" },
		{ "<?xml version='1.0'?><!DOCTYPE x><x:a y=\"/\"><b:c/></x:a>", "+a|+c|-c|-a|" },
		{ "<!-- <a> -- > --><b>1<!--x-->2</b>", "+b|=1|=2|-b|" },
		{ "<a><![CDATA[<b>]]]]></a>", "+a|=<b>]]|-a|" },
		{ "<a b='>' c=\">\">d", "+a|=d|" },
		{ "<a b='\"' c/>", "+a|-a|" },
		{ "<", "" },
		{ "<a", "" },
		{ "a<b", "=a|" },
		{ "<a b='", "" },
		{ "<!-- ", "" },
		{ "<!", "" },
		{ "<? >", "" },
		{ "<![CDATA[ ]]", "" },
		{ "<>", "+|" },
		{ "</>", "-|" },
		{ "</", "" },
		{ "<:/>", "+|-|" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		if (strcmp(events(rows[i].text), rows[i].events) != 0)
			fail_msg("row %zu: %s", i, said);
}

static void test_attributes(void **state)
{
	static const struct {
		const char *text, *value;
	} rows[] = {
		{ "<a x='1'>", "1" },
		{ "<a x=\"1\"/>", "1" },
		{ "<a ns:x = '1'>", "1" },
		{ "<a y='x' x='2'>", "2" },
		{ "<a\n\ty=\"x='3'\"\r\nx='4'>", "4" },
		{ "<a x=''>", "" },
		{ "<a x='&lt;&amp;&gt;&quot;&apos;'>", "<&>\"'" },
		{ "<a x='&#65;&#x42;&#x20ac;&#x1F600;'>", "AB\xe2\x82\xac\xf0\x9f\x98\x80" },
		{ "<a x='&nbsp;&;&#;&#x;&#0;&#xD800;&#x110000;&#99999999999;&'>",
		  "&nbsp;&;&#;&#x;&#0;&#xD800;&#x110000;&#99999999999;&" },
		{ "<a>", NULL },
		{ "<a y='1'>", NULL },
		{ "<a x>", NULL },
		{ "<a x=1>", NULL },
		{ "<a xx='1' X='2'>", NULL },
		{ "<a = x='1'>", NULL },
		{ "</a x='1'>", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct xml xml;
		char *value;

		xml_begin(&xml, rows[i].text, strlen(rows[i].text));
		assert_row(xml_next(&xml), i);
		assert_row(xml_attribute(&xml, "x", &value) == ST_OK, i);
		assert_row((value == NULL) == (rows[i].value == NULL), i);
		if (value != NULL)
			assert_string_equal(value, rows[i].value);
		mem_free(value);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_has_text(void **state)
{
	struct xml xml;

	(void)state;
	xml_begin(&xml, " \n key\t", 7);
	assert_true(xml_next(&xml) && xml_has_text(&xml, "key"));
	assert_false(xml_has_text(&xml, "ke"));
	assert_false(xml_has_text(&xml, "keys"));
	assert_false(xml_opens(&xml, ""));
}

static void test_base64(void **state)
{
	static const struct {
		const char *text, *bytes; /* NULL: it is none */
	} rows[] = {
		{ "", "" },
		{ "Zg==", "f" },
		{ "Zm8=", "fo" },
		{ "Zm9v", "foo" },
		{ "Zm9vYg==", "foob" },
		{ "Zm9vYmE=", "fooba" },
		{ "Zm9vYmFy", "foobar" },
		{ "\n\tZm9v\n\tYm Fy\r\n", "foobar" },
		{ "Zm8", "fo" },
		{ "+/+/", "\xfb\xff\xbf" },
		{ "Z", NULL },
		{ "Zm9vY", NULL },
		{ "Zm9-", NULL },
		{ "Zg==Zg==", NULL },
		{ "Z===", NULL },
		{ "Zg===", NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		size_t n = strlen(rows[i].text), length;
		char *in_place = malloc(n + 1);
		bool good;

		memcpy(in_place, rows[i].text, n);
		good = base64_decode(in_place, n, (uint8_t *)in_place, &length);
		assert_row(good == (rows[i].bytes != NULL), i);
		if (good) {
			assert_row(length == strlen(rows[i].bytes), i);
			assert_memory_equal(in_place, rows[i].bytes, length);
		}
		free(in_place);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_has_text),
		cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
