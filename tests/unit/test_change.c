/*
 * Commands that change an image where something goes wrong: every allocation, every call to the volume, every moment at
 * which the person stops it, and the power at every change of a file.
 */
#include "unit.h"

#include "command/command.h"
#include "powercut.h"
#include "verdict.h"

enum { WORDS = 12, SETUP = 7, DISK_BYTES = 90 << 10 };

#define OVER(base) "create", "-q", "-f", "qcow2", "-F", base

static struct capture out, err;

static const struct sim_volume_kind roomy = { .free_bytes = 32 << 20 };

/*
 * What is tried: the images are made by `setup`, from the files "random" and "other"; `front` is the one whose disk must
 * be as before or as after, and its first snapshot as before, whatever happens.
 */
static const struct scenario {
	const char *setup[SETUP][WORDS];
	const char *words[WORDS];
	const char *front;
} scenarios[] = {
	{ { { "convert", "-O", "qcow2", "-o", "cluster_size=512", "random", "a" } }, { "resize", "a", "+3M" }, "a" },
	{ { { "convert", "-O", "qcow2", "-o", "cluster_size=512", "random", "a" } }, { "resize", "--shrink", "a", "20k" }, "a" },
	{ { { "convert", "-c", "-O", "qcow2", "-o", "cluster_size=4k,refcount_bits=1", "random", "a" } },
	  { "resize", "--shrink", "a", "50k" }, "a" },
	{ { { "convert", "-O", "qcow2", "-o", "cluster_size=512", "random", "a" }, { "snapshot", "-c", "s", "a" } },
	  { "resize", "--shrink", "a", "41k" }, "a" },
	{ { { "convert", "-O", "qcow2", "-o", "cluster_size=16k,extended_l2=on", "random", "a" } },
	  { "resize", "--preallocation=metadata", "a", "+100k" }, "a" },
	{ { { OVER("raw"), "-b", "random", "-o", "cluster_size=1k", "a", "33k" } }, { "resize", "a", "100k" }, "a" },
	{ { { "convert", "-O", "qcow2", "-o", "cluster_size=512,data_file=d,data_file_raw=on", "random", "a" } },
	  { "resize", "a", "+20k" }, "a" },
	{ { { "convert", "-O", "qcow2", "other", "a" },
	    { "convert", "-O", "qcow2", "-B", "a", "-F", "qcow2", "-o", "cluster_size=512", "random", "b" } },
	  { "commit", "b" }, "b" },
	{ { { "convert", "-c", "-O", "qcow2", "-B", "other", "-F", "raw", "-o", "cluster_size=4k", "random", "b" } },
	  { "commit", "b" }, "b" },
	{ { { "convert", "-O", "qcow2", "-o", "cluster_size=1k", "other", "a" }, { OVER("qcow2"), "-b", "a", "b" },
	    { "convert", "-O", "qcow2", "-B", "b", "-F", "qcow2", "-o", "cluster_size=16k", "random", "c" } },
	  { "commit", "-b", "a", "c" }, "c" },
	{ { { "convert", "-O", "qcow2", "other", "a" }, { OVER("raw"), "-b", "random", "-o", "cluster_size=4k", "b" } },
	  { "rebase", "-b", "a", "-F", "qcow2", "b" }, "b" },
	{ { { OVER("raw"), "-b", "random", "-o", "cluster_size=4k", "b" } }, { "rebase", "-c", "-b", "other", "-F", "raw", "b" }, "b" },
	{ { { OVER("raw"), "-b", "random", "-o", "cluster_size=4k,compat=0.10", "b" } },
	  { "rebase", "-b", "other", "-F", "raw", "b" }, "b" },
	{ { { OVER("raw"), "-b", "random", "-o", "cluster_size=16k,extended_l2=on", "b", "120k" } }, { "rebase", "-b", "", "b" }, "b" },
	{ { { "create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", "b", "70k" } },
	  { "rebase", "-b", "other", "-F", "raw", "b" }, "b" },
	/* zeros in front of other data, in tables that are the disk's alone, a snapshot's, and of several */
	{ { { OVER("raw"), "-b", "other", "-o", "cluster_size=16k,refcount_bits=8", "b", "90k" },
	    { "convert", "-n", "-f", "raw", "-O", "qcow2", "random", "b" }, { "snapshot", "-c", "s", "b" },
	    { "convert", "-c", "-n", "-f", "raw", "-O", "qcow2", "zeros", "b" }, { "snapshot", "-c", "t", "b" } },
	  { "amend", "-o", "compat=0.10,refcount_bits=16", "b" }, "b" },
	{ { { OVER("raw"), "-b", "random", "-o", "cluster_size=8k", "b" }, { "convert", "-n", "-f", "raw", "-O", "qcow2", "zeros", "b" },
	    { "snapshot", "-c", "s", "b" }, { "convert", "-n", "-f", "raw", "-O", "qcow2", "other", "b" } },
	  { "amend", "-o", "compat=0.10", "b" }, "b" },
	{ { { "convert", "-O", "qcow2", "-o", "cluster_size=512,compat=0.10", "random", "a" } },
	  { "amend", "-o", "compat=1.1,refcount_bits=64,lazy_refcounts=on", "a" }, "a" },
	{ { { OVER("raw"), "-b", "random", "-o", "cluster_size=4k,compat=0.10", "b" }, { "snapshot", "-c", "s", "b" } },
	  { "amend", "-o", "compat=1.1,size=200k", "b" }, "b" },
	{ { { "convert", "-c", "-O", "qcow2", "-o", "cluster_size=1k,refcount_bits=64", "random", "a" }, { "snapshot", "-c", "s", "a" } },
	  { "amend", "-o", "refcount_bits=8", "a" }, "a" },
	{ { { "convert", "-O", "qcow2", "-o", "cluster_size=512,data_file=d,data_file_raw=on", "random", "a" } },
	  { "amend", "--force", "-o", "data_file_raw=off,refcount_bits=1,size=60k", "a" }, "a" },
};

