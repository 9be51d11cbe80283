/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A data file that is longer or shorter than the disk, as QEMU may leave it: another size of the
 * disk cuts it, makes it longer, and shows nothing of what was in it after the end of the disk.
 */
#include "run.h"

enum { KIB = 1 << 10, DISK = 64 * KIB };

static uint8_t stale[4 * DISK];

/* An image of 64 KiB whose data file has `n` bytes, all of them 's' after the end of the disk. */
static void make(const char *options, uint64_t n)
{
	static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };
	uint64_t size;

	sim_volume(&roomy);
	MUST("create", "-q", "-f", "qcow2", "-o", options, "a", "64k");
	memset(stale, 's', sizeof stale);
	memset(stale, 'd', DISK);
	sim_file_put("disk", stale, DISK);
	MUST("convert", "-n", "-f", "raw", "-O", "qcow2", "disk", "a");
	assert_memory_equal(sim_file("d", &size), stale, DISK);
	sim_file_put("d", stale, n);
}

/* The disk has what it had, and then zeros, through the image and, if it is raw, in the data file.
 */
static void assert_disk(uint64_t size, bool raw)
{
	static uint8_t expected[4 * DISK];
	uint64_t n;

	memcpy(expected, stale, DISK);
	MUST("convert", "--force", "-O", "raw", "a", "back");
	assert_memory_equal(sim_file("back", &n), expected, size);
	assert_int_equal(n, size);
	assert_true(sim_file("d", &n) != NULL && n >= size);
	if (raw)
		assert_memory_equal(sim_file("d", &n), expected, size);
}

static void grown(void **state)
{
	static const uint64_t lengths[] = { DISK,     DISK + 1,     DISK + 5 * KIB, 2 * DISK - 1,
					    2 * DISK, 2 * DISK + 1, 4 * DISK };

	(void)state;
	for (size_t i = 0; i < N_OF(lengths); i++)
		for (unsigned raw = 0; raw < 2; raw++) {
			make(raw ? "cluster_size=4k,data_file=d,data_file_raw=on"
				 : "cluster_size=4k,data_file=d",
			     lengths[i]);
			MUST("resize", "-q", "a", "128k");
			assert_disk(2 * DISK, raw);
		}
}

static void shrunk(void **state)
{
	static const uint64_t lengths[] = { DISK, 2 * DISK, 20 * KIB + 1, 20 * KIB, 1 };
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < N_OF(lengths); i++)
		for (unsigned raw = 0; raw < 2; raw++) {
			make(raw ? "cluster_size=4k,data_file=d,data_file_raw=on"
				 : "cluster_size=4k,data_file=d",
			     lengths[i]);
			MUST("resize", "-q", "--shrink", "a", "20k");
			assert_non_null(sim_file("d", &n));
			assert_int_equal(n, lengths[i] < 20 * KIB ? lengths[i] : 20 * KIB);
		}
}

/* All of a raw data file is the disk's: what is written into the new part is seen through the
 * image. */
static void grown_is_mapped(void **state)
{
	static uint8_t new[2 * DISK];
	uint64_t n;

	(void)state;
	make("cluster_size=4k,data_file=d,data_file_raw=on", DISK);
	MUST("resize", "-q", "a", "126k");
	memset(new, 'n', sizeof new);
	sim_file_put("d", new, 126 * KIB);
	MUST("convert", "-O", "raw", "a", "back");
	assert_non_null(sim_file("back", &n));
	assert_int_equal(n, 126 * KIB);
	assert_memory_equal(sim_file("back", &n), new, 126 * KIB);
	MUST("check", "a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grown),
		cmocka_unit_test(shrunk),
		cmocka_unit_test(grown_is_mapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
