/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A volume that cuts a file off after what is written in its middle, as U-Boot's FAT does: nothing
 * that goes back is begun there, and what is written from front to back is done. And one that does
 * so without being found out: no job reports success.
 */
#include "blk/blk.h"
#include "record/finished.h"
#include "powercut.h"
#include "run.h"
#include "storage/storage.h"

enum { SOURCE_BYTES = 70000 };

#define STREAM "subformat=streamOptimized"

static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };

/* All that makes a file, and all that changes one. */
static const struct line {
	const char *words[WORDS];
	const char *makes; /* NULL: it changes q.qcow2, or r.raw */
	bool is_lucky;     /* all is well in the end even where the file is cut off */
} lines[] = {
	{ { "create", "a", "100k" }, "a", false },
	{ { "create", "-f", "qcow2", "a", "1M" }, "a", false },
	{ { "create", "-f", "qcow2", "-o", "data_file=d", "a", "100k" }, "a", false },
	{ { "create", "--split=1M", "a", "3M" }, "a", false },
	{ { "create", "-f", "vmdk", "a", "3M" }, "a", false },
	{ { "convert", "-O", "vmdk", "-o", STREAM, "--split=1M", "long.raw", "a" }, "a", false },
	{ { "convert", "r.raw", "a" }, "a", false },
	{ { "convert", "-O", "qcow2", "r.raw", "a" }, "a", false },
	{ { "convert", "-c", "-O", "qcow2", "r.raw", "a" }, "a", false },
	{ { "convert", "--split=1M", "-S", "0", "long.raw", "a" }, "a", false },
	{ { "convert", "-O", "qcow2", "-o", "data_file=d", "r.raw", "a" }, "a", false },
	{ { "dd", "if=r.raw", "of=a" }, "a", false },
	{ { "convert", "-n", "-O", "qcow2", "r.raw", "q.qcow2" }, NULL, true },
	{ { "resize", "q.qcow2", "+1M" }, NULL, false },
	{ { "resize", "--shrink", "r.raw", "4k" }, NULL, true },
	{ { "snapshot", "-c", "new", "q.qcow2" }, NULL, false },
	{ { "bitmap", "--add", "q.qcow2", "bits" }, NULL, false },
	{ { "amend", "-o", "refcount_bits=64", "q.qcow2" }, NULL, false },
	{ { "rebase", "-u", "-b", "r.raw", "-F", "raw", "q.qcow2" }, NULL, false },
	{ { "commit", "over.qcow2" }, NULL, false },
	{ { "check", "-r", "all", "q.qcow2" }, NULL, true },
	{ { "bench", "-w", "-c", "4", "-s", "4096", "q.qcow2" }, NULL, false },
};

static struct kept {
	char name[32];
	uint8_t *bytes;
	uint64_t n;
} kept[SIM_FILES_MAX];

static size_t n_kept;

static void make_files(void)
{
	uint8_t *bytes = test_malloc(3 << 20);

	for (size_t i = 0; i < 3 << 20; i++)
		bytes[i] = (uint8_t)(i * i >> 7);
	sim_volume(&roomy);
	sim_file_put("r.raw", bytes, SOURCE_BYTES / 512 * 512);
	sim_file_put("long.raw", bytes, 3 << 20);
	test_free(bytes);
	MUST("convert", "-O", "qcow2", "-o", "cluster_size=4k", "r.raw", "q.qcow2");
	MUST("create", "-f", "qcow2", "-o", "cluster_size=4k", "-b", "q.qcow2", "-F", "qcow2",
	     "over.qcow2");
	MUST("bench", "-w", "-c", "4", "-s", "4096", "over.qcow2");
}

/* The files of make_files(), on a volume of that kind. */
static void prepare(const struct sim_volume_kind *kind)
{
	if (n_kept == 0) {
		make_files();
		for (const char *name; (name = sim_file_name(n_kept)) != NULL; n_kept++) {
			struct kept *file = &kept[n_kept];
			const uint8_t *bytes = sim_file(name, &file->n);

			strcpy(file->name, name);
			file->bytes = malloc(file->n);
			memcpy(file->bytes, bytes, file->n);
		}
	}
	sim_volume(kind);
	for (size_t i = 0; i < n_kept; i++)
		sim_file_put(kept[i].name, kept[i].bytes, kept[i].n);
}

