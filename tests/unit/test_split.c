/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/memory.h"
#include "cli/command.h"
#include "cli/dispatch.h"
#include "platform/files.h"
#include "powercut.h"
#include "storage/split.h"
#include "volume.h"

/*
 * An image in several files: what is taken for one, and that it stays one whatever happens while it
 * grows or shrinks.
 */

enum { MIB = 1 << 20, PART = SPLIT_MARK, MOST = 4 * MIB };

static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB, .file_limit_bytes = MIB };
static uint8_t model[MOST], seen[MOST];
static struct error err;

static enum status open_it(enum open_mode mode, struct blk **ret)
{
	struct blk *file;
	enum status st = platform_open("i", mode, &file, &err);

	return st == ST_OK ? split_open("i", mode, file, ret, &err) : st;
}

static void check_prefix(const char *where, const uint8_t *expected, uint64_t at_least)
{
	struct blk *blk;
	enum status st = open_it(OPEN_READ, &blk);

	if (st != ST_OK)
		fail_msg("%s: %s", where, err.text);
	if (blk->size < at_least)
		fail_msg("%s: %llu bytes of %llu", where, (unsigned long long)blk->size,
			 (unsigned long long)at_least);
	assert_ok(blk_read(blk, 0, seen, at_least));
	if (memcmp(seen, expected, at_least) != 0)
		fail_msg("%s: other bytes", where);
	blk_close(blk);
}

static void fill(uint64_t offset, uint64_t n, unsigned seed)
{
	for (uint64_t i = 0; i < n; i++)
		model[offset + i] = (uint8_t)((offset + i) * 7 + ((offset + i) >> 9) + seed);
}

static struct blk *create(uint64_t size)
{
	struct blk *blk;

	sim_volume(&kind);
	assert_ok(split_create("i", split_part_bytes(MIB), false, &blk, &err));
	fill(0, size, 1);
	assert_ok(blk_write(blk, 0, model, size));
	assert_ok(blk_flush(blk));
	return blk;
}

static void test_part_bytes(void **state)
{
	static const struct {
		uint64_t limit, bytes;
	} cases[] = {
		{ 0, 0 },
		{ PART - 1, 0 },
		{ PART, PART },
		{ MIB, PART },
		{ MIB + PART - 1, PART },
		{ MIB + PART, MIB + PART },
		{ UINT32_MAX, 4095ULL * MIB + PART },
		{ 4096ULL * MIB, 4095ULL * MIB + PART },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++)
		assert_row(split_part_bytes(cases[i].limit) == cases[i].bytes, i);
}

/*
 * Writes, growth, zeros and cuts at random, beside the same in memory; closed and opened in
 * between.
 */
static void test_like_one_file(void **state)
{
	struct blk *blk = create(0);
	uint64_t size = 0, n, length;

	(void)state;
	srand(5);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t at = (uint64_t)rand() % (3 * MIB + MIB / 2),
			 len = (uint64_t)rand() % (MIB / 3);

		if (rand() % 8 == 0)
			at = (uint64_t)(rand() % 4) * PART; /* exactly full */
		if (rand() % 3 == 0) {
			assert_ok(blk_resize(blk, at, PREALLOC_OFF));
			if (at > size)
				memset(model + size, 0, at - size);
			size = at;
		} else {
			if (at > size)
				memset(model + size, 0, at - size);
			fill(at, len, i);
			assert_ok(blk_write(blk, at, model + at, len));
			if (at > size || at + len > size)
				size = at + len;
		}
		if (rand() % 4 == 0) {
			blk_close(blk);
			assert_ok(open_it(OPEN_WRITE, &blk));
			/* whole: from now on it is one file, which cannot grow into parts */
			if (size < PART) {
				blk_close(blk);
				blk = create(size = 3000);
			}
		}
		assert_int_equal(blk->size, size);
		assert_ok(blk_read(blk, 0, seen, size));
		assert_memory_equal(seen, model, size);
		for (length = 0, n = 0; n < sim_files(); n++) {
			uint64_t bytes;

			(void)sim_file(sim_file_name(n), &bytes);
			assert_true(bytes <= PART);
			length += bytes;
		}
		assert_int_equal(length, size);
	}
	blk_close(blk);
	assert_int_equal(sim_allocations(), 0);
}

