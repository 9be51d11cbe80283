/*
 * `create` and `convert` where something goes wrong: every allocation, every call to the volume, every moment at which the person stops it, and
 * the power at every write.
 */
#include "unit.h"

#include "command/command.h"
#include "powercut.h"

/* The command lines that are tried: every way in which files come to be. */
static const struct line {
	const char *words[12];
} lines[] = {
	{ { "create", "a.raw", "100k" } },
	{ { "create", "-f", "qcow2", "a.raw", "1M" } },
	{ { "create", "-f", "qcow2", "-o", "cluster_size=512,preallocation=metadata", "a.raw", "100k" } },
	{ { "create", "-f", "qcow2", "-o", "cluster_size=16k,extended_l2=on,preallocation=full,refcount_bits=1", "a.raw", "100k" } },
	{ { "create", "-f", "qcow2", "-o", "cluster_size=512,data_file=d.raw,data_file_raw=on", "a.raw", "100k" } },
	{ { "create", "-f", "qcow2", "-b", "base.qcow2", "-F", "qcow2", "a.raw" } },
	{ { "convert", "-O", "qcow2", "-o", "cluster_size=512", "source", "a.raw" } },
	{ { "convert", "-O", "qcow2", "-c", "source", "a.raw" } },
	{ { "convert", "-O", "qcow2", "-o", "cluster_size=16k,extended_l2=on,refcount_bits=64", "base.qcow2", "source", "a.raw" } },
};

enum { PREPARED_FILES = 2, SOURCE_BYTES = 70000 };

static const struct sim_volume_kind roomy = { .free_bytes = 16 << 20 };

