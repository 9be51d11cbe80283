/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A raw file that goes onto a whole disk and does not look like one (finding trial A2), or whose
 * end is missing: the plan says so, and --no-table or --truncated has to be given. What is
 * bootable, a file system, a hybrid ISO or an image of another format goes as before, and so does
 * any file onto a partition but one with half a file system.
 */
#include "machine.h"
#include "record/outcome.h"
#include "run.h"
#include "tables.h"

enum { MIB = 1 << 20, SOURCE = 128 << 10 };

static const char doubt[] = "in it:   no partition table and no known file system: probably "
			    "not an image of a disk\n";

static const struct sim_device machine[] = {
	{ "blk0:",
	  { .path = (char *)"Pci(0x1)",
	    .parent = DEVICE_NO_PARENT,
	    .serial = (char *)"D",
	    .size_bytes = MIB,
	    .block_bytes = 512,
	    .medium = true,
	    .flushes = true } },
	{ "blk1:",
	  { .path = (char *)"Pci(0x2)",
	    .parent = DEVICE_NO_PARENT,
	    .serial = (char *)"S",
	    .size_bytes = SOURCE,
	    .block_bytes = 512,
	    .medium = true,
	    .flushes = true } },
	{ "blk2:",
	  { .path = (char *)"Pci(0x3)",
	    .parent = DEVICE_NO_PARENT,
	    .serial = (char *)"K",
	    .size_bytes = MIB,
	    .block_bytes = 4096,
	    .medium = true,
	    .flushes = true } },
};

static uint8_t bytes[SOURCE];

/* A disk with a GPT and one partition, the third target, and a source disk without anything. */
static int set_up(void **state)
{
	static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB };
	static const struct sim_part parts[] = { { sim_linux, 64, 600, "data" } };
	static const uint8_t blank[MIB];
	struct memory_blk *disk;

	(void)state;
	disk = memory_blk_new(&(struct memory_blk_kind){ .size = MIB, .block_bytes = 512 });
	sim_gpt(disk, parts, N_OF(parts));
	sim_volume(&kind);
	sim_file_put("disk", disk->bytes, MIB);
	blk_close(&disk->blk);
	put_raw("source disk", 5, SOURCE, 0);
	sim_file_put("4k disk", blank, MIB);
	memset(bytes, 'x', sizeof bytes);
	sim_machine(machine, N_OF(machine));
	sim_machine_files(0, "disk", NULL);
	sim_machine_files(1, "source disk", NULL);
	sim_machine_files(2, "4k disk", NULL);
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

static void assert_disk_untouched(void)
{
	uint64_t n;
	const uint8_t *now = sim_file("disk", &n);

	assert_int_equal(n, MIB);
	assert_memory_equal(now + 512, "EFI PART", 8);
}

static void assert_refused(int code)
{
	assert_int_equal(code, OUTCOME_REFUSED);
	assert_non_null(strstr(err.text, "serial=D: s has neither a partition table"));
	assert_non_null(strstr(err.text, "add --no-table"));
	assert_disk_untouched();
}

static void put(void)
{
	sim_file_put("s", bytes, SOURCE);
}

static void test_trial_a2_no_table(void **state)
{
	uint64_t n;

	(void)state;
	put();
	assert_refused(RUN("convert", "-n", "s", "serial=D", "--erase=D"));
	assert_refused(RUN("dd", "if=s", "of=serial=D", "--erase=D"));
	assert_refused(RUN("convert", "-n", "--dry-run", "s", "serial=D", "--erase=D"));
	assert_non_null(strstr(out.text, doubt));
	assert_refused(
		RUN("convert", "-n", "--dry-run", "--output=json", "s", "serial=D", "--erase=D"));
	assert_non_null(strstr(out.text, "\"contents-note\": \"no partition table and no known "));
	assert_non_null(strstr(out.text, "\"exit-code\": 12"));
	/* --erase alone, and --no-table alone, do not do. */
	assert_int_equal(RUN("convert", "-n", "--no-table", "s", "serial=D"), OUTCOME_REFUSED);
	assert_non_null(strstr(err.text, "--erase=D"));
	assert_disk_untouched();
	assert_int_equal(RUN("convert", "-n", "--dry-run", "--no-table", "s", "serial=D",
			     "--erase=D"),
			 0);
	assert_non_null(strstr(out.text, doubt));
	assert_int_equal(RUN("convert", "-n", "--no-table", "s", "serial=D", "--erase=D"), 0);
	assert_memory_equal(sim_file("disk", &n), bytes, SOURCE);
	assert_int_equal(RUN("dd", "--no-table", "if=s", "of=serial=D", "--erase=D"), 0);
}