static void test_what_is_a_set(void **state)
{
	enum { GONE = -1 };
	static const struct {
		int64_t part[4];
		enum status st;
		uint64_t size;
		const char *words;
	} cases[] = {
		{ { PART, PART, 5, GONE }, ST_OK, 2 * PART + 5, "" },
		{ { PART, 0, GONE, GONE }, ST_OK, PART, "" },
		{ { PART, 5, 0, GONE }, ST_OK, PART + 5, "" },
		{ { PART - 8, PART, 5, GONE },
		  ST_OK,
		  PART - 8,
		  "" }, /* whole, with others beside it */
		{ { MIB, 5, GONE, GONE }, ST_OK, MIB, "" },
		{ { 0, PART, GONE, GONE }, ST_OK, 0, "" },
		{ { PART, GONE, GONE, GONE }, ST_CORRUPT, 0, "part i.001 is missing" },
		{ { PART, PART, GONE, GONE }, ST_CORRUPT, 0, "part i.002 is missing" },
		{ { PART, PART, GONE, 5 }, ST_CORRUPT, 0, "part i.002 is missing" },
		{ { PART, 5, 5, GONE },
		  ST_CORRUPT,
		  0,
		  "part i.002 has 5 bytes, and the one before it 5" },
		{ { PART, PART + 1, GONE, GONE }, ST_CORRUPT, 0, "part i.001 has" },
	};

	(void)state;
	memset(model, 0x22, sizeof model);
	for (size_t i = 0; i < N_OF(cases); i++) {
		static const char *const names[] = { "i", "i.001", "i.002", "i.003" };
		struct blk *blk;
		enum status st;

		sim_volume(&kind);
		for (size_t k = 0; k < N_OF(names); k++)
			if (cases[i].part[k] != GONE)
				sim_file_put(names[k], model, (uint64_t)cases[i].part[k]);
		st = open_it(OPEN_READ, &blk);
		assert_row(st == cases[i].st, i);
		assert_row(st == ST_OK || strstr(err.text, cases[i].words) != NULL, i);
		if (st == ST_OK) {
			assert_row(blk->size == cases[i].size, i);
			blk_close(blk);
		}
	}
	assert_int_equal(sim_allocations(), 0);
}

static bool wanted(const struct powercut *cut, void *arg)
{
	(void)cut;
	(void)arg;
	return true;
}

struct cuts {
	uint64_t at_least;
	unsigned states;
};

static void check_cut(const struct powercut *cut, void *arg)
{
	struct cuts *cuts = arg;

	cuts->states++;
	check_prefix(cut->name, model, cuts->at_least);
}

enum { BEGIN = PART + 3000, END = 3 * PART };

static void resize_it(struct blk *blk)
{
	(void)blk_resize(blk, END, PREALLOC_OFF);
	(void)blk_flush(blk);
}

static void grow_it(struct blk *blk)
{
	for (uint64_t at = BEGIN; at < END; at += MIB / 4)
		(void)blk_write(blk, at, model + at, END - at < MIB / 4 ? END - at : MIB / 4);
	(void)blk_flush(blk);
}

static void every_cut(uint64_t begin, uint64_t end, uint64_t at_least)
{
	static const struct powercut_plan plan = { .sample = 1, .n_seeds = 3 };
	struct blk *blk = create(begin);
	struct cuts cuts = { at_least, 0 };
	struct sim_files files;

	fill(0, MOST, 1);
	files = sim_files_keep();
	blk_close(blk);
	sim_files_restore(&kind, &files);
	assert_ok(open_it(OPEN_WRITE, &blk));
	if (end > begin)
		grow_it(blk);
	else
		assert_ok(blk_resize(blk, end, PREALLOC_OFF));
	blk_close(blk);
	(void)powercut_each(&kind, &files, &plan, wanted, check_cut, &cuts);
	print_message("%u states after a power cut\n", cuts.states);
	assert_true(cuts.states > 10);
	sim_files_drop(&files);
	assert_int_equal(sim_allocations(), 0);
}

