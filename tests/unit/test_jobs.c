/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What jobs say when they cannot go on: refusals, manifests, formats that can do less than others,
 * each failure of a call.
 */
#include "edit/commit.h"
#include "edit/measure.h"
#include "edit/place.h"
#include "edit/resize.h"
#include "engine/source_disk.h"
#include "engine/pack.h"
#include "machine.h"
#include "powercut.h"
#include "record/manifest.h"
#include "record/outcome.h"
#include "run.h"
#include "tables.h"

enum { MIB = 1 << 20, DISK = 100 << 10 };

static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB },
				    with_holes = { .free_bytes = 64 * MIB, .has_holes = true };

static const struct sim_device machine[] = {
	{ "blk0:",
	  { .path = (char *)"Pci(0x1)",
	    .parent = DEVICE_NO_PARENT,
	    .bus = "NVMe",
	    .serial = (char *)"D",
	    .size_bytes = DISK,
	    .block_bytes = 512,
	    .medium = true,
	    .flushes = true } },
	{ "blk1:",
	  { .path = (char *)"Pci(0x2)",
	    .parent = DEVICE_NO_PARENT,
	    .bus = "USB",
	    .serial = (char *)"E",
	    .block_bytes = 512,
	    .removable = true } },
};

static int set_up(void **state)
{
	(void)state;
	sim_volume(&kind);
	put_raw("disk", 1, DISK, 0);
	put_raw("raw", 2, DISK, 0);
	sim_machine(machine, N_OF(machine));
	sim_machine_files(0, "disk", NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sim_machine(NULL, 0);
	sim_volume(&kind);
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}

/* ---- refusals ---- */

static void refused(void **state)
{
	static const struct {
		int code;
		const char *says, *words[WORDS];
	} rows[] = {
		{ 1,
		  "options -o and -B are for a new image",
		  { "convert", "-f", "raw", "-o", "size=1M", "raw", "serial=D", "--erase=D" } },
		{ 1,
		  "-O none: there is no such image format",
		  { "convert", "-O", "none", "-o", "help" } },
		{ OUTCOME_MEDIUM_GONE,
		  "serial=E: there is no medium in the drive",
		  { "convert", "-n", "-f", "raw", "raw", "serial=E" } },
		{ 1,
		  "exceed the largest size of a disk",
		  { "resize", "-f", "raw", "raw", "+9223372036854775807" } },
		{ 1,
		  "is larger than any image can hold",
		  { "create", "new", "9223372036854775807" } },
		{ 1, "none: no such file", { "bench", "none" } },
		{ 1, "no image given", { "hash" } },
		{ 1, "at most one image is expected", { "hash", "--check=m", "raw", "disk" } },
		{ 1, "m: no such file", { "hash", "--check=m" } },
		{ 1,
		  "u: the target would be replaced, but it is the same file as u (map)",
		  { "convert", "-f", "raw", "--map=u", "raw", "u" } },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		uint64_t n;
		int code = run(rows[i].words);

		if (code != rows[i].code || strstr(err.text, rows[i].says) == NULL)
			fail_msg("row %zu: %d: %s", i, code, err.text);
		assert_row(sim_files() == 2 && sim_file("raw", &n) != NULL && n == DISK, i);
	}
}

/* ---- manifests ---- */

static void manifest_texts(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "{}", "its field \"manifest-version\"" },
		{ "{\"manifest-version\": 1, \"image\": \"raw\"}", "its field \"format\"" },
		{ "{\"manifest-version\": 1, \"image\": \"raw\", \"format\": \"raw\", "
		  "\"virtual-size\": 512, \"sha256\": "
		  "\"00000000000000000000000000000000000000000000000000000000000000ff\", "
		  "\"range-size\": 67108864}",
		  "its field \"ranges\"" },
		{ "{\"manifest-version\": 1, \"image\": \"raw\", \"format\": \"raw\", "
		  "\"virtual-size\": 512, \"sha256\": "
		  "\"00000000000000000000000000000000000000000000000000000000000000ff\", "
		  "\"range-size\": 512, \"ranges\": "
		  "[ \"00000000000000000000000000000000000000000000000000000000000000ff\" ]}",
		  "m: ranges of 512 bytes are not supported for a disk of this size" },
	};
	static char large[MIB + 1];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		sim_file_put("m", rows[i].text, strlen(rows[i].text));
		if (RUN("hash", "--check=m") != 1 || strstr(err.text, rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
	sim_file_put("m", large, sizeof large);
	assert_int_equal(RUN("hash", "--check=m"), 1);
	assert_non_null(strstr(err.text, "m: 1048577 bytes are too many for a manifest"));
}

/* Of a large disk the ranges are longer, so that there are not more of them. */
static void ranges_in_manifest(void **state)
{
	struct manifest manifest;
	struct error why;

	(void)state;
	assert_ok(manifest_open(&manifest, UINT64_C(3) << 40, &why));
	assert_int_equal(manifest.range_bytes, UINT64_C(1) << 30);
	assert_int_equal(manifest.capacity, 3072);
	manifest_close(&manifest);
}

/* A partition is named by the disk, and by where it begins. */
static void manifest_of_partition(void **state)
{
	static const struct sim_part parts[] = { { sim_linux, 40, 100, "root" } };
	struct memory_blk *disk = memory_blk_new(
		&(struct memory_blk_kind){ .size = DISK, .block_bytes = 512 });
	uint64_t n;

	(void)state;
	sim_gpt(disk, parts, N_OF(parts));
	sim_file_put("disk", disk->bytes, DISK);
	blk_close(&disk->blk);
	MUST("convert", "--manifest=m", "serial=D:1", "new");
	assert_non_null(strstr((const char *)sim_file("m", &n), "\"partition-start\": 20480"));
}

/* ---- plans ---- */

/* An image on a disk, not the bytes of one. */
static void plan_of_image_on_disk(void **state)
{
	uint64_t n;

	(void)state;
	sim_file_put("small", "", 0);
	MUST("create", "--force", "-f", "qcow2", "small", "16k");
	MUST("convert", "--dry-run", "-O", "qcow2", "-o", "cluster_size=512", "small", "serial=D",
	     "--erase=D");
	assert_non_null(strstr(out.text, "writes:  a qcow2 image of a disk of 16 KiB, from "
					 "the start of the target"));
	assert_true(sim_file("disk", &n) != NULL && n == DISK);
}

/* ---- failures ---- */

/*
 * Fails each call (k = 0) and each allocation: none is taken for a success, and all that is to be
 * said is said.
 */
static void every_failure_on(const struct sim_volume_kind *volume, const char *const words[],
			     const char *const says[], size_t n_says, bool (*done)(void))
{
	struct sim_files files = sim_files_keep();
	bool said[8] = { false };

	for (unsigned k = 0; k < 2; k++) {
		bool happened = true;

		for (unsigned n = 1; happened; n++) {
			int code;

			sim_files_restore(volume, &files);
			sim_volume_fail(k == 0 ? n : 0, ST_IO);
			sim_fail_allocation(k == 1 ? n : 0);
			code = run(words);
			happened = k == 0 ? sim_volume_failed() : sim_allocation_failed();
			sim_volume_fail(0, ST_OK);
			sim_fail_allocation(0);
			for (size_t i = 0; i < n_says; i++)
				said[i] |= code != EXIT_OK && strstr(err.text, says[i]) != NULL;
			if (code == EXIT_OK && !done())
				fail_msg("%s, kind %u, failure %u: %s%s", words[0], k, n, out.text,
					 err.text);
			if (sim_allocations() != 0)
				fail_msg("%s, kind %u, failure %u leaves allocations: %s", words[0],
					 k, n, err.text);
		}
	}
	for (size_t i = 0; i < n_says; i++)
		if (!said[i])
			fail_msg("%s: not said: %s", words[0], says[i]);
	sim_files_drop(&files);
}

static void every_failure(const char *const words[], const char *const says[], size_t n_says,
			  bool (*done)(void))
{
	every_failure_on(&kind, words, says, n_says, done);
}

static bool has_manifest(void)
{
	return RUN("hash", "--check=m") == EXIT_OK && strcmp(out.text, "new: OK\n") == 0;
}

static bool said_ok(void)
{
	return strcmp(out.text, "new: OK\n") == 0;
}

static bool always(void)
{
	return true;
}

static void failures(void **state)
{
	static const char *const make[WORDS] = { "convert",      "-O",  "qcow2",
						 "--manifest=m", "raw", "new" };
	static const char *const of_make[] = {
		"writing the manifest m: the device reports an error; the image itself is complete"
	};
	static const char *const check[WORDS] = { "hash", "--check=m" };
	static const char *const of_check[] = { "m: reading it: the device reports an error",
						"m: the device reports an error", "memory" };
	static const char *const bench[WORDS] = { "bench", "-c", "3", "-f", "raw", "raw" };
	static const char *const of_bench[] = { "memory" };
	static const char *const split[WORDS] = { "convert", "--force", "--split=1M", "raw", "s" };

	static const char *const map[WORDS] = { "convert",   "--force", "-f",  "raw",
						"--map=map", "raw",     "copy" };
	static const char *const of_map[] = { "map.new: reading it: the device reports an error" };
	static const char *const rebase[WORDS] = { "rebase", "-b", "other", "-F", "qcow2", "top" };
	static const char *const of_rebase[] = { "base: reading at offset",
						 "other: reading at offset" };

	(void)state;
	MUST("convert", "-O", "qcow2", "raw", "base");
	MUST("convert", "-O", "qcow2", "disk", "other");
	MUST("create", "-f", "qcow2", "-b", "base", "-F", "qcow2", "top");
	every_failure(rebase, of_rebase, N_OF(of_rebase), always);
	sim_file_put("map.new", "\0", 1);
	every_failure(map, of_map, N_OF(of_map), always);
	every_failure(make, of_make, 1, has_manifest);
	every_failure(check, of_check, 3, said_ok);
	every_failure(bench, of_bench, 1, always);
	assert_int_equal(run(split), EXIT_OK);
	every_failure(split, of_bench, 1, always);
	sim_cancel(2);
	assert_int_equal(run(bench), 1);
	sim_cancel(0);
	assert_string_equal(err.text, "efi-img: raw: stopped after 1 requests\n");
}

/* Whatever a copy does when it is stopped, its words are the same. */
static void stopped_copy(void **state)
{
	static const char *const words[WORDS] = {
		"convert", "-n", "-O", "qcow2", "zeros", "target"
	};
	unsigned n = 0;
	int code;

	(void)state;
	MUST("create", "-f", "qcow2", "zeros", "3M");
	MUST("create", "-f", "qcow2", "-o", "preallocation=full", "target", "3M");
	do {
		sim_cancel(++n);
		code = run(words);
		sim_cancel(0);
		if (code != EXIT_OK)
			assert_string_equal(err.text, "efi-img: target: stopped before all of it "
						      "was copied\n");
	} while (code != EXIT_OK);
	assert_true(n > 3);
}

/* A volume that is asked what is a hole of a file, and cannot say it. */
static void holes(void **state)
{
	static const char *const info[WORDS] = { "info", "sparse" }, *const of_info[] = {
		"asking how much space it takes: the device reports"
	};
	static const char *const map[WORDS] = { "map", "sparse" };

	(void)state;
	MUST("create", "-f", "qcow2", "-o", "preallocation=falloc", "sparse", "1M");
	every_failure_on(&with_holes, info, of_info, 1, always);
	every_failure_on(&with_holes, map, of_info, 1, always);
}

/* What does not get smaller is written as it is. */
static void noise(void **state)
{
	static uint8_t bytes[4 * 65536];
	uint32_t seed = 7;

	(void)state;
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)dice(&seed);
	sim_file_put("noise", bytes, sizeof bytes);
	MUST("create", "-f", "qcow2", "-b", "noise", "-F", "raw", "top");
	MUST("rebase", "-c", "-b", "", "top");
	MUST("compare", "-F", "raw", "top", "noise");
	MUST("check", "top");
}

