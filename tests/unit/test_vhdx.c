/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * VHDX images made by hand: what their disk is, with sectors of both sizes and with parents; each
 * field that makes no sense is refused with words that name it. The log: test_vhdx_log.c.
 */
#include "vhdx.h"

#define H1(field)   HEADER_1 + (field)
#define BOTH(f)     REGIONS_1 + (f), REGIONS_2 + (f)
#define ITEM(i, f)  METADATA + 32 * ((i) + 1) + (f)
#define ENTRY_VALUE 8

/* One absurd field; `also`: of the copy, or 0. */
static const struct {
	uint64_t at, also;
	size_t n;
	uint64_t value;
	const char *words;
} rows[] = {
	{ 0, 0, 1, 'x', "" /* raw */ },
	{ H1(66), 0, 2, 2, "version 2 of the format" },
	{ H1(68), 0, 4, MIB + 4096, "log length in its header, 0x101000" },
	{ H1(72), 0, 8, MIB + 512, "log offset in its header, 0x100200" },
	{ H1(72), 0, 8, BAT, "overlaps its log" },
	{ H1(72), 0, 8, 0, "overlaps its header section" },
	{ H1(72), 0, 8, UINT64_C(1) << 60, "past all limits" },
	{ H1(8), 0, 8, UINT64_MAX, "sequence number in its header" },
	{ BOTH(0), 4, 0,
	  "neither of its region tables is valid: that at 0x30000 has no signature" },
	{ BOTH(8), 4, 2048, "has 2048 entries, and there can be 2047" },
	{ BOTH(8), 4, 1, "does not say where the metadata is" },
	{ BOTH(8), 4, 0, "does not say where the block allocation table" },
	{ BOTH(16), 1, 0, "is required, and unknown" },
	{ BOTH(32), 8, BAT + 512, "are not whole MiB" },
	{ BOTH(32), 8, 0, "overlaps its header section" },
	{ BOTH(32), 8, METADATA, "overlaps its" },
	{ BOTH(32), 8, LOG, "overlaps its log" },
	{ BOTH(32), 8, UINT64_MAX << 20, "past all limits" },
	{ BOTH(32), 8, 64 * MIB, "is past the end of the file" },
	{ BOTH(40), 4, 0, "are not whole MiB" },
	{ BOTH(40), 4, 4096, "are not whole MiB" },
	{ BOTH(72), 4, 64 * MIB, "is past the end of the file" },
	{ METADATA, 0, 1, 'x', "metadata table, at 0x300000, has no signature" },
	{ METADATA + 10, 0, 2, 2048, "metadata table has 2048 entries" },
	{ METADATA + 10, 0, 2, 4, "has no physical sector size" },
	{ METADATA + 10, 0, 2, 0, "has no file parameters" },
	{ ITEM(0, 0), 0, 1, 0, "is required, and unknown" },
	{ ITEM(0, 16), 0, 4, 65535, "is not in the metadata region" },
	{ ITEM(1, 16), 0, 4, MIB - 7, "is not in the metadata region" },
	{ ITEM(1, 16), 0, 4, UINT32_MAX, "is not in the metadata region" },
	{ ITEM(0, 20), 0, 4, 7, "7 bytes for the file parameters" },
	{ ITEM(1, 20), 0, 4, 0, "0 bytes for the virtual disk size" },
	{ ITEM(3, 20), 0, 4, 8, "8 bytes for the logical sector size" },
	{ ITEM(3, 24), 0, 4, 5, "is required, and unknown" }, /* it is the user's */
	{ ITEM(3, 24), 0, 4, 1, "has no logical sector size" },
	{ ITEMS, 0, 4, MIB / 2, "block size, 524288, is not a power of two" },
	{ ITEMS, 0, 4, 3 * MIB, "block size, 3145728" },
	{ ITEMS, 0, 4, UINT32_C(1) << 29, "block size, 536870912" },
	{ ITEMS, 0, 4, 0, "block size, 0" },
	{ ITEMS + 4, 0, 4, 4, "unknown flags (0x4)" },
	{ ITEMS + 4, 0, 4, 2, "it has a parent, but its metadata has no parent locator" },
	{ ITEMS + 8, 0, 8, DISK + 1, "does not consist of whole sectors of 512" },
	{ ITEMS + 8, 0, 8, (UINT64_C(64) << 40) + 512, "larger than 64 TiB" },
	{ ITEMS + 8, 0, 8, UINT64_C(64) << 40, "takes a BAT of 67125247 entries, but its BAT has" },
	{ ITEMS + 32, 0, 4, 1024, "logical sector size, 1024, is neither" },
	{ ITEMS + 36, 0, 4, 0, "physical sector size, 0, is neither" },
	{ BAT, 0, 8, (UINT64_C(6) << 20) | 6,
	  "BAT entry 0: a block of 0x100000 bytes at 0x600000 is "
	  "past the end of the file" },
	{ BAT + 16, 0, 8, UINT64_MAX, "BAT entry 2" },
	{ BAT, 0, 8, METADATA | 6, "overlaps its metadata region" },
	{ BAT, 0, 8, LOG | 6, "overlaps its log" },
	{ BAT, 0, 8, 6, "overlaps its header section" },
};

