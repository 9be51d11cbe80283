/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a capture writes, and in which order: the file from its front to its end, and hardly
 * anything but data.
 */
#include "machine.h"
#include "powercut.h"
#include "record/outcome.h"
#include "run.h"

enum { MIB = 1 << 20, SMALL = 8 * MIB, LARGE = 24 * MIB };

static const struct sim_volume_kind kind = { .free_bytes = 128 * MIB };

/* A disk of odd bytes only, by which its data is known in the file. */
static void make_disk(size_t size)
{
	static struct sim_device machine = {
		"blk0:",
		{ .path = (char *)"Pci(0x1)",
		  .parent = DEVICE_NO_PARENT,
		  .bus = "NVMe",
		  .serial = (char *)"D",
		  .block_bytes = 512,
		  .medium = true,
		  .flushes = true },
	};
	uint8_t *bytes = malloc(size);
	uint32_t dice = 1;

	for (size_t i = 0; i < size; i++) {
		dice = dice * 1664525 + 1013904223;
		bytes[i] = (uint8_t)(dice >> 24 | 1);
	}
	sim_volume(&kind);
	sim_file_put("disk", bytes, size);
	free(bytes);
	machine.device.size_bytes = size;
	sim_machine(&machine, 1);
	sim_machine_files(0, "disk", NULL);
	sim_clock_step(1); /* no journal is due */
}

static int tear_down(void **state)
{
	(void)state;
	sim_machine(NULL, 0);
	sim_volume(&kind);
	sim_clock_step(1000000);
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}

struct writes {
	size_t data, other;
	size_t between; /* others after the first and before the last of data */
	size_t back;    /* of the data, those that lie in front of what was written before */
};

static bool is_data(const struct sim_change *change)
{
	for (size_t i = 0; i < change->n; i++)
		if (change->bytes[i] % 2 == 0)
			return false;
	return true;
}

static struct writes count(void)
{
	struct writes found = { 0 };
	size_t n, others = 0;
	uint64_t end = 0;
	const struct sim_change *change = sim_journal(&n);

	for (size_t i = 0; i < n; i++) {
		if (change[i].kind != SIM_WRITE || strcmp(change[i].file, "t") != 0)
			continue;
		if (!is_data(&change[i])) {
			found.other++;
			others++;
			continue;
		}
		found.between += found.data > 0 ? others : 0;
		found.back += change[i].offset < end;
		found.data++;
		others = 0;
		end = change[i].offset + change[i].n;
	}
	return found;
}

static struct writes capture(size_t size, const char *options)
{
	make_disk(size);
	if (RUN("convert", "-O", "qcow2", "-o", options, "--no-verify", "serial=D", "t") != EXIT_OK)
		fail_msg("%s: %s", options, err.text);
	return count();
}

/*
 * From the first to the last of the data nothing else is written; with more data nothing else
 * becomes more.
 */
static void data_only(void **state)
{
	static const char *const options[] = { "cluster_size=64k", "cluster_size=2M",
					       "extended_l2=on,cluster_size=64k", "compat=0.10" };

	(void)state;
	for (size_t i = 0; i < N_OF(options); i++) {
		struct writes few = capture(SMALL, options[i]), many = capture(LARGE, options[i]);

		assert_row(few.data > 0 && many.data == few.data * (LARGE / SMALL), i);
		assert_row(many.between == 0 && many.back == 0, i);
		assert_row(many.other == few.other, i);
	}
}

/* Where a table is for 2 MiB only, each is still written once, after the data. */
static void many_tables(void **state)
{
	struct writes found = capture(LARGE, "cluster_size=4k");

	(void)state;
	assert_true(found.between == 0 && found.back == 0);
	assert_in_range(found.other, LARGE / (2 * MIB), LARGE / MIB);
}

/* In the plan, too. */
static void in_parts(void **state)
{
	(void)state;
	make_disk(SMALL);
	assert_int_equal(RUN("convert", "--dry-run", "--split=2M", "serial=D", "t"), EXIT_OK);
	assert_non_null(strstr(out.text, "\nwrites:  a raw image of a disk of 8 MiB, in "
					 "files of at most 2 MiB\n"));
	assert_int_equal(RUN("convert", "--dry-run", "serial=D", "t"), EXIT_OK);
	assert_non_null(strstr(out.text, "\nwrites:  a raw image of a disk of 8 MiB\n"));
	sim_machine(NULL, 0);
}

/*
 * A write of metadata that the drive says it has done, and has not: refcounts too, which nothing of
 * the disk is read through. What is called good is good all through.
 */
static void every_lost_write(void **state)
{
	unsigned n, noticed = 0;

	(void)state;
	for (n = 1;; n++) {
		int code;

		make_disk(512 << 10);
		sim_volume_lose(n);
		code = RUN("convert", "-O", "qcow2", "-o", "cluster_size=512", "serial=D", "t");
		if (!sim_volume_lost())
			break;
		if (code == OUTCOME_MISMATCH) {
			noticed++;
			continue;
		}
		assert_int_equal(code, EXIT_OK);
		if (RUN("check", "t") != EXIT_OK)
			fail_msg("write %u: %s%s", n, out.text, err.text);
	}
	sim_volume_lose(0);
	print_message("%u lost writes, %u of them made a difference\n", n - 1, noticed);
	assert_true(noticed > 2);
}

/*
 * Where there is no memory to count the references, it is said that this was left out; the image is
 * good without it.
 */
static void tables_without_memory(void **state)
{
	unsigned n, said = 0;

	(void)state;
	for (n = 1;; n++) {
		int code;

		make_disk(64 << 10);
		sim_fail_allocation(n);
		code = RUN("convert", "-q", "-O", "qcow2", "serial=D", "t");
		if (!sim_allocation_failed())
			break;
		if (code != EXIT_OK)
			continue;
		said += strstr(err.text, "warning: t: the disk in it was read back, but there is "
					 "no memory") != NULL;
		assert_int_equal(RUN("check", "t"), EXIT_OK);
		assert_int_equal(RUN("compare", "serial=D", "t"), EXIT_OK);
	}
	sim_fail_allocation(0);
	assert_true(said >= 2); /* of counts and of uses, and what is read meanwhile */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(data_only, tear_down),
		cmocka_unit_test_teardown(many_tables, tear_down),
		cmocka_unit_test_teardown(in_parts, tear_down),
		cmocka_unit_test_teardown(every_lost_write, tear_down),
		cmocka_unit_test_teardown(tables_without_memory, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
