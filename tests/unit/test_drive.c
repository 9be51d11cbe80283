/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What drives answer, taken apart; the words for it; and that the list has them. The answers are
 * made by the specifications' tables, one field at a time.
 */
#include "unit.h"

#include "cli/command.h"
#include "cli/dispatch.h"
#include "disk/drive_note.h"
#include "machine.h"
#include "platform/drive.h"

/* ---- Answers ---- */

static void put(uint8_t *answer, size_t at, uint64_t value, size_t n, bool big_endian)
{
	for (size_t i = 0; i < n; i++)
		answer[at + (big_endian ? n - 1 - i : i)] = (uint8_t)(value >> 8 * i);
}

/* IDENTIFY DEVICE of a drive of `sectors` with LBA48, whose features are `on`. */
static void make_identity(uint8_t answer[static DRIVE_ATA_BYTES], uint32_t on, uint32_t security,
			  uint64_t sectors)
{
	memset(answer, 0, DRIVE_ATA_BYTES);
	put(answer, 2 * 82, on, 2, false);
	put(answer, 2 * 83, 0x4400, 2, false);
	put(answer, 2 * 85, on, 2, false);
	put(answer, 2 * 87, 0x4000, 2, false);
	put(answer, 2 * 100, sectors, 6, false);
	put(answer, 2 * 128, security, 2, false);
}

static void test_ata(void **state)
{
	static const struct {
		uint32_t security;
		bool password, locked;
	} rows[] = {
		{ 0, false, false },          { 1, false, false },
		{ 3, true, false },           { 7, true, true },
		{ 6, false, false },    /* not supported: nothing is said */
		{ 0x29, false, false }, /* frozen, and no password */
		{ UINT16_MAX, false, false },
	};
	uint8_t answer[DRIVE_ATA_BYTES];
	struct drive_facts facts;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		facts = (struct drive_facts){ 0 };
		make_identity(answer, 0, rows[i].security, 1000);
		drive_take_ata(&facts, answer);
		assert_row(facts.ata_password == rows[i].password, i);
		assert_row(facts.ata_locked == rows[i].locked, i);
		assert_false(facts.has_hpa || drive_ata_has_smart(answer));
	}
	make_identity(answer, 1 << 10 | 1, 0, 1000);
	drive_take_ata(&facts, answer);
	assert_true(facts.has_hpa && drive_ata_has_smart(answer));
	/* what is not valid, of a drive that answers the same everywhere */
	for (unsigned byte = 0; byte < 256; byte += 255) {
		memset(answer, (int)byte, sizeof answer);
		facts = (struct drive_facts){ 0 };
		drive_take_ata(&facts, answer);
		assert_false(facts.has_hpa || facts.ata_password || drive_ata_has_smart(answer));
	}
}

static void test_hidden_sectors(void **state)
{
	uint8_t answer[DRIVE_ATA_BYTES];
	struct drive_facts facts = { 0 };

	(void)state;
	make_identity(answer, 1 << 10, 0, 1000);
	drive_take_native(&facts, answer, 0);
	drive_take_native(&facts, answer, 999);
	drive_take_native(&facts, answer, 1000);
	assert_int_equal(facts.hidden_bytes, 0);
	drive_take_native(&facts, answer, 1010);
	assert_int_equal(facts.hidden_bytes, 10 * 512);
	put(answer, 2 * 106, 0x5000, 2, false); /* sectors of 2048 words */
	put(answer, 2 * 117, 2048, 4, false);
	drive_take_native(&facts, answer, 1010);
	assert_int_equal(facts.hidden_bytes, 10 * 4096);
	put(answer, 2 * 117, UINT32_MAX, 4, false);
	drive_take_native(&facts, answer, UINT64_MAX);
	assert_int_equal(facts.hidden_bytes, 0); /* absurd */
}

