/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/guid.h"

static void test_print(void **state)
{
	static const struct guid esp = {
		{ 0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9,
		  0x3e, 0xc9, 0x3b },
	};
	char *text = malloc(GUID_TEXT);

	(void)state;
	guid_print(&esp, text);
	assert_string_equal(text, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
	free(text);
}

static void test_compare(void **state)
{
	struct guid a = { { 0 } }, b = { { 0 } };

	(void)state;
	assert_true(guid_is_zero(&a));
	assert_true(guid_equal(&a, &b));
	b.b[15] = 1;
	assert_false(guid_is_zero(&b));
	assert_false(guid_equal(&a, &b));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
