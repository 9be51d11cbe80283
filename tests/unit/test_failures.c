/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each allocation and each call to the volume of an operation fails, and a person stops it at every
 * moment: what must hold then is in trial/trial.h.
 */
#include "trial.h"

static void every_failure(void **state)
{
	struct figures sum;

	(void)state;
	sim_time(1795380957, 5);
	sum = trial_each(operations, n_operations, trial_fail);
	print_message("%u of the failures once more, with a flush\n", sum.flushed);
	assert_true(getenv("ONLY") != NULL || (sum.failures > 5000 && sum.flushed > 3000));
}

static void compare_names_the_file(void **state)
{
	static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };

	(void)state;
	sim_volume(&roomy);
	put_raw("one", 1, 100 << 10, 0);
	put_raw("two", 1, 100 << 10, 0);
	sim_cancel(1);
	assert_int_equal(RUN("compare", "one", "two"), 4);
	sim_cancel(0);
	assert_string_equal(err.text,
			    "efi-img: stopped at offset 0; the disks are identical up to there\n");
	assert_int_equal(RUN("compare", "one", "none"), 2);
	assert_non_null(strstr(err.text, "none"));
	sim_volume_bad("one", 70 << 10, 512);
	assert_int_equal(RUN("compare", "one", "two"), 4);
	assert_string_equal(err.text, "efi-img: one: reading 102400 bytes at offset 0: the device "
				      "reports an error\n");
	sim_volume(&roomy);
	put_raw("one", 1, 100 << 10, 0);
	put_raw("two", 1, 100 << 10, 0);
	sim_volume_bad("two", 70 << 10, 512);
	assert_int_equal(RUN("compare", "one", "two"), 4);
	assert_string_equal(err.text, "efi-img: two: reading 102400 bytes at offset 0: the device "
				      "reports an error\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure),
		cmocka_unit_test(compare_names_the_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
