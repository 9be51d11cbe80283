/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON is read as RFC 8259 says it, and everything else is refused. */
#include "unit.h"

#include "base/json.h"

static const char *const good[] = {
	"{}",
	"[]",
	" [ ] ",
	"{\"a\":1}",
	"[1,2 , 3]",
	"0",
	"-0",
	"-1.5e+10",
	"1E5",
	"true",
	"false",
	"null",
	"\"\"",
	"\"a\\u00e4\\n\"",
	"\"\\ud83d\\ude00\"",
	"\"\\u20AC\"",
	"{\"a\":{\"b\":[{},[],\"x\"]}}",
	"\t\r\n 1 ",
};

static const char *const bad[] = {
	"",
	" ",
	"{",
	"[",
	"[1",
	"[1,]",
	"{,}",
	"{\"a\"}",
	"{\"a\":}",
	"{\"a\":1,}",
	"{a:1}",
	"01",
	"1.",
	".5",
	"-",
	"+1",
	"1e",
	"tru",
	"nulll",
	"\"",
	"\"\\x\"",
	"\"\\u12\"",
	"\"\\ud83d\"",
	"\"\\ud83dx\"",
	"\"\\udc00\"",
	"\"a\nb\"",
	"1 2",
	"[1 2]",
	"[}",
	"\"a\" \"b\"",
};

static void syntax(void **state)
{
	char deep[2 * JSON_DEPTH_MAX + 1];
	struct json value;

	(void)state;
	for (size_t i = 0; i < N_OF(good); i++)
		assert_row(json_read(good[i], strlen(good[i]), &value), i);
	for (size_t i = 0; i < N_OF(bad); i++)
		assert_row(!json_read(bad[i], strlen(bad[i]), &value), i);
	for (size_t depth = 1; depth <= JSON_DEPTH_MAX; depth++) {
		memset(deep, '[', depth);
		memset(deep + depth, ']', depth);
		assert_row(json_read(deep, 2 * depth, &value) == (depth <= JSON_DEPTH_MAX), depth);
	}
	assert_false(json_read("\"a\0\"", 4, &value)); /* a control character */
}

/* Values that are no objects have no members, nor have objects that are broken before them. */
static void broken_members(void **state)
{
	static const char *const texts[] = {
		"[\"b\"]", "{}",     "{\"a\" 1,\"b\":2}", "{\"a\":,\"b\":2}", "{\"a\":1 \"b\":2}",
		"{\"b\"",  "{\"b\":"
	};
	struct json value;

	(void)state;
	for (size_t i = 0; i < N_OF(texts); i++)
		assert_row(!json_member((struct json){ texts[i], strlen(texts[i]) }, "b", &value),
			   i);
}

/* The members in their order, up to the end of the object or to what is none. */
static void members(void **state)
{
	static const char text[] = " {\"a\" : 1 , \"\\u0062\":[2,{}],\"a\":{}} ";
	static const char *const keys[] = { "a", "b", "a" }, *const values[] = { "1", "[2,{}]",
										 "{}" };
	struct json object, key, value;
	size_t at = 0, n = 0;
	char name[8];

	(void)state;
	assert_true(json_read(text, sizeof text - 1, &object));
	for (; json_next_member(object, &at, &key, &value); n++) {
		assert_true(n < N_OF(keys) && json_text(key, name, sizeof name));
		assert_string_equal(name, keys[n]);
		assert_int_equal(value.n, strlen(values[n]));
		assert_memory_equal(value.text, values[n], value.n);
	}
	assert_int_equal(n, N_OF(keys));
	at = 0;
	assert_false(json_next_member((struct json){ "[1]", 3 }, &at, &key, &value));
}

/* Nothing past the end is read. */
static void every_end(void **state)
{
	static const char text[] = "{\"a\": [1, \"\\u00e4\", true], \"b\": {\"c\": -1.5e3}}";
	struct json value;

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++) {
		char *copy = malloc(n + 1); /* so that the sanitizer sees it */

		memcpy(copy, text, n);
		copy = realloc(copy, n > 0 ? n : 1);
		assert_row(!json_read(copy, n, &value), n);
		free(copy);
	}
}

static void values(void **state)
{
	static const char text[] =
		"{ \"size\" : 18446744073709551615, \"name\": \"fs0:\\\\a \\u00fc\\ud83d\\ude00\", "
		"\"list\": [ 1, [2], {} ], \"size\": 1, "
		"\"big\": 18446744073709551616, \"minus\": -1, \"half\": 1.5, \"nul\": "
		"\"\\u0000\", \"euro\": \"\\u20AC\" }";
	struct json object, value;
	uint64_t number;
	char name[32];
	size_t at = 0, n = 0;

	(void)state;
	assert_true(json_read(text, sizeof text - 1, &object));
	assert_true(json_member(object, "size", &value) && json_number(value, &number));
	assert_true(number == UINT64_MAX);
	assert_true(json_member(object, "name", &value) && json_text(value, name, sizeof name));
	assert_string_equal(name, "fs0:\\a \xc3\xbc\xf0\x9f\x98\x80");
	assert_true(json_text(value, name, strlen(name) + 1));
	assert_false(json_text(value, name, strlen(name)));
	assert_true(json_member(object, "euro", &value) && json_text(value, name, sizeof name));
	assert_string_equal(name, "\xe2\x82\xac");
	assert_false(json_number(value, &number));
	for (size_t i = 0; i < 3; i++) {
		static const char *const others[] = { "big", "minus", "half" };

		assert_true(json_member(object, others[i], &value));
		assert_false(json_number(value, &number));
	}
	assert_true(json_member(object, "nul", &value));
	assert_false(json_text(value, name, sizeof name));
	assert_false(json_member(object, "siz", &value) || json_member(object, "sizes", &value) ||
		     json_next(object, &at, &value));
	assert_true(json_member(object, "list", &object));
	while (json_next(object, &at, &value))
		n++;
	assert_int_equal(n, 3);
	assert_false(json_member(object, "size", &value));
	assert_true(json_read("{}", 2, &object));
	assert_false(json_member(object, "size", &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syntax),  cmocka_unit_test(broken_members),
		cmocka_unit_test(members), cmocka_unit_test(every_end),
		cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
