#include "unit.h"

#include "job/progress.h"

/* What is shown when `total` is done in steps of `step`. */
static void assert_shown(uint64_t total, uint64_t step, const char *expected)
{
	struct progress progress;
	struct capture out;

	capture_init(&out);
	progress_begin(&progress, &out.out, total);
	for (uint64_t done = 0; done < total; done += step)
		progress_advance(&progress, step);
	progress_end(&progress);
	assert_string_equal(out.text, expected);
	capture_free(&out);
}

static void shows_each_percent(void **state)
{
	(void)state;
	assert_shown(3, 1, "    (0.00/100%)\r    (33.33/100%)\r    (66.66/100%)\r    (100.00/100%)\r\n");
	assert_shown(1000, 995, "    (0.00/100%)\r    (99.50/100%)\r    (100.00/100%)\r\n");
	assert_shown(UINT64_C(1) << 62, UINT64_C(3) << 60, "    (0.00/100%)\r    (75.00/100%)\r    (100.00/100%)\r\n");
	assert_shown(UINT64_MAX, UINT64_MAX, "    (0.00/100%)\r    (100.00/100%)\r\n");
}

static void small_steps_are_not_shown(void **state)
{
	struct progress progress;
	struct capture out;
	unsigned n = 0;

	(void)state;
	capture_init(&out);
	progress_begin(&progress, &out.out, 1 << 20);
	for (size_t i = 0; i < 1 << 20; i++)
		progress_advance(&progress, 1);
	progress_advance(&progress, 1); /* more than there was */
	for (const char *at = out.text; (at = strchr(at, '\r')) != NULL; at++)
		n++;
	assert_in_range(n, 95, 101);
	assert_string_equal(out.text + strlen(out.text) - strlen("    (100.00/100%)\r"), "    (100.00/100%)\r");
	capture_free(&out);
}

static void nothing_to_do(void **state)
{
	struct progress progress;
	struct capture out;

	(void)state;
	capture_init(&out);
	progress_begin(&progress, &out.out, 0);
	progress_advance(&progress, 0);
	progress_end(&progress);
	assert_string_equal(out.text, "    (0.00/100%)\r    (100.00/100%)\r\n");
	progress_begin(&progress, NULL, 10);
	progress_advance(&progress, 10);
	progress_end(&progress);
	capture_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shows_each_percent),
		cmocka_unit_test(small_steps_are_not_shown),
		cmocka_unit_test(nothing_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