/* DEVICE CONFIGURATION IDENTIFY of a drive that was made with so many sectors. */
static void make_overlay(uint8_t overlay[static DRIVE_OVERLAY_BYTES], uint64_t sectors)
{
	uint8_t sum = 0;

	memset(overlay, 0, DRIVE_OVERLAY_BYTES);
	put(overlay, 0, 2, 2, false);
	put(overlay, 6, sectors - 1, 6, false);
	overlay[510] = 0xa5;
	for (size_t i = 0; i < DRIVE_OVERLAY_BYTES; i++)
		sum = (uint8_t)(sum + overlay[i]);
	overlay[511] = (uint8_t)-sum;
}

static void test_overlay(void **state)
{
	static const struct {
		uint64_t native, made, hidden;
	} rows[] = {
		{ 1000, 1000, 0 }, { 1000, 999, 0 },  { 1000, 1008, 8 },
		{ 1010, 1010, 0 }, { 1010, 1012, 2 }, { 0, 1008, 8 },
	};
	uint8_t answer[DRIVE_ATA_BYTES], overlay[DRIVE_OVERLAY_BYTES];
	struct drive_facts facts = { 0 };

	(void)state;
	make_identity(answer, 0, 0, 1000);
	drive_take_ata(&facts, answer);
	assert_false(facts.has_dco);
	put(answer, 2 * 83, 0x4c00, 2, false);
	drive_take_ata(&facts, answer);
	assert_false(facts.has_dco);
	put(answer, 2 * 86, 0x0800, 2, false);
	drive_take_ata(&facts, answer);
	assert_true(facts.has_dco && !facts.has_hpa);
	for (size_t i = 0; i < N_OF(rows); i++) {
		facts.overlay_bytes = 0;
		make_overlay(overlay, rows[i].made);
		drive_take_overlay(&facts, answer, overlay, rows[i].native);
		assert_row(facts.overlay_bytes == rows[i].hidden * 512, i);
	}
	/* what the host protected area hides is not known */
	facts = (struct drive_facts){ .has_hpa = true, .has_dco = true };
	drive_take_overlay(&facts, answer, overlay, 0);
	assert_int_equal(facts.overlay_bytes, 0);
	drive_take_overlay(&facts, answer, overlay, 1000);
	assert_int_equal(facts.overlay_bytes, 8 * 512);
	/* a checksum that is wrong, or not there */
	facts.overlay_bytes = 0;
	overlay[100]++;
	drive_take_overlay(&facts, answer, overlay, 1000);
	overlay[511]--;
	overlay[510]--;
	overlay[511]++;
	drive_take_overlay(&facts, answer, overlay, 1000);
	assert_int_equal(facts.overlay_bytes, 0);
}

static void test_nvme(void **state)
{
	static uint8_t answer[DRIVE_NVME_BYTES], health[DRIVE_NVME_HEALTH_BYTES];
	struct drive_facts facts = { 0 };

	(void)state;
	put(answer, 296, 4096, 8, false);
	drive_take_nvme(&facts, answer);
	assert_int_equal(facts.nvme_unallocated, 0); /* no management of namespaces */
	put(answer, 256, 1 << 3, 2, false);
	drive_take_nvme(&facts, answer);
	assert_int_equal(facts.nvme_unallocated, 4096);
	answer[311] = 1;
	drive_take_nvme(&facts, answer);
	assert_true(facts.nvme_unallocated == UINT64_MAX);
	health[0] = 0x0c;
	put(health, 160, 7, 8, false);
	drive_take_nvme_health(&facts, health);
	assert_int_equal(facts.nvme_warning, 0x0c);
	assert_int_equal(facts.nvme_errors, 7);
}