static void test_absurd_fields(void **state)
{
	(void)state;
	for (size_t i = 1; i < N_OF(rows); i++) {
		make(512);
		poke(rows[i].at, rows[i].n, rows[i].value);
		if (rows[i].also != 0)
			poke(rows[i].also, rows[i].n, rows[i].value);
		seal_all();
		put("x");
		if (RUN("map", "x") != EXIT_ERROR || strstr(err.text, "efi-img: x: ") == NULL ||
		    strstr(err.text, rows[i].words) == NULL)
			fail_msg("row %zu, wanted \"%s\": %s", i, rows[i].words, err.text);
	}
}

/* The file ends before what it has to have. */
static void test_cut_short(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *words;
	} ends[] = {
		{ FILE_BYTES - 1, "BAT entry 2" },
		{ BLOCK_0, "BAT entry 0" },
		{ METADATA + 4096, "metadata region" },
		{ BAT, "block allocation table" },
		{ REGIONS_1, "neither of its region tables" },
		{ 8, "neither of its headers is valid: that at 0x10000 has no signature" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(ends); i++) {
		make(512);
		file_bytes = ends[i].bytes;
		put("x");
		assert_refused("x", ends[i].words);
	}
}

static void test_contents(void **state)
{
	static const uint32_t sectors[] = { 512, 4096 };

	(void)state;
	for (size_t i = 0; i < N_OF(sectors); i++) {
		make(sectors[i]);
		put("x");
		assert_disk("x");
		MUST("info", "x");
		assert_non_null(strstr(out.text, "file format: vhdx\nvirtual size: 3.5 MiB"));
		assert_int_equal(RUN("check", "x"), 0);
		MUST("map", "--output=json", "x");
		assert_non_null(strstr(out.text,
				       "\"start\": 2097152, \"length\": 1048576, "
				       "\"depth\": 0, \"present\": true, \"zero\": false, "
				       "\"data\": true, \"offset\": 5242880"));
	}
	/* undefined and unmapped blocks, and those of a draft, are zeros */
	make(512);
	memset(disk + 2 * MIB, 0, MIB);
	for (unsigned value = 1; value <= 5; value += 2) {
		poke(BAT + 16, 8, BLOCK_2 | value);
		put("x");
		assert_disk("x");
	}
	poke(BAT + 16, 8, 4); /* which there is not */
	put("x");
	assert_int_equal(RUN("convert", "--force", "-O", "raw", "x", "flat"), EXIT_ERROR);
	assert_int_equal(RUN("check", "x"), 2);
	assert_non_null(strstr(err.text, "BAT entry 2: a block in state 4, which does not exist"));
	poke(BAT + 16, 8, BLOCK_2 | 7);
	put("x");
	assert_int_equal(RUN("convert", "--force", "-O", "raw", "x", "flat"), EXIT_ERROR);
	assert_int_equal(RUN("check", "x"), 2);
	assert_non_null(strstr(err.text, "state 7, and the image has no parent"));
}

