/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Disks as sources: what the firmware holds of their volumes is written out first, nothing is
 * written to them, and that is counted.
 */
#include "machine.h"
#include "record/outcome.h"
#include "run.h"
#include "volume.h"

enum { BYTES = 64 << 10 };

/* A disk that has its last bytes only when the firmware has been asked for them. */
static struct {
	struct blk blk;
	unsigned flushes;
	enum status st; /* of a flush */
} disk;

static enum status read_disk(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	(void)blk;
	(void)offset;
	memset(buf, disk.flushes > 0 ? 2 : 1, len);
	return ST_OK;
}

static enum status flush_disk(struct blk *blk)
{
	(void)blk;
	disk.flushes++;
	return disk.st;
}

static const struct blk_ops disk_ops = { .read = read_disk, .flush = flush_disk };

static struct sim_device machine[2];

static int set_up(void **state)
{
	static const struct sim_volume_kind kind = { .free_bytes = 1 << 20 };
	static uint8_t bytes[BYTES];

	(void)state;
	disk.blk = (struct blk){ .ops = &disk_ops,
				 .size = BYTES,
				 .block_bytes = 512,
				 .buffer_align = 1,
				 .transfer_bytes = 1 << 20 };
	disk.flushes = 0;
	disk.st = ST_OK;
	for (size_t i = 0; i < N_OF(machine); i++)
		machine[i] = (struct sim_device){ i == 0 ? "blk0:" : "blk1:",
						  { .path = (char *)"Pci(0x1)",
						    .parent = DEVICE_NO_PARENT,
						    .serial = (char *)(i == 0 ? "A" : "B"),
						    .size_bytes = BYTES,
						    .block_bytes = 512,
						    .medium = true,
						    .flushes = true,
						    .blk = i == 0 ? &disk.blk : NULL } };
	sim_volume(&kind);
	memset(bytes, 7, sizeof bytes);
	sim_file_put("disk", bytes, BYTES);
	sim_machine(machine, N_OF(machine));
	sim_machine_files(1, "disk", "on-b");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sim_machine(NULL, 0);
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}

static void assert_copied(const char *name, uint8_t byte)
{
	uint64_t n;
	const uint8_t *bytes = sim_file(name, &n);

	assert_int_equal(n, BYTES);
	for (size_t i = 0; i < BYTES; i++)
		assert_int_equal(bytes[i], byte);
}

static void settled_first(void **state)
{
	(void)state;
	assert_int_equal(RUN("convert", "-f", "raw", "serial=A", "t"), 0);
	assert_copied("t", 2);
	assert_string_equal(out.text,
			    "efi-img: serial=A: 0 writes to the source\nefi-img: t: verified, "
			    "identical to serial=A; 64 KiB of disk in 64 KiB of file\n");
	disk.flushes = 0;
	assert_int_equal(RUN("dd", "-f", "raw", "if=serial=A", "of=u"), 0);
	assert_copied("u", 2);
	assert_string_equal(out.text,
			    "efi-img: serial=A: 0 writes to the source\nefi-img: u: verified, "
			    "identical to serial=A; 64 KiB of disk in 64 KiB of file\n");
	disk.flushes = 0;
	assert_int_equal(RUN("convert", "-n", "--dry-run", "-f", "raw", "serial=A", "serial=B",
			     "--erase=B"),
			 0);
	assert_int_equal(disk.flushes, 0);
}

/* Then it is not known what is missing: only who wants to save what there is goes on. */
static void cannot_be_settled(void **state)
{
	(void)state;
	disk.st = ST_IO;
	assert_int_equal(RUN("convert", "-f", "raw", "serial=A", "t"), OUTCOME_DEVICE_ERROR);
	assert_non_null(strstr(err.text, "serial=A: the firmware cannot flush its cached data of "
					 "the volumes on it"));
	assert_null(sim_file("t", &(uint64_t){ 0 }));
	assert_int_equal(RUN("convert", "--salvage", "-f", "raw", "serial=A", "t"), 0);
	assert_non_null(strstr(err.text, "serial=A: the firmware cannot flush its cached data of "
					 "the volumes on it"));
}

/*
 * The sentence is measured: here the source is written to, in a way that only a simulation has. It
 * is said after a failure too.
 */
static void writes_are_counted(void **state)
{
	(void)state;
	assert_int_equal(RUN("convert", "-f", "raw", "serial=B", "t"), 0);
	assert_string_equal(out.text,
			    "efi-img: serial=B: 0 writes to the source\nefi-img: t: verified, "
			    "identical to serial=B; 64 KiB of disk in 64 KiB of file\n");
	assert_int_equal(RUN("convert", "-q", "--force", "-f", "raw", "serial=B", "t"), 0);
	assert_string_equal(out.text, "");
	assert_int_equal(RUN("convert", "--no-verify", "-n", "-f", "raw", "serial=B", "disk"), 0);
	assert_string_equal(out.text, "efi-img: serial=B: 1 write to the source\n"
				      "efi-img: disk: not verified (--no-verify); 64 KiB of disk "
				      "in 64 KiB of file\n");
	sim_volume_bad("disk", 0, 1);
	assert_int_equal(RUN("convert", "-f", "raw", "serial=B", "u"), OUTCOME_DEVICE_ERROR);
	assert_string_equal(out.text, "efi-img: serial=B: 0 writes to the source\n");
	assert_int_equal(RUN("convert", "-f", "raw", "t", "u"), 0);
	assert_string_equal(out.text, "");
}

/* No file is written to what is read: not the image, nor its data, the map or the manifest. */
static void not_onto_the_source(void **state)
{
	static const char *const lines[][10] = {
		{ "convert", "-f", "raw", "serial=B", "on-b.raw" },
		{ "convert", "--force", "-f", "raw", "serial=b", "on-b.raw" },
		{ "convert", "-f", "raw", "--map=on-b.map", "serial=B", "t" },
		{ "convert", "-f", "raw", "--manifest=on-b.json", "serial=B", "t" },
		{ "convert", "-f", "raw", "-O", "qcow2", "-o", "data_file=on-b.data", "serial=B",
		  "t" },
		{ "convert", "-f", "raw", "serial=A", "serial=B", "on-b.raw" },
		{ "dd", "-f", "raw", "if=serial=B", "of=on-b.raw" },
		{ "convert", "-n", "-f", "raw", "--map=on-b.map", "serial=B", "serial=A",
		  "--erase=A" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(lines); i++) {
		assert_row(run(lines[i]) == OUTCOME_REFUSED, i);
		assert_row(strstr(err.text, "on-b") != NULL &&
				   strstr(err.text, "is the source and must not change") != NULL,
			   i);
		assert_row(sim_files() == 1, i);
	}
	assert_int_equal(RUN("convert", "-f", "raw", "serial=A", "on-b.raw"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(settled_first, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cannot_be_settled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(writes_are_counted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(not_onto_the_source, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
