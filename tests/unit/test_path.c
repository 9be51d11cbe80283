/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/memory.h"
#include "platform/path.h"
#include "run.h"
#include "volume.h"

static void test_volume(void **state)
{
	static const struct {
		const char *path;
		size_t n;
	} rows[] = {
		{ "", 0 },          { "a", 0 },     { "fs0:", 4 },   { "fs0:\\a", 4 },
		{ "fs0:a/b:c", 4 }, { "a/b:c", 0 }, { "\\fs0:", 0 }, { ":", 1 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		assert_row(path_volume_length(rows[i].path) == rows[i].n, i);
}

static void test_selector(void **state)
{
	(void)state;
	assert_true(path_is_selector("serial=S1") && path_is_selector("guid=") &&
		    path_is_selector("path=a\\b"));
	assert_false(path_is_selector("serial") || path_is_selector(".\\serial=S1") ||
		     path_is_selector("blk0:") || path_is_selector("Serial=S1"));
}

static void test_foreign_disk(void **state)
{
	static const char *const disks[] = { "/dev/sda", "/dev/nvme0n1p2", "/dev/disk/by-id/usb-x",
					     "\\\\.\\PhysicalDrive0", "//./PhysicalDrive1" };
	static const char *const files[] = { "/dev/shm/a.img", "/dev/null", "\\dev\\sda", "dev/sda",
					     "fs0:/dev/sda" };

	(void)state;
	for (size_t i = 0; i < N_OF(disks); i++)
		assert_row(path_is_foreign_disk(disks[i]), i);
	for (size_t i = 0; i < N_OF(files); i++)
		assert_row(!path_is_foreign_disk(files[i]), i);
}

static void test_relative(void **state)
{
	static const struct {
		const char *base, *name, *path;
	} rows[] = {
		{ "a.qcow2", "b.raw", "b.raw" },
		{ "dir/a.qcow2", "b.raw", "dir/b.raw" },
		{ "fs0:\\x\\a.qcow2", "b.raw", "fs0:\\x\\b.raw" },
		{ "fs0:\\x\\a.qcow2", "..\\b.raw", "fs0:\\x\\..\\b.raw" },
		{ "fs0:\\x/y\\a", "b", "fs0:\\x/y\\b" },
		{ "fs0:\\x\\a.qcow2", "\\b.raw", "fs0:\\b.raw" },
		{ "fs0:\\x\\a.qcow2", "/b.raw", "fs0:/b.raw" },
		{ "fs0:a", "b", "fs0:b" },
		{ "fs0:\\x\\a.qcow2", "fs1:\\b.raw", "fs1:\\b.raw" },
		{ "/home/x/a", "/b", "/b" },
		{ "fs0:\\x\\a.qcow2", "serial=S1:2", "serial=S1:2" },
		{ "serial=S1", "b.raw", "b.raw" },
		{ "guid=01", "\\x\\b.raw", "\\x\\b.raw" },
		{ "path=Pci(0x1)", "fs1:\\b.raw", "fs1:\\b.raw" },
		{ "x", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char *path = path_relative_to(rows[i].base, rows[i].name);

		assert_string_equal(path, rows[i].path);
		mem_free(path);
	}
	sim_fail_allocation(1);
	assert_null(path_relative_to("a/b", "c"));
	assert_int_equal(sim_allocations(), 0);
}

/* A name in QEMU's notation that begins with a separator is on the volume of the image. */
static void test_notation_on_a_volume(void **state)
{
	static const struct sim_volume_kind kind = { .free_bytes = 64 << 20 };

	(void)state;
	sim_volume(&kind);
	MUST("create", "-f", "raw", "fs1:\\b.raw", "1M");
	MUST("create", "-u", "-f", "qcow2", "-b", "file:\\b.raw", "-F", "raw", "fs1:\\x\\o", "1M");
	MUST("info", "--backing-chain", "fs1:\\x\\o");
	assert_non_null(strstr(out.text, "image: fs1:\\b.raw\n"));
	capture_free(&out);
	capture_free(&err);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_volume),
		cmocka_unit_test(test_selector),
		cmocka_unit_test(test_foreign_disk),
		cmocka_unit_test(test_relative),
		cmocka_unit_test(test_notation_on_a_volume),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
