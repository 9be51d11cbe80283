/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "platform/stop.h"

/* The question that Ctrl-C asks: which keys lead to it, which answer it, and which are gone. */

enum { ESC = 27, OTHER = 0xffff };

static const uint32_t *keys; /* up to a 0 */
static unsigned shown, taken_away;

static uint32_t next(void *user)
{
	(void)user;
	return *keys != 0 ? *keys++ : 0;
}

static void show(void *user, bool asked)
{
	(void)user;
	shown += asked;
	taken_away += !asked;
}

/* A look with so many keys waiting. */
static bool look(struct stop *stop, uint32_t a, uint32_t b, uint32_t c)
{
	const uint32_t waiting[] = { a, b, c, 0 };
	bool ret;

	keys = waiting;
	ret = stop_look(stop);
	assert_int_equal(*keys, 0); /* they are all taken */
	return ret;
}

static struct stop fresh(void)
{
	shown = taken_away = 0;
	return (struct stop){ .show = show, .next = next };
}

/* Esc, and what terminals make of function keys: '[' and more after it, or nothing. */
static void test_only_ctrl_c_asks(void **state)
{
	struct stop stop = fresh();

	(void)state;
	for (uint32_t key = 1; key < 256; key++)
		if (key != STOP_CTRL_C)
			assert_false(look(&stop, key, ESC, OTHER));
	assert_int_equal(shown, 0);
	assert_false(look(&stop, STOP_CTRL_C, 0, 0));
	assert_int_equal(stop.state, STOP_ASKED);
	assert_int_equal(shown, 1);
	assert_int_equal(taken_away, 0);
}

static void test_answers(void **state)
{
	(void)state;
	for (uint32_t key = 1; key < 256; key++) {
		bool yes = key == 'y' || key == 'Y' || key == STOP_CTRL_C;
		struct stop stop = fresh();

		assert_false(look(&stop, STOP_CTRL_C, 0, 0));
		assert_false(look(&stop, 0, 0, 0));
		assert_int_equal(look(&stop, key, 0, 0), yes);
		assert_int_equal(taken_away, 1);
		assert_int_equal(look(&stop, 0, 0, 0), yes); /* it stays so */
		stop_forget(&stop);
		assert_false(look(&stop, 0, 0, 0));
		assert_false(look(&stop, 'y', 0, 0));
	}
}

/* What comes with the first Ctrl-C was typed before the question could be read, and is gone. */
static void test_keys_of_the_same_look(void **state)
{
	struct stop stop = fresh();

	(void)state;
	assert_false(look(&stop, STOP_CTRL_C, 'y', 0));
	assert_int_equal(stop.state, STOP_ASKED);
	assert_false(look(&stop, 'n', 'y', 0)); /* "y" is no answer any more */
	assert_int_equal(stop.state, STOP_NOT_ASKED);
	assert_false(look(&stop, STOP_CTRL_C, STOP_CTRL_C, STOP_CTRL_C));
	assert_false(look(&stop, 'x', STOP_CTRL_C, 'y'));
	assert_int_equal(stop.state, STOP_ASKED); /* once more */
	assert_int_equal(shown, 3);
}

/* A keyboard that always has a key does not hold the work up. */
static uint32_t always(void *user)
{
	(void)user;
	return 'x';
}

static void test_endless_keys(void **state)
{
	struct stop stop = fresh();

	(void)state;
	stop.next = always;
	assert_false(stop_look(&stop));
}

static void test_no_answer(void **state)
{
	struct stop stop = fresh();

	(void)state;
	assert_false(look(&stop, STOP_CTRL_C, 0, 0));
	sim_clock_pass(UINT64_C(9900) * 1000000);
	assert_false(look(&stop, 0, 0, 0));
	assert_int_equal(stop.state, STOP_ASKED);
	sim_clock_pass(UINT64_C(100) * 1000000);
	assert_false(look(&stop, 0, 0, 0));
	assert_int_equal(stop.state, STOP_NOT_ASKED);
	assert_int_equal(taken_away, 1);
	assert_false(look(&stop, 'y', 0, 0));
	/* Ten seconds later it is not the same question. */
	assert_false(look(&stop, STOP_CTRL_C, 0, 0));
	assert_true(look(&stop, STOP_CTRL_C, 0, 0));
}

static void test_forget(void **state)
{
	struct stop stop = fresh();

	(void)state;
	stop_forget(&stop);
	assert_int_equal(taken_away, 0);
	assert_false(look(&stop, STOP_CTRL_C, 0, 0));
	stop_forget(&stop);
	assert_int_equal(taken_away, 1);
	assert_false(look(&stop, 'y', 0, 0));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_ctrl_c_asks),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_keys_of_the_same_look),
		cmocka_unit_test(test_endless_keys),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