/* The other header, or region table, is taken when one is damaged; two equal headers are one. */
static void test_copies(void **state)
{
	static const uint64_t damaged[] = { HEADER_1 + 100, HEADER_2 + 100, REGIONS_1 + 5000,
					    REGIONS_2 + 5000 };

	(void)state;
	for (size_t i = 0; i < N_OF(damaged); i++) {
		bool region = i >= 2;

		make(512);
		poke(damaged[i], 1, 1);
		put("x");
		assert_disk("x");
		assert_int_equal(RUN("check", "x"), region ? 2 : 0);
		assert_non_null(strstr(err.text, region ? "corrupt: the region table at 0x"
							: "note: the header at 0x"));
		assert_int_equal(RUN("check", "-r", "all", "x"), 0);
		assert_int_equal(RUN("check", "x"), 0);
		assert_string_equal(err.text, "");
		assert_disk("x");
	}
	make(512);
	memcpy(image + HEADER_2, image + HEADER_1, 4096);
	put("x");
	assert_disk("x");
	make(512);
	poke(HEADER_1 + 8, 8, 6);
	poke(HEADER_1 + 100, 1, 1);
	seal_all();
	put("x");
	assert_refused("x", "two headers differ, and both have the sequence number 6");
	make(512);
	poke(HEADER_1 + 100, 1, 1);
	poke(HEADER_2 + 100, 1, 1);
	put("x");
	assert_refused("x", "neither of its headers is valid: that at 0x10000 has the checksum");
}

/* Blocks over each other, and twice the same thing in a table. */
static void test_doubled(void **state)
{
	(void)state;
	make(512);
	poke(BAT + 8, 8, BLOCK_2 | 6);
	put("x");
	assert_int_equal(RUN("check", "x"), 2);
	assert_non_null(strstr(err.text, "BAT entry 2: a block of 0x100000 bytes at 0x500000 "
					 "overlaps another one"));
	make(512);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t at = i == 0 ? REGIONS_1 : REGIONS_2;

		poke(at + 8, 4, 3);
		memcpy(image + at + 80, image + at + 16, 32);
		poke(at + 96, 8, BLOCK_2);
	}
	seal_all();
	put("x");
	assert_refused("x", "two regions block allocation table");
	make(512);
	poke(METADATA + 10, 2, 6);
	put_item(5, "2fa54224-cd1b-4876-b211-5dbed83bf4b8", KIB64 + 100, 8);
	put("x");
	assert_refused("x", "a second virtual disk size");
	make(512);
	poke(REGIONS_2 + 5000, 1, 1);
	seal_all();
	put("x");
	assert_int_equal(RUN("check", "x"), 2);
	assert_non_null(strstr(err.text, "region tables at 0x30000 and 0x40000 differ"));
	assert_int_equal(RUN("check", "-r", "all", "x"), 0);
	assert_disk("x");
}

/* An unknown region, and an unknown item, that need not be understood. */
static void test_unknown_parts(void **state)
{
	(void)state;
	make(512);
	for (unsigned i = 0; i < 2; i++) {
		uint64_t at = i == 0 ? REGIONS_1 : REGIONS_2;

		poke(at + 8, 4, 3);
		poke_guid(at + 80, "99999999-f623-4200-9d64-115e9bfd4a08");
		poke(at + 96, 8, FILE_BYTES);
		poke(at + 104, 4, MIB);
	}
	seal_all();
	poke(METADATA + 10, 2, 6);
	put_item(5, "88888888-cd1b-4876-b211-5dbed83bf4b8", KIB64 + 100, 8);
	poke(METADATA + 32 * 6 + 24, 4, 0);
	file_bytes += MIB;
	put("x");
	assert_disk("x");
	/* a new block goes behind it */
	MUST("bench", "-w", "-q", "-c", "1", "-s", "512", "-o", "1m", "--pattern", "9", "x");
	memset(disk + MIB, 9, 512);
	assert_disk("x");
	assert_int_equal(RUN("check", "x"), 0);
	MUST("map", "x");
	assert_non_null(strstr(out.text, "0x700000"));
}

