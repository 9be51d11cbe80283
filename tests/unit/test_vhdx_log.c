/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Logs of VHDX images, made by hand as [MS-VHDX] 2.3 has them: which of their entries are applied,
 * in memory and in the file; which logs are refused.
 */
#include "vhdx.h"

#include "format/vhdx/image.h"
#include "powercut.h"

enum { ENTRY_1 = 8192, TARGET = METADATA + 512 * 1024 /* sectors that nothing else uses */ };

/* What the sectors from TARGET on are to be: a byte each. */
static uint8_t wanted[8];

static void want(const char *bytes)
{
	memcpy(wanted, bytes, sizeof wanted);
}

/* The file after a repair has the wanted bytes in their places, and an empty log. */
static void assert_applied(void)
{
	static const uint8_t zeros[16];
	const uint8_t *now;
	uint64_t n;

	assert_int_equal(RUN("check", "-r", "all", "x"), 0);
	assert_non_null(strstr(out.text, "1 corruptions"));
	now = sim_file("x", &n);
	for (unsigned i = 0; i < sizeof wanted; i++)
		for (unsigned k = 0; k < 4096; k++)
			if (now[TARGET + i * 4096 + k] != wanted[i])
				fail_msg("sector %u, byte %u: 0x%x, wanted 0x%x", i, k,
					 now[TARGET + i * 4096 + k], wanted[i]);
	assert_memory_equal(now + HEADER_1 + 48, zeros, 16);
	assert_memory_equal(now + HEADER_2 + 48, zeros, 16);
	assert_int_equal(RUN("check", "x"), 0);
	assert_string_equal(err.text, "");
	assert_int_equal(RUN("check", "-r", "all", "x"), 0);
	assert_null(strstr(out.text, "repaired"));
}

static void begin(void)
{
	make(512);
	put_log_guid();
	memset(image + TARGET, 1, sizeof wanted * 4096);
	want("\1\1\1\1\1\1\1\1");
}

static void assert_replayed(const char *bytes)
{
	put("x");
	want(bytes);
	assert_disk("x");
	MUST("info", "x");
	assert_non_null(strstr(out.text, "cleanly shut down: no"));
	assert_int_equal(RUN("check", "x"), 0);
	assert_non_null(strstr(err.text, "note: the log holds changes"));
	assert_applied();
}

static void test_one_entry(void **state)
{
	(void)state;
	begin();
	(void)put_entry(0, 0, 1, TARGET, 2, 9);
	assert_replayed("\x9\x9\1\1\1\1\1\1");
	begin();
	(void)put_entry(4096 * 77, 4096 * 77, UINT64_C(0x123456789abc), TARGET + 4096, 2, 9);
	assert_replayed("\1\x9\x9\1\1\1\1\1");
	begin();
	(void)put_entry(0, 0, 1, TARGET, 3, 0); /* zeros */
	assert_replayed("\0\0\0\1\1\1\1\1");
	begin();
	(void)put_entry(MIB - 4096, MIB - 4096, 5, TARGET, 2, 9); /* around the end of the ring */
	assert_replayed("\x9\x9\1\1\1\1\1\1");
}

/* Of several, all from the tail on are applied, in their order. */
static void test_sequences(void **state)
{
	uint64_t at;

	(void)state;
	begin();
	at = put_entry(0, 0, 5, TARGET, 3, 5);
	at = put_entry(at, 0, 6, TARGET + 4096, 3, 6);
	(void)put_entry(at, 0, 7, TARGET + 8192, 1, 7);
	assert_replayed("\5\6\7\6\1\1\1\1");
	begin(); /* the first one is applied already */
	at = put_entry(0, 0, 5, TARGET, 3, 5);
	(void)put_entry(at, (uint32_t)at, 6, TARGET + 4096, 3, 6);
	assert_replayed("\1\6\6\6\1\1\1\1");
	begin(); /* the ring: the tail is at its end */
	at = put_entry(MIB - ENTRY_1, MIB - ENTRY_1, 5, TARGET, 1, 5);
	assert_int_equal(at, 0);
	(void)put_entry(at, MIB - ENTRY_1, 6, TARGET + 4096, 1, 6);
	assert_replayed("\5\6\1\1\1\1\1\1");
	begin(); /* the newer sequence, wherever it is */
	(void)put_entry(40960, 40960, 8, TARGET, 1, 8);
	(void)put_entry(0, 0, 5, TARGET + 4096, 1, 5);
	(void)put_entry(81920, 81920, 6, TARGET + 8192, 1, 6);
	assert_replayed("\x8\1\1\1\1\1\1\1");
	begin(); /* not one that is not complete: its tail is gone */
	(void)put_entry(40960, 0, 8, TARGET, 1, 8);
	(void)put_entry(81920, 81920, 6, TARGET + 8192, 1, 6);
	assert_replayed("\1\1\6\1\1\1\1\1");
	begin(); /* nor one that skips a number */
	at = put_entry(0, 0, 5, TARGET, 1, 5);
	(void)put_entry(at, 0, 7, TARGET + 4096, 1, 7);
	assert_replayed("\5\1\1\1\1\1\1\1");
}

