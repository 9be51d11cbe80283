/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A source that is read in one direction, as a compressed stream or one of the network is: commands
 * read it from its beginning to its end, and begin anew no more often than is written here; or they
 * refuse it by name.
 */

#include "blk/blk.h"
#include "machine.h"
#include "record/outcome.h"
#include "run.h"
#include "sequential.h"

enum { MIB = 1 << 20, SIZE = 5 * MIB, START = 256 << 10 };

static int set_up(void **state)
{
	static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB, .sequential = "s" };
	static struct sim_device machine = {
		"blk0:",
		{ .path = (char *)"Pci(0x1)",
		  .parent = DEVICE_NO_PARENT,
		  .bus = "NVMe",
		  .serial = (char *)"D",
		  .size_bytes = SIZE,
		  .block_bytes = 512,
		  .medium = true,
		  .flushes = true },
	};

	(void)state;
	sim_volume(&kind);
	put_raw("s", 3, SIZE, 2);
	put_raw("same", 3, SIZE, 2);
	sim_file_put("disk", "", 0);
	put_raw("disk", 9, SIZE, 0);
	sim_machine(&machine, 1);
	sim_machine_files(0, "disk", NULL);
	sequential_allow(UINT64_MAX);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sim_machine(NULL, 0);
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}

/* Each of these reads all of it once, and not more than its beginning a second time. */
static void in_one_pass(void **state)
{
	static const struct {
		const char *target; /* what has the bytes of the source then; NULL: nothing */
		const char *line[WORDS];
	} rows[] = {
		{ "t", { "convert", "-O", "qcow2", "s", "t" } },
		{ "t", { "convert", "-c", "-O", "qcow2", "s", "t" } },
		{ "t", { "convert", "-f", "raw", "s", "t" } },
		{ "t", { "convert", "--no-verify", "s", "t" } },
		{ "t", { "convert", "--manifest=m", "s", "t" } },
		{ "t", { "convert", "--salvage", "--map=m", "s", "t" } },
		{ "t", { "convert", "--split=2M", "s", "t" } },
		{ "disk", { "convert", "-n", "--no-table", "s", "serial=D", "--erase=D" } },
		{ "t", { "dd", "if=s", "of=t", "bs=64k" } },
		{ NULL, { "compare", "s", "same" } },
		{ NULL, { "compare", "same", "s" } },
		{ NULL, { "hash", "s" } },
	};

	for (size_t i = 0; i < N_OF(rows); i++) {
		set_up(state);
		sequential_allow(SIZE + START);
		if (run(rows[i].line) != EXIT_OK)
			fail_msg("row %zu: %s%s", i, out.text, err.text);
		assert_row(sequential_passed() >= SIZE, i);
		if (rows[i].target != NULL)
			assert_row(RUN("compare", rows[i].target, "same") == EXIT_OK, i);
	}
}

/* These look at its beginning only, or not at all. */
static void without_a_pass(void **state)
{
	static const char *const lines[][WORDS] = {
		{ "map", "s" },
		{ "map", "--output=json", "s" },
		{ "info", "s" },
		{ "measure", "-O", "qcow2", "s" },
		{ "convert", "-n", "--dry-run", "--no-table", "s", "serial=D", "--erase=D" },
		{ "create", "-f", "qcow2", "-b", "s", "-F", "raw", "t" },
	};

	for (size_t i = 0; i < N_OF(lines); i++) {
		set_up(state);
		sequential_allow(START);
		if (run(lines[i]) != EXIT_OK)
			fail_msg("row %zu: %s%s", i, out.text, err.text);
	}
}

/* A backing file is read in the order of the disk that it shows through. */
static void as_a_backing_file(void **state)
{
	(void)state;
	MUST("create", "-q", "-f", "qcow2", "-b", "s", "-F", "raw", "o");
	sequential_allow(SIZE + START);
	MUST("convert", "-O", "qcow2", "o", "t");
	MUST("compare", "t", "same");
}

/*
 * A restore that was stopped at any moment is resumed: the source is read once more, as far as the
 * checkpoint to be compared, and from there to be copied.
 */
static void resumed(void **state)
{
	const uint64_t journal_is_due = UINT64_C(10000000000);
	unsigned n_resumed = 0;

	for (unsigned n = 1;; n++) {
		int code;

		set_up(state);
		sim_clock_step(journal_is_due);
		sim_cancel(n);
		code = RUN("convert", "-n", "--no-table", "s", "serial=D", "--erase=D");
		sim_cancel(0);
		sim_clock_step(1000000);
		if (code == EXIT_OK)
			break;
		if (code != OUTCOME_STOPPED)
			fail_msg("stop %u: %d %s", n, code, err.text);
		if (sim_file("s.restore-63e8d4fa", &(uint64_t){ 0 }) == NULL)
			continue;
		n_resumed++;
		sequential_allow(SIZE + START);
		MUST("convert", "--resume", "-n", "--no-table", "s", "serial=D", "--erase=D");
		MUST("compare", "disk", "same");
	}
	assert_true(n_resumed > 2);
}

static void refused(void **state)
{
	static const struct {
		const char *line[WORDS];
		const char *message;
	} rows[] = {
		{ { "resize", "s", "8M" }, "s: write-protected" },
		{ { "convert", "-n", "same", "s" }, "s: write-protected" },
		{ { "convert", "same", "s" }, "s: " },
		{ { "bench", "s" }, "s: it can only be read from its beginning to its end" },
		{ { "convert", "s", "s" }, "the same file as s" },
		{ { "convert", "-n", "--no-table", "on-d", "serial=D", "--erase=D" },
		  "the file on-d is on it" },
	};

	(void)state;
	put_raw("on-d", 3, SIZE, 2);
	sim_machine_files(0, "disk", "on-");
	for (size_t i = 0; i < N_OF(rows); i++) {
		assert_row(run(rows[i].line) != EXIT_OK, i);
		if (strstr(err.text, rows[i].message) == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
}

/* An image with tables is read in any order, and so not from one of these. */
static void with_tables(void **state)
{
	static const char *const lines[][WORDS] = {
		{ "info", "s" },
		{ "convert", "s", "t" },
		{ "convert", "-f", "qcow2", "s", "t" },
		{ "compare", "s", "same" },
		{ "map", "s" },
		{ "hash", "s" },
		{ "check", "s" },
	};
	const uint8_t *bytes;
	uint64_t n;

	(void)state;
	MUST("convert", "-q", "-O", "qcow2", "same", "q");
	bytes = sim_file("q", &n);
	sim_file_put("s", bytes, n);
	for (size_t i = 0; i < N_OF(lines); i++) {
		assert_row(run(lines[i]) != EXIT_OK, i);
		if (strstr(err.text, "s: it can only be read from its beginning to its end") ==
		    NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_one_pass, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_pass, set_up, tear_down),
		cmocka_unit_test_setup_teardown(as_a_backing_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(resumed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(with_tables, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
