/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Volumes without the space that a command needs: that is found before the first change, or said
 * when it is.
 */
#include "powercut.h"
#include "run.h"

/* The command lines that are tried: every way in which files come to be. */
static const struct line {
	const char *words[WORDS];
} lines[] = {
	{ { "create", "a.raw", "100k" } },
	{ { "create", "-f", "qcow2", "a.raw", "1M" } },
	{ { "create", "-f", "qcow2", "-o", "cluster_size=512,preallocation=metadata", "a.raw",
	    "100k" } },
	{ { "create", "-f", "qcow2", "-o",
	    "cluster_size=16k,extended_l2=on,preallocation=full,refcount_bits=1", "a.raw",
	    "100k" } },
	{ { "create", "-f", "qcow2", "-o", "cluster_size=512,data_file=d.raw,data_file_raw=on",
	    "a.raw", "100k" } },
	{ { "create", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "a.raw" } },
	{ { "convert", "-O", "qcow2", "-o", "cluster_size=512", "source", "a.raw" } },
	{ { "convert", "-O", "qcow2", "-c", "source", "a.raw" } },
	{ { "convert", "-O", "qcow2", "-o", "cluster_size=16k,extended_l2=on,refcount_bits=64",
	    "base.qcow2", "source", "a.raw" } },
};

enum { PREPARED_FILES = 2, SOURCE_BYTES = 70000 };

static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };

/* An empty volume with the backing file and the source that some lines need. */
static void prepare(const struct sim_volume_kind *kind)
{
	static const char *const base[WORDS] = {
		"create", "-q", "-f", "qcow2", "base.qcow2", "3M"
	};
	const uint8_t *bytes;
	uint64_t n;
	void *copy;

	sim_volume(kind);
	assert_int_equal(run(base), EXIT_OK);
	bytes = sim_file("base.qcow2", &n);
	copy = test_malloc(n);
	memcpy(copy, bytes, n);
	sim_volume(kind); /* forget how it was made */
	sim_file_put("base.qcow2", copy, n);
	test_free(copy);
	copy = test_malloc(SOURCE_BYTES);
	for (size_t i = 0; i < SOURCE_BYTES; i++)
		((uint8_t *)copy)[i] = (uint8_t)(i / 5000 % 3 == 0   ? 0
						 : i / 5000 % 3 == 1 ? i * i >> 7
								     : 'a');
	sim_file_put("source", copy, SOURCE_BYTES);
	test_free(copy);
}

/* A volume that is exactly large enough, and one that is a cluster too small. */
static void space_is_counted(void **state)
{
	(void)state;
	for (size_t line = 0; line < N_OF(lines); line++) {
		struct sim_volume_kind kind = roomy;
		uint64_t used = 0, n;
		size_t n_changes;

		if (strcmp(lines[line].words[0], "create") != 0)
			continue; /* how large a converted image becomes is not known before */

		prepare(&kind);
		assert_int_equal(run(lines[line].words), EXIT_OK);
		for (size_t i = 0; i < 4; i++) {
			static const char *const names[] = { "a.raw", "d.raw", "base.qcow2",
							     "source" };

			if (sim_file(names[i], &n) != NULL)
				used += (n + 511) / 512 * 512;
		}
		kind.free_bytes = used;
		prepare(&kind);
		assert_int_equal(run(lines[line].words), EXIT_OK);
		if (used - 512 < 256 << 10) /* the backing file itself must fit */
			continue;
		kind.free_bytes = used - 512;
		prepare(&kind);
		assert_int_equal(run(lines[line].words), EXIT_ERROR);
		sim_journal(&n_changes);
		/* refused before the first change */
		assert_row(n_changes == 0 && sim_files() == PREPARED_FILES, line);
		assert_non_null(strstr(err.text, "are free on fs0:"));
	}
}

/* A number that `measure` says. */
static uint64_t measured(const char *const *words, const char *key)
{
	const char *at;

	assert_int_equal(run(words), EXIT_OK);
	at = strstr(out.text, key);
	assert_non_null(at);
	return strtoull(at + strlen(key), NULL, 10);
}

/*
 * A conversion that stores everything and cannot fit is refused before the first change; one that
 * fits is done, and one that leaves out zeros might fit until it does not.
 */