/* ---- what a format leaves out ---- */

static void lesser_format(void **state)
{
	static const struct image_format lesser = { .name = "lesser" };
	struct image image = { .name = (char *)"i", .format = &lesser, .size = 512 };
	__typeof__(*(struct chain){ 0 }.link) link = { .name = (char *)"i", .image = &image };
	struct chain chain = { .link = &link, .n = 1 };
	const struct commit_job commit = { .chain = &chain };
	const struct create_values options = { .table = (const struct create_option[]){
						       { .name = NULL } } };
	struct measure_result measured;
	struct error why;
	uint64_t size;

	(void)state;
	assert_int_equal(resize_run(&image, 1024, PREALLOC_OFF, &why), ST_UNSUPPORTED);
	assert_string_equal(why.text, "i: disks in images of format lesser keep their size");
	assert_int_equal(pack_possible(&image, &why), ST_UNSUPPORTED);
	assert_string_equal(why.text, "option -c: i: images of format lesser cannot be compressed");
	assert_int_equal(commit_run(&commit, &why), ST_UNSUPPORTED);
	assert_string_equal(why.text,
			    "i: images of format lesser cannot be emptied; -d leaves it as it is");
	assert_int_equal(measure_run(&(struct measure_job){ .format = &lesser,
							    .options = &options },
				     &measured, &why),
			 ST_UNSUPPORTED);
	assert_string_equal(why.text, "images of format lesser cannot be measured");
	image.size = UINT64_C(1) << 62;
	assert_int_equal(source_disk_size((const struct chain[]){ chain, chain }, 2, &size, &why),
			 ST_TOO_LARGE);
	assert_string_equal(why.text, "i: together the sources are larger than any disk");
}

/* More than 64 bits can say is more than there is. */
static void largest_need(void **state)
{
	static const struct place place = { .free_bytes = MIB,
					    .file_limit_bytes = UINT64_MAX,
					    .cluster_bytes = 512,
					    .volume_name = "fs0:" };
	const struct place_need need[2] = {
		{ .name = "a", .size = UINT64_C(1) << 63, .place = place },
		{ .name = "b", .size = UINT64_C(1) << 63, .place = place },
	};
	struct error why;

	(void)state;
	assert_int_equal(place_check(need, 1, &why), ST_NO_SPACE);
	assert_non_null(strstr(why.text, "b: 18446744073709551615 bytes are needed"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(manifest_texts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ranges_in_manifest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(manifest_of_partition, set_up, tear_down),
		cmocka_unit_test_setup_teardown(plan_of_image_on_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(failures, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stopped_copy, set_up, tear_down),
		cmocka_unit_test_setup_teardown(holes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(noise, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lesser_format, set_up, tear_down),
		cmocka_unit_test_setup_teardown(largest_need, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
