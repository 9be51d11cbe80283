/* SPDX-License-Identifier: BSD-2-Clause */
/* A new image that an earlier job has left, opened again to resume it (create_reopen()). */
#include "unit.h"

#include "base/memory.h"
#include "blk/blk.h"
#include "blk/hold.h"
#include "edit/create.h"
#include "volume.h"

static const struct sim_volume_kind kind = { .free_bytes = 1 << 20 };
static const uint8_t id[MARK_ID_BYTES] = { 1, 2, 3 }, other[MARK_ID_BYTES] = { 3, 2, 1 };
static struct create_file planned = { .name = (char *)"t" };
static struct create_job job = { .file_name = "t",
				 .plan = { .file = &planned, .n_files = 1 },
				 .id = id };

/*
 * A file that has only been made is opened again at whatever point that fails, and nothing is
 * written to it.
 */
static void at_every_failure(void **state)
{
	static const uint8_t first[HOLD_IMAGE_BYTES] = { 1 };
	bool failed = true, at_the_beginning = false;
	uint8_t mark[MARK_BYTES];
	struct error why;
	struct blk *file;
	uint64_t size;

	(void)state;
	mark_make(MARK_IMAGE, id, mark);
	sim_volume(&kind);
	for (unsigned n = 1; failed; n++) {
		const uint8_t *bytes;
		enum status st;

		sim_file_put("t", mark, sizeof mark);
		sim_volume_fail(n, ST_IO);
		st = create_reopen(&job, first, &file, &why);
		failed = sim_volume_failed();
		sim_volume_fail(0, ST_OK);
		assert_row(st == (failed ? ST_IO : ST_OK), n);
		at_the_beginning |= failed &&
				    strstr(why.text, "t: reading its beginning: ") != NULL;
		if (st == ST_OK) {
			uint8_t seen[HOLD_IMAGE_BYTES];

			assert_ok(blk_read(file, 0, seen, sizeof seen));
			assert_memory_equal(seen, first, sizeof seen);
			blk_close(file);
		}
		bytes = sim_file("t", &size);
		assert_row(size == sizeof mark && memcmp(bytes, mark, size) == 0, n);
	}
	for (unsigned n = 1, st = ST_NO_MEMORY; st != ST_OK; n++) {
		sim_fail_allocation(n);
		st = create_reopen(&job, first, &file, &why);
		sim_fail_allocation(0);
		assert_row(st == ST_OK || st == ST_NO_MEMORY, n);
		if (st == ST_OK)
			blk_close(file);
	}
	assert_true(at_the_beginning);
	assert_int_equal(sim_allocations(), 0);
}

/*
 * Whatever does not have the mark with the id of the journal is something else, and is not written
 * to: an ext4 image least of all.
 */
static void something_else(void **state)
{
	static const uint8_t first[HOLD_IMAGE_BYTES] = { 0 },
			     ext4[2048] = { [1080] = 0x53, [1081] = 0xef };
	uint8_t mark_of_other[MARK_BYTES], record[MARK_BYTES];
	const struct {
		const void *bytes;
		size_t n;
		const char *says;
	} files[] = {
		{ "something", 9, "not the unfinished image of the journal" },
		{ "", 0, "not the unfinished image of the journal" },
		{ ext4, sizeof ext4, "not the unfinished image of the journal" },
		{ record, sizeof record, "not the unfinished image of the journal" },
		{ mark_of_other, sizeof mark_of_other, "of another copy" },
	};
	struct error why;
	struct blk *file;
	uint64_t size;

	(void)state;
	mark_make(MARK_IMAGE, other, mark_of_other);
	mark_make(MARK_RECORD, id, record);
	sim_volume(&kind);
	for (size_t i = 0; i < N_OF(files); i++) {
		sim_file_put("t", files[i].bytes, files[i].n);
		assert_row(create_reopen(&job, first, &file, &why) == ST_EXISTS, i);
		assert_row(strstr(why.text, files[i].says) != NULL, i);
		assert_row(create_check_unfinished("t", id, &why) == ST_EXISTS, i);
		assert_memory_equal(sim_file("t", &size), files[i].bytes, files[i].n);
		assert_int_equal(size, files[i].n);
	}
	assert_int_equal(create_check_unfinished("u", id, &why), ST_NOT_FOUND);
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(at_every_failure),
		cmocka_unit_test(something_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
