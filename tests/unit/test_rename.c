/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * rename, with the medium gone from each call on, as a power failure leaves it: the image is
 * whole under one name and refused under the other, or refused under both; and the same command
 * completes it. tests/differential/test_rename.py has what is refused.
 */
#include "unit.h"

#include "machine.h"
#include "run.h"
#include "volume.h"

enum { MIB = 1 << 20, SIZE = 3 * MIB };

static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB };
static uint8_t disk[SIZE];

/* A disk in a file, and an image of it with a manifest; split into four files, or in one. */
static void set_up_image(bool is_split)
{
	sim_volume(&kind);
	sim_machine(NULL, 0);
	for (size_t i = 0; i < SIZE; i++)
		disk[i] = (uint8_t)(i * 7 + i / 512);
	sim_file_put("disk", disk, SIZE);
	MUST("convert", "-f", "raw", "-O", "raw", "--manifest=old.manifest",
	     is_split ? "--split=1M" : "-q", "disk", "old", NULL);
}

static bool is_whole(const char *name)
{
	return RUN("compare", "-q", "-f", "raw", "-F", "raw", "disk", name, NULL) == 0;
}

static bool is_there(const char *name)
{
	uint64_t size;

	return sim_file(name, &size) != NULL;
}

/* Whether nothing but the disk and the image under its new name is left. */
static void check_complete(bool is_split, unsigned n)
{
	assert_row(is_whole("new"), n);
	assert_row(sim_files() == (is_split ? 6 : 3), n);
	assert_row(RUN("hash", "--check=new.manifest", NULL) == 0, n);
}

static void cut_everywhere(bool is_split)
{
	bool ended = false, seen_neither = false, seen_old = false;

	for (unsigned n = 1; !ended; n++) {
		bool old, new;

		set_up_image(is_split);
		sim_volume_leave(n, ST_IO);
		ended = RUN("rename", "old", "new", NULL) == 0;
		sim_volume_leave(0, ST_OK);
		old = is_whole("old");
		new = is_whole("new");
		assert_row(!(old && new), n);
		assert_row(old || !is_there("old") || RUN("info", "old", NULL) != 0, n);
		assert_row(new || !is_there("new"), n);
		seen_old = seen_old || old;
		seen_neither = seen_neither || (!old && !new);
		if (!ended && RUN("rename", "old", "new", NULL) != 0)
			/* the last change was made, and its success alone not seen */
			assert_row(new &&strstr(err.text, "no such file") != NULL, n);
		check_complete(is_split, n);
	}
	assert_true(seen_old);
	assert_true(seen_neither == is_split);
	capture_free(&out);
	capture_free(&err);
	sim_volume(&kind);
	assert_int_equal(sim_allocations(), 0);
}

static void test_one_file(void **state)
{
	(void)state;
	cut_everywhere(false);
}

static void test_parts(void **state)
{
	(void)state;
	cut_everywhere(true);
}

/* Without memory, nothing has happened, or it is completed as above. */
static void test_memory(void **state)
{
	bool failed = true;

	(void)state;
	for (unsigned n = 1; failed; n++) {
		set_up_image(true);
		sim_fail_allocation(n);
		(void)RUN("rename", "old", "new", NULL);
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
		if (is_there("old.manifest"))
			assert_row(RUN("rename", "old", "new", NULL) == 0, n);
		check_complete(true, n);
	}
	capture_free(&out);
	capture_free(&err);
	sim_volume(&kind);
	assert_int_equal(sim_allocations(), 0);
}

/* A manifest that says nothing of its image. */
static void test_damaged_manifest(void **state)
{
	(void)state;
	set_up_image(false);
	sim_file_put("old.manifest", (const uint8_t *)"{}", 2);
	assert_int_not_equal(RUN("rename", "old", "new", NULL), 0);
	assert_non_null(strstr(err.text, "old.manifest: not a manifest, or a damaged one"));
	assert_true(is_whole("old") && !is_there("new") && !is_there("new.manifest"));
	capture_free(&out);
	capture_free(&err);
	sim_volume(&kind);
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_file),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_damaged_manifest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