/* Level 0 discovery with a feature that nobody knows, and Locking after it. */
static size_t make_discovery(uint8_t answer[static DRIVE_TCG_BYTES], uint8_t flags)
{
	memset(answer, 0, DRIVE_TCG_BYTES);
	put(answer, 0, 48 - 4 + 16 + 16, 4, true);
	put(answer, 48, 0x0001, 2, true);
	answer[51] = 12;
	answer[52] = 0xff;
	put(answer, 64, 0x0002, 2, true);
	answer[67] = 12;
	answer[68] = flags;
	return 48 + 16 + 16;
}

static void test_tcg(void **state)
{
	static const struct {
		uint8_t flags;
		bool shadow, locked;
	} rows[] = {
		{ 0x01, false, false }, { 0x03, false, false }, { 0x13, true, false },
		{ 0x17, true, true },   { 0x33, false, false }, { 0x07, false, true },
	};
	uint8_t answer[DRIVE_TCG_BYTES];
	struct drive_facts facts;
	size_t length;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		facts = (struct drive_facts){ 0 };
		length = make_discovery(answer, rows[i].flags);
		drive_take_tcg(&facts, answer, DRIVE_TCG_BYTES);
		assert_row(facts.opal_shadow == rows[i].shadow, i);
		assert_row(facts.opal_locked == rows[i].locked, i);
	}
	/* cut off anywhere before the flags, by its own length or by ours, it says nothing */
	for (size_t n = 0; n <= length; n++) {
		facts = (struct drive_facts){ 0 };
		(void)make_discovery(answer, 0x17);
		drive_take_tcg(&facts, answer, n);
		assert_row(facts.opal_shadow == (n > 68), n);
	}
	put(answer, 0, 48 - 4 + 16, 4, true);
	facts = (struct drive_facts){ 0 };
	drive_take_tcg(&facts, answer, DRIVE_TCG_BYTES);
	assert_false(facts.opal_shadow);
	memset(answer, 0xff, sizeof answer);
	drive_take_tcg(&facts, answer, DRIVE_TCG_BYTES);
	assert_false(facts.opal_shadow);
}

/* ---- Words ---- */

static void test_words(void **state)
{
	static const struct {
		struct drive_facts facts;
		const char *words;
	} rows[] = {
		{ { 0 }, "" },
		{ { .has_hpa = true }, "" },
		{ { .opal_shadow = true, .opal_locked = true },
		  "the drive shows its pre-boot area (Opal shadow MBR) instead of its first 128 "
		  "MB, so an image of it has the wrong contents: unlock it by its pre-boot "
		  "program, and start efi-img without powering off" },
		{ { .opal_locked = true }, "the drive is locked (Opal): unlock it first" },
		{ { .ata_password = true, .ata_locked = true },
		  "the drive is locked by an ATA password, and no sector of it can be read: "
		  "unlock it in the firmware's settings" },
		{ { .ata_password = true },
		  "the drive has an ATA password, which no image and no other drive gets" },
		{ { .failing = true, .nvme_errors = 3 },
		  "the drive expects to fail soon (SMART): copy it now, with --salvage; the drive "
		  "has counted 3 media errors" },
		{ { .nvme_warning = 0x0d },
		  "the drive warns: its spare blocks are nearly used up, it has become "
		  "unreliable, it has made itself read-only" },
		{ { .nvme_warning = 0x80 }, "the drive warns: 0x80" },
		{ { .hidden_bytes = 1 << 20, .nvme_hidden = 1 },
		  "1 MiB at its end are hidden (host protected area), and not in an image; 1 more "
		  "namespace of the drive is not shown by the firmware, and not in an image" },
		{ { .hidden_bytes = 1 << 20, .overlay_bytes = 2 << 20 },
		  "1 MiB at its end are hidden (host protected area), and not in an image; 2 MiB "
		  "at its end are hidden (device configuration overlay), and not in an image" },
		{ { .nvme_hidden = 2, .nvme_unallocated = 4096 },
		  "2 more namespaces of the drive are not shown by the firmware, and not in an "
		  "image; 4 KiB of the drive belong to no namespace" },
	};
	char text[DRIVE_NOTE];
	struct out_buffer out;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		out_buffer_init(&out, text, sizeof text);
		drive_note_print(&rows[i].facts, &out.out);
		assert_string_equal(text, rows[i].words);
	}
}