static void test_every_cut(void **state)
{
	(void)state;
	every_cut(BEGIN, END, BEGIN);
	every_cut(END, BEGIN, BEGIN);
	every_cut(END, PART, PART);
}

/* What follows a part is on the medium only after all of that part. */
static void check_order(const struct powercut *cut, void *arg)
{
	static const char *const names[] = { "i", "i.001", "i.002" };
	unsigned *states = arg;

	++*states;
	for (size_t i = 1; i < N_OF(names); i++) {
		uint64_t n, before;
		const uint8_t *bytes = sim_file(names[i], &n),
			      *part = sim_file(names[i - 1], &before);

		if (bytes == NULL || n == 0)
			continue;
		if (part == NULL || before != PART ||
		    memcmp(part, model + (i - 1) * PART, PART) != 0)
			fail_msg("%s: %s has bytes, but %s is not whole", cut->name, names[i],
				 names[i - 1]);
	}
}

static void test_every_cut_from_the_beginning(void **state)
{
	static const struct powercut_plan plan = { .sample = 1, .n_seeds = 3 };
	const struct sim_files none = { 0 };
	unsigned states = 0;
	struct blk *blk;

	(void)state;
	sim_volume(&kind);
	fill(0, MOST, 1);
	assert_ok(split_create("i", split_part_bytes(MIB), false, &blk, &err));
	for (uint64_t at = 0; at < END; at += MIB / 4)
		assert_ok(blk_write(blk, at, model + at, END - at < MIB / 4 ? END - at : MIB / 4));
	blk_close(blk);
	(void)powercut_each(&kind, &none, &plan, wanted, check_order, &states);
	assert_true(states > 50);
	assert_int_equal(sim_allocations(), 0);
}

/* A call fails while it grows: what was there before is there, and it can be opened. */
static void test_every_failure(void **state)
{
	static void (*const ways[])(struct blk *) = { grow_it, resize_it };
	bool failed;

	(void)state;
	for (size_t i = 0; i < N_OF(ways); i++) {
		failed = true;
		for (unsigned n = 1; failed; n++) {
			struct blk *blk = create(BEGIN);

			fill(0, MOST, 1);
			sim_volume_fail(n, ST_IO);
			ways[i](blk);
			failed = sim_volume_failed();
			sim_volume_fail(0, ST_OK);
			blk_close(blk);
			check_prefix("a failure", model, BEGIN);
		}
	}
	failed = true;
	for (unsigned n = 1; failed; n++) {
		struct blk *blk;
		enum status st = ST_OK;

		blk_close(create(BEGIN));
		sim_fail_allocation(n);
		st = open_it(OPEN_WRITE, &blk);
		if (st == ST_OK) {
			st = blk_resize(blk, END, PREALLOC_OFF);
			if (st == ST_OK)
				st = blk_resize(blk, BEGIN, PREALLOC_OFF);
			blk_close(blk);
		}
		if (st == ST_OK)
			st = split_remove("i", SPLIT_PARTS_MAX, &err);
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
		assert_true(st == ST_OK || (failed && st == ST_NO_MEMORY));
	}
	assert_int_equal(sim_allocations(), 0);
}

/*
 * One that cannot be begun leaves no file; one that was begun otherwise is not gone on with; and
 * the numbers of the parts come to an end.
 */
