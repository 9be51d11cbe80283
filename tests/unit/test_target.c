/* SPDX-License-Identifier: BSD-2-Clause */
#include <inttypes.h>

#include "target.h"

/*
 * Restoring to a simulated disk: power cuts at every write, every failure of a call and of memory,
 * being stopped at every moment. What is on the disk is what it was, or what it is to be, or
 * nothing that begins with anything.
 */

static const char *const restore_gpt[] = { "convert", "-n",       "-f",        "raw",
					   "gpt",     "serial=D", "--erase=D", NULL };
static const char *const restore_map[] = { "convert", "--no-table", "-n",       "-f",        "raw",
					   "--map=m", "source",     "serial=D", "--erase=D", NULL };
static const char *const image[] = {
	"convert",         "-f",     "raw",      "-O",        "qcow2", "-o",
	"cluster_size=4k", "source", "serial=D", "--erase=D", NULL
};

/* The plan is printed whatever fails. */
static const char *const plan_image[] = { "convert", "--dry-run", "-f",       "raw",       "-O",
					  "qcow2",   "source",    "serial=D", "--erase=D", NULL };

static const char *const restore_sparse[] = { "convert",  "-n",        "sparse",
					      "serial=D", "--erase=D", NULL };

static struct sim_files set_up_for(const char *const *words)
{
	struct sim_files files = set_up();

	if (words == restore_sparse) {
		MUST("convert", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=4k", "source",
		     "sparse", NULL);
		sim_files_drop(&files);
		files = sim_files_keep();
	}
	return files;
}

