/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What of a disk is in use: the map of granules, the disk that is read without the rest, and every
 * reason for copying all of it. Whatever fails, nothing that is in use is left out.
 */
#include "unit.h"

#include "blk/mask.h"
#include "blk/used_map.h"
#include "engine/used_blocks.h"
#include "format/image.h"
#include "fs_samples.h"
#include "memory_blk.h"
#include "storage/storage.h"
#include "tables.h"

enum {
	GRANULE = USED_GRANULE,
	LBA = 512,
	FAT_LBA = 2048, /* of the first partition */
	SWAP_LBA = 6144,
	SWAP_LBAS = 4096,
	DISK_LBAS = 12288,
};

/* ---- The map ---- */

static void test_map(void **state)
{
	struct used_map map;
	uint64_t n;

	(void)state;
	assert_int_equal(used_map_open(&map, USED_MAP_DISK_MAX + 1), ST_TOO_LARGE);
	assert_ok(used_map_open(&map, 100 * GRANULE + 512));
	assert_false(used_map_unused(&map, 0, &n));
	assert_int_equal(n, 100 * GRANULE + 512);
	used_map_leave_out(&map, GRANULE + 1, 2 * GRANULE - 2); /* wholly in it: none */
	assert_int_equal(map.unused_bytes, 0);
	used_map_leave_out(&map, GRANULE - 1, 2 * GRANULE + 2);
	assert_int_equal(map.unused_bytes, 2 * GRANULE);
	used_map_leave_out(&map, 2 * GRANULE, 30 * GRANULE); /* one of them again */
	assert_int_equal(map.unused_bytes, 31 * GRANULE);
	assert_false(used_map_unused(&map, 5, &n));
	assert_int_equal(n, GRANULE - 5);
	assert_true(used_map_unused(&map, GRANULE, &n));
	assert_int_equal(n, 31 * GRANULE);
	assert_true(used_map_unused(&map, 32 * GRANULE - 1, &n));
	assert_int_equal(n, 1);
	assert_false(used_map_unused(&map, 32 * GRANULE, &n));
	assert_int_equal(n, 68 * GRANULE + 512);
	/* the last granule is in use, whatever is said of it */
	used_map_leave_out(&map, 0, 100 * GRANULE + 512);
	assert_true(used_map_unused(&map, 0, &n));
	assert_int_equal(n, 100 * GRANULE);
	used_map_close(&map);
	assert_int_equal(sim_allocations(), 0);
}

/* ---- A disk ---- */

static struct storage storage;

/* A disk full of odd bytes, with a FAT16 of which a third is in use, and swap. */
static struct memory_blk *make_disk(void)
{
	const struct sim_part parts[] = {
		{ sim_basic_data, FAT_LBA, SWAP_LBA - 1, "data" },
		{ sim_linux, SWAP_LBA, SWAP_LBA + SWAP_LBAS - 1, "swap" },
	};
	struct sample_fat fat = {
		.bits = 12, .cluster_sectors = 1, .n_clusters = 3000, .n_used = 900
	};
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = (uint64_t)DISK_LBAS * LBA, .block_bytes = LBA });
	struct memory_blk *volume = sample_fat_new(&fat);
	uint8_t *swap = m->bytes + (size_t)SWAP_LBA * LBA;

	for (size_t i = 0; i < m->blk.size; i++)
		m->bytes[i] = (uint8_t)(i * 7 + i / LBA) | 1;
	memset(m->bytes, 0, 34 * LBA);
	memcpy(m->bytes + (size_t)FAT_LBA * LBA, volume->bytes, fat.data_start);
	blk_close(&volume->blk);
	memset(swap, 0, 4096);
	sample_put(m, (uint64_t)SWAP_LBA * LBA + 1024, 1, 4);
	sample_put(m, (uint64_t)SWAP_LBA * LBA + 1028, SWAP_LBAS * LBA / 4096 - 1, 4);
	memcpy(swap + 4086, "SWAPSPACE2", 10);
	sim_gpt(m, parts, N_OF(parts));
	return m;
}

static struct image *open_image(struct memory_blk *m)
{
	struct image *image;
	struct error why;

	assert_ok(image_open_blk(&storage, &m->blk, "disk", image_format_find("raw"), OPEN_READ,
				 &image, &why));
	assert_ok(image_load(image, &why));
	return image;
}

