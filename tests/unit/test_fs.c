/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * File systems whose bytes are made here: what is used, and each reason for having no map. Those
 * that mkfs makes are in tests/differential/test_fs.py.
 */
#include "unit.h"

#include "base/memory.h"
#include "fs/fs.h"
#include "fs_samples.h"
#include "memory_blk.h"

/* ---- Help ---- */

/* Goes over the whole map; returns the unused bytes. */
static uint64_t walk(struct fs_map *map, uint64_t size)
{
	uint64_t unused = 0, at = 0;

	while (at < size) {
		struct fs_extent extent;

		fs_map_extent(map, at, &extent);
		assert_int_equal(extent.offset, at);
		assert_true(extent.length > 0 && extent.length <= size - at);
		if (!extent.used)
			unused += extent.length;
		at += extent.length;
	}
	return unused;
}

static bool is_used(struct fs_map *map, uint64_t offset)
{
	struct fs_extent extent;

	fs_map_extent(map, offset, &extent);
	return extent.used;
}

/* There is a map with so many unused bytes; the caller closes it. */
static struct fs_map *open_map(struct memory_blk *m, const char *type, uint64_t unused)
{
	struct fs_map *map;
	struct error why = { "" };
	struct fs fs;
	enum status st = fs_map_open(&m->blk, &fs, &map, &why);

	if (st != ST_OK)
		fail_msg("no map: %s", why.text);
	assert_string_equal(fs.type, type);
	assert_string_equal(fs.note, "");
	assert_string_equal(why.text, "");
	assert_int_equal(fs_map_unused(map), unused);
	assert_int_equal(walk(map, m->blk.size), unused);
	assert_int_equal(walk(map, m->blk.size), unused);
	assert_true(fs.has_used && fs.used == fs.size - unused);
	return map;
}

/* There is no map, and the reason has these words. */
static void assert_no_map(struct memory_blk *m, const char *reason)
{
	struct fs_map *map;
	struct error why;
	struct fs fs;

	assert_int_equal(fs_map_open(&m->blk, &fs, &map, &why), ST_UNSUPPORTED);
	assert_null(map);
	if (strstr(why.text, reason) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", reason, why.text);
	assert_int_equal(sim_allocations(), 0);
}

/* Each read and each allocation fails once; then there is a reason, or the failure. */
static void fail_each(struct memory_blk *m)
{
	struct fs_map *map;
	struct error why;
	struct fs fs;

	for (unsigned n = 1, done = 0; !done; n += 1 + n / 16) {
		m->calls_to_failure = n;
		m->status = ST_IO;
		done = fs_map_open(&m->blk, &fs, &map, &why) == ST_OK;
		if (!done)
			assert_non_null(strstr(why.text, "cannot be read"));
		fs_map_close(map);
		assert_true(n < 10000);
	}
	m->calls_to_failure = 0;
	for (unsigned n = 1, done = 0; !done; n++) {
		enum status st;

		sim_fail_allocation(n);
		st = fs_map_open(&m->blk, &fs, &map, &why);
		done = !sim_allocation_failed();
		assert_int_equal(st, done ? ST_OK : ST_NO_MEMORY);
		fs_map_close(map);
		assert_int_equal(sim_allocations(), 0);
	}
	sim_fail_allocation(0);
}

/* ---- Swap ---- */

enum { SWAP_BYTES = 1 << 20 };

static struct memory_blk *make_swap(size_t page)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = SWAP_BYTES + 512 });

	sample_put(m, 1024, 1, 4);
	sample_put(m, 1028, SWAP_BYTES / page - 1, 4);
	memcpy(m->bytes + 1036, "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20", 16);
	memcpy(m->bytes + 1052, "pages", 5);
	memcpy(m->bytes + page - 10, "SWAPSPACE2", 10);
	return m;
}

static void test_swap(void **state)
{
	(void)state;
	for (size_t page = 4096; page <= 65536; page *= 2) {
		struct memory_blk *m = make_swap(page);
		struct fs_map *map = open_map(m, "Linux swap", SWAP_BYTES - 65536);
		struct fs fs;

		assert_true(is_used(map, 0) && is_used(map, 65535) && !is_used(map, 65536));
		assert_true(!is_used(map, SWAP_BYTES - 1) && is_used(map, SWAP_BYTES));
		fs_map_close(map);
		assert_ok(fs_look(&m->blk, &fs));
		assert_string_equal(fs.label, "pages");
		assert_string_equal(fs.uuid, "01020304-0506-0708-090a-0b0c0d0e0f10");
		assert_int_equal(fs.size, SWAP_BYTES);
		fail_each(m);
		blk_close(&m->blk);
	}
}

