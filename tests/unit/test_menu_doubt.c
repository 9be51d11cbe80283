/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is no image of a disk, in the menu (finding trial A2): a file that is known to be something
 * else cannot be chosen, and one that does not look like a disk goes onto a whole one only after
 * other words than usual.
 */
#include "menu.h"

static void put(void)
{
	static uint8_t text[4096];

	set_up();
	memset(text, 'x', sizeof text);
	sim_file_put("fs0:\\text.raw", text, sizeof text);
	memcpy(text, "EVF\x09\r\n\xff", 8);
	sim_file_put("fs0:\\win.e01", text, sizeof text);
}

static bool disk_is_blank(void)
{
	uint64_t n;
	const uint8_t *disk = sim_file("sata", &n);

	for (uint64_t i = 0; i < n; i++)
		if (disk[i] != 0)
			return false;
	return true;
}

static void test_trial_a2_foreign_is_not_offered(void **state)
{
	(void)state;
	put();
	assert_int_equal(drive("foreign", 24, "21" L "4" L "bbqy", NULL), MENU_LEAVE);
	assert_true(disk_is_blank());
	tear_down();
}

/* The usual word alone does not do, nor do the other words without the usual one. */
static void test_trial_a2_doubt(void **state)
{
	(void)state;
	put();
	assert_int_equal(drive("doubt", 24,
			       "213" L "3" CR L "3F77" CR L "no table" CR L ESC ESC ESC ESC ESC L
			       "qy",
			       NULL),
			 MENU_LEAVE);
	assert_true(disk_is_blank());
	assert_int_equal(drive(NULL, 24, "2133" CR "No Table" CR "3F77" CR CR "qy", NULL),
			 MENU_LEAVE);
	assert_false(disk_is_blank());
	tear_down();
}

/* A file with a partition table, and any file for a partition, ask for nothing more. */
static void test_no_doubt(void **state)
{
	(void)state;
	put();
	assert_int_equal(drive(NULL, 24, "2123" CR "3F77" CR CR "qy", NULL), MENU_LEAVE);
	assert_false(disk_is_blank());
	tear_down();
}

/* Half a disk asks for other words. */
static void test_truncated(void **state)
{
	static const uint8_t mbr[66] = { [4] = 0x83, [8] = 1, [13] = 1, [64] = 0x55, [65] = 0xaa };
	static uint8_t half[64 << 10];

	(void)state;
	put();
	memcpy(half + 446, mbr, sizeof mbr);
	sim_file_put("fs0:\\text.raw", half, sizeof half);
	assert_int_equal(drive("truncated", 24, "2133" CR "no table" CR L ESC ESC ESC ESC ESC "qy",
			       NULL),
			 MENU_LEAVE);
	assert_true(disk_is_blank());
	assert_int_equal(drive(NULL, 24, "2133" CR "Truncated" CR "3F77" CR CR "qy", NULL),
			 MENU_LEAVE);
	assert_false(disk_is_blank());
	tear_down();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_trial_a2_foreign_is_not_offered),
		cmocka_unit_test(test_trial_a2_doubt),
		cmocka_unit_test(test_no_doubt),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