/*
 * Each byte that is read is that of the disk, or zero: the latter in as many bytes as are said to
 * be unused, since the disk has no zeros there.
 */
static uint64_t count_zeroed(struct image *image, const uint8_t *bytes)
{
	uint8_t *read = malloc(image->size);
	uint64_t zeroed = 0;

	assert_ok(blk_read(&image->blk, 0, read, image->size));
	for (size_t i = 0; i < image->size; i++) {
		assert_row(read[i] == bytes[i] || read[i] == 0, i);
		zeroed += read[i] != bytes[i];
	}
	free(read);
	return zeroed;
}

static void test_disk(void **state)
{
	struct memory_blk *m = make_disk();
	struct image *image = open_image(m);
	struct used_blocks used;
	struct extent extent;
	struct error why;
	uint64_t holes = 0;
	static uint8_t bytes[GRANULE];

	(void)state;
	assert_ok(used_blocks_of_disk(&used, image, NULL, &why));
	assert_string_equal(used.why, "");
	assert_int_equal(used.n, 2);
	assert_string_equal(used.part[0].fs.type, "FAT12");
	assert_string_equal(used.part[1].fs.type, "Linux swap");
	assert_int_equal(used.unused_bytes, 2100 * 512 + SWAP_LBAS * LBA - 65536);
	assert_int_equal(count_zeroed(image, m->bytes), used.unused_bytes);
	for (uint64_t at = 0; at < image->size; at += extent.length) {
		assert_ok(blk_extent(&image->blk, at, image->size - at, &extent));
		assert_true(extent.zero == !extent.data);
		holes += extent.zero ? extent.length : 0;
	}
	assert_int_equal(holes, used.map.unused_bytes);
	/* every third cluster of the FAT is in use: they are read in one request */
	m->n_reads = 0;
	assert_ok(blk_read(&image->blk, FAT_LBA * LBA + 2 * GRANULE, bytes, GRANULE));
	assert_true(m->n_reads < 8);
	used_blocks_close(&used);
	assert_int_equal(count_zeroed(image, m->bytes), 0);
	image_close(image);
	assert_int_equal(sim_allocations(), 0);
}

/* A partition, or a disk without a table, is one volume. */
static void test_volume(void **state)
{
	(void)state;
	for (int volume = 0; volume <= 1; volume++) {
		struct sample_fat fat = {
			.bits = 16, .cluster_sectors = 1, .n_clusters = 5000, .n_used = 10
		};
		const struct part part = { .type_name = "" };
		struct image *image = open_image(sample_fat_new(&fat));
		struct used_blocks used;
		struct error why;

		assert_ok(used_blocks_of_disk(&used, image, volume == 1 ? &part : NULL, &why));
		assert_int_equal(used.n, 1);
		assert_int_equal(used.part[0].number, 0);
		assert_int_equal(used.unused_bytes, 4990 * 512);
		used_blocks_close(&used);
		image_close(image);
	}
	assert_int_equal(sim_allocations(), 0);
}

/* ---- Doubts ---- */

static void damage_primary(struct memory_blk *m)
{
	m->bytes[LBA + 20] ^= 1;
}

static void begin_like_luks(struct memory_blk *m)
{
	memset(m->bytes, 0, 34 * LBA);
	sim_mbr_record(m, 0, 0, 0x0c, FAT_LBA, SWAP_LBA - FAT_LBA);
	memcpy(m->bytes, "LUKS\xba\xbe", 6);
}

static void overlap(struct memory_blk *m)
{
	memset(m->bytes, 0, 34 * LBA);
	sim_mbr_record(m, 0, 0, 0x0c, FAT_LBA, SWAP_LBA - FAT_LBA + 1);
	sim_mbr_record(m, 0, 1, 0x82, SWAP_LBA, SWAP_LBAS);
}

static void overlap_extended(struct memory_blk *m)
{
	memset(m->bytes, 0, 34 * LBA);
	sim_mbr_record(m, 0, 0, 0x0c, FAT_LBA, SWAP_LBA - FAT_LBA);
	sim_mbr_record(m, 0, 1, 0x0f, SWAP_LBA - 8, SWAP_LBAS);
	sim_mbr_record(m, SWAP_LBA - 8, 0, 0x82, 8, SWAP_LBAS - 8);
}

