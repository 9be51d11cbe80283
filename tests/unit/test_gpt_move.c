/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "disk/gpt_move.h"
#include "tables.h"

/*
 * Moving the GPT of a disk that was copied onto a larger one. Results are compared byte by byte
 * with tables made independently of core/disk/.
 */

enum { OLD = 200, HYBRID = 1 };

static const struct sim_part parts[] = {
	{ sim_esp, 40, 59, "EFI system partition" },
	{ sim_linux, 61, 100, "root" },
};

static uint64_t get(const struct memory_blk *m, uint64_t offset, size_t n)
{
	uint64_t value = 0;

	for (size_t i = 0; i < n; i++)
		value |= (uint64_t)m->bytes[offset + i] << 8 * i;
	return value;
}

/*
 * A disk of n_lbas blocks, with a valid GPT for the first `old` of them, and garbage after these.
 */
static struct memory_blk *make(uint32_t block_bytes, uint64_t old, uint64_t n_lbas)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){
		.size = n_lbas * block_bytes,
		.block_bytes = block_bytes,
		.buffer_align = 8,
		.writable = true,
	});

	memset(m->bytes + old * block_bytes, 0xb5, (n_lbas - old) * block_bytes);
	m->blk.size = old * block_bytes;
	sim_gpt(m, parts, N_OF(parts));
	m->blk.size = n_lbas * block_bytes;
	return m;
}

static void assert_fit(struct memory_blk *m, uint64_t n_lbas, enum gpt_fit fit, const char *words)
{
	uint32_t lba_bytes = m->blk.block_bytes;
	struct gpt_state state;
	struct error err;

	assert_ok(gpt_examine(&m->blk, n_lbas * lba_bytes, lba_bytes, &state, &err));
	if (state.fit != fit || strstr(state.why, words) == NULL)
		fail_msg("%d, not %d: %s", state.fit, fit, state.why);
}

/* The expected tables after the move. */
static void check_moved(const struct memory_blk *m, const uint8_t *before, uint64_t old,
			uint64_t n_lbas)
{
	uint64_t b = m->blk.block_bytes, array = 128 * 128 / b, last = n_lbas - 1;
	const uint8_t *now = m->bytes;

	for (uint64_t i = 0; i < 2; i++) {
		uint64_t lba = i == 0 ? 1 : last, at = lba * b;

		assert_memory_equal(now + at, before + b, 16);
		assert_int_equal(get(m, at + 24, 8), lba);
		assert_int_equal(get(m, at + 32, 8), i == 0 ? last : 1);
		assert_int_equal(get(m, at + 40, 8), 2 + array);
		assert_int_equal(get(m, at + 48, 8), last - array - 1);
		assert_memory_equal(now + at + 56, before + b + 56, 16);
		assert_int_equal(get(m, at + 72, 8), i == 0 ? 2 : last - array);
		assert_memory_equal(now + at + 80, before + b + 80, b - 80);
	}
	assert_memory_equal(now + (last - array) * b, before + 2 * b, array * b);
	assert_int_equal(get(m, 446 + 12, 4), last);
	assert_memory_equal(now + 446, before + 446, 5);
	assert_memory_equal(now + 446 + 16, before + 446 + 16, b - 446 - 16);
	/* Nothing else has changed, except that the old header is gone, where nothing new is. */
	assert_memory_equal(now + 2 * b, before + 2 * b, (old - 1 - 2 - array) * b);
	if (old <= last - array) {
		for (uint64_t i = 0; i < b; i++)
			assert_int_equal(now[(old - 1) * b + i], 0);
		assert_memory_equal(now + old * b, before + old * b, (last - array - old) * b);
	}
}