/* Runs one with new captures of what it prints. */
static int run(const char *const *words, struct capture *out, struct capture *err)
{
	struct console console = { .out = &out->out, .err = &err->out };
	char *argv[12];
	int argc = 0;

	for (; words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	capture_clear(out);
	capture_clear(err);
	return command_run(&console, argc, argv);
}

/* An empty volume with the backing file and the source that some lines need. */
static void prepare(const struct sim_volume_kind *kind, struct capture *out, struct capture *err)
{
	static const char *const base[] = { "create", "-q", "-f", "qcow2", "base.qcow2", "3M", NULL };
	const uint8_t *bytes;
	uint64_t n;
	void *copy;

	sim_volume(kind);
	assert_int_equal(run(base, out, err), EXIT_OK);
	bytes = sim_file("base.qcow2", &n);
	copy = test_malloc(n);
	memcpy(copy, bytes, n);
	sim_volume(kind); /* forget how it was made */
	sim_file_put("base.qcow2", copy, n);
	test_free(copy);
	copy = test_malloc(SOURCE_BYTES);
	for (size_t i = 0; i < SOURCE_BYTES; i++)
		((uint8_t *)copy)[i] = (uint8_t)(i / 5000 % 3 == 0 ? 0 : i / 5000 % 3 == 1 ? i * i >> 7 : 'a');
	sim_file_put("source", copy, SOURCE_BYTES);
	test_free(copy);
}

static void assert_nothing_left(const struct capture *err, size_t line, unsigned n)
{
	if (sim_files() != PREPARED_FILES || sim_allocations() != 0 || strncmp(err->text, "efi-img: ", 9) != 0)
		fail_msg("line %zu, failure %u: %zu files, %zu allocations left; it said: %s", line, n, sim_files() - PREPARED_FILES,
			 sim_allocations(), err->text);
}

/* What can be made to fail, one at a time. */
enum victim { ALLOCATION, CALL_IO, CALL_NO_SPACE, CANCEL };

static void arm(enum victim victim, unsigned n)
{
	switch (victim) {
	case ALLOCATION: sim_fail_allocation(n); break;
	case CALL_IO: sim_volume_fail(n, ST_IO); break;
	case CALL_NO_SPACE: sim_volume_fail(n, ST_NO_SPACE); break;
	case CANCEL: sim_cancel(n); break;
	}
}

static void disarm(void)
{
	sim_fail_allocation(0);
	sim_volume_fail(0, ST_OK);
	sim_cancel(0);
}

static void every_failure(void **state)
{
	struct capture out, err;
	unsigned tried = 0;

	(void)state;
	capture_init(&out);
	capture_init(&err);
	for (size_t line = 0; line < N_OF(lines); line++)
		for (enum victim victim = ALLOCATION; victim <= CANCEL; victim++)
			for (unsigned n = 1;; n++) {
				int code;

				prepare(&roomy, &out, &err);
				arm(victim, n);
				code = run(lines[line].words, &out, &err);
				disarm();
				if (code == EXIT_OK)
					break;
				assert_nothing_left(&err, line, n);
				tried++;
			}
	print_message("%u failures tried\n", tried);
	assert_true(tried > 200);
	capture_free(&out);
	capture_free(&err);
}

/* A volume that is exactly large enough, and one that is a cluster too small. */
static void space_is_counted(void **state)
{
	struct capture out, err;

	(void)state;
	capture_init(&out);
	capture_init(&err);
	for (size_t line = 0; line < N_OF(lines); line++) {
		struct sim_volume_kind kind = roomy;
		uint64_t used = 0, n;

		if (strcmp(lines[line].words[0], "create") != 0)
			continue; /* how large a converted image becomes is not known before */

		prepare(&kind, &out, &err);
		assert_int_equal(run(lines[line].words, &out, &err), EXIT_OK);
		for (size_t i = 0; i < 4; i++) {
			static const char *const names[] = { "a.raw", "d.raw", "base.qcow2", "source" };

			if (sim_file(names[i], &n) != NULL)
				used += (n + 511) / 512 * 512;
		}
		kind.free_bytes = used;
		prepare(&kind, &out, &err);
		assert_int_equal(run(lines[line].words, &out, &err), EXIT_OK);
		if (used - 512 < 256 << 10) /* the backing file itself must fit */
			continue;
		kind.free_bytes = used - 512;
		prepare(&kind, &out, &err);
		assert_int_equal(run(lines[line].words, &out, &err), EXIT_ERROR);
		sim_journal(&n);
		assert_row(n == 0 && sim_files() == PREPARED_FILES, line); /* refused before the first change */
		assert_non_null(strstr(err.text, "are free on fs0:"));
	}
	capture_free(&out);
	capture_free(&err);
}

/* A number that `measure` says. */
static uint64_t measured(const char *const *words, const char *key, struct capture *out, struct capture *err)
{
	const char *at;

	assert_int_equal(run(words, out, err), EXIT_OK);
	at = strstr(out->text, key);
	assert_non_null(at);
	return strtoull(at + strlen(key), NULL, 10);
}

/*
 * A conversion that stores everything and cannot fit is refused before the first change; one that fits is done, and one that
 * leaves out zeros might fit until it does not.
 */
static void what_cannot_fit(void **state)
{
	static const struct { const char *format, *options; } rows[] = {
		{ "raw", "preallocation=off" }, { "qcow2", "preallocation=off" }, { "qcow2", "cluster_size=512" },
		{ "qcow2", "cluster_size=512,refcount_bits=64" }, { "qcow2", "cluster_size=4k,refcount_bits=1" },
		{ "qcow2", "cluster_size=16k,extended_l2=on" }, { "qcow2", "compat=0.10" },
	};
	struct capture out, err;

	(void)state;
	capture_init(&out);
	capture_init(&err);
	for (size_t i = 0; i < N_OF(rows); i++) {
		const char *const dense[] = { "convert", "-S", "0", "-O", rows[i].format, "-o", rows[i].options, "source", "a.raw", NULL };
		const char *const sparse[] = { "convert", "-O", rows[i].format, "-o", rows[i].options, "source", "a.raw", NULL };
		const char *const measure[] = { "measure", "-O", rows[i].format, "-o", rows[i].options, "source", NULL };
		struct sim_volume_kind kind = roomy;
		uint64_t others, full, n;
		size_t n_changes;

		prepare(&kind, &out, &err);
		full = measured(measure, "fully allocated size: ", &out, &err);
		sim_file("base.qcow2", &n);
		others = (n + 511) / 512 * 512 + (SOURCE_BYTES + 511) / 512 * 512;
		assert_int_equal(run(dense, &out, &err), EXIT_OK);
		sim_file("a.raw", &n);
		assert_row(full <= n, i);
		kind.free_bytes = others + (n + 511) / 512 * 512;
		prepare(&kind, &out, &err);
		assert_int_equal(run(dense, &out, &err), EXIT_OK);

		kind.free_bytes = others + (full + 511) / 512 * 512 - 512;
		prepare(&kind, &out, &err);
		assert_int_equal(run(dense, &out, &err), EXIT_ERROR);
		sim_journal(&n_changes);
		assert_row(n_changes == 0 && sim_files() == PREPARED_FILES, i);
		assert_non_null(strstr(err.text, " bytes are needed, but only "));
		if (run(sparse, &out, &err) != EXIT_OK && i > 0)
			assert_non_null(strstr(err.text, "the volume is full; an image that has all of it takes "));
		else
			assert_row(i > 0 || strstr(err.text, " bytes are needed, but only ") != NULL, i);
	}
	capture_free(&out);
	capture_free(&err);
}

static void limits_are_named(void **state)
{
	static const char *const words[] = { "create", "a.raw", "1M", NULL };
	struct sim_volume_kind kind = { .free_bytes = 16 << 20, .file_limit_bytes = (1 << 20) - 1 };
	struct capture out, err;
	size_t n;

	(void)state;
	capture_init(&out);
	capture_init(&err);
	prepare(&kind, &out, &err);
	assert_int_equal(run(words, &out, &err), EXIT_ERROR);
	assert_non_null(strstr(err.text, "a.raw: 1048576 bytes are more than a file on fs0: can have (1048575 bytes)"));
	sim_journal(&n);
	assert_int_equal(n, 0);
	kind = (struct sim_volume_kind){ .free_bytes = 16 << 20 };
	prepare(&kind, &out, &err);
	kind.read_only = true;
	sim_volume(&kind);
	assert_int_equal(run(words, &out, &err), EXIT_ERROR);
	assert_non_null(strstr(err.text, "write-protected"));
	capture_free(&out);
	capture_free(&err);
}

/* ---- the power goes ----------------------------------------------------------------------------------------------- */

/* The image as it is in the end, and which command line it is of. */
struct finished {
	const uint8_t *bytes;
	uint64_t size;
	size_t line;
};

/* Only a file whose every byte is as it should be may look like an image. */
static void assert_no_half_image(const char *where, void *arg)
{
	const struct finished *finished = arg;
	const uint8_t *bytes;
	uint64_t size = 0;

	bytes = sim_file("a.raw", &size);
	if (bytes == NULL || size < 4 || memcmp(bytes, "QFI\xfb", 4) != 0)
		return;
	if (size != finished->size || memcmp(bytes, finished->bytes, size) != 0)
		fail_msg("line %zu, %s: half an image looks whole", finished->line, where);
}

static void every_cut(void **state)
{
	struct capture out, err;
	unsigned tried = 0;

	(void)state;
	capture_init(&out);
	capture_init(&err);
	for (size_t line = 1; line < N_OF(lines); line++) { /* [0] is raw, which has nothing to look whole by */
		struct finished finished = { .line = line };
		struct sim_files before;
		const uint8_t *final;
		uint8_t *copy;

		prepare(&roomy, &out, &err);
		before = sim_files_keep();
		assert_int_equal(run(lines[line].words, &out, &err), EXIT_OK);
		final = sim_file("a.raw", &finished.size);
		assert_memory_equal(final, "QFI\xfb", 4);
		finished.bytes = copy = test_malloc(finished.size);
		memcpy(copy, final, finished.size);
		tried += powercut_each(&roomy, &before, assert_no_half_image, &finished);
		test_free(copy);
		sim_files_drop(&before);
	}
	print_message("%u states after a power cut\n", tried);
	assert_true(tried > 300);
	capture_free(&out);
	capture_free(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure),
		cmocka_unit_test(space_is_counted),
		cmocka_unit_test(what_cannot_fit),
		cmocka_unit_test(limits_are_named),
		cmocka_unit_test(every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
