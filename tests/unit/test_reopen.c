/* A new image that an earlier job has left, opened again to go on with it (create_reopen()). */
#include "unit.h"

#include "base/platform.h"
#include "blk/blk.h"
#include "blk/hold.h"
#include "job/create.h"
#include "volume.h"

static const struct sim_volume_kind kind = { .free_bytes = 1 << 20 };
static struct create_job job = { .file_name = "t", .file = { (char *)"t" } };

/* A file that has only been made is opened again at whatever point that fails. */
static void at_every_failure(void **state)
{
	static const uint8_t first[HOLD_IMAGE_BYTES] = { 1 }, zeros[HOLD_IMAGE_BYTES];
	bool failed = true, at_the_beginning = false;
	struct error why;
	struct blk *file;
	uint64_t size;

	(void)state;
	sim_volume(&kind);
	for (unsigned n = 1; failed; n++) {
		const uint8_t *bytes;
		enum status st;

		sim_file_put("t", "", 0);
		sim_volume_fail(n, ST_IO);
		st = create_reopen(&job, first, &file, &why);
		failed = sim_volume_failed();
		sim_volume_fail(0, ST_OK);
		assert_row(st == (failed ? ST_IO : ST_OK), n);
		at_the_beginning |= failed && strcmp(why.text, "t: the device reports an error") == 0;
		if (st == ST_OK)
			blk_close(file);
		bytes = sim_file("t", &size);
		assert_row(size <= HOLD_IMAGE_BYTES && memcmp(bytes, zeros, size) == 0, n);
	}
	assert_true(at_the_beginning);
	assert_int_equal(size, HOLD_IMAGE_BYTES);
	assert_int_equal(sim_allocations(), 0);
}

/* What begins with something is something else by now, and is not written over. */
static void something_else(void **state)
{
	static const uint8_t first[HOLD_IMAGE_BYTES] = { 0 };
	struct error why;
	struct blk *file;
	uint64_t size;

	(void)state;
	sim_volume(&kind);
	sim_file_put("t", "something", 9);
	assert_int_equal(create_reopen(&job, first, &file, &why), ST_EXISTS);
	assert_non_null(strstr(why.text, "it begins with something"));
	assert_memory_equal(sim_file("t", &size), "something", 9);
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