static void what_cannot_fit(void **state)
{
	static const struct {
		const char *format, *options;
	} rows[] = {
		{ "raw", "preallocation=off" },
		{ "qcow2", "preallocation=off" },
		{ "qcow2", "cluster_size=512" },
		{ "qcow2", "cluster_size=512,refcount_bits=64" },
		{ "qcow2", "cluster_size=4k,refcount_bits=1" },
		{ "qcow2", "cluster_size=16k,extended_l2=on" },
		{ "qcow2", "compat=0.10" },
	};
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const char *const dense[WORDS] = {
			"convert",       "-S",     "0",    "-O", rows[i].format, "-o",
			rows[i].options, "source", "a.raw"
		};
		const char *const sparse[WORDS] = { "convert",       "-O",     rows[i].format, "-o",
						    rows[i].options, "source", "a.raw" };
		const char *const measure[WORDS] = { "measure",       "-O",    rows[i].format, "-o",
						     rows[i].options, "source" };
		struct sim_volume_kind kind = roomy;
		uint64_t others, full, n;
		size_t n_changes;

		prepare(&kind);
		full = measured(measure, "fully allocated size: ");
		sim_file("base.qcow2", &n);
		others = (n + 511) / 512 * 512 + (SOURCE_BYTES + 511) / 512 * 512;
		assert_int_equal(run(dense), EXIT_OK);
		sim_file("a.raw", &n);
		assert_row(full <= n, i);
		kind.free_bytes = others + (n + 511) / 512 * 512;
		prepare(&kind);
		assert_int_equal(run(dense), EXIT_OK);

		kind.free_bytes = others + (full + 511) / 512 * 512 - 512;
		prepare(&kind);
		assert_int_equal(run(dense), EXIT_ERROR);
		sim_journal(&n_changes);
		assert_row(n_changes == 0 && sim_files() == PREPARED_FILES, i);
		assert_non_null(strstr(err.text, " bytes are needed, but only "));
		if (run(sparse) != EXIT_OK && i > 0)
			assert_non_null(
				strstr(err.text,
				       "the volume is full; the complete image takes up to "));
		else
			assert_row(i > 0 ||
					   strstr(err.text, " bytes are needed, but only ") != NULL,
				   i);
	}
}

static void limits_are_named(void **state)
{
	static const char *const words[WORDS] = { "create", "a.raw", "1M" };
	struct sim_volume_kind kind = { .free_bytes = 16 << 20, .file_limit_bytes = (1 << 20) - 1 };
	size_t n;

	(void)state;
	prepare(&kind);
	assert_int_equal(run(words), EXIT_ERROR);
	assert_non_null(strstr(err.text, "a.raw: 1048576 bytes are more than a file on fs0: can "
					 "have (1048575 bytes)"));
	sim_journal(&n);
	assert_int_equal(n, 0);
	kind = (struct sim_volume_kind){ .free_bytes = 16 << 20 };
	prepare(&kind);
	kind.read_only = true;
	sim_volume(&kind);
	assert_int_equal(run(words), EXIT_ERROR);
	assert_non_null(strstr(err.text, "write-protected"));
}

static void space_is_looked_at_first(void **state)
{
	static const char *const grow_raw[WORDS] = { "resize", "-f", "raw", "random", "+100k" };
	static const char *const grow_full[WORDS] = { "resize", "--preallocation=full", "a",
						      "+100k" };
	static const char *const make[WORDS] = { "create", "-q", "-f", "qcow2", "a", "1M" };
	struct sim_volume_kind small = { .free_bytes = 460 << 10 }, limited = roomy;
	struct sim_files files;
	size_t n;

	(void)state;
	sim_volume(&roomy);
	put_raw("random", 1, SOURCE_BYTES, 0);
	assert_int_equal(run(make), EXIT_OK);
	files = sim_files_keep();
	small.free_bytes = SOURCE_BYTES + (200 << 10) + (50 << 10);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(space_is_counted),
		cmocka_unit_test(what_cannot_fit),
		cmocka_unit_test(limits_are_named),
		cmocka_unit_test(space_is_looked_at_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
