/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The page of a script: what is on it, and that the console below it gets the same with it as
 * without it.
 */
#include "menu.h"

#include "cli/script.h"
#include "menu/job_page.h"
#include "platform/stop.h"

static const char job[] = "#efi-img job 1\n"
			  "# A capture, and what is said of it.\n"
			  "on-success reboot\n"
			  "capture serial=S4X9R12 fs0:\\job.qcow2\n"
			  "check fs0:\\job.qcow2\n"
			  "info fs0:\\none\n";

static struct watch seen;
static struct capture json;

static void look_now(void *user)
{
	(void)user;
	out_printf(&seen.text.out, "---- while it runs ----\n%s", sim_terminal_text());
}

/* What of the output must be the same: the name of the log has a number. */
struct said {
	char out[8192], err[8192], json[64 << 10];
};

static void keep(struct said *said)
{
	snprintf(said->out, sizeof said->out, "%s", out.text);
	snprintf(said->err, sizeof said->err, "%s", err.text);
	snprintf(said->json, sizeof said->json, "%s", json.text);
}

/* Runs the job with the keys while it runs, on a page unless `keys` is NULL. */
static int run_job(const char *keys, struct said *said, enum ending *ret_ending, bool *ret_off)
{
	struct console console = { .out = &out.out, .err = &err.out, .json = &json.out };
	struct job_page *page = NULL;
	int code;

	set_up();
	sim_clock_step(0); /* or drawing would take time */
	capture_init(&out);
	capture_init(&err);
	capture_init(&json);
	if (keys != NULL) {
		page = job_page_open(sim_terminal(24, "", look, &seen), &console, "job.txt");
		assert_non_null(page);
		sim_press(1, keys, look_now, NULL);
	}
	code = script_run(page != NULL ? job_page_console(page) : &console, "job.txt", job,
			  sizeof job - 1, ret_ending);
	keep(said);
	if (page != NULL) {
		assert_string_equal(sim_pressed_left(), "");
		out_printf(&seen.text.out, "---- at the end ----\n%s---- the text ----\n%s",
			   sim_terminal_text(), job_page_text(page));
		*ret_off = job_page_switches_off(page);
		job_page_close(page);
		sim_press(0, "", NULL, NULL);
	}
	capture_free(&json);
	tear_down();
	return code;
}

static void test_page(void **state)
{
	static struct said with, without;
	enum ending ending;
	bool off = false;

	(void)state;
	capture_init(&seen.text);
	assert_int_equal(run_job(NULL, &without, &ending, &off), EXIT_ERROR);
	assert_int_equal(run_job("  o \7  o \7 o", &with, &ending, &off), EXIT_ERROR);
	assert_true(off);
	assert_int_equal(ending, ENDING_UNSAID);
	assert_string_equal(with.out, without.out);
	assert_string_equal(with.err, without.err);
	assert_string_equal(with.json, without.json);
	assert_non_null(strstr(with.err, "\r")); /* the line of progress */
	compare("job", seen.text.text);
	capture_free(&seen.text);
}

/* The question is on both, and the work continues meanwhile. */
static void test_question(void **state)
{
	static struct said said;
	enum ending ending;
	bool off;

	(void)state;
	capture_init(&seen.text);
	assert_int_equal(run_job("  \3 \7 n \7", &said, &ending, &off), EXIT_ERROR);
	assert_false(off);
	assert_non_null(strstr(said.err, STOP_LINE));
	assert_non_null(strstr(said.out, "The script has stopped at line 6"));
	compare("job-asked", seen.text.text);
	capture_free(&seen.text);
	capture_init(&seen.text);
	assert_int_equal(run_job("\3 y", &said, &ending, &off), 15);
	assert_int_equal(ending, ENDING_UNSAID);
	capture_free(&seen.text);
}

static void test_no_memory(void **state)
{
	struct console console = { .out = &out.out, .err = &err.out };

	(void)state;
	sim_fail_allocation(1);
	assert_null(job_page_open(sim_terminal(24, "", look, &seen), &console, "job.txt"));
	sim_fail_allocation(0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_page),
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
