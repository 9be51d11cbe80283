/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What blk/blk.h says, held against every kind of blk of the core and of the simulated machine:
 * each test of contract.h runs over the table of kinds in blk_kinds.h, and so do failed
 * allocations.
 *
 * A new kind of blk is one more row there; a new image format is tested without one.
 */
#include "base/memory.h"
#include "base/range.h"
#include "blk_kinds.h"
#include "format/format.h"
#include "processors.h"

void contract_failed(const char *what)
{
	fail_msg("%s", what);
	abort(); /* not reached */
}

void contract_prepare(void)
{
	static const struct sim_volume_kind volume = { .free_bytes = 64 * MIB, .has_holes = true };
	struct error why;

	sim_volume(&volume);
	assert_ok(storage_begin(&storage, NULL, &why));
	(void)platform_permit(NULL); /* the tests make their files themselves */
}

void contract_finish(const struct subject *s)
{
	storage_end(&storage);
	capture_free(&out);
	capture_free(&err);
	check(sim_allocations() == 0, s, "closing frees everything", 0, 0);
}

/* Calls `test` for each kind, those of the images among them. */
static void each_kind(void (*test)(struct subject *))
{
	for (size_t i = 0; i < N_OF(kinds); i++)
		contract_run(&kinds[i], test);
	for (size_t i = 0; image_formats[i] != NULL; i++)
		for (int writable = 0; writable <= 1; writable++) {
			struct kind kind = { image_formats[i]->name, open_image,
					     .writable = writable,   .is_image = true,
					     .has_holes = true,      .of = image_formats[i] };

			if (image_formats[i]->create.plan != NULL)
				contract_run(&kind, test);
		}
}

/* Every allocation fails once: it is said, and the next call does its work. */
static void no_memory(struct subject *s)
{
	uint8_t buf[5000];

	for (unsigned n = 1; n <= 3; n++) {
		enum status st;

		sim_fail_allocation(n);
		st = blk_read(s->blk, 4097, buf, 4999);
		check(st == (sim_allocation_failed() ? ST_NO_MEMORY : ST_OK), s, "a read", 4097, n);
		sim_fail_allocation(n);
		st = s->writable ? blk_write(s->blk, 4097, s->expected + 4097, 4999) : ST_OK;
		check(st == (sim_allocation_failed() ? ST_NO_MEMORY : ST_OK), s, "a write", 4097,
		      n);
		sim_fail_allocation(0);
	}
	check_all(s);
}

static void test_contract(void **state)
{
	const struct contract_test *test = *state;

	each_kind(test->run);
}

static void test_no_memory(void **state)
{
	(void)state;
	each_kind(no_memory);
}

static void test_parallel(void **state)
{
	(void)state;
	sim_processors(2);
	each_kind(read_in_parallel);
	sim_processors(0);
}

/* Writes to a disk are counted by each blk that reads it, or a part of it. */
static void test_device_writes(void **state)
{
	struct blk *target, *disk, *window;

	(void)state;
	sim_volume(&(struct sim_volume_kind){ .free_bytes = 64 * MIB });
	sim_file_put("f", contents(), SIZE);
	assert_ok(sim_disk_open("f", DEVICE, true, 512, &target));
	assert_ok(blk_write(target, 0, contents(), 512));
	assert_ok(sim_disk_open("f", DEVICE, false, 512, &disk));
	window = window_on(disk, 0, 0);
	assert_ok(blk_write(target, 0, contents(), 512));
	assert_ok(blk_write(target, 512, contents(), 512));
	assert_int_equal(disk->device->n_writes, 2);
	assert_int_equal(window->device->n_writes, 2);
	blk_close(window);
	blk_close(target);
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	struct CMUnitTest tests[N_CONTRACT_TESTS + 3] = {
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_parallel),
		cmocka_unit_test(test_device_writes),
	};

	for (size_t i = 0; i < N_CONTRACT_TESTS; i++)
		tests[3 + i] = (struct CMUnitTest){ .name = contract_tests[i].name,
						    .test_func = test_contract,
						    .initial_state = (void *)&contract_tests[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