static void test_begun(void **state)
{
	struct blk *blk, *file;

	(void)state;
	for (unsigned n = 1; n <= 8; n++) {
		enum status st;

		sim_volume(&kind);
		sim_fail_allocation(n);
		st = split_create("i", PART, false, &blk, &err);
		sim_fail_allocation(0);
		if (st == ST_OK)
			blk_close(blk);
		else
			assert_true(st == ST_NO_MEMORY && sim_files() == 0);
	}
	blk_close(create(PART - 1));
	assert_ok(platform_open("i", OPEN_WRITE, &file, &err));
	assert_int_equal(split_reopen("i", PART - 2, file, &blk, &err), ST_CORRUPT);
	assert_non_null(strstr(err.text, "begun in parts of"));
	blk = create(5);
	assert_int_equal(blk_resize(blk, (uint64_t)SPLIT_PARTS_MAX * PART, PREALLOC_OFF),
			 ST_TOO_LARGE);
	assert_int_equal(blk->size, 5);
	assert_int_equal(sim_files(), 1);
	blk_close(blk);
	assert_int_equal(sim_allocations(), 0);
}

/*
 * A conversion that fails, or is stopped, leaves nothing behind; one that is repeated leaves no old
 * parts.
 */
static void test_converted(void **state)
{
	static const char *const words[] = { "convert", "-f", "raw", "source", "source", "i" };
	static const char *const again[] = { "convert", "--force", "-f", "raw", "small", "i" };
	struct capture out, errors;
	struct console console = { .out = &out.out, .err = &errors.out, .progress_in_out = true };
	struct sim_files files;
	unsigned old_parts = 0;
	int code = 1;

	(void)state;
	capture_init(&out);
	capture_init(&errors);
	sim_volume(&kind);
	fill(0, MOST, 1);
	sim_file_put("source", model, MIB - 4096);
	memcpy(model + MIB - 4096, model, MIB - 4096);
	sim_file_put("small", model, MIB / 2);
	files = sim_files_keep();
	for (unsigned n = 1; code != 0; n++) {
		sim_files_restore(&kind, &files);
		sim_volume_fail(n, ST_IO);
		code = cli_run(&console, N_OF(words), (char **)(uintptr_t)words);
		if (!sim_volume_failed())
			break;
		sim_volume_fail(0, ST_OK);
		if (code != 0 && sim_files() != 2 &&
		    strstr(errors.text, "could not be removed") == NULL)
			fail_msg("call %u: %zu files: %s", n, sim_files(), errors.text);
		code = 1;
	}
	sim_volume_fail(0, ST_OK);
	assert_int_equal(sim_files(), 5);
	assert_non_null(
		strstr(out.text, "i is in 3 files, i, i.001 ... i.002; efi-img opens them"));
	check_prefix("converted", model, 2 * (MIB - 4096));
	sim_files_drop(&files);
	files = sim_files_keep();
	for (unsigned n = 1;; n++) {
		sim_files_restore(&kind, &files);
		sim_volume_fail(n, ST_IO);
		capture_clear(&errors);
		code = cli_run(&console, N_OF(again), (char **)(uintptr_t)again);
		if (!sim_volume_failed())
			break;
		sim_volume_fail(0, ST_OK);
		if (code != 0 && strstr(errors.text, "the device reports an error") == NULL)
			fail_msg("call %u: %s", n, errors.text);
		old_parts += code != 0 && strstr(errors.text, "efi-img: i.002: the device") != NULL;
		old_parts += code != 0 && strstr(errors.text, "efi-img: i.001: the device") != NULL;
	}
	assert_true(old_parts >= 2);
	assert_int_equal(code, 0);
	assert_int_equal(sim_files(), 3);
	capture_free(&out);
	capture_free(&errors);
	sim_files_drop(&files);
	sim_volume(&kind);
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_part_bytes),
		cmocka_unit_test(test_like_one_file),
		cmocka_unit_test(test_what_is_a_set),
		cmocka_unit_test(test_every_cut),
		cmocka_unit_test(test_every_cut_from_the_beginning),
		cmocka_unit_test(test_every_failure),
		cmocka_unit_test(test_begun),
		cmocka_unit_test(test_converted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