static void test_sizes(void **state)
{
	static const uint64_t larger[] = {
		201, 202, 205, 230, 232, 233, 234, 235, 300, 1000, 5000
	};
	static const uint32_t blocks[] = { 512, 4096 };

	(void)state;
	for (size_t i = 0; i < N_OF(larger) * 2; i++) {
		uint32_t b = blocks[i % 2];
		struct memory_blk *m = make(b, OLD, larger[i / 2]);
		uint8_t *before = malloc(m->blk.size);
		struct error err;

		memcpy(before, m->bytes, m->blk.size);
		assert_fit(m, OLD, GPT_WHOLE, "");
		assert_fit(m, larger[i / 2], GPT_ODD, "its backup at LBA 199");
		assert_ok(gpt_move(&m->blk, (uint64_t)OLD * b, b, &err));
		check_moved(m, before, OLD, larger[i / 2]);
		assert_fit(m, larger[i / 2], GPT_WHOLE, "");
		assert_true(m->n_flushes >= 1);
		free(before);
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

/* The record of the MBR is extended only if it covers the whole disk. */
static void test_mbr(void **state)
{
	static const struct {
		uint32_t n;
		uint32_t expected;
	} cases[] = { { OLD - 1, 999 }, { UINT32_MAX, 999 }, { 39, 39 } };

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct memory_blk *m = make(512, OLD, 1000);
		struct error err;

		sim_put(m, 446 + 12, cases[i].n, 4);
		sim_mbr_record(m, 0, HYBRID, 0x83, 61, 40);
		assert_ok(gpt_move(&m->blk, (uint64_t)OLD * 512, 512, &err));
		assert_int_equal(get(m, 446 + 12, 4), cases[i].expected);
		assert_int_equal(get(m, 446 + 16 + 12, 4), 40);
		assert_int_equal(get(m, 446 + 5, 3),
				 cases[i].expected == cases[i].n ? 0 : 0xffffff);
		blk_close(&m->blk);
	}
}

static void odd(uint64_t offset, uint64_t value, size_t n, uint64_t seal, const char *words)
{
	struct memory_blk *m = make(512, OLD, OLD);

	sim_put(m, offset, value, n);
	if (seal != 0)
		sim_gpt_seal(m, seal);
	assert_fit(m, OLD, GPT_ODD, words);
	blk_close(&m->blk);
}

static void test_odd(void **state)
{
	const uint64_t backup = (uint64_t)(OLD - 1) * 512;
	struct memory_blk *m = make(512, OLD, OLD);

	(void)state;
	odd(512, 0, 1, 0, "no header at LBA 1");
	odd(512 + 48, 150, 8, 0, "header's CRC");
	odd(512 + 48, 150, 8, 1, "header differ");
	odd(backup + 40, 35, 8, OLD - 1, "header differ");
	odd(backup + 56, 1, 1, OLD - 1, "header differ");
	odd(1024 + 56, 'x', 1, 0, "entries' CRC");
	odd(1024 + 56, 'x', 1, 1, "header differ");
	odd(backup, 0, 8, 0, "no header at LBA 199");
	odd(backup + 32, 2, 8, OLD - 1, "does not belong to its primary");
	odd(backup - 512, 1, 1, 0, "entries' CRC");
	odd(512 + 32, 150, 8, 1, "its backup at LBA 150, and its disk ends at LBA 199");
	odd(1024 + 40, 180, 8, 1, "outside of the usable range");
	odd(1024 + 40, 70, 8, 1, "overlap");
	odd(1024 + 40, 500, 8, 1, "past its end");
	odd(446 + 4, 0x83, 1, 0, "not a protective one");
	odd(510, 0, 2, 0, "not a protective one");
	sim_put(m, 512, 0, 8);
	sim_put(m, 446 + 4, 0x83, 1);
	assert_fit(m, OLD, GPT_ABSENT, "");
	assert_fit(m, 1, GPT_ABSENT, "");
	blk_close(&m->blk);
}

/* Both copies agree that the usable range goes over the backup's entries, or over the primary's. */
static void test_overlaps(void **state)
{
	static const struct {
		size_t field;
		uint64_t lba;
		const char *words;
	} cases[] = {
		{ 48, 170, "backup entries do not lie between" },
		{ 40, 30, "primary entries lie in" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct memory_blk *m = make(512, OLD, OLD);

		for (uint64_t lba = 1; lba < OLD; lba += OLD - 2) {
			sim_put(m, lba * 512 + cases[i].field, cases[i].lba, 8);
			sim_gpt_seal(m, lba);
		}
		assert_fit(m, OLD, GPT_ODD, cases[i].words);
		blk_close(&m->blk);
	}
}

/* A table of one block, and one of more than is copied at once. */
static void test_other_tables(void **state)
{
	static const uint32_t counts[] = { 4, 1024 };

	(void)state;
	for (size_t i = 0; i < N_OF(counts); i++) {
		uint64_t array = counts[i] / 4, first = 2 + array, old = 600, n_lbas = 1000;
		struct memory_blk *m = make(512, old, n_lbas);
		struct error err;

		memset(m->bytes + 512, 0, (first - 1) * 512);
		memset(m->bytes + (old - 1 - array) * 512, 0, (array + 1) * 512);
		for (uint64_t k = 0; k < 2; k++) {
			uint64_t lba = k == 0 ? 1 : old - 1, at = lba * 512,
				 entries = k == 0 ? 2 : old - 1 - array;

			memcpy(m->bytes + at, "EFI PART", 8);
			sim_put(m, at + 8, 0x10000, 4);
			sim_put(m, at + 12, 92, 4);
			sim_put(m, at + 24, lba, 8);
			sim_put(m, at + 32, k == 0 ? old - 1 : 1, 8);
			sim_put(m, at + 40, first, 8);
			sim_put(m, at + 48, old - 2 - array, 8);
			sim_put(m, at + 72, entries, 8);
			sim_put(m, at + 80, counts[i], 4);
			sim_put(m, at + 84, 128, 4);
			memcpy(m->bytes + (entries + array - 1) * 512 + 384, sim_linux, 16);
			sim_put(m, (entries + array - 1) * 512 + 384 + 32, first, 8);
			sim_put(m, (entries + array - 1) * 512 + 384 + 40, first, 8);
			sim_gpt_seal(m, lba);
		}
		assert_fit(m, old, GPT_WHOLE, "");
		assert_ok(gpt_move(&m->blk, old * 512, 512, &err));
		assert_fit(m, n_lbas, GPT_WHOLE, "");
		assert_memory_equal(m->bytes + 1024, m->bytes + (n_lbas - 1 - array) * 512,
				    array * 512);
		assert_int_equal(get(m, 512 + 48, 8), n_lbas - 2 - array);
		blk_close(&m->blk);
	}
}

static void test_failures(void **state)
{
	bool failed = true;

	(void)state;
	for (unsigned n = 1; failed; n++) {
		struct memory_blk *m = make(512, OLD, 300);
		struct error err;
		enum status st;

		m->calls_to_failure = n;
		m->status = ST_IO;
		st = gpt_move(&m->blk, (uint64_t)OLD * 512, 512, &err);
		failed = st != ST_OK;
		assert_int_equal(st, failed ? ST_IO : ST_OK);
		assert_true(failed || n > 10);
		blk_close(&m->blk);
	}
	failed = true;
	for (unsigned n = 1; failed; n++) {
		struct memory_blk *m = make(512, OLD, 300);
		struct error err;
		enum status st;

		sim_fail_allocation(n);
		st = gpt_move(&m->blk, (uint64_t)OLD * 512, 512, &err);
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
		assert_int_equal(st, failed ? ST_NO_MEMORY : ST_OK);
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),        cmocka_unit_test(test_mbr),
		cmocka_unit_test(test_odd),          cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_other_tables), cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
