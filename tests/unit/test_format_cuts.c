/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * As test_powercuts.c, for the formats other than qcow2 and raw: the same operations for each
 * (trial/formats.c).
 */
#include "trial.h"

static void every_cut(void **state)
{
	size_t n;
	const struct operation *op = format_operations(&n);

	(void)state;
	sim_time(1795380957, 5);
	(void)trial_each(op, n, trial_cut);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
