/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk is cloned and captured by its used blocks: the power is cut at each write, each call and
 * each allocation fails once, and it is stopped at every moment. A target that begins like the
 * source has all that is in use. What is not in use is as it was, zero, or, when the file system's
 * tables could not be read, a copy of the source.
 */
#include "machine.h"
#include "powercut.h"
#include "record/outcome.h"
#include "run.h"
#include "volume.h"

#include "fs_samples.h"

enum { MIB = 1 << 20, SECTORS = 4100, N_USED = 2500, DISK = SECTORS * 512 };

static struct sim_volume_kind kind = { .free_bytes = 64 * MIB };
static uint8_t source[DISK], whole[DISK], image[8 * MIB];
/* at least; the ends of the volume are not left out */
enum { LEFT_OUT = 3 * 65536 };

static uint64_t image_bytes, used_bytes; /* the latter of the source, from its start */

static const char *const clone_words[] = { "clone", "serial=S", "serial=D", "--erase=D", NULL };
static const char *const capture_words[] = { "capture",  "--no-compress", "--no-manifest",
					     "serial=S", "c.qcow2",       NULL };

#define SIM_DISK(path_, serial_) \
	{ \
		.path = (char *)(path_), .parent = DEVICE_NO_PARENT, .bus = "NVMe", \
		.serial = (char *)(serial_), .size_bytes = DISK, .block_bytes = 512, \
		.medium = true, .flushes = true \
	}

static const struct sim_device machine[] = {
	{ "blk0:", SIM_DISK("Pci(0x1)", "S") },
	{ "blk1:", SIM_DISK("Pci(0x2)", "D") },
};

/* A FAT with a part in use, and old data in the rest; and a target full of something else. */
static struct sim_files set_up(void)
{
	struct sample_fat fat = {
		.bits = 12, .cluster_sectors = 1, .n_clusters = 4000, .n_used = N_USED
	};
	struct memory_blk *volume = sample_fat_new(&fat);
	static uint8_t old[DISK];

	assert_true(volume->blk.size <= DISK);
	used_bytes = fat.data_start + N_USED * 512;
	for (size_t i = 0; i < DISK; i++)
		source[i] = (uint8_t)(i * 13 + i / 512) | 1;
	memcpy(source, volume->bytes, fat.data_start);
	blk_close(&volume->blk);
	memset(old, 0x11, sizeof old);
	sim_volume(&kind);
	sim_file_put("src", source, DISK);
	sim_file_put("disk", old, DISK);
	sim_machine(machine, N_OF(machine));
	sim_machine_files(0, "src", NULL);
	sim_machine_files(1, "disk", NULL);
	return sim_files_keep();
}

static void tear_down(struct sim_files *files)
{
	sim_machine(NULL, 0);
	sim_files_drop(files);
	sim_volume(&kind);
	capture_free(&out);
	capture_free(&err);
	assert_int_equal(sim_allocations(), 0);
}

/* Runs it once undisturbed. */
static struct sim_files prepare(const char *const *words)
{
	struct sim_files files = set_up();
	const uint8_t *bytes;
	uint64_t n;
	size_t kept = 0;

	assert_int_equal(run(words), 0);
	assert_null(strstr(err.text, "all of it is copied"));
	memcpy(whole, sim_file("disk", &n), DISK);
	for (size_t i = 0; i < DISK; i++)
		kept += whole[i] == 0x11 && source[i] != 0x11;
	assert_true(kept > LEFT_OUT);
	assert_true(words == capture_words || memcmp(whole, source, used_bytes) == 0);
	bytes = sim_file("c.qcow2", &image_bytes);
	assert_true((bytes != NULL) == (words == capture_words));
	if (bytes != NULL) {
		assert_true(image_bytes <= sizeof image && image_bytes < DISK - LEFT_OUT + MIB / 2);
		memcpy(image, bytes, image_bytes);
	}
	return files;
}

static void check_target(const char *where)
{
	uint64_t n;
	const uint8_t *disk = sim_file("disk", &n);
	size_t zeros = 0, old = 0;

	for (size_t i = 0; i < 512; i++) {
		zeros += disk[i] == 0;
		old += disk[i] == 0x11;
	}
	if (zeros == 512)
		return;
	for (size_t i = old == 512 ? MIB : 0; i < DISK; i++)
		if (old == 512 ? disk[i] != 0x11 : disk[i] != whole[i] && disk[i] != source[i])
			fail_msg("%s: byte %zu is 0x%02x", where, i, disk[i]);
}

