/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "cli/progress_line.h"

/* What is shown when `total` is done in steps of `step`. */
static void assert_shown(uint64_t total, uint64_t step, const char *expected)
{
	struct capture out;
	struct progress_line line;
	struct progress progress = { .sink = &line.sink };

	capture_init(&out);
	progress_line_init(&line, &out.out);
	progress_begin(&progress, total);
	progress_phase(&progress, NULL, 0);
	for (uint64_t done = 0; done < total; done += step)
		progress_advance(&progress, step);
	progress_end(&progress);
	assert_string_equal(out.text, expected);
	capture_free(&out);
}

static void shows_each_percent(void **state)
{
	(void)state;
	assert_shown(3, 1,
		     "    (0.00/100%)\r    (33.33/100%)\r    (66.66/100%)\r    (100.00/100%)\r\n");
	assert_shown(1000, 995, "    (0.00/100%)\r    (99.50/100%)\r    (100.00/100%)\r\n");
	assert_shown(UINT64_C(1) << 62, UINT64_C(3) << 60,
		     "    (0.00/100%)\r    (75.00/100%)\r    (100.00/100%)\r\n");
	assert_shown(UINT64_MAX, UINT64_MAX, "    (0.00/100%)\r    (100.00/100%)\r\n");
}

static void small_steps_are_not_shown(void **state)
{
	struct capture out;
	struct progress_line line;
	struct progress progress = { .sink = &line.sink };
	unsigned n = 0;

	(void)state;
	capture_init(&out);
	progress_line_init(&line, &out.out);
	progress_begin(&progress, 1 << 20);
	progress_phase(&progress, NULL, 0);
	for (size_t i = 0; i < 1 << 20; i++)
		progress_advance(&progress, 1);
	progress_advance(&progress, 1); /* more than there was */
	for (const char *at = out.text; (at = strchr(at, '\r')) != NULL; at++)
		n++;
	assert_in_range(n, 95, 101);
	assert_string_equal(out.text + strlen(out.text) - strlen("    (100.00/100%)\r"),
			    "    (100.00/100%)\r");
	capture_free(&out);
}

static void nothing_to_do(void **state)
{
	struct capture out;
	struct progress_line line;
	struct progress progress = { .sink = &line.sink }, silent = { 0 };

	(void)state;
	capture_init(&out);
	progress_line_init(&line, &out.out);
	progress_begin(&progress, 0);
	progress_phase(&progress, NULL, 0);
	progress_advance(&progress, 0);
	progress_end(&progress);
	progress_end(&progress);
	assert_string_equal(out.text, "    (0.00/100%)\r    (100.00/100%)\r\n");
	for (size_t i = 0; i < 2; i++) {
		struct progress *none = i == 0 ? &silent : NULL;

		progress_begin(none, 10);
		progress_phase(none, "copying", 10);
		progress_advance(none, 5);
		progress_skip(none, 5);
		assert_false(progress_cancelled(none));
		progress_end(none);
	}
	capture_free(&out);
}

/* What has been written since the last call. */
static void assert_next(struct capture *out, const char *expected)
{
	assert_string_equal(out->text != NULL ? out->text : "", expected);
	capture_clear(out);
}

#define SECOND UINT64_C(1000000000)

