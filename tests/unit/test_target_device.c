/* SPDX-License-Identifier: BSD-2-Clause */
#include "target.h"

/*
 * Restoring to a simulated disk: what efi-img makes of the disk's own properties. Whether it is
 * write-protected, by which name it can be confirmed, whether it can be flushed, and whether it is
 * still there.
 */

/* A partition of a disk that is write-protected, where the firmware does not say so of the
 * partition itself. */
static void test_write_protected_below(void **state)
{
	static const struct sim_part parts[] = { { sim_linux, 64, 1063, "root" } };
	struct memory_blk *disk = memory_blk_new(
		&(struct memory_blk_kind){ .size = DISK, .block_bytes = 512 });
	struct sim_files files = set_up();
	struct sim_device with_part[] = {
		machine[0],
		{ "blk1:",
		  { .path = (char *)"Pci(0x1)/HD(1)",
		    .parent = 0,
		    .start_bytes = 64 * 512,
		    .bus = "NVMe",
		    .size_bytes = 1000 * 512,
		    .block_bytes = 512,
		    .medium = true,
		    .flushes = true } },
	};
	uint64_t size;

	(void)state;
	sim_gpt(disk, parts, N_OF(parts));
	sim_file_put("disk", disk->bytes, DISK);
	sim_file_put("small", before, 4096);
	for (unsigned protected = 0; protected < 4; protected ++) {
		with_part[0].device.read_only = (protected & 1) != 0;
		with_part[1].device.read_only = (protected & 2) != 0;
		sim_machine(with_part, N_OF(with_part));
		sim_machine_files(0, "disk", NULL);
		assert_int_equal(RUN("convert", "-n", "--dry-run", "-f", "raw", "small",
				     "serial=D:1", "--erase=D:1"),
				 protected == 0 ? 0 : OUTCOME_REFUSED);
		assert_int_equal(strstr(err.text, "serial=D:1: it is write-protected") != NULL,
				 protected != 0);
		if (protected != 0)
			assert_int_equal(RUN("convert", "-n", "-f", "raw", "small", "serial=D:1",
					     "--erase=D:1"),
					 OUTCOME_REFUSED);
	}
	assert_memory_equal(sim_file("disk", &size), disk->bytes, DISK);
	blk_close(&disk->blk);
	tear_down(&files);
}

/* A disk whose only name is a serial number that many disks share cannot be confirmed by it. */
static void test_nothing_to_confirm_by(void **state)
{
	static const struct sim_device nameless = { "",
						    {
							    .parent = DEVICE_NO_PARENT,
							    .bus = "USB",
							    .serial = (char *)"000000000000",
							    .size_bytes = SMALLER,
							    .block_bytes = 512,
							    .medium = true,
							    .flushes = true,
						    } };
	struct memory_blk *disk = memory_blk_new(
		&(struct memory_blk_kind){ .size = SMALLER, .block_bytes = 512 });
	struct sim_files files = set_up();
	uint64_t size;

	(void)state;
	memcpy(disk->bytes, "XFSB", 4);
	sim_file_put("disk", disk->bytes, SMALLER);
	sim_file_put("small", before, 512);
	sim_machine(&nameless, 1);
	sim_machine_files(0, "disk", NULL);
	assert_int_equal(RUN("convert", "-n", "-f", "raw", "small", "serial=000000000000",
			     "--erase=000000000000"),
			 OUTCOME_REFUSED);
	assert_string_equal(err.text, "efi-img: serial=000000000000: it contains XFS, and it has "
				      "no name that --erase could take\n");
	assert_memory_equal(sim_file("disk", &size), disk->bytes, SMALLER);
	blk_close(&disk->blk);
	tear_down(&files);
}

/* A partition of a disk without any name is called by its own GUID. */
static void test_confirmed_by_its_guid(void **state)
{
	static const struct sim_device nameless = {
		"",
		{ .parent = DEVICE_NO_PARENT,
		  .bus = "NVMe",
		  .size_bytes = SMALLER,
		  .block_bytes = 512,
		  .medium = true,
		  .flushes = true },
	};
	struct memory_blk *disk = memory_blk_new(
		&(struct memory_blk_kind){ .size = SMALLER, .block_bytes = 512 });
	struct sim_files files = set_up();
	uint64_t size;

	(void)state;
	memcpy(disk->bytes, sim_file("gpt", &size), SMALLER);
	memset(disk->bytes + 512 + 56, 0, 16);
	memset(disk->bytes + SMALLER - 512 + 56, 0, 16);
	sim_gpt_seal(disk, 1);
	sim_gpt_seal(disk, SMALLER / 512 - 1);
	memset(disk->bytes + 40 * 512, 0, 512);
	memcpy(disk->bytes + 40 * 512, "XFSB", 4);
	sim_file_put("disk", disk->bytes, SMALLER);
	sim_file_put("small", before, 512);
	sim_machine(&nameless, 1);
	sim_machine_files(0, "disk", NULL);
	assert_int_equal(RUN("convert", "-n", "-f", "raw", "small",
			     "guid=01010101-0101-0101-0101-010101010101", "--erase=D"),
			 OUTCOME_REFUSED);
	assert_non_null(strstr(err.text, "use --erase=01010101-0101-0101-0101-010101010101\n"));
	assert_memory_equal(sim_file("disk", &size), disk->bytes, SMALLER);
	blk_close(&disk->blk);
	tear_down(&files);
}

/* A drive with a cache of its own that the firmware cannot reach. */
static void test_cannot_be_flushed(void **state)
{
	struct sim_files files = set_up();
	struct sim_device cached = machine[0];
	uint64_t size;

	(void)state;
	cached.device.flushes = false;
	sim_machine(&cached, 1);
	sim_machine_files(0, "disk", NULL);
	assert_int_equal(run(restore), 0);
	assert_non_null(strstr(err.text, "efi-img: serial=D: all data is written, but the "
					 "firmware cannot make this drive flush its own cache"));
	assert_memory_equal(sim_file("disk", &size), after, DISK);
	tear_down(&files);
}

/* The disk is exchanged before its speed is measured. */
static void test_gone_before_bench(void **state)
{
	struct sim_files files = set_up();
	uint64_t size;

	(void)state;
	sim_machine_files(0, NULL, NULL);
	assert_int_equal(RUN("bench", "-w", "serial=D", "--erase=D"), OUTCOME_MEDIUM_GONE);
	assert_non_null(strstr(err.text, "Pci(0x1): "));
	assert_memory_equal(sim_file("disk", &size), before, DISK);
	tear_down(&files);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_protected_below),
		cmocka_unit_test(test_nothing_to_confirm_by),
		cmocka_unit_test(test_confirmed_by_its_guid),
		cmocka_unit_test(test_cannot_be_flushed),
		cmocka_unit_test(test_gone_before_bench),
	};

	return cmocka_run_group_tests_name("target device", tests, NULL, NULL);
}
