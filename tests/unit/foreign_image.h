/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Images in formats that efi-img only reads, made by hand in a file "x" of the simulated volume:
 * what test_bochs, test_cloop, test_dmg and test_ova have in common.
 */
#pragma once

#include "base/bytes.h"
#include "run.h"

static inline int set_up_volume(void **state)
{
	static const struct sim_volume_kind kind = { .free_bytes = 256 << 20 };

	(void)state;
	sim_volume(&kind);
	return 0;
}

static inline int tear_down_volume(void **state)
{
	(void)state;
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up_volume, tear_down_volume)

/* The disk of the image `name` has these bytes, however it is read. */
static inline void assert_disk(const char *name, const uint8_t *disk, size_t bytes)
{
	const uint8_t *copy;
	char input[64];
	uint64_t n;

	snprintf(input, sizeof input, "if=%s", name);
	MUST("convert", "--force", "-O", "raw", name, "t");
	copy = sim_file("t", &n);
	assert_int_equal(n, bytes);
	assert_memory_equal(copy, disk, bytes);
	MUST("compare", name, "t");
	MUST("convert", "--force", "-O", "qcow2", name, "q");
	MUST("compare", name, "q");
	MUST("dd", "--force", "bs=1536", "-O", "raw", input,
	     "of=u"); /* in pieces that are no chunks */
	copy = sim_file("u", &n);
	assert_int_equal(n, bytes);
	assert_memory_equal(copy, disk, bytes);
}

/* The image "x" is refused, with these words among others. */
static inline void assert_refused(size_t row, const char *words)
{
	assert_row(RUN("convert", "--force", "-O", "raw", "x", "t") == EXIT_ERROR, row);
	if (strstr(err.text, words) == NULL)
		fail_msg("row %zu: %s", row, err.text);
}

/* Each read and each allocation fails once: an error, or the right result. */
static inline void try_every_failure(const char *command)
{
	char right[1024];
	bool failed = true;

	MUST(command, "x");
	snprintf(right, sizeof right, "%s", out.text);
	for (unsigned n = 1; failed; n++) {
		sim_volume_fail(n, ST_IO);
		if (RUN(command, "x") == 0)
			assert_string_equal(out.text, right);
		failed = sim_volume_failed();
		sim_volume_fail(0, ST_OK);
	}
	failed = true;
	for (unsigned n = 1; failed; n++) {
		sim_fail_allocation(n);
		if (RUN(command, "x") == 0)
			assert_string_equal(out.text, right);
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
	}
}
