/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "fs/fat_boot.h"

/* Fields of a boot sector by their offsets in the specification. */
struct bpb {
	uint32_t sector_bytes, cluster_sectors, n_reserved, n_fats, n_root_entries, n_sectors_16,
		media, fat_sectors_16, n_sectors_32, fat_sectors_32;
};

static void put(uint8_t *sector, size_t offset, uint32_t value, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sector[offset + i] = (uint8_t)(value >> 8 * i);
}

static void make(uint8_t *sector, const struct bpb *b)
{
	size_t extended = b->fat_sectors_16 == 0 ? 64 : 36;

	memset(sector, 0, 512);
	put(sector, 0, 0x903ceb, 3);
	put(sector, 11, b->sector_bytes, 2);
	put(sector, 13, b->cluster_sectors, 1);
	put(sector, 14, b->n_reserved, 2);
	put(sector, 16, b->n_fats, 1);
	put(sector, 17, b->n_root_entries, 2);
	put(sector, 19, b->n_sectors_16, 2);
	put(sector, 21, b->media, 1);
	put(sector, 22, b->fat_sectors_16, 2);
	put(sector, 32, b->n_sectors_32, 4);
	if (b->fat_sectors_16 == 0)
		put(sector, 36, b->fat_sectors_32, 4);
	put(sector, extended + 2, 0x29, 1);
	memcpy(sector + extended + 7, "STICK      ", 11);
	put(sector, 510, 0xaa55, 2);
}

static void test_types(void **state)
{
	static const struct {
		struct bpb bpb;
		const char *type; /* NULL: no FAT */
	} rows[] = {
		{ { 512, 1, 1, 2, 224, 2880, 0xf0, 9, 0, 0 }, "FAT12" },
		/* 4084 and 4085 clusters; 1 + 2 * 16 + 32 sectors before them */
		{ { 512, 1, 1, 2, 512, 65 + 4084, 0xf8, 16, 0, 0 }, "FAT12" },
		{ { 512, 1, 1, 2, 512, 65 + 4085, 0xf8, 16, 0, 0 }, "FAT16" },
		/* 65524 and 65525 clusters; 1 + 2 * 256 + 32 sectors before them */
		{ { 512, 1, 1, 2, 512, 0, 0xf8, 256, 545 + 65524, 0 }, "FAT16" },
		{ { 512, 1, 1, 2, 512, 0, 0xf8, 256, 545 + 65525, 0 }, NULL },
		{ { 512, 4, 4, 2, 512, 0, 0xf8, 128, 131072, 0 }, "FAT16" },
		{ { 512, 8, 32, 2, 0, 0, 0xf8, 0, 1 << 20, 1024 }, "FAT32" },
		{ { 512, 1, 32, 2, 0, 0, 0xf8, 0, 5000, 39 }, "FAT32" },
		{ { 4096, 1, 32, 2, 0, 0, 0xf8, 0, 100000, 100 }, "FAT32" },
		{ { 512, 1, 1, 1, 224, 2880, 0xf0, 9, 0, 0 }, "FAT12" },
		{ { 512, 1, 1, 0, 224, 2880, 0xf0, 9, 0, 0 }, NULL },
		{ { 512, 1, 1, 3, 224, 2880, 0xf0, 9, 0, 0 }, NULL },
		{ { 512, 1, 0, 2, 224, 2880, 0xf0, 9, 0, 0 }, NULL },
		{ { 512, 0, 1, 2, 224, 2880, 0xf0, 9, 0, 0 }, NULL },
		{ { 512, 3, 1, 2, 224, 2880, 0xf0, 9, 0, 0 }, NULL },
		{ { 0, 1, 1, 2, 224, 2880, 0xf0, 9, 0, 0 }, NULL },
		{ { 256, 1, 1, 2, 224, 2880, 0xf0, 9, 0, 0 }, NULL },
		{ { 513, 1, 1, 2, 224, 2880, 0xf0, 9, 0, 0 }, NULL },
		{ { 8192, 1, 1, 2, 224, 2880, 0xf0, 9, 0, 0 }, NULL },
		{ { 512, 1, 1, 2, 224, 0, 0xf0, 9, 0, 0 }, NULL },
		{ { 512, 1, 1, 2, 224, 33, 0xf0, 9, 0, 0 }, NULL },
		{ { 512, 1, 1, 2, 224, 2880, 0x42, 9, 0, 0 }, NULL },
		{ { 512, 1, 1, 2, 224, 2880, 0xf0, 0, 0, 0 }, NULL },
		{ { 512, 8, 32, 2, 0, 0, 0xf8, 0, 1 << 20, 0xffffffff }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct fat_boot_sector fat;
		uint8_t sector[512];
		bool is_fat;

		make(sector, &rows[i].bpb);
		is_fat = fat_recognise(sector, &fat);
		assert_row(is_fat == (rows[i].type != NULL), i);
		if (is_fat) {
			assert_string_equal(fat.type, rows[i].type);
			assert_string_equal(fat.label, "STICK");
		}
	}
}

static void test_signatures_and_labels(void **state)
{
	static const struct bpb floppy = { 512, 1, 1, 2, 224, 2880, 0xf0, 9, 0, 0 };
	static const struct {
		size_t offset;
		const char *bytes;
		size_t n;
		const char *label; /* NULL: no FAT */
	} rows[] = {
		{ 0, "\xe9\x00\x00", 3, "STICK" },
		{ 0, "\xeb\x3c\x00", 3, NULL },
		{ 0, "\x00", 1, NULL },
		{ 510, "\x00", 1, NULL },
		{ 511, "\x55", 1, NULL },
		{ 38, "\x28", 1, "" },
		{ 43, "NO NAME    ", 11, "" },
		{ 43, "           ", 11, "" },
		{ 43, "\0\0\0\0\0\0\0\0\0\0\0", 11, "" },
		{ 43, "ELEVENCHARS", 11, "ELEVENCHARS" },
		{ 43, "A B        ", 11, "A B" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct fat_boot_sector fat;
		uint8_t sector[512];
		bool is_fat;

		make(sector, &floppy);
		memcpy(sector + rows[i].offset, rows[i].bytes, rows[i].n);
		is_fat = fat_recognise(sector, &fat);
		assert_row(is_fat == (rows[i].label != NULL), i);
		if (is_fat)
			assert_string_equal(fat.label, rows[i].label);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_signatures_and_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
