/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "machine.h"
#include "menu/menu.h"
#include "run.h"
#include "tables.h"
#include "terminal.h"
#include "volume.h"

/*
 * The menu, driven by keys. What stands on the screen at each \7 is compared with
 * tests/unit/screens/NAME.txt; with UPDATE_SCREENS=1 in the environment it is written there
 * instead, to be read.
 */

enum { MIB = 1 << 20, DISK = MIB + (MIB >> 1), SOURCE = MIB };

#define L   "\7" /* look */
#define CR  "\r"
#define ESC "\33\6" /* alone: nothing follows in time */

static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB };

/*
 * The stick, a disk with something on it, a blank one, one with other sectors, and a drive without
 * a medium.
 */
static const struct sim_device machine[] = {
	{ "fs0: blk0:",
	  { .path = (char *)"Usb(0x1)",
	    .parent = DEVICE_NO_PARENT,
	    .bus = "USB",
	    .model = (char *)"SanDisk Ultra",
	    .serial = (char *)"4C530001",
	    .size_bytes = MIB,
	    .block_bytes = 512,
	    .medium = true,
	    .removable = true,
	    .started_from = true,
	    .flushes = true,
	    .volume = { .present = true,
			.label = (char *)"STICK",
			.size_bytes = 64 * MIB,
			.free_bytes = 60 * MIB } } },
	{ "blk1:",
	  { .path = (char *)"Pci(0x1)",
	    .parent = DEVICE_NO_PARENT,
	    .bus = "NVMe",
	    .model = (char *)"Samsung SSD 980",
	    .serial = (char *)"S4X9R12",
	    .size_bytes = DISK,
	    .block_bytes = 512,
	    .medium = true,
	    .flushes = true } },
	{ "blk2:",
	  { .path = (char *)"Pci(0x2)",
	    .parent = DEVICE_NO_PARENT,
	    .bus = "SATA",
	    .model = (char *)"WDC WD10EZEX-08WN4A0",
	    .serial = (char *)"WD-WCC3F77",
	    .size_bytes = DISK,
	    .block_bytes = 512,
	    .medium = true,
	    .flushes = true } },
	{ "blk3:",
	  { .path = (char *)"Pci(0x3)",
	    .parent = DEVICE_NO_PARENT,
	    .bus = "NVMe",
	    .model = (char *)"KIOXIA",
	    .serial = (char *)"Y0F1230A",
	    .size_bytes = DISK,
	    .block_bytes = 4096,
	    .medium = true,
	    .flushes = true } },
	{ "blk4:",
	  { .path = (char *)"Pci(0x4)",
	    .parent = DEVICE_NO_PARENT,
	    .bus = "SATA",
	    .model = (char *)"DVD",
	    .removable = true } },
};

static uint8_t source[DISK];

static void plug_in(size_t n)
{
	static const char *const files[] = { "stick", "nvme", "sata", "kioxia", NULL };

	sim_machine(machine, n);
	for (size_t i = 0; i < n; i++)
		sim_machine_files(i, files[i], i == 0 ? "fs0:" : NULL);
}

enum { MANY = 40 };

/* Instead, so many disks that they need pages. */
static inline void plug_in_many(void)
{
	static struct sim_device many[MANY];
	static char names[MANY][8], serials[MANY][8];

	for (size_t i = 0; i < MANY; i++) {
		snprintf(names[i], sizeof names[i], "blk%zu:", i);
		snprintf(serials[i], sizeof serials[i], "SER-%zu", i);
		many[i] = machine[1];
		many[i].names = names[i];
		many[i].device.serial = serials[i];
	}
	sim_machine(many, MANY);
}

/* A disk with a GPT and data, and an image of it in a raw file. */
static void set_up(void)
{
	static const struct sim_part parts[] = { { sim_esp, 40, 500, "EFI system" },
						 { sim_linux, 501, 2000, "root" } };
	static const uint8_t zeros[DISK];
	struct memory_blk *disk = memory_blk_new(
		&(struct memory_blk_kind){ .size = SOURCE, .block_bytes = 512 });

	sim_volume(&kind);
	for (size_t i = 300 * 512; i < SOURCE - 40 * 512; i++)
		disk->bytes[i] = (uint8_t)(i * 7 + i / 512);
	sim_gpt(disk, parts, N_OF(parts));
	memset(source, 0, sizeof source);
	memcpy(source, disk->bytes, SOURCE);
	sim_file_put("fs0:\\pc.raw", disk->bytes, SOURCE);
	sim_file_put("fs0:\\images\\small.raw", disk->bytes, SOURCE);
	sim_file_put("nvme", source, DISK);
	blk_close(&disk->blk);
	sim_file_put("stick", zeros, MIB);
	sim_file_put("sata", zeros, DISK);
	sim_file_put("kioxia", zeros, DISK);
	plug_in(N_OF(machine));
}

static void tear_down(void)
{
	sim_machine(NULL, 0);
	sim_volume(&kind);
	capture_free(&out);
	capture_free(&err);
	assert_int_equal(sim_allocations(), 0);
}

/* ---- what is looked at ---- */

struct watch {
	struct capture text;
	unsigned looks;
	void (*act)(unsigned look); /* what happens to the machine meanwhile */
};

static void look(void *user)
{
	struct watch *watch = user;

	out_printf(&watch->text.out, "---- %u ----\n%s", ++watch->looks, sim_terminal_text());
	if (watch->act != NULL)
		watch->act(watch->looks);
}

static void compare(const char *name, const char *text)
{
	char path[128];
	char *wanted = NULL;
	size_t n = 0;
	FILE *file;

	snprintf(path, sizeof path, "tests/unit/screens/%s.txt", name);
	if (getenv("UPDATE_SCREENS") != NULL) {
		file = fopen(path, "w");
		assert_non_null(file);
		fputs(text, file);
		fclose(file);
		return;
	}
	file = fopen(path, "r");
	if (file == NULL || getdelim(&wanted, &n, '\0', file) < 0)
		fail_msg("%s cannot be read", path);
	fclose(file);
	if (strcmp(wanted, text) != 0)
		fail_msg("%s is not what is shown:\n%s", path, text);
	free(wanted);
}

/* Runs the menu; all keys are taken, unless it is left before. */
static inline enum menu_end drive(const char *name, unsigned rows, const char *keys,
				  void (*act)(unsigned))
{
	struct watch watch = { .act = act };
	enum menu_end end;

	capture_init(&watch.text);
	end = menu_run(sim_terminal(rows, keys, look, &watch));
	assert_int_equal(sim_terminal_keys(), 0);
	if (name != NULL)
		compare(name, watch.text.text);
	capture_free(&watch.text);
	return end;
}
