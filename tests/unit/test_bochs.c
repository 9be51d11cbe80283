/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Images of Bochs: the disk is what catalog and bitmaps say, in both versions; each field that
 * makes no sense is refused with words that name it.
 */
#include "foreign_image.h"

enum {
	EXTENT = 4096,
	STRIDE = 512 + EXTENT,
	N_EXTENTS = 5,
	CATALOG = 512,
	N_CATALOG = 8,
	FIRST = CATALOG + 4 * N_CATALOG,
	N_STORED = 3,
	DISK = 4 * EXTENT + 1024, /* the last extent is longer than the disk */
	FILE_BYTES = FIRST + N_STORED * STRIDE,
};

static uint8_t file[FILE_BYTES], disk[DISK];

/* Which number each extent has; the order of the file is not that of the disk. */
static const uint32_t catalog[N_EXTENTS] = { 2, UINT32_MAX, 0, UINT32_MAX, 1 };

static void put_extent(uint32_t index, uint32_t number)
{
	uint8_t *at = file + FIRST + number * STRIDE;

	for (uint32_t i = 0; i < EXTENT / 512; i++) {
		uint8_t *sector = at + 512 + i * 512;

		for (uint32_t k = 0; k < 512; k++)
			sector[k] = (uint8_t)(number * 50 + i * 3 + k % 7 + 1);
		if ((i * 5 + index) % 3 == 0)
			continue; /* what is stored there is not of the disk */
		at[i / 8] |= (uint8_t)(1 << i % 8);
		if (index * EXTENT + i * 512 < DISK)
			memcpy(disk + index * EXTENT + i * 512, sector, 512);
	}
}

static void make(unsigned version)
{
	memset(file, 0, sizeof file);
	memset(disk, 0, sizeof disk);
	memcpy(file, "Bochs Virtual HD Image", 22);
	memcpy(file + 32, "Redolog", 7);
	memcpy(file + 48, "Growing", 7);
	bytes_to_le(file + 64, 4, version << 16);
	bytes_to_le(file + 68, 4, CATALOG);
	bytes_to_le(file + 72, 4, N_CATALOG);
	bytes_to_le(file + 76, 4, 1);
	bytes_to_le(file + 80, 4, EXTENT);
	bytes_to_le(file + (version == 1 ? 84 : 88), 8, DISK);
	memset(file + CATALOG, 0xff, 4 * N_CATALOG);
	for (uint32_t i = 0; i < N_EXTENTS; i++) {
		bytes_to_le(file + CATALOG + 4 * i, 4, catalog[i]);
		if (catalog[i] != UINT32_MAX)
			put_extent(i, catalog[i]);
	}
	sim_file_put("x", file, sizeof file);
}

static void test_contents(void **state)
{
	(void)state;
	for (unsigned version = 1; version <= 2; version++) {
		make(version);
		MUST("info", "x");
		assert_non_null(strstr(out.text, "file format: bochs\n"));
		assert_non_null(strstr(out.text, "(17408 bytes)"));
		assert_disk("x", disk, DISK);
	}
}

static void test_map(void **state)
{
	(void)state;
	make(2);
	MUST("map", "x");
	/* The third sector is the first of extent 0 that is stored and follows an unwritten one. */
	assert_non_null(strstr(out.text, "0x200           0x400           0x2a20          x\n"));
	MUST("map", "--output=json", "x");
	assert_non_null(strstr(out.text, "\"start\": 12288, \"length\": 4096, \"depth\": 0, "
					 "\"present\": false, \"zero\": true, \"data\": false}"));
	MUST("measure", "-O", "qcow2", "x");
}

/* Each field as it cannot be. */
static void test_absurd_fields(void **state)
{
	static const struct {
		size_t at, n;
		uint64_t value;
		const char *words;
	} rows[] = {
		{ 32, 1, 'X', "a type other than Redolog" },
		{ 48, 8, UINT64_C(0x656c62616f646e55), "undoable Bochs image" },
		{ 48, 8, UINT64_C(0x656c6974616c6f56), "volatile Bochs image" },
		{ 48, 1, 'X', "a subtype other than Growing" },
		{ 64, 4, 0x30000, "version 0x30000" },
		{ 64, 4, 0, "version 0x0" },
		{ 68, 4, 0, "header size of 0 bytes" },
		{ 68, 4, 95, "header size of 95 bytes" },
		{ 68, 4, UINT32_MAX, "header size of 4294967295 bytes" },
		{ 72, 4, 0, "catalog of 0 entries" },
		{ 72, 4, N_EXTENTS - 1, "catalog of 4 entries" },
		{ 72, 4, 0x100001, "catalog of 1048577 entries" },
		{ 72, 4, UINT32_MAX, "catalog of 4294967295 entries" },
		{ 76, 4, 0, "bitmap size of 0 bytes" },
		{ 76, 4, UINT32_MAX, "bitmap size of 4294967295 bytes" },
		{ 76, 4, 513, "points past the end of the file" },
		{ 80, 4, 0, "extent size of 0 bytes" },
		{ 80, 4, 256, "extent size of 256 bytes" },
		{ 80, 4, 4097, "extent size of 4097 bytes" },
		{ 80, 4, 16 << 20, "extent size of 16777216 bytes" },
		{ 80, 4, UINT32_MAX, "extent size of 4294967295 bytes" },
		{ 88, 8, DISK + 1, "disk size of 17409 bytes" },
		{ 88, 8, UINT64_MAX, "disk size of 18446744073709551615 bytes" },
		{ 88, 8, UINT64_C(1) << 63, "disk size of 9223372036854775808 bytes" },
		{ 88, 8, UINT64_C(1) << 62, "disk of 4611686018427387904 bytes" },
		{ CATALOG, 4, 3, "catalog entry 0 (3) points past the end" },
		{ CATALOG + 16, 4, UINT32_MAX - 1, "catalog entry 4 (4294967294) points past" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make(2);
		bytes_to_le(file + rows[i].at, rows[i].n, rows[i].value);
		sim_file_put("x", file, sizeof file);
		assert_refused(i, rows[i].words);
		assert_row(RUN("info", "x") == EXIT_ERROR, i);
	}
	make(2);
	file[0] = 'X';
	sim_file_put("x", file, sizeof file);
	assert_int_equal(RUN("info", "-f", "bochs", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "this is no Bochs image"));
}

/* Entries after the last extent of the disk mean nothing; an empty disk has none. */
static void test_odd_sizes(void **state)
{
	(void)state;
	make(2);
	bytes_to_le(file + CATALOG + 4 * N_EXTENTS, 4, 1000);
	sim_file_put("x", file, sizeof file);
	MUST("compare", "x", "x");
	bytes_to_le(file + 88, 8, 0);
	sim_file_put("x", file, sizeof file);
	MUST("convert", "--force", "-O", "raw", "x", "t");
}

static void test_truncated(void **state)
{
	(void)state;
	make(2);
	for (size_t n = 23; n < FILE_BYTES; n += n < FIRST + 8 ? 1 : 509) {
		sim_file_put("x", file, n);
		assert_refused(n, "x: ");
	}
}

static void test_every_failure(void **state)
{
	(void)state;
	make(2);
	try_every_failure("hash");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_contents),  TEST(test_map),       TEST(test_absurd_fields),
		TEST(test_odd_sizes), TEST(test_truncated), TEST(test_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
