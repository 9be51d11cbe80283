/* SPDX-License-Identifier: BSD-2-Clause */
#include "menu.h"
#include "base/bytes.h"
#include "platform/files.h"

/* The menu: what can be done with one image. */

/* An image of the disk with a cluster too much, and one of it in two files. */
static void put_images(void)
{
	enum { CLUSTER = 65536 };
	uint64_t n = 0, table, block;
	uint8_t *bytes;

	MUST("convert", "-f", "raw", "-O", "qcow2", "nvme", "fs0:\\a.qcow2", NULL);
	MUST("convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", "nvme",
	     "fs0:\\b.vmdk", NULL);
	(void)sim_file("fs0:\\a.qcow2", &n);
	bytes = calloc(n / CLUSTER + 2, CLUSTER);
	assert_non_null(bytes);
	memcpy(bytes, sim_file("fs0:\\a.qcow2", &n), n);
	n = (n + CLUSTER - 1) / CLUSTER;
	table = bytes_from_be(bytes + 48, 8);
	block = bytes_from_be(bytes + table, 8);
	bytes[block + 2 * n + 1] = 1;
	sim_file_put("fs0:\\leaks.qcow2", bytes, (n + 1) * CLUSTER);
	free(bytes);
}

static bool exists(const char *name)
{
	struct place place;
	struct error ignored;

	return platform_look(name, &place, &ignored) == ST_OK && place.exists;
}

static void test_repair(void **state)
{
	(void)state;
	set_up();
	put_images();
	assert_int_equal(drive("repair", 24, "514" L "1" L "r" L CR L "y" CR L CR "bbbqy", NULL),
			 MENU_LEAVE);
	MUST("check", "fs0:\\leaks.qcow2", NULL);
	MUST("compare", "-f", "raw", "nvme", "fs0:\\leaks.qcow2", NULL);
	tear_down();
}

static void test_convert(void **state)
{
	(void)state;
	set_up();
	put_images();
	assert_int_equal(drive("convert", 24, "5125" L CR "11" L CR L "y" CR L CR "bbbqy", NULL),
			 MENU_LEAVE);
	MUST("compare", "-f", "raw", "nvme", "fs0:\\a-2.qcow2", NULL);
	tear_down();
}

static void test_resize(void **state)
{
	(void)state;
	set_up();
	put_images();
	assert_int_equal(drive("resize", 24,
			       "5126" L "+1M" CR L "y" CR L CR "6"
			       "2M" CR L "y" CR L "shrink" CR L CR "bbbqy",
			       NULL),
			 MENU_LEAVE);
	MUST("info", "fs0:\\a.qcow2", NULL);
	assert_non_null(strstr(out.text, "virtual size: 2 MiB"));
	tear_down();
}

static void test_snapshots(void **state)
{
	(void)state;
	set_up();
	put_images();
	assert_int_equal(drive("snapshots", 24,
			       "5127" L "t" L CR L "y" CR L CR L "tx" CR "y" CR CR L "1" L "1" L
			       "revert" CR L CR "2" L "2" L "delete" CR L CR L "bbbbqy",
			       NULL),
			 MENU_LEAVE);
	MUST("snapshot", "-l", "fs0:\\a.qcow2", NULL);
	assert_non_null(strstr(out.text, "snapshot-1"));
	tear_down();
	set_up();
	assert_int_equal(drive("no-snapshots", 24, "5127" L "xbbbqy", NULL), MENU_LEAVE);
	tear_down();
}

/* The manifest goes with the image; a VMDK that names its extents keeps its name. */
static void test_rename(void **state)
{
	(void)state;
	set_up();
	MUST("convert", "-f", "raw", "-O", "qcow2", "--manifest=fs0:\\a.qcow2.manifest", "nvme",
	     "fs0:\\a.qcow2", NULL);
	MUST("convert", "-f", "raw", "-O", "vmdk", "-o", "subformat=twoGbMaxExtentSparse", "nvme",
	     "fs0:\\b.vmdk", NULL);
	assert_int_equal(drive("rename", 24,
			       "5128" L CR "b.vmdk" CR L "xoffice" CR L "y" CR L CR L "28c" CR L
			       "x" ESC "bbbqy",
			       NULL),
			 MENU_LEAVE);
	assert_false(exists("fs0:\\a.qcow2"));
	assert_false(exists("fs0:\\a.qcow2.manifest"));
	MUST("hash", "--check=fs0:\\office.qcow2.manifest", NULL);
	MUST("check", "fs0:\\b.vmdk", NULL);
	tear_down();
}

/* All files of an image are removed, and no others. */
static void test_remove(void **state)
{
	(void)state;
	set_up();
	put_images();
	sim_file_put("fs0:\\b.vmdk.manifest", "", 0);
	assert_int_equal(drive("delete", 24, "5139" L "y" CR L "delete" CR L CR L "bbqy", NULL),
			 MENU_LEAVE);
	assert_false(exists("fs0:\\b.vmdk"));
	assert_false(exists("fs0:\\b-s001.vmdk"));
	assert_false(exists("fs0:\\b.vmdk.manifest"));
	MUST("check", "fs0:\\a.qcow2", NULL);
	tear_down();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repair), cmocka_unit_test(test_convert),
		cmocka_unit_test(test_resize), cmocka_unit_test(test_snapshots),
		cmocka_unit_test(test_rename), cmocka_unit_test(test_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
