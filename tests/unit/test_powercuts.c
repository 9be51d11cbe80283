/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The power goes at every change of a file that an operation makes: what must hold then is in
 * trial/trial.h.
 */
#include "trial.h"

static void every_cut(void **state)
{
	struct figures sum;

	(void)state;
	sim_time(1795380957, 5);
	sum = trial_each(operations, n_operations, trial_cut);
	assert_true(getenv("ONLY") != NULL || getenv("SEED") != NULL || sum.states > 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