static void test_swap_refused(void **state)
{
	static const struct {
		size_t offset;
		const char *bytes, *reason;
	} rows[] = {
		{ 4086, "S1SUSPEND", "hibernated" },
		{ 4086, "S2SUSPEND", "hibernated" },
		{ 4086, "ULSUSPEND", "hibernated" },
		{ 4086, "LINHIB0001", "hibernated" },
		{ 4086, "SWAP-SPACE", "version" },
		{ 1024, "\2", "version" },
		{ 1029, "\1", "damaged" },
		{ 1030, "\1", "damaged" },
		{ 1034, "\1", "damaged" },
		{ 4086, "SWAPSPACE3", "not known" },
		{ 0x10040, "_BHRfS_M", "signatures" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct memory_blk *m = make_swap(4096);

		memcpy(m->bytes + rows[i].offset, rows[i].bytes, strlen(rows[i].bytes));
		assert_no_map(m, rows[i].reason);
		blk_close(&m->blk);
	}
}

/* ---- FAT ---- */

static void test_fat(void **state)
{
	static const struct {
		unsigned bits, cluster_sectors;
		uint32_t n_clusters, n_used;
	} rows[] = {
		{ 12, 1, 100, 7 },     { 12, 2, 4084, 1000 },  { 16, 1, 4085, 1 },
		{ 16, 4, 65524, 333 }, { 32, 1, 65525, 2000 }, { 32, 8, 70000, 69999 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct sample_fat fat = {
			.bits = rows[i].bits,
			.cluster_sectors = rows[i].cluster_sectors,
			.n_clusters = rows[i].n_clusters,
			.n_used = rows[i].n_used,
		};
		struct memory_blk *m = sample_fat_new(&fat);
		char type[8];
		struct fs_map *map;

		snprintf(type, sizeof type, "FAT%u", fat.bits);
		map = open_map(m, type,
			       (uint64_t)(fat.n_clusters - fat.n_used) * fat.cluster_sectors * 512);
		assert_true(is_used(map, 0) && is_used(map, fat.data_start - 1));
		assert_true(is_used(map, m->blk.size - 1));
		/* each third cluster is used, as far as there are so many */
		for (uint32_t k = 0; k < 3 && fat.n_used > 1 && fat.n_used < fat.n_clusters / 3;
		     k++)
			assert_int_equal(is_used(map,
						 fat.data_start + k * 512ull * fat.cluster_sectors),
					 k == 0);
		fs_map_close(map);
		if (i < 2)
			fail_each(m);
		blk_close(&m->blk);
	}
}

static void test_fat_refused(void **state)
{
	static const struct {
		unsigned bits;
		int fat; /* the offset counts in the FATs; 2: in both */
		size_t offset;
		uint32_t value;
		const char *reason;
	} rows[] = {
		{ 16, 2, 3, 0x7f, "not unmounted" }, /* FAT[1] */
		{ 16, 2, 3, 0xbf, "errors" },
		{ 32, 2, 7, 0x07, "not unmounted" },
		{ 32, 2, 7, 0x0b, "errors" },
		{ 16, 0, 37, 1, "not unmounted" }, /* the boot sector */
		{ 32, 0, 65, 1, "not unmounted" },
		{ 32, 0, 42, 1, "version" },
		{ 32, 0, 512 + 488, 0, "free clusters" },
		{ 12, 1, 5, 0x10, "differ" },
		{ 16, 1, 9, 1, "differ" },
		{ 32, 1, 16, 1, "differ" },
		{ 12, 2, 11, 0xfe, "damaged" },
		{ 16, 2, 9, 0xfe, "damaged" },
		{ 32, 2, 19, 0x0e, "damaged" },
		{ 16, 0, 22, 1, "too short" },
		{ 16, 0, 20, 0xff, "larger than" },
		{ 12, 0, 0x10045, 1, NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct sample_fat fat = {
			.bits = rows[i].bits,
			.cluster_sectors = 1,
			.n_clusters = rows[i].bits == 12   ? 4000
				      : rows[i].bits == 16 ? 30000
							   : 65600,
			.n_used = 500,
		};
		struct memory_blk *m = sample_fat_new(&fat);

		for (int k = 0; k < 2; k++)
			if (rows[i].fat == 2 || rows[i].fat == k)
				m->bytes[(rows[i].fat > 0
						  ? fat.fat_start + (uint32_t)k * fat.fat_bytes
						  : 0) +
					 rows[i].offset] = (uint8_t)rows[i].value;
		if (rows[i].reason != NULL)
			assert_no_map(m, rows[i].reason);
		else
			fs_map_close(open_map(m, "FAT12", (uint64_t)3500 * 512));
		blk_close(&m->blk);
	}
}

/* FAT32 with mirroring off: drivers differ in which FAT they read, so both have to be the same. */
static void test_fat_active(void **state)
{
	struct sample_fat fat = { 32, 1, 65600, 500, 0, 0, 0 };
	struct memory_blk *m = sample_fat_new(&fat);

	(void)state;
	sample_put(m, 40, 0x82, 2);
	assert_no_map(m, "version");
	sample_put(m, 40, 0x81, 2);
	fs_map_close(open_map(m, "FAT32", (uint64_t)65100 * 512));
	m->bytes[fat.fat_start + fat.fat_bytes + 7] = 0x07; /* the flag in the active one */
	assert_no_map(m, "not unmounted");
	m->bytes[fat.fat_start + fat.fat_bytes + 7] = 0x0f;
	sample_put(m, fat.fat_start + fat.fat_bytes + 12, 5, 4);
	assert_no_map(m, "differ");
	blk_close(&m->blk);
}

/* The root directory of FAT32 lies in clusters. */
static void test_fat_root(void **state)
{
	struct sample_fat fat = { 32, 1, 65600, 500, 0, 0, 0 };
	struct memory_blk *m = sample_fat_new(&fat);

	(void)state;
	sample_put(m, 44, 3, 4); /* which is free */
	assert_no_map(m, "damaged (cluster 3)");
	blk_close(&m->blk);
}

/* What can be read no longer is used. */
static void test_fails_later(void **state)
{
	struct sample_fat fat = { 16, 1, 60000, 500, 0, 0, 0 };
	struct memory_blk *m = sample_fat_new(&fat);
	struct fs_map *map = open_map(m, "FAT16", (uint64_t)59500 * 512);

	(void)state;
	assert_false(is_used(map, fat.data_start + 59999 * 512));
	m->calls_to_failure = 1;
	m->status = ST_IO;
	assert_int_equal(walk(map, m->blk.size), 0);
	m->calls_to_failure = 0;
	assert_int_equal(walk(map, m->blk.size), (uint64_t)59500 * 512);
	fs_map_close(map);
	blk_close(&m->blk);
}

/* ---- What mkfs makes ---- */

/* An input of tests/fuzz/file_systems.c: where parts are and how long they are, then the parts. */
static struct memory_blk *load_sample(const char *name, uint64_t size)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){ .size = size });
	static uint8_t bytes[65536];
	char path[100];
	size_t at, n = 0;
	FILE *file;

	snprintf(path, sizeof path, "tests/fuzz/corpus/file_systems/%s", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	assert_true(fread(bytes, 1, sizeof bytes, file) > 8);
	fclose(file);
	while (bytes[8 * n + 5] + bytes[8 * n + 6] + bytes[8 * n + 7] != 0)
		n++;
	at = 8 * n + 8;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *record = bytes + 8 * i;
		uint64_t to = 0;
		size_t length = record[5] + ((size_t)record[6] << 8) + ((size_t)record[7] << 16);

		for (int k = 4; k >= 0; k--)
			to = to << 8 | record[k];
		memcpy(m->bytes + to, bytes + at, length);
		at += length;
	}
	return m;
}