/* ---- parents ---- */

#define LINKAGE "{22222222-2222-2222-2222-222222222222}"

/* A differencing image "x" of "sub/p", whose blocks are 0: partly, 1: parent, 2: zeros, 3: its. */
static void put_child(uint32_t sector_bytes)
{
	uint64_t ratio = (UINT64_C(8) << 20) * sector_bytes / MIB, bitmap = FILE_BYTES;

	make(sector_bytes);
	poke(BAT, 8, BLOCK_0 | 6);
	put("sub/p");
	memset(image + BLOCK_0, 0x5a, MIB);
	poke(BAT, 8, BLOCK_0 | 7);
	poke(BAT + 8, 8, 0);
	poke(BAT + 16, 8, 2);
	poke(BAT + 24, 8, BLOCK_2 | 6);
	poke(BAT + 8 * ratio, 8, bitmap | 6);
	file_bytes = FILE_BYTES + MIB;
	for (unsigned i = 0; i < MIB / sector_bytes; i++)
		if (i % 3 == 0 || (i > 40 && i < 70)) {
			image[bitmap + i / 8] |= (uint8_t)(1 << i % 8);
			memset(disk + i * sector_bytes, 0x5a, sector_bytes);
		}
	memset(disk + 2 * MIB, 0, MIB);
	memcpy(disk + 3 * MIB, image + BLOCK_2, MIB / 2);
	put_locator((const char *const[][2]){ { "parent_linkage", LINKAGE },
					      { "absolute_win32_path", "\\\\?\\c:\\other" },
					      { "relative_path", ".\\sub\\p" },
					      { NULL, NULL } });
	put("x");
}

static void test_parents(void **state)
{
	static const uint32_t sectors[] = { 512, 4096 };

	(void)state;
	for (size_t i = 0; i < N_OF(sectors); i++) {
		put_child(sectors[i]);
		assert_disk("x");
		assert_int_equal(RUN("check", "x"), 0);
		MUST("info", "x");
		assert_non_null(strstr(out.text, "backing file: sub/p"));
		assert_non_null(strstr(out.text, "backing file format: vhdx"));
		assert_int_equal(RUN("bench", "-w", "-q", "-c", "1", "x"), EXIT_ERROR);
		assert_non_null(strstr(err.text, "it is a differencing image, which can be read"));
		assert_disk("x");
	}
}

