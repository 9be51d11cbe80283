/* SPDX-License-Identifier: BSD-2-Clause */
/* Raw images whose files are no whole sectors, grow, or are longer than a disk can be. */
#include "unit.h"

#include "base/size.h"
#include "format/image.h"
#include "memory_blk.h"

static struct storage storage;

static void test_grows(void **state)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = 100, .writable = true, .limit = 4096 });
	struct image *image;
	struct error err;
	uint8_t seen[1024];

	(void)state;
	memset(m->bytes, 0x11, 100);
	assert_ok(image_open_blk(&storage, &m->blk, "i", image_format_find("raw"), OPEN_WRITE,
				 &image, &err));
	assert_ok(image_load(image, &err));
	assert_int_equal(image->size, 512);
	/* on the disk, and behind the end of the file */
	assert_ok(blk_write(&image->blk, 100, "x", 1));
	assert_int_equal(image->blk.size, 512);
	assert_ok(blk_write(&image->blk, 600, "y", 1));
	assert_int_equal(image->size, 1024);
	assert_int_equal(image->blk.size, 1024);
	assert_ok(blk_read(&image->blk, 0, seen, sizeof seen));
	assert_true(seen[99] == 0x11 && seen[100] == 'x' && seen[101] == 0 && seen[599] == 0 &&
		    seen[600] == 'y' && seen[601] == 0);
	image_close(image);
	assert_int_equal(sim_allocations(), 0);
}

static void test_too_long(void **state)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){ .size = 512 });
	struct image *image = NULL;
	struct error err;

	(void)state;
	m->blk.size = SIZE_LIMIT - 510;
	assert_int_equal(image_open_blk(&storage, &m->blk, "i", image_format_find("raw"), OPEN_READ,
					&image, &err),
			 ST_TOO_LARGE);
	assert_non_null(strstr(err.text, "more than a disk can have"));
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