/* Each kind meets each failing read (of those of long logs, some) and allocation. */
static void test_kinds_fail(void **state)
{
	static const struct {
		const char *name;
		uint64_t mib;
	} rows[] = {
		{ "ext2", 8 },      { "ext4", 16 }, { "uninit_bg", 16 }, { "meta_bg", 16 },
		{ "bigalloc", 16 }, { "exfat", 8 }, { "ntfs", 2 },       { "btrfs", 120 },
		{ "xfs-v4", 300 },  { "lvm", 17 },  { "lvm-ext2", 17 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct memory_blk *m = load_sample(rows[i].name, rows[i].mib << 20);
		struct fs_map *map;
		struct error why = { "" };
		struct fs fs;

		if (fs_map_open(&m->blk, &fs, &map, &why) != ST_OK)
			fail_msg("%s: %s", rows[i].name, why.text);
		assert_int_equal(walk(map, m->blk.size), fs_map_unused(map));
		assert_true(fs_map_unused(map) > 0);
		fs_map_close(map);
		fail_each(m);
		blk_close(&m->blk);
	}
}

/* Asserts that there are these volumes of LVM. */
static void assert_volumes(struct memory_blk *m, const struct fs_volume *want, size_t n_want)
{
	struct fs_volume *found;
	size_t n;

	assert_ok(fs_list_volumes(&m->blk, &found, &n));
	assert_int_equal(n, n_want);
	assert_true((found == NULL) == (n == 0));
	for (size_t i = 0; i < n; i++) {
		assert_string_equal(found[i].name, want[i].name);
		assert_int_equal(found[i].size, want[i].size);
		assert_string_equal(found[i].fs.type, want[i].fs.type);
	}
	mem_free(found);
}

static void test_volumes(void **state)
{
	const struct fs_volume two[] = { { "root", 5 << 20, { .type = "" } },
					 { "data", 1 << 20, { .type = "" } } };
	const struct fs_volume ext2[] = { { "root", 5 << 20, { .type = "ext2" } },
					  { "data", 1 << 20, { .type = "" } } };
	struct memory_blk *m = load_sample("lvm", 17 << 20);
	struct fs_volume *found;
	unsigned i;
	size_t n;

	(void)state;
	assert_volumes(m, two, 2);
	for (i = 1;; i++) { /* each allocation fails */
		enum status st;

		sim_fail_allocation(i);
		st = fs_list_volumes(&m->blk, &found, &n);
		sim_fail_allocation(0);
		if (st == ST_OK)
			break;
		assert_int_equal(st, ST_NO_MEMORY);
		assert_true(found == NULL && n == 0);
	}
	assert_true(i > 4);
	mem_free(found);
	m->status = ST_IO;
	for (i = 1; i == 1 || m->calls_to_failure == 1; i++) { /* each read fails: less is known */
		m->calls_to_failure = i;
		assert_ok(fs_list_volumes(&m->blk, &found, &n));
		assert_true(n == 0 || n == 2);
		mem_free(found);
	}
	assert_true(i > 4);
	m->calls_to_failure = 0;
	m->bytes[1023] ^= 1; /* the label's checksum */
	assert_volumes(m, NULL, 0);
	blk_close(&m->blk);
	m = load_sample("lvm-ext2", 17 << 20);
	assert_volumes(m, ext2, 2);
	blk_close(&m->blk);
	m = load_sample("ext4", 16 << 20);
	assert_volumes(m, NULL, 0);
	blk_close(&m->blk);
	assert_int_equal(sim_allocations(), 0);
}

/* A sum of where the unused extents are; 0: there is no map. */
static uint64_t map_sum(struct memory_blk *m)
{
	uint64_t sum = 1;
	struct fs_map *map;
	struct error why;
	struct fs fs;
	enum status st = fs_map_open(&m->blk, &fs, &map, &why);

	if (st != ST_OK) {
		assert_int_equal(st, ST_UNSUPPORTED);
		return 0;
	}
	for (uint64_t at = 0; at < m->blk.size;) {
		struct fs_extent extent;

		fs_map_extent(map, at, &extent);
		if (!extent.used)
			sum = sum * 31 + extent.offset * 7 + extent.length;
		at += extent.length;
	}
	fs_map_close(map);
	return sum;
}

/*
 * A bit that is flipped in what mkfs wrote leaves the map as it was, or there is none. FAT, NTFS,
 * exFAT and XFS without checksums have nothing that tells more.
 */
static void test_flipped(void **state)
{
	static const struct {
		const char *name;
		uint64_t mib, step;
	} rows[] = {
		{ "ext2", 8, 3 },     { "ext4", 16, 11 },     { "uninit_bg", 16, 7 },
		{ "meta_bg", 16, 7 }, { "bigalloc", 16, 11 }, { "btrfs", 120, 101 },
		{ "lvm", 17, 3 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct memory_blk *m = load_sample(rows[i].name, rows[i].mib << 20);
		uint64_t sum = map_sum(m), n = 0;

		assert_true(sum != 0);
		for (uint64_t at = 0; at < m->blk.size; at++) {
			uint64_t flipped;

			if (m->bytes[at] == 0 || n++ % rows[i].step != 0)
				continue;
			m->bytes[at] ^= (uint8_t)(1 << n % 8);
			flipped = map_sum(m);
			if (flipped != 0 && flipped != sum)
				fail_msg("%s: another map (byte %#jx, bit %ju)", rows[i].name, at,
					 n % 8);
			m->bytes[at] ^= (uint8_t)(1 << n % 8);
		}
		blk_close(&m->blk);
	}
}

/* ---- Others ---- */

static void test_unknown(void **state)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){ .size = 1 << 17 });

	(void)state;
	assert_no_map(m, "what is on it is not known");
	memcpy(m->bytes, "LUKS\xba\xbe", 6);
	assert_no_map(m, "LUKS encrypts it");
	memcpy(m->bytes, "\0\0\0-FVE-FS-", 11);
	assert_no_map(m, "BitLocker encrypts it");
	memset(m->bytes, 0, 16);
	memcpy(m->bytes + 512, "LABELONE", 8);
	assert_no_map(m, "its label is damaged");
	blk_close(&m->blk);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_swap),        cmocka_unit_test(test_swap_refused),
		cmocka_unit_test(test_fat),         cmocka_unit_test(test_fat_refused),
		cmocka_unit_test(test_fat_active),  cmocka_unit_test(test_fat_root),
		cmocka_unit_test(test_fails_later), cmocka_unit_test(test_kinds_fail),
		cmocka_unit_test(test_flipped),     cmocka_unit_test(test_volumes),
		cmocka_unit_test(test_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
