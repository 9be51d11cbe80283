/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What goes together in a copy: each rule of copy/request.c, broken by a command line, is reported
 * with its own words, before the sources are opened and before anything is made.
 */
#include "machine.h"
#include "run.h"

enum { MIB = 1 << 20 };

static const struct sim_device machine[] = {
	{ "blk0:",
	  { .path = (char *)"Pci(0x1)",
	    .parent = DEVICE_NO_PARENT,
	    .serial = (char *)"D",
	    .size_bytes = MIB,
	    .block_bytes = 512,
	    .medium = true,
	    .flushes = true } },
};

static int set_up(void **state)
{
	static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB };
	static const uint8_t blank[MIB];

	(void)state;
	sim_volume(&kind);
	sim_file_put("disk", blank, MIB);
	sim_machine(machine, N_OF(machine));
	sim_machine_files(0, "disk", NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sim_machine(NULL, 0);
	capture_free(&out);
	capture_free(&err);
	return 0;
}

static const char long_options[] =
	"compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,"
	"compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,"
	"compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,"
	"compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,"
	"compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,"
	"compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1,compat=1.1";

/* "absent" does not exist: the rule is reported, not that. "t" must not be made. */
static const struct {
	const char *says;
	const char *words[WORDS];
} rules[] = {
	{ "options --erase, --gpt, --no-table and --truncated are for a disk or a partition as "
	  "target",
	  { "convert", "--erase=D", "absent", "t" } },
	{ "options --erase, --gpt, --no-table and --truncated are for",
	  { "convert", "--gpt=keep", "absent", "t" } },
	{ "options --erase, --gpt, --no-table and --truncated are for",
	  { "dd", "--no-table", "if=absent", "of=t" } },
	{ "options --erase, --gpt, --no-table and --truncated are for",
	  { "dd", "--truncated", "if=absent", "of=t" } },
	{ "option --bmap: only raw images have a block map",
	  { "convert", "-O", "qcow2", "--bmap=b", "absent", "t" } },
	{ "option --bmap: onto a disk, it takes the block map of one raw image",
	  { "convert", "-n", "--bmap=b", "absent", "absent", "serial=D" } },
	{ "options --bmap and --map: a part of a disk has no block map",
	  { "convert", "-n", "--bmap=b", "--map=m", "--salvage", "absent", "serial=D" } },
	{ "option --dry-run is for a disk, a partition or a new image",
	  { "convert", "-n", "--dry-run", "absent", "t" } },
	{ "option --split is for a new image in a file",
	  { "convert", "-n", "--split=1M", "absent", "t" } },
	{ "option --split is for a new image in a file",
	  { "convert", "--split=1M", "absent", "serial=D" } },
	{ "option --target-is-zero needs -n", { "convert", "--target-is-zero", "absent", "t" } },
	{ "options -o and -B are for a new target",
	  { "convert", "-n", "-o", "size=1M", "absent", "t" } },
	{ "options -o and -B are for a new target",
	  { "convert", "-n", "-O", "qcow2", "-B", "b", "-F", "raw", "absent", "t" } },
	{ "options -o and -B are for a new image; the disk serial=D is written over as it "
	  "is",
	  { "convert", "-o", "size=1M", "absent", "serial=D" } },
	{ "option -n: an image that is on the disk serial=D cannot be written to",
	  { "convert", "-n", "-O", "qcow2", "absent", "serial=D" } },
	{ "option -c: images of format raw cannot be compressed",
	  { "convert", "-c", "absent", "t" } },
	{ "option --bitmaps: images of format raw have no bitmaps",
	  { "convert", "--bitmaps", "absent", "t" } },
	{ "option -c: the data in a data_file cannot be compressed",
	  { "convert", "-c", "-O", "qcow2", "-o", "data_file=d", "absent", "t" } },
	{ "option -c: compressed clusters cannot be preallocated (preallocation=metadata)",
	  { "convert", "-c", "-O", "qcow2", "-o", "preallocation=metadata", "absent", "t" } },
	{ "a backing file (-B, backing_file) needs a single source",
	  { "convert", "-O", "qcow2", "-B", "b", "-F", "raw", "absent", "absent", "t" } },
	{ "option --map: it takes a file, and a single source",
	  { "convert", "--map=m", "absent", "absent", "t" } },
	{ "option --map: it takes a file, and a single source",
	  { "convert", "--map=serial=D", "absent", "t" } },
	{ "option --skip-broken-bitmaps needs --bitmaps",
	  { "convert", "--skip-broken-bitmaps", "absent", "t" } },
	{ "option --bitmaps: bitmaps can only be copied from one source",
	  { "convert", "--bitmaps", "-O", "qcow2", "absent", "absent", "t" } },
	{ "option -l: a snapshot can only be copied from one source",
	  { "convert", "-l", "1", "absent", "absent", "t" } },
	{ "options --manifest and -B: ",
	  { "convert", "--manifest=m", "-O", "qcow2", "-B", "b", "-F", "raw", "absent", "t" } },
	{ "options --manifest and -B: ",
	  { "convert", "--manifest=m", "-O", "qcow2", "-o", "backing_file=b,backing_fmt=raw",
	    "absent", "t" } },
	{ "option --resume: only a copy of a disk into a new image file",
	  { "convert", "--resume", "absent", "t" } },
	{ "option --resume: only a copy of a disk into a new image file",
	  { "convert", "--resume", "-O", "qcow2", "-B", "b", "-F", "raw", "serial=D", "t" } },
	{ "options --resume and --force: ", { "convert", "--resume", "--force", "serial=D", "t" } },
	{ "option --resume: the options that decide what is written are too long",
	  { "convert", "--resume", "-O", "qcow2", "-o", long_options, "serial=D", "t" } },
};

static void each_rule(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rules); i++) {
		uint64_t n;

		assert_row(run(rules[i].words) != EXIT_OK, i);
		if (strstr(err.text, rules[i].says) == NULL)
			fail_msg("row %zu: %s", i, err.text);
		assert_row(sim_file("t", &n) == NULL && sim_file("m", &n) == NULL, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_rule, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