static void phases(void **state)
{
	struct capture out;
	struct progress_line line;
	struct progress progress = { .sink = &line.sink };

	(void)state;
	capture_init(&out);
	progress_line_init(&line, &out.out);
	sim_clock_step(0);
	progress_begin(&progress, UINT64_C(4) << 30);
	assert_next(&out, "");
	progress_phase(&progress, "copying", UINT64_C(2) << 30);
	assert_next(&out, "    (0.00/100%) copying 0.0/2.0 GiB\r");
	sim_clock_pass(SECOND / 2);
	progress_advance(&progress, 1 << 20);
	assert_false(progress_cancelled(&progress));
	assert_next(&out, "");
	sim_clock_pass(SECOND / 2);
	assert_false(progress_cancelled(&progress));
	assert_next(&out, "    (0.02/100%) copying 0.0/2.0 GiB, 1.0 MB/s, 1h08m left\r");
	/* A second later, nothing has moved. */
	sim_clock_pass(SECOND);
	assert_false(progress_cancelled(&progress));
	assert_next(&out, "    (0.02/100%) copying 0.0/2.0 GiB, 0.5 MB/s, 2h16m left\r");
	sim_clock_pass(SECOND);
	progress_advance(&progress, (1 << 30) - (1 << 20));
	assert_next(&out, "    (25.00/100%) copying 1.0/2.0 GiB, 357 MB/s, 0:09 left\r");
	/* What is skipped says nothing about speed; what was seconds ago is forgotten. */
	progress_skip(&progress, 1 << 30);
	assert_next(&out, "    (50.00/100%) copying 2.0/2.0 GiB, 357 MB/s, 0:06 left\r");
	progress_phase(&progress, "flushing", 0);
	assert_next(&out, "    (50.00/100%) flushing                                \r");
	progress_phase(&progress, "verifying", UINT64_C(2) << 30);
	assert_next(&out, "    (50.00/100%) verifying 0.0/2.0 GiB\r");
	for (unsigned i = 0; i < 20; i++) {
		sim_clock_pass(SECOND);
		progress_advance(&progress, 10000000);
		assert_false(progress_cancelled(&progress));
	}
	capture_clear(&out);
	progress.lost = 3;
	for (unsigned i = 0; i < 8; i++) {
		sim_clock_pass(SECOND);
		progress_advance(&progress, 20000000);
		capture_clear(&out);
		assert_false(progress_cancelled(&progress));
	}
	progress_end(&progress);
	assert_next(&out, "    (58.38/100%) verifying 0.3/2.0 GiB, 20 MB/s, 1:29 left, 3 lost\r\n");
	sim_clock_step(1000000);
	capture_free(&out);
}

/*
 * Whatever the numbers are, it is one line of a screen of 80 columns, and nothing of an earlier one
 * is left in it.
 */
static void one_line(void **state)
{
	static const uint64_t totals[] = {
		1, 999, 1000, 999999, (uint64_t)1 << 40, INT64_MAX / 2, INT64_MAX
	};
	struct capture out;
	struct progress_line line;
	struct progress progress = { .sink = &line.sink };
	char screen[80];

	(void)state;
	capture_init(&out);
	progress_line_init(&line, &out.out);
	sim_clock_step(0);
	for (size_t i = 0; i < N_OF(totals); i++)
		for (uint64_t speed = 1; speed <= totals[i]; speed = speed * 10 + 7) {
			size_t column = 0;

			progress_begin(&progress, totals[i]);
			progress_phase(&progress, "verifying", totals[i]);
			for (unsigned k = 0; k < 20; k++) {
				progress.lost = k % 3 == 0 ? 0 : k % 3 == 1 ? 9999 : UINT64_MAX;
				sim_clock_pass(k < 10 ? SECOND : SECOND * 1000);
				progress_advance(&progress, speed);
				(void)progress_cancelled(&progress);
			}
			progress_phase(&progress, "flushing", 0);
			memset(screen, 0, sizeof screen);
			for (const char *c = out.text; *c != '\0'; c++) {
				assert_true(column < 79 || *c == '\r');
				if (*c == '\r')
					column = 0;
				else
					screen[column++] = *c;
			}
			assert_non_null(strstr(screen, "%) flushing"));
			for (const char *c = strstr(screen, "lost") + 4; *c != '\0'; c++)
				assert_int_equal(*c, ' ');
			capture_clear(&out);
		}
	sim_clock_step(1000000);
	capture_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_each_percent), cmocka_unit_test(small_steps_are_not_shown),
		cmocka_unit_test(nothing_to_do),      cmocka_unit_test(phases),
		cmocka_unit_test(one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
