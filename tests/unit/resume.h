/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "machine.h"
#include "powercut.h"
#include "record/journal.h"
#include "record/outcome.h"
#include "run.h"
#include "verdict.h"

/* Captures and restores that are interrupted and gone on with. */

enum { MIB = 1 << 20, DISK = 3 * MIB + 4096, CALLS_MAX = 20000 }; /* where ONLY leaves out most */

static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB };
static const uint64_t always = 10000000000, never = 1;
static uint8_t bytes[DISK];

static const struct sim_device machine[] = {
	{ "blk0:",
	  { .path = (char *)"Pci(0x1)",
	    .parent = DEVICE_NO_PARENT,
	    .bus = "NVMe",
	    .serial = (char *)"D",
	    .size_bytes = DISK,
	    .block_bytes = 512,
	    .medium = true,
	    .flushes = true } },
	{ "blk1:",
	  { .path = (char *)"Pci(0x2)",
	    .parent = DEVICE_NO_PARENT,
	    .bus = "NVMe",
	    .serial = (char *)"E",
	    .size_bytes = DISK,
	    .block_bytes = 512,
	    .medium = true,
	    .flushes = true } },
};

static const char *const capture[] = { "convert", "-O", "qcow2", "serial=D", "t", NULL };
static const char *const capture_packed[] = { "convert",  "-c", "-O",
					      "qcow2",    "-o", "compression_type=zstd",
					      "serial=D", "t",  NULL };
static const char *const capture_raw[] = { "convert", "serial=D", "t", NULL };
static const char *const capture_split[] = { "convert", "--split=2M", "serial=D", "t", NULL };
static const char *const capture_qed[] = { "convert",          "-O",       "qed", "-o",
					   "cluster_size=16k", "serial=D", "t",   NULL };
static const char *const capture_qcow[] = { "convert", "-c", "-O", "qcow", "serial=D", "t", NULL };
static const char *const restore[] = { "convert", "--no-table", "-n",        "-f", "raw",
				       "source",  "serial=E",   "--erase=E", NULL };

static const struct row {
	const char *name;
	const char *const *words;
	const char *target, *journal;
	bool many; /* writes, of small clusters: not for a cut at each */
} rows[] = {
	{ "capture", capture, "t", "t.resume", false },
	{ "capture-packed", capture_packed, "t", "t.resume", false },
	{ "capture-raw", capture_raw, "t", "t.resume", false },
	{ "capture-split", capture_split, "t", "t.resume", false },
	{ "restore", restore, "other", "source.restore-d07c4eb6", false },
	{ "capture-qed", capture_qed, "t", "t.resume", false },
	/* it cannot be repaired */
	{ "capture-qcow", capture_qcow, "t", "t.resume", true },
};

/* Noise, words and zeros, which begin and end anywhere. */
static int make_bytes(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < DISK; i++) {
		size_t what = i / 200000 % 3;
		uint32_t value = dice(&seed);

		bytes[i] = (uint8_t)(what == 0 ? value : what == 1 ? value & 3 : 0);
	}
	return 0;
}

/* Two disks, and an image of one. */
static void set_up_files(void)
{
	static uint8_t blank[DISK];

	sim_volume(&kind);
	sim_file_put("disk", bytes, DISK);
	sim_file_put("source", bytes, DISK);
	sim_file_put("other", blank, DISK);
	sim_machine(machine, 2);
	sim_machine_files(0, "disk", NULL);
	sim_machine_files(1, "other", NULL);
}

static int set_up(void **state)
{
	(void)state;
	set_up_files();
	sim_clock_step(always);
	return 0;
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

static int run_with(const struct row *row, const char *option)
{
	const char *words[WORDS] = { row->words[0], option };

	for (size_t i = 1; row->words[i] != NULL; i++)
		words[i + 1] = row->words[i];
	return run(words);
}

static int go_on_with(const struct row *row)
{
	return run_with(row, "--resume");
}

/* It is all there. */
static void assert_whole(const struct row *row, const char *where)
{
	uint64_t n;

	if (row->words == restore) {
		if (memcmp(sim_file("other", &n), bytes, DISK) != 0)
			wrong("%s: the disk is not what it should be", where);
	} else {
		if (RUN("compare", "t", "serial=D") != EXIT_OK)
			wrong("%s: %s%s", where, out.text, err.text);
		if (row->words != capture_raw && row->words != capture_split &&
		    RUN("check", "t") != EXIT_OK)
			wrong("%s: %s%s", where, out.text, err.text);
	}
	if (sim_file(row->journal, &n) != NULL)
		wrong("%s: the journal is still there", where);
}

/* Stops it when it has come about half way. */
static void interrupt(const struct row *row)
{
	for (unsigned n = 3;; n++) {
		set_up_files();
		sim_cancel(n);
		assert_int_equal(run(row->words), OUTCOME_STOPPED);
		sim_cancel(0);
		if (strstr(err.text, "has 2097152 of") != NULL)
			return;
	}
}