static bool unchanged(void)
{
	for (size_t i = 0; i < n_kept; i++) {
		uint64_t n;
		const uint8_t *bytes = sim_file(kept[i].name, &n);

		if (bytes == NULL || n != kept[i].n || memcmp(bytes, kept[i].bytes, n) != 0)
			return false;
	}
	return sim_files() == n_kept;
}

static void nothing_is_begun(void **state)
{
	struct sim_volume_kind kind = roomy;

	(void)state;
	kind.truncates = true;
	for (size_t i = 0; i < N_OF(lines); i++) {
		size_t n;

		prepare(&kind);
		assert_row(run(lines[i].words) == EXIT_ERROR, i);
		(void)sim_journal(&n);
		assert_row(n == 0 && unchanged(), i);
		assert_row(strstr(err.text, status_text(ST_UNSUPPORTED)) != NULL, i);
	}
}

/* What can be written from front to back. */
static const char *const streams[][WORDS] = {
	{ "create", "-f", "vmdk", "-o", STREAM, "a", "3G" },
	{ "convert", "-O", "vmdk", "-o", STREAM, "long.raw", "a" },
	{ "convert", "-c", "-O", "vmdk", "-o", STREAM, "-S", "0", "r.raw", "a" },
	{ "convert", "-O", "vmdk", "-o", STREAM, "-S", "0", "long.raw", "r.raw", "a" },
};

/* What is taken for an image has all of it; the last sector is nothing but a marker. */
static void refuse_beginning(const struct powercut *cut, void *arg)
{
	const struct kept *all = arg;
	uint64_t n;
	const uint8_t *bytes = sim_file("a", &n);

	if (bytes == NULL || (n == all->n && memcmp(bytes, all->bytes, n - 512) == 0))
		return;
	if (RUN("check", "-f", "vmdk", "a") == EXIT_OK)
		fail_msg("%s: %ju bytes of %ju are taken for the image", cut->name, n, all->n);
}

static bool each_cut(const struct powercut *cut, void *arg)
{
	(void)cut;
	(void)arg;
	return true;
}

static void streams_are_made(void **state)
{
	struct sim_volume_kind kind = roomy;
	struct sim_files before;
	struct kept all;
	size_t n;

	(void)state;
	kind.truncates = true;
	for (size_t i = 0; i < N_OF(streams); i++) {
		uint64_t end = 0;

		prepare(&kind);
		before = sim_files_keep();
		assert_row(run(streams[i]) == EXIT_OK, i);
		for (const struct sim_change *change = sim_journal(&n); n > 0; n--, change++) {
			assert_row(change->kind != SIM_RESIZE, i);
			if (change->kind != SIM_WRITE)
				continue;
			assert_row(change->offset == end, i);
			end += change->n;
		}
		MUST("check", "a");
		if (i > 0 && i < 3)
			MUST("compare", "-f", "raw", streams[i][i == 1 ? 5 : 8], "a");
		all.bytes = test_malloc(end);
		memcpy(all.bytes, sim_file("a", &all.n), end);
		(void)powercut_each(&kind, &before, &(struct powercut_plan){ .sample = 1 },
				    each_cut, refuse_beginning, &all);
		test_free(all.bytes);
		sim_files_drop(&before);
	}
}

/* Nothing that has failed is left. */
static void a_failure_removes_a_stream(void **state)
{
	struct sim_volume_kind kind = roomy;
	bool failed = true;
	uint64_t n;
	int code;

	(void)state;
	kind.truncates = true;
	for (unsigned i = 1; failed; i++) {
		prepare(&kind);
		sim_volume_fail(i, ST_IO);
		code = run(streams[1]);
		failed = sim_volume_failed();
		sim_volume_fail(0, ST_OK);
		if (code == EXIT_OK)
			MUST("compare", "-f", "raw", "long.raw", "a");
		else if (sim_file("a", &n) != NULL)
			assert_row(strstr(err.text, "could not be removed") != NULL, i);
	}
}