static int run(const char *const words[])
{
	struct console console = { .out = &out.out, .err = &err.out };
	char *argv[WORDS];
	int argc = 0;

	for (; argc < WORDS && words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	capture_clear(&out);
	capture_clear(&err);
	return command_run(&console, argc, argv);
}

/* Data of all kinds, which differ with `seed`. */
static void put_raw(const char *name, uint32_t seed, size_t n)
{
	uint8_t *bytes = test_malloc(n);
	uint32_t dice = seed;

	for (size_t i = 0; i < n; i++) {
		uint32_t kind = ((uint32_t)i / 3000 + seed) % 4;

		dice = dice * 1664525 + 1013904223;
		bytes[i] = kind == 0 ? 0 : kind == 1 ? (uint8_t)(dice >> 24) : kind == 2 ? 'a' : (uint8_t)('a' + seed);
	}
	sim_file_put(name, bytes, n);
	test_free(bytes);
}

static struct sim_files prepare(const struct scenario *s)
{
	static uint8_t zeros[DISK_BYTES];
	struct sim_files files;

	sim_volume(&roomy);
	put_raw("random", 1, DISK_BYTES);
	put_raw("other", 2, DISK_BYTES - 10240);
	sim_file_put("zeros", memset(zeros, 0, sizeof zeros), sizeof zeros);
	for (size_t i = 0; i < SETUP && s->setup[i][0] != NULL; i++)
		if (run(s->setup[i]) != EXIT_OK)
			fail_msg("setting up: %s", err.text);
	files = sim_files_keep();
	sim_files_restore(&roomy, &files);
	return files;
}

/* ---- what must hold ----------------------------------------------------------------------------------------------- */

/* Every qcow2 image on the volume. */
static void assert_all_sound(const struct scenario *s, const char *where, bool exact)
{
	const char *name;

	for (size_t i = 0; (name = sim_file_name(i)) != NULL; i++) {
		uint64_t size;
		const uint8_t *bytes = sim_file(name, &size);
		char why[256];

		if (size >= 4 && memcmp(bytes, "QFI\xfb", 4) == 0 && !verdict_qcow2(bytes, size, exact, why))
			fail_msg("%s %s, %s: %s: %s", s->words[0], s->words[1], where, name, why);
	}
}

struct disk {
	uint8_t *bytes;
	uint64_t size;
};

/* The name of the first snapshot; NULL: none is made. */
static const char *first_snapshot(const struct scenario *s)
{
	for (size_t i = 0; i < SETUP && s->setup[i][0] != NULL; i++)
		if (strcmp(s->setup[i][0], "snapshot") == 0)
			return s->setup[i][2];
	return NULL;
}

/* What can be read from the image in front, now or (not NULL) at a snapshot. */
static struct disk read_disk(const struct scenario *s, const char *snapshot, const char *where)
{
	const char *const words[WORDS] = { "convert", "--force", "-O", "raw", s->front, "flat", snapshot != NULL ? "-l" : NULL, snapshot };
	struct disk disk = { 0 };
	const uint8_t *bytes;

	if (run(words) != EXIT_OK)
		fail_msg("%s %s, %s: reading %s: %s", s->words[0], s->words[1], where, s->front, err.text);
	bytes = sim_file("flat", &disk.size);
	disk.bytes = test_malloc(disk.size + 1);
	memcpy(disk.bytes, bytes, disk.size);
	return disk;
}

static bool same_disk(const struct disk *a, const struct disk *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* A scenario with its disk before and after it. */
struct trial {
	const struct scenario *scenario;
	struct sim_files files;
	struct disk before, after, snapshot;
};

static void assert_old_or_new(const char *where, void *arg)
{
	const struct trial *trial = arg;
	struct disk disk;

	assert_all_sound(trial->scenario, where, false);
	disk = read_disk(trial->scenario, NULL, where);
	if (!same_disk(&disk, &trial->before) && !same_disk(&disk, &trial->after))
		fail_msg("%s %s, %s: the disk is neither as before nor as after", trial->scenario->words[0], trial->scenario->words[1],
			 where);
	test_free(disk.bytes);
	if (first_snapshot(trial->scenario) == NULL)
		return;
	disk = read_disk(trial->scenario, first_snapshot(trial->scenario), where);
	if (!same_disk(&disk, &trial->snapshot))
		fail_msg("%s %s, %s: the snapshot has changed", trial->scenario->words[0], trial->scenario->words[1], where);
	test_free(disk.bytes);
}

/* Whether the disk may have changed when all went well: it has another size. */
static bool is_about_size(const struct scenario *s)
{
	for (size_t i = 0; i < WORDS && s->words[i] != NULL; i++)
		if (strstr(s->words[i], "size") != NULL)
			return true;
	return false;
}

static struct trial begin(const struct scenario *s)
{
	struct trial trial = { .scenario = s, .files = prepare(s) };

	trial.before = read_disk(s, NULL, "before");
	if (first_snapshot(s) != NULL)
		trial.snapshot = read_disk(s, first_snapshot(s), "before");
	sim_files_restore(&roomy, &trial.files);
	if (run(s->words) != EXIT_OK)
		fail_msg("%s %s: %s", s->words[0], s->words[1], err.text);
	assert_all_sound(s, "after", true);
	trial.after = read_disk(s, NULL, "after");
	if (!is_about_size(s) && !same_disk(&trial.before, &trial.after))
		fail_msg("%s %s: the disk has changed", s->words[0], s->words[1]);
	sim_files_restore(&roomy, &trial.files);
	return trial;
}

static void end(struct trial *trial)
{
	test_free(trial->before.bytes);
	test_free(trial->after.bytes);
	test_free(trial->snapshot.bytes);
	sim_files_drop(&trial->files);
}

/* ---- failures ----------------------------------------------------------------------------------------------------- */

enum victim { ALLOCATION, CALL_IO, CALL_NO_SPACE, CANCEL, N_VICTIMS };

static void arm(enum victim victim, unsigned n)
{
	sim_fail_allocation(victim == ALLOCATION ? n : 0);
	sim_volume_fail(victim == CALL_IO || victim == CALL_NO_SPACE ? n : 0, victim == CALL_IO ? ST_IO : ST_NO_SPACE);
	sim_cancel(victim == CANCEL ? n : 0);
}

static unsigned fail_each(const struct scenario *s)
{
	struct trial trial = begin(s);
	unsigned tried = 0;

	for (enum victim victim = ALLOCATION; victim < N_VICTIMS; victim++)
		for (unsigned n = 1;; n++) {
			char where[64];
			int code;

			sim_files_restore(&roomy, &trial.files);
			arm(victim, n);
			code = run(s->words);
			arm(N_VICTIMS, 0);
			snprintf(where, sizeof where, "failure %u of kind %d", n, victim);
			if (sim_allocations() != 0)
				fail_msg("%s %s, %s: %zu allocations left", s->words[0], s->words[1], where, sim_allocations());
			if (code != EXIT_OK && strncmp(err.text, "efi-img: ", 9) != 0)
				fail_msg("%s %s, %s: it said: %s", s->words[0], s->words[1], where, err.text);
			assert_old_or_new(where, &trial);
			if (code == EXIT_OK)
				break;
			tried++;
		}
	end(&trial);
	return tried;
}

static void every_failure(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(scenarios); i++)
		tried += fail_each(&scenarios[i]);
	print_message("%u failures tried\n", tried);
	assert_true(tried > 1000);
}

/* ---- the power goes ----------------------------------------------------------------------------------------------- */

static void every_cut(void **state)
{
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(scenarios); i++) {
		struct trial trial = begin(&scenarios[i]);

		assert_int_equal(run(scenarios[i].words), EXIT_OK);
		tried += powercut_each(&roomy, &trial.files, assert_old_or_new, &trial);
		end(&trial);
	}
	print_message("%u states after a power cut\n", tried);
	assert_true(tried > 1000);
}