/* Zeros are nothing either, nor is what -f raw makes of an image, nor a text. */
static void test_what_is_no_disk(void **state)
{
	(void)state;
	memset(bytes, 0, sizeof bytes);
	put();
	assert_refused(RUN("convert", "-n", "s", "serial=D", "--erase=D"));
	sim_file_put("s", "It was a dark and stormy night.\n", 32);
	assert_refused(RUN("convert", "-n", "s", "serial=D", "--erase=D"));
	MUST("create", "-q", "-f", "qcow2", "--force", "s", "64k", NULL);
	assert_refused(RUN("convert", "-n", "-f", "raw", "s", "serial=D", "--erase=D"));
	sim_file_put("s", "", 0);
	assert_int_equal(RUN("convert", "-n", "s", "serial=D", "--erase=D"),
			 0); /* writes nothing */
}

struct look {
	const char *bytes;
	size_t at, n;
	bool boots; /* with the signature of a boot sector, and nothing where its table would be */
};

/* Whatever a disk can begin with. */
static void test_what_is_a_disk(void **state)
{
	/* block size, inodes in a group, magic, revision */
	static const char ext2[] = "\0\0\0\0xxxxxxxxxxxxxxxxxxxxxxxxxxxx\x53\xef"
				   "xxxxxxxxxxxxxxxxxx\0\0\0\0";
	static const struct look looks[] = {
		{ "", 0, 0, true },                                          /* a boot sector */
		{ "\x80\1\1\0\x83\1\1\1\1\0\0\0\x40\0\0\0", 446, 16, true }, /* an MBR */
		{ "\0\1\1\0\xee\1\1\1\1\0\0\0\xff\0\0\0", 446, 16, true },   /* of a damaged GPT */
		{ "CD001", 0x8001, 5, true },                                /* a hybrid ISO */
		{ "NTFS    ", 3, 8, false },
		{ "XFSB", 0, 4, false },
		{ ext2, 1048, sizeof ext2 - 1, false },
		{ "LABELONE", 512, 8, false }, /* LVM */
	};

	(void)state;
	for (size_t i = 0; i < N_OF(looks); i++) {
		memset(bytes, 'x', sizeof bytes);
		if (looks[i].boots)
			memset(bytes + 446, 0, 64);
		memcpy(bytes + looks[i].at, looks[i].bytes, looks[i].n);
		if (looks[i].boots)
			memcpy(bytes + 510, "\x55\xaa", 2);
		put();
		assert_row(RUN("convert", "-n", "--dry-run", "s", "serial=D", "--erase=D") == 0, i);
		assert_row(strstr(out.text, "in it: ") == NULL, i);
		assert_row(RUN("dd", "--dry-run", "if=s", "of=serial=D", "--erase=D") == 0, i);
	}
	memset(bytes, 'x', sizeof bytes);
	memcpy(bytes + 4096, "EFI PART", 8); /* without a protective MBR */
	put();
	assert_int_equal(RUN("convert", "-n", "--dry-run", "s", "serial=K"), 0);
	memset(bytes, 'x', sizeof bytes);
	memcpy(bytes, "ER", 2);
	memcpy(bytes + 512, "PM\0", 4);
	put();
	assert_int_equal(RUN("convert", "-n", "--dry-run", "s", "serial=D", "--erase=D"), 0);
	memcpy(bytes + 512, "PN\0", 4);
	put();
	assert_refused(RUN("convert", "-n", "s", "serial=D", "--erase=D"));
}

/* What is at the beginning of a file of SOURCE bytes. */
struct cut {
	const char *bytes;
	size_t at, n;
	const char *words; /* of the doubt; NULL: all of it is there */
};