static void test_parent_refused(void **state)
{
	static const struct {
		const char *const pairs[4][2];
		const char *words;
	} locators[] = {
		{ { { "parent_linkage", "{00000000-2222-2222-2222-222222222222}" },
		    { "relative_path", "sub/p" } },
		  "was changed since, or is another image: its DataWriteGuid is "
		  "{22222222-2222-2222-2222-222222222222}" },
		{ { { "parent_linkage", "22" }, { "relative_path", "sub/p" } },
		  "parent_linkage is no GUID: \"22\"" },
		{ { { "parent_linkage", "{z2222222-2222-2222-2222-222222222222}" } },
		  "parent_linkage is no GUID" },
		{ { { "relative_path", "sub/p" } }, "does not say which parent it is" },
		{ { { "parent_linkage", LINKAGE } }, "does not say where the parent is" },
		{ { { "parent_linkage", LINKAGE },
		    { "relative_path", "sub/p" },
		    { "relative_path", "sub/p" } },
		  "a second relative_path" },
		{ { { "parent_linkage", LINKAGE }, { "relative_path", "sub/q" } },
		  "backing file of x: sub/q" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(locators); i++) {
		put_child(512);
		put_locator(locators[i].pairs);
		put("x");
		assert_refused("x", locators[i].words);
	}
	put_child(512);
	put_locator((const char *const[][2]){
		{ "parent_linkage", "{00000000-2222-2222-2222-222222222222}" },
		{ "parent_linkage2", LINKAGE },
		{ "volume_path", "sub/p" },
		{ NULL, NULL } });
	put("x");
	assert_disk("x");
	poke_guid(LOCATOR, "b04aefb8-d19e-4a81-b789-25b8e9445913");
	put("x");
	assert_refused("x", "its parent locator is of the type {b04aefb8-");
	poke_guid(LOCATOR, "b04aefb7-d19e-4a81-b789-25b8e9445913");
	poke(LOCATOR + 18, 2, 200);
	put("x");
	assert_refused("x", "has 200 entries");
	poke(LOCATOR + 18, 2, 3);
	poke(LOCATOR + 20, 4, UINT32_MAX);
	put("x");
	assert_refused("x", "are not in its");
}

/* A sector bitmap that is missing, or where there must be none. */
static void test_sector_bitmaps(void **state)
{
	(void)state;
	put_child(512);
	poke(BAT + 8 * 4096, 8, 0);
	put("x");
	assert_int_equal(RUN("check", "x"), 2);
	assert_non_null(strstr(err.text, "BAT entry 4096: no sector bitmap, which 1 blocks need"));
	assert_int_equal(RUN("convert", "--force", "-O", "raw", "x", "flat"), EXIT_ERROR);
	put_child(512);
	poke(BAT + 8 * 4096, 8, (FILE_BYTES + MIB) | 6);
	put("x");
	assert_refused("x",
		       "BAT entry 4096: a block of 0x100000 bytes at 0x700000 is past the end");
	assert_int_equal(RUN("check", "x"), 2);
	/* another parent of the same GUID, with other sectors */
	put_child(512);
	poke(ITEMS + 32, 4, 4096);
	poke(BAT + 8 * 32768, 8, FILE_BYTES | 6);
	put("x");
	assert_refused("x", "has sectors of 4096 bytes, but that of its parent, sub/p, of 512");
}

/* ---- writing ---- */

/* What is written is there, with sectors of both sizes; the GUIDs and the log say so. */
static void test_writing(void **state)
{
	static const uint32_t sectors[] = { 512, 4096 };
	const uint8_t *now;
	uint64_t n;

	(void)state;
	for (size_t i = 0; i < N_OF(sectors); i++) {
		make(sectors[i]);
		put("x");
		MUST("bench", "-w", "-q", "-c", "3", "-s", "1536", "-S", "700k", "-o", "900k",
		     "--pattern", "17", "x");
		for (unsigned k = 0; k < 3; k++)
			memset(disk + (900 + 700 * k) * 1024, 17, 1536);
		assert_disk("x");
		assert_int_equal(RUN("check", "x"), 0);
		now = sim_file("x", &n);
		assert_int_equal(n, FILE_BYTES + MIB);
		for (uint64_t at = HEADER_1; at <= HEADER_2; at += KIB64) {
			assert_memory_not_equal(now + at + 16, image + HEADER_1 + 16, 16);
			assert_memory_not_equal(now + at + 32, image + HEADER_1 + 32, 16);
			assert_memory_equal(now + at + 48, image + 4096, 16); /* no log */
			assert_true(bytes_from_le(now + at + 8, 8) > 7);
		}
		assert_memory_equal(now + LOG, "loge", 4);
	}
	/* what is only read is not changed */
	make(512);
	put("x");
	MUST("bench", "-q", "-c", "3", "x");
	MUST("check", "-r", "all", "x");
	now = sim_file("x", &n);
	assert_memory_equal(now, image, FILE_BYTES);
}

static void test_not_writable(void **state)
{
	(void)state;
	make(512);
	poke(HEADER_1 + 68, 4, 0);
	seal_all();
	put("x");
	assert_disk("x");
	assert_int_equal(RUN("bench", "-w", "-q", "-c", "1", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "it has no log of version 0"));
	make(512);
	poke(HEADER_1 + 64, 2, 1);
	seal_all();
	put("x");
	assert_disk("x");
	assert_int_equal(RUN("bench", "-w", "-q", "-c", "1", "x"), EXIT_ERROR);
	make(512);
	poke(HEADER_1 + 72, 8, 16 * MIB);
	seal_all();
	put("x");
	assert_disk("x");
	assert_int_equal(RUN("bench", "-w", "-q", "-c", "1", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "its log, 0x100000 bytes at 0x1000000, is past the end"));
}

static void test_resizing(void **state)
{
	const uint8_t *flat;
	uint64_t n;

	(void)state;
	make(512);
	memset(image + BAT + 32, 0x66, 4096); /* which is no block of the disk yet */
	poke(BAT + 24, 8, BLOCK_2 | 6);
	poke(BAT + 16, 8, 2);
	put("x");
	MUST("resize", "-q", "x", "6m");
	assert_int_equal(RUN("check", "x"), 0);
	MUST("convert", "--force", "-q", "-O", "raw", "x", "flat");
	flat = sim_file("flat", &n);
	assert_int_equal(n, 6 * MIB);
	assert_memory_equal(flat + 3 * MIB, image + BLOCK_2, MIB / 2);
	for (uint64_t i = DISK; i < n; i++)
		assert_int_equal(flat[i], 0);
	/* its file is cut where nothing is left */
	MUST("resize", "-q", "--shrink", "x", "1m");
	(void)sim_file("x", &n);
	assert_int_equal(n, BLOCK_2);
	assert_int_equal(RUN("check", "x"), 0);
	MUST("resize", "-q", "x", "3584k");
	memset(disk + MIB, 0, DISK - MIB);
	assert_disk("x");
	/* 128 Ki entries less those of sector bitmaps */
	assert_int_equal(RUN("resize", "x", "200g"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "its disk can have 137406447616 bytes at most"));
	assert_int_equal(RUN("resize", "--preallocation=full", "x", "4m"), EXIT_ERROR);
	make(4096);
	put("x");
	assert_int_equal(RUN("resize", "x", "3585k"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "sectors of 4096 bytes"));
	MUST("resize", "-q", "x", "3588k");
	MUST("create", "-q", "-f", "vhdx", "-o", "subformat=fixed,block_size=1m", "f", "2m");
	MUST("resize", "-q", "f", "5m");
	(void)sim_file("f", &n);
	assert_int_equal(n, 9 * MIB);
	assert_int_equal(RUN("check", "f"), 0);
	MUST("map", "f");
	assert_non_null(strstr(out.text, "0x500000"));
}

/* Each allocation, and each call to the volume, fails once. */
static void test_failures(void **state)
{
	bool failed = true;

	(void)state;
	put_child(512);
	for (unsigned n = 1; failed; n++) {
		int code;

		sim_fail_allocation(n);
		code = RUN("map", "x");
		/* whether two names are of one file may stay unknown */
		if (code != EXIT_OK && !(code == EXIT_ERROR && sim_allocation_failed()))
			fail_msg("allocation %u: code %d: %s", n, code, err.text);
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
	}
	failed = true;
	for (unsigned n = 1; failed; n++) {
		sim_volume_fail(n, ST_IO);
		if (RUN("map", "x") == EXIT_OK)
			assert_non_null(strstr(out.text, "0x400000"));
		failed = sim_volume_failed();
		sim_volume_fail(0, ST_OK);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_absurd_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cut_short, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_contents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_copies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_doubled, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_unknown_parts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_parent_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sector_bitmaps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_writing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_writable, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_resizing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failures, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
