/* What the program says of itself. */
#include "run.h"

static void each_command_is_explained(void **state)
{
	(void)state;
	assert_int_equal(RUN("help"), EXIT_OK);
	for (size_t i = 0; commands[i] != NULL; i++) {
		assert_int_equal(RUN("help"), EXIT_OK);
		assert_non_null(strstr(out.text, commands[i]->summary));
		assert_int_equal(RUN("help", commands[i]->name), EXIT_OK);
		assert_non_null(strstr(out.text, commands[i]->name));
	}
	assert_int_equal(RUN("help", "nothing"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "nothing"));
	assert_int_equal(RUN("version"), EXIT_OK);
	assert_non_null(strstr(out.text, "efi-img"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_command_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