/* The image is none, or it is what it is to be. */
static void check_image(const char *where, bool is_same)
{
	uint64_t n;
	const uint8_t *bytes = sim_file("c.qcow2", &n);

	if (bytes == NULL || n < 512 || memcmp(bytes, "QFI\xfb", 4) != 0)
		return;
	if (is_same && (n != image_bytes || memcmp(bytes, image, n) != 0))
		fail_msg("%s: the image is another one", where);
	if (is_same)
		return;
	assert_int_equal(RUN("check", "c.qcow2"), 0);
	assert_int_equal(RUN("convert", "-O", "raw", "c.qcow2", "c.raw"), 0);
	bytes = sim_file("c.raw", &n);
	assert_int_equal(n, DISK);
	assert_memory_equal(bytes, source, used_bytes);
	for (size_t i = used_bytes; i < DISK; i++)
		if (bytes[i] != 0 && bytes[i] != source[i])
			fail_msg("%s: byte %zu of the image is 0x%02x", where, i, bytes[i]);
}

static void check_source(void)
{
	uint64_t n;

	assert_memory_equal(sim_file("src", &n), source, DISK);
}

/* ---- Cuts ---- */

struct cuts {
	const char *name;
	unsigned n;
};

static bool wanted(const struct powercut *cut, void *arg)
{
	const struct cuts *cuts = arg;

	return trying("%s/%s", cuts->name, cut->name);
}

static void check_cut(const struct powercut *cut, void *arg)
{
	struct cuts *cuts = arg;

	cuts->n++;
	check_source();
	check_target(cut->name);
	check_image(cut->name, true);
}

static void every_cut(const char *name, const char *const *words)
{
	static const struct powercut_plan plan = { .sample = 1 };
	struct sim_files files = prepare(words);
	struct cuts cuts = { name, 0 };

	sim_files_restore(&kind, &files);
	assert_int_equal(run(words), 0);
	(void)powercut_each(&kind, &files, &plan, wanted, check_cut, &cuts);
	print_message("%u states after a power cut\n", cuts.n);
	assert_true(getenv("ONLY") != NULL || cuts.n > 30);
	tear_down(&files);
}

static void test_every_cut(void **state)
{
	(void)state;
	every_cut("used/clone", clone_words);
	every_cut("used/capture", capture_words);
}

/* ---- Failures ---- */

enum cause { CALL, ALLOCATION, STOP };

/* Runs it with the n-th of these; returns whether that happened. */
static bool run_with(enum cause cause, unsigned n, const char *const *words, int *ret_code)
{
	bool happened;

	switch (cause) {
	case CALL:
		sim_volume_fail(n, ST_IO);
		break;
	case ALLOCATION:
		sim_fail_allocation(n);
		break;
	default:
		sim_cancel(n);
	}
	*ret_code = run(words);
	happened = cause == CALL         ? sim_volume_failed()
		   : cause == ALLOCATION ? sim_allocation_failed()
					 : *ret_code == OUTCOME_STOPPED;
	sim_volume_fail(0, ST_OK);
	sim_fail_allocation(0);
	sim_cancel(0);
	return happened;
}

static unsigned each(enum cause cause, const char *const *words)
{
	struct sim_files files = prepare(words);
	unsigned n = 1;

	for (bool happened = true; happened; n++) {
		char where[64];
		int code;

		sim_files_restore(&kind, &files);
		happened = run_with(cause, n, words, &code);
		snprintf(where, sizeof where, "%d, %u: code %d", (int)cause, n, code);
		check_source();
		check_target(where);
		check_image(where, false);
		if (code == 0 && words == clone_words)
			assert_memory_equal(sim_file("disk", &image_bytes), source, 512);
	}
	tear_down(&files);
	return n - 2;
}

static void test_every_failure(void **state)
{
	(void)state;
	assert_true(each(CALL, clone_words) > 30);
	assert_true(each(CALL, capture_words) > 30);
}

static void test_no_memory(void **state)
{
	(void)state;
	assert_true(each(ALLOCATION, clone_words) > 30);
	assert_true(each(ALLOCATION, capture_words) > 30);
}

static void test_every_moment_to_stop(void **state)
{
	(void)state;
	assert_true(each(STOP, clone_words) >= 2);
	assert_true(each(STOP, capture_words) >= 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_every_failure),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_every_moment_to_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