/* ---- what cannot be is refused before anything is written --------------------------------------------------------- */

static void space_is_looked_at_first(void **state)
{
	static const char *const grow_raw[WORDS] = { "resize", "-f", "raw", "random", "+100k" };
	static const char *const grow_full[WORDS] = { "resize", "--preallocation=full", "a", "+100k" };
	static const char *const make[WORDS] = { "create", "-q", "-f", "qcow2", "a", "1M" };
	struct sim_volume_kind small = { .free_bytes = 460 << 10 }, limited = roomy;
	struct sim_files files;
	size_t n;

	(void)state;
	sim_volume(&roomy);
	put_raw("random", 1, DISK_BYTES);
	assert_int_equal(run(make), EXIT_OK);
	files = sim_files_keep();
	small.free_bytes = DISK_BYTES + (200 << 10) + (50 << 10);
	sim_files_restore(&small, &files);
	assert_int_equal(run(grow_raw), EXIT_ERROR);
	assert_non_null(strstr(err.text, "random: 102400 bytes are needed, but only "));
	assert_int_equal(run(grow_full), EXIT_ERROR);
	assert_non_null(strstr(err.text, "are free on fs0:"));
	limited.file_limit_bytes = 300 << 10;
	sim_files_restore(&limited, &files);
	assert_int_equal(run(grow_full), EXIT_ERROR);
	assert_non_null(strstr(err.text, "more than a file on fs0: can have (307200 bytes)"));
	sim_journal(&n);
	assert_int_equal(n, 0);
	sim_files_drop(&files);
}

static int set_up(void **state)
{
	(void)state;
	capture_init(&out);
	capture_init(&err);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	capture_free(&out);
	capture_free(&err);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(space_is_looked_at_first),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