static bool all_zero(const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/* What the disk may be at any moment. `arg`: what it is when all went well. */
static void check_disk(const char *where, void *arg)
{
	const uint8_t *whole = arg;
	uint64_t n;
	const uint8_t *disk = sim_file("disk", &n);

	assert_int_equal(n, DISK);
	if (all_zero(disk, 512))
		return;
	if (memcmp(disk, before, 512) == 0) {
		if (memcmp(disk + MIB, before + MIB, DISK - MIB) != 0)
			wrong("%s: the old beginning, with something else behind it", where);
		return;
	}
	if (memcmp(disk, whole, DISK) != 0)
		wrong("%s: it begins like the new one, and is not", where);
}

/* The cuts of one operation. */
struct cuts {
	const char *name;
	uint8_t *whole;
	unsigned states;
};

static bool wanted(const struct powercut *cut, void *arg)
{
	const struct cuts *cuts = arg;

	return trying("%s%s/%s", cuts->name, kind.zero_bytes > 0 ? "-zeroing" : "", cut->name);
}

static void check_cut(const struct powercut *cut, void *arg)
{
	struct cuts *cuts = arg;

	cuts->states++;
	check_disk(cut->name, cuts->whole);
}

static void every_cut(const char *name, const char *const *words)
{
	static const struct powercut_plan plan = { .sample = 1 };
	struct sim_files files = set_up();
	static uint8_t whole[DISK];
	struct cuts cuts = { name, whole, 0 };
	uint64_t size;

	assert_int_equal(run(words), 0);
	memcpy(whole, sim_file("disk", &size), DISK);
	(void)powercut_each(&kind, &files, &plan, wanted, check_cut, &cuts);
	print_message("%u states after a power cut\n", cuts.states);
	tear_down(&files);
}

static void test_every_cut_of_restore(void **state)
{
	(void)state;
	every_cut("target/restore", restore);
}

/* The beginning is kept back where a map says what is done, too. */
static void test_every_cut_with_map(void **state)
{
	(void)state;
	every_cut("target/restore-map", restore_map);
}

static void test_every_cut_of_gpt(void **state)
{
	(void)state;
	every_cut("target/restore-gpt", restore_gpt);
}

static void test_every_cut_of_image(void **state)
{
	(void)state;
	every_cut("target/image", image);
}

static void test_restored(void **state)
{
	struct sim_files files = set_up();
	uint64_t n;

	(void)state;
	assert_int_equal(run(restore), 0);
	assert_memory_equal(sim_file("disk", &n), after, DISK);
	tear_down(&files);
}

/* The n-th call fails, and all is said: the code is that of the failure. */
static void every_failure(const char *const *words, enum status status, int code)
{
	struct sim_files files = set_up_for(words);
	static uint8_t whole[DISK];
	uint64_t size;
	unsigned n = 1;

	assert_int_equal(run(words), 0);
	memcpy(whole, sim_file("disk", &size), DISK);
	for (bool failed = true; failed; n++) {
		int got;

		sim_files_restore(&kind, &files);
		sim_volume_fail(n, status);
		got = run(words);
		failed = sim_volume_failed();
		sim_volume_fail(0, ST_OK);
		/*
		 * What is on a disk that cannot be read is not known, and needs to be erased all
		 * the more.
		 */
		if (failed && got != code &&
		    !(got == 0 && memcmp(sim_file("disk", &size), whole, DISK) == 0))
			fail_msg("call %u: code %d: %s", n, got, err.text);
		check_disk(err.text, whole);
		if (got == 0)
			assert_memory_equal(sim_file("disk", &size), whole, DISK);
	}
	print_message("%u failures tried\n", n - 2);
	assert_true(n > 30);
	tear_down(&files);
}

static void test_every_failure(void **state)
{
	(void)state;
	every_failure(restore, ST_IO, OUTCOME_DEVICE_ERROR);
	every_failure(restore_gpt, ST_IO, OUTCOME_DEVICE_ERROR);
	every_failure(restore_sparse, ST_IO, OUTCOME_DEVICE_ERROR);
	every_failure(image, ST_IO, OUTCOME_DEVICE_ERROR);
}

static void test_every_moment_to_pull_it(void **state)
{
	(void)state;
	every_failure(restore, ST_MEDIUM_CHANGED, OUTCOME_MEDIUM_GONE);
	every_failure(restore_gpt, ST_MEDIUM_CHANGED, OUTCOME_MEDIUM_GONE);
}

static void every_moment_to_stop(const char *const *words)
{
	struct sim_files files = set_up_for(words);
	unsigned stopped = 0;

	for (unsigned n = 1; n < 200; n++) {
		int code;

		sim_files_restore(&kind, &files);
		sim_cancel(n);
		code = run(words);
		sim_cancel(0);
		check_disk("stopped", after);
		if (code == 0)
			break;
		assert_int_equal(code, OUTCOME_STOPPED);
		stopped++;
	}
	assert_true(stopped >= 2);
	tear_down(&files);
}

static void test_every_moment_to_stop(void **state)
{
	(void)state;
	every_moment_to_stop(restore);
	every_moment_to_stop(restore_sparse);
}

/* What a map says to be finished is on the disk; `none`: nothing is. No map is one that says
 * nothing. */
static void check_map(const char *where, const uint8_t *whole, bool none)
{
	uint64_t n, begin, length;
	const uint8_t *text = sim_file("m", &n), *disk = sim_file("disk", &length);
	char line[128], status;

	for (uint64_t at = 0, end; text != NULL && at < n; at = end + 1) {
		for (end = at; end < n && text[end] != '\n' && end - at < sizeof line - 1;)
			end++;
		memcpy(line, text + at, end - at);
		line[end - at] = '\0';
		if (sscanf(line, "0x%" SCNx64 " 0x%" SCNx64 " %c", &begin, &length, &status) != 3 ||
		    status != '+')
			continue;
		if (none || memcmp(disk + begin, whole + begin, length) != 0)
			fail_msg("%s: the map says that %zu bytes at %zu are finished", where,
				 (size_t)length, (size_t)begin);
	}
}

/* Nobody knows what is on the medium when it was not flushed, or when what was read back is
 * something else. */
static void test_map_after_a_failure(void **state)
{
	struct sim_files files = set_up();
	unsigned flushes = 0, lost = 0;
	bool failed = true;
	char flush[64];

	(void)state;
	snprintf(flush, sizeof flush, "writing at offset %d of the disk", SOURCE);
	for (unsigned n = 1; failed; n++) {
		bool flushed;

		sim_files_restore(&kind, &files);
		sim_volume_fail(n, ST_IO);
		(void)run(restore_map);
		failed = sim_volume_failed();
		sim_volume_fail(0, ST_OK);
		flushed = strstr(err.text, flush) != NULL;
		flushes += flushed;
		check_map(err.text, after, flushed);
	}
	for (unsigned n = 1;; n++) {
		bool found;

		sim_files_restore(&kind, &files);
		sim_volume_lose(n);
		found = run(restore_map) == OUTCOME_MISMATCH;
		if (!sim_volume_lost())
			break;
		lost += found;
		/* The beginning is written when all else was read back. */
		check_map(err.text, after,
			  found && strstr(err.text, "writing its beginning") == NULL);
	}
	sim_volume_lose(0);
	assert_true(flushes == 1 && lost > 2);
	tear_down(&files);
}

/*
 * A drive that says it has written what it has not: unless it makes no difference, it is noticed,
 * and the disk has no beginning.
 */
static void every_lost_write(const char *const *words)
{
	struct sim_files files = set_up();
	static uint8_t whole[DISK];
	unsigned n = 0, noticed = 0;
	uint64_t size;

	assert_int_equal(run(words), 0);
	memcpy(whole, sim_file("disk", &size), DISK);
	do {
		int code;

		sim_files_restore(&kind, &files);
		sim_volume_lose(++n);
		code = run(words);
		if (code == 0) {
			assert_memory_equal(sim_file("disk", &size), whole, DISK);
			continue;
		}
		if (code != OUTCOME_MISMATCH)
			fail_msg("write %u: code %d: %s", n, code, err.text);
		noticed++;
		if (memcmp(sim_file("disk", &size), whole, 512) == 0 &&
		    memcmp(sim_file("disk", &size), whole, MIB) == 0)
			fail_msg("write %u: %s: it has a beginning", n, err.text);
	} while (sim_volume_lost());
	sim_volume_lose(0);
	print_message("%u lost writes, %u of them made a difference\n", n - 1, noticed);
	assert_true(noticed > 2);
	tear_down(&files);
}

static void test_every_lost_write(void **state)
{
	(void)state;
	every_lost_write(restore);
	every_lost_write(restore_gpt);
	every_lost_write(image);
}

static void adversary_5_dd_is_read_back(void **state)
{
	static const char *const words[] = { "dd",          "-f",        "raw",
					     "--no-table",  "bs=64k",    "if=source",
					     "of=serial=D", "--erase=D", NULL };

	(void)state;
	every_lost_write(words);
}

/*
 * Where a lost write leaves what cannot be decompressed, it is the target that is wrong, and no
 * image that is read.
 */
static void test_lost_packed(void **state)
{
	static const char *const words[] = { "convert", "-c",       "-f",        "raw",
					     "-O",      "qcow2",    "-o",        "cluster_size=16k",
					     "source",  "serial=D", "--erase=D", NULL };
	static uint8_t noise[DISK - (96 << 10)];
	struct sim_files files = set_up();
	unsigned n = 0, damaged = 0;
	uint32_t seed = 1;
	bool lost;

	(void)state;
	for (size_t i = 0; i < sizeof noise; i++)
		noise[i] = dice(&seed) & 0x7f;
	sim_file_put("source", noise, sizeof noise);
	sim_files_drop(&files);
	files = sim_files_keep();
	do {
		int code;

		sim_files_restore(&kind, &files);
		sim_volume_lose(++n);
		code = run(words);
		lost = sim_volume_lost();
		sim_volume_lose(0);
		damaged += strstr(err.text,
				  "efi-img: reading back what was written: serial=D: reading ") !=
			   NULL;
		if (code != OUTCOME_MISMATCH &&
		    (code != 0 ||
		     RUN("compare", "-f", "raw", "-F", "qcow2", "source", "serial=D") != 0))
			fail_msg("write %u: code %d: %s%s", n, code, out.text, err.text);
	} while (lost);
	assert_true(damaged > 0);
	tear_down(&files);
}

static void without_memory(const char *const *words)
{
	struct sim_files files = set_up();
	static uint8_t whole[DISK];
	unsigned n = 1;
	uint64_t size;

	assert_int_equal(run(words), 0);
	memcpy(whole, sim_file("disk", &size), DISK);
	for (bool failed = true; failed; n++) {
		int code;

		sim_files_restore(&kind, &files);
		sim_fail_allocation(n);
		code = run(words);
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
		check_disk("no memory", whole);
		assert_true(code == 0 || code == 1 || code == OUTCOME_REFUSED ||
			    code == OUTCOME_DEVICE_ERROR);
	}
	assert_true(n > 20);
	tear_down(&files);
}

static void test_no_memory(void **state)
{
	(void)state;
	without_memory(restore);
	without_memory(restore_gpt);
	without_memory(plan_image);
}

/* Going on by a map does not take the GPT that was moved before for one that fits no more. */
static void test_gpt_and_map(void **state)
{
	static const char *const words[] = { "convert", "-n",       "-f",        "raw", "--map=m",
					     "gpt",     "serial=D", "--erase=D", NULL };
	struct sim_files files = set_up();
	static uint8_t whole[DISK];
	uint64_t size;

	(void)state;
	assert_int_equal(run(words), 0);
	memcpy(whole, sim_file("disk", &size), DISK);
	assert_memory_equal(whole + DISK - 512, "EFI PART", 8);
	assert_int_equal(run(words), 0);
	assert_string_equal(err.text, "");
	assert_memory_equal(sim_file("disk", &size), whole, DISK);
	tear_down(&files);
}

/* Disks that make zeros themselves. */
static int zeroing(void **state)
{
	(void)state;
	kind.zero_bytes = 16 << 10;
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_restored),
		cmocka_unit_test(test_every_cut_of_restore),
		cmocka_unit_test(test_every_cut_with_map),
		cmocka_unit_test(test_every_cut_of_gpt),
		cmocka_unit_test(test_every_cut_of_image),
		cmocka_unit_test(test_every_failure),
		cmocka_unit_test(test_every_moment_to_pull_it),
		cmocka_unit_test(test_every_moment_to_stop),
		cmocka_unit_test(test_every_lost_write),
		cmocka_unit_test(adversary_5_dd_is_read_back),
		cmocka_unit_test(test_map_after_a_failure),
		cmocka_unit_test(test_lost_packed),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_gpt_and_map),
	};

	static const struct CMUnitTest zeroing_tests[] = {
		cmocka_unit_test(test_restored),
		cmocka_unit_test(test_every_cut_of_restore),
		cmocka_unit_test(test_every_moment_to_pull_it),
		cmocka_unit_test(test_every_lost_write),
	};
	int failed = cmocka_run_group_tests_name("target", tests, NULL, NULL);

	return failed +
	       cmocka_run_group_tests_name("target that makes zeros", zeroing_tests, zeroing, NULL);
}
