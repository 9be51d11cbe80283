/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * remove, with the medium gone from each call on, and with each allocation failing: the image is
 * whole, or nothing is left that could be taken for it; and success means that all of it is gone.
 * tests/differential/test_remove.py has which files are its own.
 */
#include "unit.h"

#include "machine.h"
#include "record/journal_text.h"
#include "run.h"
#include "volume.h"

enum { MIB = 1 << 20, SIZE = 3 * MIB, FILES = 1 + 4 + 1 + 1 };

static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB };
static uint8_t disk[SIZE];

/* A disk in a file, and an image of it in four parts with a manifest and a restore's journal. */
static void set_up_image(void)
{
	sim_volume(&kind);
	sim_machine(NULL, 0);
	for (size_t i = 0; i < SIZE; i++)
		disk[i] = (uint8_t)(i * 7 + i / 512);
	sim_file_put("disk", disk, SIZE);
	MUST("convert", "-f", "raw", "-O", "raw", "--manifest=old.manifest", "--split=1M", "disk",
	     "old", NULL);
	sim_file_put("old.restore-0123abcd", (const uint8_t *)journal_text_head,
		     strlen(journal_text_head));
	assert_int_equal(sim_files(), FILES);
}

static bool is_whole(void)
{
	return RUN("compare", "-q", "-f", "raw", "-F", "raw", "disk", "old", NULL) == 0;
}

/* Whether what is left is what may be left by a command that has ended with that code. */
static void check_left(int code, unsigned n)
{
	uint64_t size;

	assert_row(code != EXIT_OK || sim_files() == 1, n);
	assert_row(sim_file("old", &size) == NULL || is_whole(), n);
}

static void clean_up(void)
{
	capture_free(&out);
	capture_free(&err);
	sim_volume(&kind);
	assert_int_equal(sim_allocations(), 0);
}

static void test_every_call(void **state)
{
	bool seen_whole = false, seen_gone = false;
	int code = EXIT_ERROR;

	(void)state;
	for (unsigned n = 1; code != EXIT_OK; n++) {
		uint64_t size;

		set_up_image();
		sim_volume_leave(n, ST_IO);
		code = RUN("remove", "old", NULL);
		sim_volume_leave(0, ST_OK);
		check_left(code, n);
		seen_whole = seen_whole || sim_files() == FILES;
		seen_gone = seen_gone || (code != EXIT_OK && sim_file("old", &size) == NULL);
	}
	assert_true(seen_whole && seen_gone);
	clean_up();
}

static void test_every_allocation(void **state)
{
	bool failed = true;

	(void)state;
	for (unsigned n = 1; failed; n++) {
		int code;

		set_up_image();
		sim_fail_allocation(n);
		code = RUN("remove", "old", NULL);
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
		check_left(code, n);
	}
	clean_up();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call),
		cmocka_unit_test(test_every_allocation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