/* Whoever reads, or only asks, does not try how a volume can be written to. */
static void reading_goes_on(void **state)
{
	static const char *const reading[][WORDS] = {
		{ "info", "q.qcow2" },
		{ "check", "q.qcow2" },
		{ "compare", "r.raw", "q.qcow2" },
		{ "hash", "q.qcow2" },
		{ "snapshot", "-l", "q.qcow2" },
		{ "convert", "--dry-run", "-O", "qcow2", "r.raw", "a" },
	};
	struct sim_volume_kind kind = roomy;

	(void)state;
	kind.truncates = true;
	for (size_t i = 0; i < N_OF(reading); i++) {
		prepare(&kind);
		assert_row(run(reading[i]) == EXIT_OK && unchanged(), i);
	}
}

static void what_is_cut_off_is_found(void **state)
{
	struct sim_volume_kind kind = roomy;

	unsigned n_lucky = 0, n_found = 0;

	(void)state;
	kind.truncates = kind.hides = true;
	for (size_t i = 0; i < N_OF(lines); i++) {
		uint64_t n;

		prepare(&kind);
		if (run(lines[i].words) == EXIT_OK) {
			/* It did not go back, or wrote all that was cut off again afterwards. */
			assert_row(lines[i].makes == NULL && lines[i].is_lucky, i);
			MUST("check", "q.qcow2");
			n_lucky++;
			continue;
		}
		assert_row(!lines[i].is_lucky, i);
		assert_row(lines[i].makes == NULL || sim_file(lines[i].makes, &n) == NULL, i);
		n_found += strstr(err.text, "bytes when it is opened again") != NULL;
	}
	assert_int_equal(n_lucky, 3);
	assert_true(n_found >= 12); /* the others failed before */
}

/* What was added to `finished` before must not be the same any more, and the words say how. */
static void differs(struct finished *finished, const char *words)
{
	struct error why;

	assert_int_equal(finished_check(finished, &why), ST_MISMATCH);
	if (strstr(why.text, words) == NULL)
		fail_msg("%s: not \"%s\"", why.text, words);
	assert_int_equal(finished->n, 0);
}

/* A split image of three parts, as if it had been finished a moment ago. */
static struct finished finish_parts(void)
{
	struct finished finished = { 0 };
	struct storage storage = { 0 };
	struct error why;
	struct blk *file;

	sim_volume(&roomy);
	MUST("create", "--split=1M", "--force", "a", "2500000");
	assert_ok(storage_reopen(&storage, "a", OPEN_READ, &file, &why));
	assert_ok(finished_add(&finished, "a", file, &why));
	blk_close(file);
	return finished;
}

static void each_difference_is_told(void **state)
{
	struct error why;
	struct finished finished = finish_parts();
	const uint8_t *bytes;
	uint64_t n;

	(void)state;
	assert_ok(finished_check(&finished, &why)); /* nothing has changed */

	finished = finish_parts();
	bytes = sim_file("a", &n);
	((uint8_t *)(uintptr_t)bytes)[511] ^= 1;
	differs(&finished, "the first block of the file differs");

	finished = finish_parts();
	bytes = sim_file("a.002", &n);
	((uint8_t *)(uintptr_t)bytes)[n - 1] ^= 1;
	differs(&finished, "the last block of the file differs");

	finished = finish_parts();
	sim_file_put("a.001", "", 0);
	differs(&finished, "they are not parts of one image");

	finished = finish_parts();
	sim_file_put("a.002", "", 0);
	differs(&finished, "bytes when it is opened again");

	finished = finish_parts();
	assert_ok(platform_remove("a.002", &why));
	differs(&finished, "part a.002 is missing");

	finished = finish_parts();
	assert_ok(platform_remove("a", &why));
	differs(&finished, "the written file cannot be opened again");

	finished = finish_parts();
	sim_volume_bad("a", 0, 1);
	assert_int_equal(finished_check(&finished, &why), ST_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_begun),
		cmocka_unit_test(streams_are_made),
		cmocka_unit_test(a_failure_removes_a_stream),
		cmocka_unit_test(reading_goes_on),
		cmocka_unit_test(what_is_cut_off_is_found),
		cmocka_unit_test(each_difference_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