/* The whole of it fits, and the worst comes first. */
static void test_longest(void **state)
{
	const struct drive_facts all = { .ata_password = true,
					 .ata_locked = true,
					 .failing = true,
					 .hidden_bytes = UINT64_MAX,
					 .overlay_bytes = UINT64_MAX,
					 .opal_shadow = true };
	const struct drive_facts nvme = { .nvme_warning = 0x3f,
					  .nvme_errors = UINT64_MAX,
					  .nvme_unallocated = UINT64_MAX,
					  .nvme_hidden = 1024,
					  .opal_shadow = true };
	char text[DRIVE_NOTE];
	struct out_buffer out;

	(void)state;
	out_buffer_init(&out, text, sizeof text);
	drive_note_print(&all, &out.out);
	assert_false(out.out.failed);
	out_buffer_init(&out, text, sizeof text);
	drive_note_print(&nvme, &out.out);
	assert_false(out.out.failed);
	assert_ptr_equal(strstr(text, "the drive shows its pre-boot area"), text);
}

static void test_controllers(void **state)
{
	static const struct {
		struct idle_controller controller;
		const char *words;
	} rows[] = {
		{ { .vendor = 0x8086, .device = 0x9a0b, .subclass = 4 },
		  "RAID controller PCI 8086:9a0b, so disks on it are not listed: switch RAID, RST "
		  "or VMD to AHCI or NVMe" },
		{ { .vendor = 0x1022, .device = 0x43bd, .subclass = 4 },
		  "RAID controller PCI 1022:43bd, so disks on it are not listed: switch it from "
		  "RAID to AHCI" },
		{ { .vendor = 0x1000, .device = 0x0060, .subclass = 7 },
		  "SAS controller PCI 1000:0060, so disks on it are not listed: look for it" },
		{ { .vendor = 1, .device = 2, .subclass = 0x80 },
		  "storage controller PCI 0001:0002" },
	};
	char text[256];
	struct out_buffer out;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		out_buffer_init(&out, text, sizeof text);
		idle_controller_print(&rows[i].controller, &out.out);
		assert_false(out.out.failed);
		if (strstr(text, rows[i].words) == NULL)
			fail_msg("row %zu: %s", i, text);
	}
}

/* ---- The list ---- */

static void test_list(void **state)
{
	const struct sim_device disk = {
		.names = "blk0:",
		.device = { .parent = DEVICE_NO_PARENT,
			    .path = (char *)"Pci(1,0)",
			    .bus = "NVMe",
			    .model = (char *)"M",
			    .serial = (char *)"S",
			    .drive.nvme_warning = 4 },
	};
	const char *argv[] = { "list", "--output=json" };
	struct capture out, err;
	struct console console = { .out = &out.out, .err = &err.out };

	(void)state;
	sim_machine(&disk, 1);
	for (int argc = 1; argc <= 2; argc++) {
		capture_init(&out);
		capture_init(&err);
		assert_int_equal(cli_run(&console, argc, (char **)(uintptr_t)argv), EXIT_OK);
		if (strstr(out.text, argc == 1 ? "  ! the drive warns: it has become unreliable\n"
					       : "\"drive-note\": \"the drive warns: it has "
						 "become unreliable\"") == NULL)
			fail_msg("%s", out.text);
		capture_free(&out);
		capture_free(&err);
	}
	sim_machine(NULL, 0);
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ata),     cmocka_unit_test(test_hidden_sectors),
		cmocka_unit_test(test_overlay), cmocka_unit_test(test_nvme),
		cmocka_unit_test(test_tcg),     cmocka_unit_test(test_words),
		cmocka_unit_test(test_longest), cmocka_unit_test(test_controllers),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