/* Writes a file that begins with that: an MBR, an ISO or a FAT12 of 512 bytes to a sector. */
static void put_cut(const struct cut *cut)
{
	memset(bytes, 0, sizeof bytes);
	memcpy(bytes + 510, "\x55\xaa", 2);
	if (cut->at > 0x8000) {
		memcpy(bytes + 0x8000, "\1CD001\1", 7);
		memcpy(bytes + 0x8080, "\0\x08\x08\0", 4);
	}
	if (cut->at < 446)
		memcpy(bytes, "\xeb\x3c\x90mkfs.fat\0\2\1\1\0\1\x10\0", 19);
	memcpy(bytes + cut->at, cut->bytes, cut->n);
	put();
}

/* `words`: those of the refusal, and of the plan; NULL: there is none. */
static void assert_restore(const char *target, const char *erase, const char *words, size_t row)
{
	assert_row(RUN("restore", "--dry-run", "s", target, erase) ==
			   (words != NULL ? OUTCOME_REFUSED : 0),
		   row);
	if (words != NULL) {
		assert_row(strstr(err.text, words) != NULL, row);
		assert_row(strstr(err.text, "add --truncated") != NULL, row);
		assert_row(strstr(out.text, words) != NULL, row);
	}
	assert_row(RUN("restore", "--dry-run", "--truncated", "s", target, erase) == 0, row);
	assert_row((words != NULL) == (strstr(out.text, "truncated") != NULL), row);
}

/*
 * A table or a file system that reaches past the end of the file: partitions from LBA 1 on, an
 * extended one, the sizes of an ISO and of a FAT.
 */
