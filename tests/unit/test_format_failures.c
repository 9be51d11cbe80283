/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As test_failures.c, for the formats other than qcow2 and raw: the same operations for each
 * (trial/formats.c).
 */
#include "trial.h"

static void every_failure(void **state)
{
	size_t n;
	const struct operation *op = format_operations(&n);

	(void)state;
	sim_time(1795380957, 5);
	(void)trial_each(op, n, trial_fail);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