/* Bytes that make an entry none: what is before it in the ring is applied instead. */
static void test_damaged_entries(void **state)
{
	static const struct {
		uint32_t at, n;
		uint64_t value;
	} damage[] = {
		{ 0, 1, 'x' },         { 4, 4, 0 },
		{ 8, 4, 4096 },        { 8, 4, 0 },
		{ 8, 4, 8193 },        { 8, 4, 2 * MIB },
		{ 12, 4, 512 },        { 12, 4, MIB },
		{ 16, 8, 0 },          { 24, 4, 2 },
		{ 24, 4, UINT32_MAX }, { 32, 1, 0x34 },
		{ 64, 1, 'x' },        { 64, 4, 0x6f72657a /* zero */ },
		{ 80, 8, TARGET + 1 }, { 88, 8, 7 },
		{ 4096, 1, 'x' },      { 4100, 4, 1 },
		{ 4200, 1, 0 },        { 8188, 4, 7 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(damage); i++)
		for (int sealed = 0; sealed <= 1; sealed++) {
			if (sealed && (damage[i].at == 4 || damage[i].at == 4200))
				continue;
			begin();
			(void)put_entry(0, 0, 5, TARGET, 1, 5);
			(void)put_entry(40960, 40960, 6, TARGET + 4096, 1, 6);
			poke(LOG + 40960 + damage[i].at, damage[i].n, damage[i].value);
			if (sealed)
				seal(LOG + 40960, 8192);
			assert_replayed("\5\1\1\1\1\1\1\1");
		}
}

/* No valid sequence: the specification says to refuse it. A repair discards the log. */
static void test_empty(void **state)
{
	(void)state;
	begin();
	put("x");
	assert_refused("x", "its log is to be replayed, but has no valid sequence of entries");
	assert_int_equal(RUN("check", "x"), 2);
	assert_int_equal(RUN("check", "-r", "leaks", "x"), 2);
	assert_refused("x", "\"check -r all\" discards the log");
	assert_applied();
	assert_disk("x");
	begin(); /* an entry of another log is none of this */
	(void)put_entry(0, 0, 5, TARGET, 1, 5);
	poke(HEADER_1 + 48, 1, 0x44);
	seal_all();
	put("x");
	assert_refused("x", "has no valid sequence");
	begin(); /* without its GUID, it is not looked at */
	(void)put_entry(0, 0, 5, TARGET, 1, 5);
	for (unsigned i = 0; i < 16; i++)
		poke(HEADER_1 + 48 + i, 1, 0);
	seal_all();
	put("x");
	assert_disk("x");
	assert_int_equal(RUN("check", "x"), 0);
	assert_string_equal(err.text, "");
}

static void reseal_entry(uint64_t at, uint32_t field, uint64_t value)
{
	poke(LOG + at + field, 8, value);
	seal(LOG + at, 8192);
}

/* Valid entries that must not be applied. */
static void test_refused(void **state)
{
	static const uint64_t places[] = { 0,   HEADER_1,         HEADER_2,
					   LOG, LOG + MIB - 4096, UINT64_C(1) << 60 };

	(void)state;
	for (size_t i = 0; i < N_OF(places); i++) {
		begin();
		(void)put_entry(0, 0, 5, places[i], 1, 5);
		put("x");
		assert_refused("x", "its log would change 0x1000 bytes at 0x");
		assert_int_equal(RUN("check", "-r", "all", "x"), EXIT_ERROR);
	}
	begin();
	(void)put_entry(0, 0, 5, TARGET, 1, 5);
	reseal_entry(0, 48, FILE_BYTES + MIB);
	put("x");
	assert_refused("x",
		       "its file of 6291456 bytes was cut short: when its log was written, it had "
		       "7340032");
	begin();
	(void)put_entry(0, 0, 5, TARGET, 1, 5);
	reseal_entry(0, 56, UINT64_MAX);
	put("x");
	assert_refused("x", "past all limits");
	begin();
	(void)put_entry(0, 0, 5, TARGET, 1, 5);
	poke(HEADER_1 + 64, 2, 1);
	seal_all();
	put("x");
	assert_refused("x", "its log has version 1, and is to be replayed");
}

/* The file gets as long as the log says; the BAT and the size of the disk are those of the log. */
static void test_tables(void **state)
{
	const uint8_t *now;
	uint64_t n;

	(void)state;
	begin();
	(void)put_entry(0, 0, 5, BAT + 4096, 1, 5); /* other entries */
	reseal_entry(0, 56, FILE_BYTES + MIB);
	put("x");
	MUST("bench", "-w", "-q", "-c", "1", "-s", "512", "-o", "1m", "--pattern", "9", "x");
	memset(disk + MIB, 9, 512);
	assert_disk("x");
	now = sim_file("x", &n);
	assert_int_equal(n, FILE_BYTES + 2 * MIB); /* after what was to be allocated */
	for (unsigned i = 0; i < 4096; i++)
		assert_int_equal(now[BAT + 4096 + i], 5);
	begin();
	(void)put_entry(0, 0, 5, BAT, 256, 0); /* all blocks are gone */
	memset(disk, 0, sizeof disk);
	put("x");
	assert_disk("x");
	assert_int_equal(RUN("check", "-r", "all", "x"), 0);
	assert_disk("x");
}

/* ---- power cuts ---- */

static bool wanted_cut(const struct powercut *cut, void *arg)
{
	(void)cut;
	(void)arg;
	return true;
}

/* Whatever a cut of the replay leaves: the disk is the same, and another replay ends it. */
static void check_cut_of_replay(const struct powercut *cut, void *arg)
{
	unsigned *states = arg;
	const uint8_t *now;
	uint64_t n;

	++*states;
	if (RUN("check", "x") != 0)
		fail_msg("%s: %s", cut->name, err.text);
	assert_int_equal(RUN("check", "-r", "all", "x"), 0);
	now = sim_file("x", &n);
	for (unsigned i = 0; i < sizeof wanted; i++)
		if (now[TARGET + i * 4096] != wanted[i] ||
		    now[TARGET + i * 4096 + 4095] != wanted[i])
			fail_msg("%s: sector %u", cut->name, i);
}

static void put_dirty(void)
{
	uint64_t at;

	begin();
	at = put_entry(MIB - ENTRY_1, MIB - ENTRY_1, 5, TARGET, 1, 5);
	at = put_entry(at, MIB - ENTRY_1, 6, TARGET + 4096, 3, 6);
	(void)put_entry(at, MIB - ENTRY_1, 7, TARGET + 8192, 3, 0);
	want("\5\6\0\0\0\1\1\1");
	put("x");
}

static void test_every_cut_of_a_replay(void **state)
{
	static const struct sim_volume_kind kind = { .free_bytes = 64 << 20 };
	static const struct powercut_plan plan = { .sample = 1, .n_seeds = 3 };
	struct sim_files files;
	unsigned states = 0;

	(void)state;
	put_dirty();
	files = sim_files_keep();
	sim_files_restore(&kind, &files);
	assert_int_equal(RUN("check", "-r", "all", "x"), 0);
	(void)powercut_each(&kind, &files, &plan, wanted_cut, check_cut_of_replay, &states);
	assert_true(states > 20);
	sim_files_drop(&files);
}

/* Each allocation and each call fails once: the log is still there, or was replayed. */
static void test_every_failure_of_a_replay(void **state)
{
	bool failed = true;

	(void)state;
	for (int allocations = 0; allocations <= 1; allocations++, failed = true)
		for (unsigned n = 1; failed; n++) {
			struct powercut cut = { .name = "a failure" };
			unsigned states = 0;
			int code;

			put_dirty();
			if (allocations)
				sim_fail_allocation(n);
			else
				sim_volume_fail(n, ST_IO);
			code = RUN("check", "-r", "all", "x");
			failed = allocations ? sim_allocation_failed() : sim_volume_failed();
			sim_fail_allocation(0);
			sim_volume_fail(0, ST_OK);
			assert_true(code == 0 || failed);
			check_cut_of_replay(&cut, &states);
		}
}

/*
 * Our own writer goes around the ring: each block has its entry in another sector of the BAT, and
 * each round writes as much as an entry can have, which is nearly half of the log.
 */
static void test_around_the_ring(void **state)
{
	enum { ROUNDS = 5, PER_ROUND = 126, BLOCKS = 512 /* per sector of the BAT */ };
	struct storage storage;
	struct image *opened;
	struct vhdx_image *v;
	struct error why;
	uint64_t last = 0;
	unsigned n_wraps = 0;

	(void)state;
	MUST("create", "-q", "-f", "vhdx", "-o", "block_size=1m,block_state_zero=off", "y", "330g");
	assert_ok(storage_begin(&storage, NULL, &why));
	assert_ok(image_open_file(&storage, ROLE_IMAGE, "y", NULL, OPEN_WRITE, &opened, &why));
	assert_ok(image_load(opened, &why));
	v = (struct vhdx_image *)opened;
	for (unsigned i = 0; i < ROUNDS * PER_ROUND; i++) {
		assert_ok(vhdx_entry_set(v, vhdx_entry_of(v, i * BLOCKS), 2));
		if (i % PER_ROUND != PER_ROUND - 1)
			continue;
		assert_ok(vhdx_log_commit(v));
		n_wraps += v->log_at < last;
		last = v->log_at;
		/* as it is now, the log has one sequence, that of the last entry */
		assert_int_equal(RUN("check", "y"), 0);
		assert_non_null(strstr(err.text, "note: the log holds changes"));
	}
	assert_ok(vhdx_log_end(v));
	image_close(opened);
	storage_end(&storage);
	if (n_wraps < 2)
		fail_msg("it went around the ring %u times", n_wraps);
	assert_int_equal(RUN("check", "y"), 0);
	assert_string_equal(err.text, "");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_one_entry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sequences, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_entries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_empty, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tables, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_cut_of_a_replay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_failure_of_a_replay, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_around_the_ring, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
