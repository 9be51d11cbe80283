/*
 * `create` and `convert` where something goes wrong: every allocation, every call to the volume, every moment at which the person stops it, and
 * the power at every write.
 */
#include "unit.h"

#include "command/command.h"
#include "volume.h"

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

/* What may be on the medium of one file at some moment. */
struct medium {
	uint8_t *bytes;
	uint64_t size;
};

/* A torn write ends half-way, between two sectors: these are written whole or not at all. */
static uint64_t torn_end(const struct sim_change *change)
{
	uint64_t middle = (change->offset + change->n / 2) / 512 * 512;

	return middle > change->offset ? middle : change->offset;
}

static void apply(struct medium *medium, const struct sim_change *change, bool torn)
{
	uint64_t end = change->kind != SIM_WRITE ? change->offset : torn ? torn_end(change) : change->offset + change->n;

	if (change->kind == SIM_FLUSH || change->kind == SIM_CREATE)
		return;
	if (end > medium->size) {
		medium->bytes = test_realloc(medium->bytes, end + 1);
		/* what a dropped write would have filled is whatever the volume had there; a resize writes zeros */
		memset(medium->bytes + medium->size, change->kind == SIM_RESIZE ? 0 : 0xaa, end - medium->size);
		medium->size = end;
	}
	if (change->kind == SIM_WRITE)
		memcpy(medium->bytes + change->offset, change->bytes, end - change->offset);
}

/* Only a file whose every byte is as it should be may look like an image. */
static void assert_no_half_image(const struct medium *medium, const uint8_t *final, uint64_t final_size, size_t line, size_t cut,
				 const char *how, size_t which)
{
	if (medium->size < 4 || memcmp(medium->bytes, "QFI\xfb", 4) != 0)
		return;
	if (medium->size != final_size || memcmp(medium->bytes, final, final_size) != 0)
		fail_msg("line %zu, cut after change %zu, %s %zu: half an image looks whole", line, cut, how, which);
}

enum loss { NOTHING_LOST, ALL_LOST, ONE_LOST, ONE_KEPT, ONE_TORN };

/* The file after a cut behind `cut` changes: all that was flushed, and of the rest what `loss` says. */
static struct medium medium_after(const struct sim_change *journal, size_t cut, enum loss loss, size_t which)
{
	struct medium medium = { .bytes = test_malloc(1) };
	size_t flushed = 0;

	for (size_t i = 0; i < cut; i++)
		if (journal[i].kind == SIM_FLUSH && strcmp(journal[i].file, "a.raw") == 0)
			flushed = i;
	for (size_t i = 0; i < cut; i++) {
		bool lost = i > flushed && (loss == ALL_LOST || (loss == ONE_LOST && i == which) || (loss == ONE_KEPT && i != which));

		if (!lost && strcmp(journal[i].file, "a.raw") == 0)
			apply(&medium, &journal[i], i > flushed && loss == ONE_TORN && i == which);
	}
	return medium;
}

static void every_cut(void **state)
{
	struct capture out, err;
	unsigned tried = 0;

	(void)state;
	capture_init(&out);
	capture_init(&err);
	for (size_t line = 1; line < N_OF(lines); line++) { /* [0] is raw, which has nothing to look whole by */
		const struct sim_change *journal;
		const uint8_t *final;
		uint64_t final_size;
		size_t n;

		prepare(&roomy, &out, &err);
		assert_int_equal(run(lines[line].words, &out, &err), EXIT_OK);
		journal = sim_journal(&n);
		final = sim_file("a.raw", &final_size);
		for (size_t cut = 0; cut <= n; cut++)
			for (enum loss loss = NOTHING_LOST; loss <= ONE_TORN; loss++)
				for (size_t which = 0; which < (loss < ONE_LOST ? 1 : cut); which++) {
					static const char *const names[] = { "nothing lost", "all lost", "lost only", "kept only", "torn" };
					struct medium medium = medium_after(journal, cut, loss, which);

					assert_no_half_image(&medium, final, final_size, line, cut, names[loss], which);
					test_free(medium.bytes);
					tried++;
				}
		/* and the whole run does make one */
		assert_memory_equal(final, "QFI\xfb", 4);
	}
	print_message("%u states after a power cut\n", tried);
	assert_true(tried > 500);
	capture_free(&out);
	capture_free(&err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_failure),
		cmocka_unit_test(space_is_counted),
		cmocka_unit_test(limits_are_named),
		cmocka_unit_test(every_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
