/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "machine.h"
#include "powercut.h"
#include "record/outcome.h"
#include "run.h"
#include "tables.h"
#include "volume.h"

/* A simulated disk to restore to: its machine, what is on it before and after, and the sources. */

enum { MIB = 1 << 20, DISK = MIB + (MIB >> 1), SOURCE = DISK - 1024, SMALLER = MIB + (MIB >> 2) };

static struct sim_volume_kind kind = { .free_bytes = 64 * MIB };
static uint8_t before[DISK], after[DISK];

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
};

/* A source that is a smaller disk with a GPT. */
static void put_gpt(const uint8_t *bytes)
{
	static const struct sim_part parts[] = { { sim_linux, 40, 2000, "root" } };
	struct memory_blk *disk = memory_blk_new(
		&(struct memory_blk_kind){ .size = SMALLER, .block_bytes = 512 });

	memcpy(disk->bytes, bytes, SMALLER);
	memset(disk->bytes, 0, 512);
	memset(disk->bytes + 1024, 0, 128 * 128);
	sim_gpt(disk, parts, N_OF(parts));
	sim_file_put("gpt", disk->bytes, SMALLER);
	blk_close(&disk->blk);
}

/* A disk full of something, and a source with data, zeros and something at both ends. */
static struct sim_files set_up(void)
{
	static uint8_t source[SOURCE];

	for (size_t i = 0; i < SOURCE; i++)
		source[i] = i / 70000 % 3 == 1 ? 0 : (uint8_t)(i * 13 + i / 512 + 1);
	memset(before, 0x11, sizeof before);
	memcpy(after, before, sizeof after);
	memcpy(after, source, SOURCE);
	sim_volume(&kind);
	sim_file_put("disk", before, DISK);
	sim_file_put("source", source, SOURCE);
	put_gpt(source);
	sim_machine(machine, 1);
	sim_machine_files(0, "disk", NULL);
	return sim_files_keep();
}

static void tear_down(struct sim_files *files)
{
	sim_machine(NULL, 0);
	sim_files_drop(files);
	sim_volume(&kind);
	capture_free(&out);
	capture_free(&err);
	assert_int_equal(sim_allocations(), 0);
}

static const char *const restore[] = { "convert", "--no-table", "-n",        "-f", "raw",
				       "source",  "serial=D",   "--erase=D", NULL };