static void test_truncated(void **state)
{
	static const struct cut cuts[] = {
		{ "\0\1\1\0\x83\1\1\1\1\0\0\0\xff\0\0\0", 446, 16, NULL },
		{ "\0\1\1\0\x83\1\1\1\1\0\0\0\0\1\0\0", 446, 16,
		  "partitions that end after 128 KiB, where the file ends: probably truncated" },
		{ "\0\1\1\0\x05\1\1\1\1\0\0\0\0\1\0\0", 446, 16, "partitions that end" },
		{ "\x40\0\0\0\0\0\0\x40", 0x8050, 8, NULL },
		{ "\x41\0\0\0\0\0\0\x41", 0x8050, 8,
		  "ISO 9660 of 130 KiB, of which only 128 KiB are there: probably truncated" },
		{ "\0\1\xf8\1", 19, 4, NULL },
		{ "\2\1\xf8\1", 19, 4, "FAT12 of 129 KiB, of which only 128 KiB are there" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(cuts); i++) {
		put_cut(&cuts[i]);
		assert_restore("serial=D", "--erase=D", cuts[i].words, i);
		assert_restore("serial=D:1", "--erase=D:1",
			       cuts[i].at == 446 ? NULL : cuts[i].words, i);
		assert_row(RUN("dd", "if=s", "of=serial=D", "--erase=D", "--dry-run") ==
				   (cuts[i].words != NULL ? OUTCOME_REFUSED : 0),
			   i);
		/* the first sectors, which a person asks for, and the first of two files */
		assert_row(RUN("dd", "count=1", "if=s", "of=serial=D", "--erase=D", "--dry-run") ==
				   0,
			   i);
		assert_row(RUN("convert", "-n", "s", "s", "serial=D", "--erase=D", "--dry-run") ==
				   0,
			   i);
	}
	assert_disk_untouched();
}

/* Of another format it is told, and --truncated is for disks and partitions. */
static void test_truncated_elsewhere(void **state)
{
	static const struct cut cut = { "\2\1\xf8\1", 19, 4, NULL };

	(void)state;
	put_cut(&cut);
	MUST("convert", "-O", "qcow2", "s", "q", NULL);
	assert_int_equal(RUN("restore", "--dry-run", "q", "serial=D", "--erase=D"), 0);
	assert_non_null(strstr(out.text, "in it:   FAT12 of 129 KiB"));
	assert_int_equal(RUN("convert", "--truncated", "s", "t"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "--truncated are for a disk"));
	assert_int_equal(RUN("restore", "--truncated", "s", "serial=D", "--erase=D"), 0);
}

/* An ISO without a partition table is no disk, and is said to be none. */
static void test_plain_iso(void **state)
{
	(void)state;
	memset(bytes, 0, sizeof bytes);
	memcpy(bytes + 0x8000, "\1CD001\1", 7);
	put();
	assert_int_equal(RUN("convert", "-n", "--dry-run", "s", "serial=D", "--erase=D"), 0);
	assert_non_null(strstr(out.text,
			       "in it:   ISO 9660 without a partition table: an image of an "
			       "optical disc, not a hybrid one;"));
	assert_int_equal(RUN("convert", "-n", "s", "serial=D", "--erase=D"), 0);
}

/* A partition has no table of its own, and other sources are known to hold a disk. */
static void test_where_it_does_not_matter(void **state)
{
	(void)state;
	put();
	assert_int_equal(RUN("convert", "-n", "--dry-run", "s", "serial=D:1"), 0);
	assert_null(strstr(out.text, "in it: "));
	assert_int_equal(RUN("convert", "-n", "--dry-run", "serial=S", "serial=D", "--erase=D"), 0);
	assert_null(strstr(out.text, "in it: "));
	MUST("convert", "-O", "qcow2", "s", "q", NULL);
	assert_int_equal(RUN("convert", "-n", "--dry-run", "q", "serial=D", "--erase=D"), 0);
	assert_non_null(strstr(out.text, "in it:   no partition table and no known file system\n"));
	assert_int_equal(RUN("convert", "-O", "qcow2", "--dry-run", "s", "serial=D", "--erase=D"),
			 0);
	assert_null(strstr(out.text, "in it: "));
	assert_int_equal(RUN("convert", "--no-table", "s", "t"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "--no-table and --truncated are for a disk"));
	assert_int_equal(RUN("dd", "--no-table", "if=s", "of=t"), EXIT_ERROR);
	assert_disk_untouched();
}

/* What counts is what comes to the beginning of the disk. */
static void test_parts_and_several(void **state)
{
	(void)state;
	memcpy(bytes, "XFSB", 4);
	put();
	sim_file_put("other", bytes + 512, 4096);
	assert_int_equal(RUN("dd", "--dry-run", "if=s", "of=serial=D", "--erase=D"), 0);
	assert_refused(RUN("dd", "bs=512", "skip=1", "if=s", "of=serial=D", "--erase=D"));
	assert_int_equal(RUN("dd", "--dry-run", "bs=512", "count=1", "if=s", "of=serial=D",
			     "--erase=D"),
			 0);
	assert_int_equal(RUN("convert", "-n", "--dry-run", "s", "other", "serial=D", "--erase=D"),
			 0);
	assert_int_equal(RUN("convert", "-n", "other", "s", "serial=D", "--erase=D"),
			 OUTCOME_REFUSED);
	assert_non_null(strstr(err.text, "other has neither"));
}

/* Whatever fails, a doubtful file is not let through; what cannot be read is left to the copy. */
static void test_every_failure(void **state)
{
	bool failed = true;

	(void)state;
	put();
	for (unsigned n = 1; failed; n++) {
		sim_volume_fail(n, ST_IO);
		assert_int_not_equal(RUN("convert", "-n", "s", "serial=D", "--erase=D"), 0);
		failed = sim_volume_failed();
		sim_volume_fail(0, ST_OK);
		assert_disk_untouched();
	}
	failed = true;
	for (unsigned n = 1; failed; n++) {
		sim_fail_allocation(n);
		assert_int_not_equal(RUN("convert", "-n", "s", "serial=D", "--erase=D"), 0);
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
		assert_disk_untouched();
	}
	sim_volume_bad("s", 0x10000, 1);
	assert_int_equal(RUN("convert", "-n", "s", "serial=D", "--erase=D"), OUTCOME_DEVICE_ERROR);
	assert_non_null(strstr(err.text, "s: reading its beginning: "));
	assert_disk_untouched();
	assert_int_equal(RUN("convert", "-n", "--salvage", "--no-table", "s", "serial=D",
			     "--erase=D"),
			 OUTCOME_LOST);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_trial_a2_no_table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_no_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_a_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncated_elsewhere, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_plain_iso, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_where_it_does_not_matter, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parts_and_several, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_failure, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