static void off_the_disk(struct memory_blk *m)
{
	memset(m->bytes, 0, 34 * LBA);
	sim_mbr_record(m, 0, 0, 0x0c, FAT_LBA, SWAP_LBA - FAT_LBA);
	sim_mbr_record(m, 0, 1, 0x82, SWAP_LBA, DISK_LBAS);
}

/* The system that continues there has the tables of all others, and pages in other swap areas. */
static void hibernate(struct memory_blk *m)
{
	memcpy(m->bytes + (size_t)SWAP_LBA * LBA + 4086, "S1SUSPEND", 10);
}

static void hash(struct memory_blk *m)
{
	memset(m->bytes + (size_t)SWAP_LBA * LBA, 1, 4096);
	memcpy(m->bytes + (size_t)SWAP_LBA * LBA, "verity\0", 8);
}

/* Nothing is left out of a disk that may be read in two ways, or that is needed as a whole. */
static void test_doubts(void **state)
{
	static const struct {
		void (*damage)(struct memory_blk *);
		const char *why;
	} rows[] = {
		{ damage_primary, "partition table is doubtful: " },
		{ begin_like_luks, "like a disk without partitions, with LUKS" },
		{ overlap, "partitions 1 and 2 overlap" },
		{ overlap_extended, "partitions 1 and 2 overlap" },
		{ off_the_disk, "does not lie on the disk" },
		{ hibernate, "partition 2 (Linux swap): Linux is hibernated" },
		{ hash, "partition 2 (dm-verity): it has hashes of all blocks" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct memory_blk *m = make_disk();
		struct image *image;
		struct used_blocks used;
		struct error why;

		rows[i].damage(m);
		image = open_image(m);
		assert_ok(used_blocks_of_disk(&used, image, NULL, &why));
		if (strstr(used.why, rows[i].why) == NULL)
			fail_msg("row %zu: \"%s\"", i, used.why);
		assert_false(used_blocks_any(&used));
		assert_int_equal(count_zeroed(image, m->bytes), 0);
		used_blocks_close(&used);
		image_close(image);
	}
	assert_int_equal(sim_allocations(), 0);
}

/* Logical partitions lie in the extended one. */
static void test_logical(void **state)
{
	struct memory_blk *m = make_disk();
	struct image *image;
	struct used_blocks used;
	struct error why;

	(void)state;
	memset(m->bytes, 0, 34 * LBA);
	sim_mbr_record(m, 0, 0, 0x0c, FAT_LBA, SWAP_LBA - 8 - FAT_LBA);
	sim_mbr_record(m, 0, 1, 0x0f, SWAP_LBA - 8, SWAP_LBAS + 8);
	memset(m->bytes + (size_t)(SWAP_LBA - 8) * LBA, 0, LBA);
	sim_mbr_record(m, SWAP_LBA - 8, 0, 0x82, 8, SWAP_LBAS);
	image = open_image(m);
	assert_ok(used_blocks_of_disk(&used, image, NULL, &why));
	assert_string_equal(used.why, "");
	assert_int_equal(used.n, 2);
	assert_int_equal(used.part[1].number, 5);
	assert_int_equal(count_zeroed(image, m->bytes), used.unused_bytes);
	assert_true(used.unused_bytes > SWAP_LBAS * LBA - 65536);
	used_blocks_close(&used);
	image_close(image);
}

/* One partition that has no map does not keep the other from having one. */
static void test_dirty_partition(void **state)
{
	struct memory_blk *m = make_disk();
	struct image *image;
	struct used_blocks used;
	struct error why;

	(void)state;
	sample_put(m, (uint64_t)SWAP_LBA * LBA + 1024, 2, 4);
	image = open_image(m);
	assert_ok(used_blocks_of_disk(&used, image, NULL, &why));
	assert_non_null(strstr(used.part[1].why.text, "another version"));
	assert_int_equal(used.unused_bytes, 2100 * 512);
	assert_int_equal(count_zeroed(image, m->bytes), used.unused_bytes);
	used_blocks_close(&used);
	image_close(image);
	assert_int_equal(sim_allocations(), 0);
}

/* Volumes of a dynamic disk may be in several pieces, with others in between. */
static void test_pieces(void **state)
{
	static const char *const names[] = { "Windows dynamic disk", "Linux RAID" };
	static const uint8_t types[] = { 0x42, 0xfd };

	(void)state;
	for (size_t i = 0; i < N_OF(types); i++) {
		struct memory_blk *m = make_disk();
		struct image *image;
		struct used_blocks used;
		struct error why;

		memset(m->bytes, 0, 34 * LBA);
		sim_mbr_record(m, 0, 0, types[i], FAT_LBA, SWAP_LBA - FAT_LBA);
		sim_mbr_record(m, 0, 1, 0x82, SWAP_LBA, SWAP_LBAS);
		image = open_image(m);
		assert_ok(used_blocks_of_disk(&used, image, NULL, &why));
		assert_string_equal(used.why, "");
		assert_string_equal(used.part[0].fs.type, "FAT12");
		assert_non_null(strstr(used.part[0].why.text, names[i]));
		assert_int_equal(used.unused_bytes, SWAP_LBAS * LBA - 65536);
		assert_int_equal(count_zeroed(image, m->bytes), used.unused_bytes);
		used_blocks_close(&used);
		image_close(image);
	}
	assert_int_equal(sim_allocations(), 0);
}

/* The same of such a partition alone. */
static void test_piece_alone(void **state)
{
	const struct part part = { .type_name = "Windows LDM data" };
	struct sample_fat fat = {
		.bits = 16, .cluster_sectors = 1, .n_clusters = 5000, .n_used = 10
	};
	struct image *image = open_image(sample_fat_new(&fat));
	struct used_blocks used;
	struct error why;

	(void)state;
	assert_ok(used_blocks_of_disk(&used, image, &part, &why));
	assert_false(used_blocks_any(&used));
	assert_non_null(strstr(used.part[0].why.text, "several pieces"));
	used_blocks_close(&used);
	image_close(image);
	assert_int_equal(sim_allocations(), 0);
}

/* ---- Failures ---- */

/* What cannot be read any more is in use, and so is what its tables no longer tell. */
static void test_failed_reads(void **state)
{
	const uint64_t all = 2100 * 512 + SWAP_LBAS * LBA - 65536;
	bool done = false;

	(void)state;
	for (unsigned n = 1; !done; n++) {
		struct memory_blk *m = make_disk();
		struct image *image = open_image(m);
		struct used_blocks used;
		struct error why;

		m->status = ST_IO;
		m->calls_to_failure = n;
		m->n_reads = 0;
		assert_ok(used_blocks_of_disk(&used, image, NULL, &why));
		done = m->n_reads < n;
		m->calls_to_failure = 0;
		assert_int_equal(count_zeroed(image, m->bytes), used.unused_bytes);
		if (done)
			assert_int_equal(used.unused_bytes, all);
		used_blocks_close(&used);
		image_close(image);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_failed_allocations(void **state)
{
	struct memory_blk *m = make_disk();
	struct image *image = open_image(m);
	struct used_blocks used;
	struct error why;
	size_t before = sim_allocations();
	bool done = false;

	(void)state;
	for (unsigned n = 1; !done; n++) {
		enum status st;

		sim_fail_allocation(n);
		st = used_blocks_of_disk(&used, image, NULL, &why);
		done = !sim_allocation_failed();
		sim_fail_allocation(0);
		/* a map that cannot be read a second time is that of a volume full of files */
		assert_true(st == ST_OK || (!done && st == ST_NO_MEMORY));
		assert_int_equal(count_zeroed(image, m->bytes), used.unused_bytes);
		used_blocks_close(&used);
		assert_int_equal(sim_allocations(), before);
	}
	for (unsigned n = 1; n < 100; n++) {
		enum status st;

		sim_cancel(n);
		st = used_blocks_of_disk(&used, image, NULL, &why);
		sim_cancel(0);
		assert_true(st == ST_OK || st == ST_CANCELLED);
		used_blocks_close(&used);
		if (st == ST_OK)
			break;
		assert_int_equal(count_zeroed(image, m->bytes), 0);
		assert_true(n < 99);
	}
	image_close(image);
}

static int set_up(void **state)
{
	struct error why;

	(void)state;
	return storage_begin(&storage, NULL, &why) != ST_OK;
}

static int tear_down(void **state)
{
	(void)state;
	storage_end(&storage);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_map),          cmocka_unit_test(test_disk),
		cmocka_unit_test(test_volume),       cmocka_unit_test(test_doubts),
		cmocka_unit_test(test_logical),      cmocka_unit_test(test_dirty_partition),
		cmocka_unit_test(test_pieces),       cmocka_unit_test(test_piece_alone),
		cmocka_unit_test(test_failed_reads), cmocka_unit_test(test_failed_allocations),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
