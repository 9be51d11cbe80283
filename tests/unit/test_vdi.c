/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VDI images as no program here writes them: headers and maps of which one thing is wrong, blocks
 * of other sizes, gaps in the data area, and what is written to them.
 */
#include "unit.h"

#include "base/bytes.h"
#include "format/image.h"
#include "memory_blk.h"

enum {
	BLOCK = 4096,
	N_BLOCKS = 8,
	MAP = 512,
	DATA = 1024,
	FILE_BYTES = DATA + N_BLOCKS * BLOCK,
	DISK = 7 * BLOCK + 512,
};

static struct storage storage;

struct poke {
	uint16_t at;
	uint8_t n;
	uint64_t value;
};

#define SIGNATURE  64, 4
#define VERSION    68, 4
#define HEADER     72, 4
#define TYPE       76, 4
#define MAP_AT     340, 4
#define DATA_AT    344, 4
#define SECTOR     360, 4
#define DISK_BYTES 368, 8
#define BLOCK_SIZE 376, 4
#define EXTRA      380, 4
#define BLOCKS     384, 4
#define ALLOCATED  388, 4
#define LINK       424, 4
#define PARENT     440, 4
#define ENTRY(i)   MAP + 4 * (i), 4

/* A dynamic image: blocks 0, 2 and 7 are at 0, 1 and 2; the others are free, or zeros. */
static const struct poke good[] = {
	{ SIGNATURE, 0xbeda107f }, { VERSION, 0x10001 },
	{ HEADER, 400 },           { TYPE, 1 },
	{ MAP_AT, MAP },           { DATA_AT, DATA },
	{ SECTOR, 512 },           { DISK_BYTES, DISK },
	{ BLOCK_SIZE, BLOCK },     { BLOCKS, N_BLOCKS },
	{ ALLOCATED, 3 },          { 392, 8, 0x1122334455667788 },
	{ 408, 8, 0x99 },          { ENTRY(0), 0 },
	{ ENTRY(1), 0xffffffff },  { ENTRY(2), 1 },
	{ ENTRY(3), 0xfffffffe },  { ENTRY(4), 0xffffffff },
	{ ENTRY(5), 0xffffffff },  { ENTRY(6), 0xffffffff },
	{ ENTRY(7), 2 },
};

static void put(struct memory_blk *m, const struct poke *poke, size_t n)
{
	for (size_t i = 0; i < n; i++)
		bytes_to_le(m->bytes + poke[i].at, poke[i].n, poke[i].value);
}

/* The image with what is poked; each byte of a block is 0x10 + its index. */
static struct memory_blk *make(const struct poke *poke, size_t n, uint64_t size)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){
		.size = FILE_BYTES, .writable = true, .limit = 4 * FILE_BYTES });

	for (unsigned i = 0; i < N_BLOCKS; i++)
		memset(m->bytes + DATA + i * BLOCK, 0x10 + (int)i, BLOCK);
	put(m, good, N_OF(good));
	put(m, poke, n);
	if (size > 0) {
		memset(m->bytes + size, 0, FILE_BYTES - size);
		m->blk.size = size;
	}
	return m;
}

static enum status open_it(struct memory_blk *m, enum open_mode mode, struct image **ret,
			   struct error *err)
{
	enum status st = image_open_blk(&storage, &m->blk, "a.vdi", image_format_find("vdi"), mode,
					ret, err);

	if (st != ST_OK)
		return st;
	st = image_load(*ret, err);
	if (st != ST_OK)
		image_close(*ret);
	return st;
}

/* ---- headers and maps ---- */

static const struct {
	struct poke poke[3];
	uint64_t size; /* of the file; 0: enough */
	enum status st;
	const char *words;
} rows[] = {
	{ { { 0 } }, 0, ST_OK, "" },
	{ { { TYPE, 2 } }, 0, ST_OK, "" },
	{ { { HEADER, 384 } }, 0, ST_OK, "" },
	{ { { HEADER, 440 } }, 0, ST_OK, "" },
	{ { { ALLOCATED, 0xffffffff } }, 0, ST_OK, "" },
	{ { { SIGNATURE, 0xbeda1070 } }, 0, ST_CORRUPT, "at offset 64 is 0xbeda1070" },
	{ { { VERSION, 1 } }, 0, ST_UNSUPPORTED, "version 0.1" },
	{ { { VERSION, 0x10000 } }, 0, ST_UNSUPPORTED, "version 1.0" },
	{ { { VERSION, 0xffffffff } }, 0, ST_UNSUPPORTED, "version 65535.65535" },
	{ { { HEADER, 383 } }, 0, ST_CORRUPT, "its header has 383 bytes" },
	{ { { HEADER, 441 } }, 0, ST_CORRUPT, "in the header of 441 bytes" },
	{ { { HEADER, 0xffffffff } }, 0, ST_CORRUPT, "in the header of 4294967295 bytes" },
	{ { { TYPE, 0 } }, 0, ST_CORRUPT, "its type is 0" },
	{ { { TYPE, 3 } }, 0, ST_UNSUPPORTED, "an undo image" },
	{ { { TYPE, 4 } }, 0, ST_UNSUPPORTED, "a differencing image" },
	{ { { TYPE, 5 } }, 0, ST_CORRUPT, "its type is 5" },
	{ { { LINK, 1 } }, 0, ST_UNSUPPORTED, "a differencing image" },
	{ { { PARENT, 1 } }, 0, ST_UNSUPPORTED, "a differencing image" },
	{ { { MAP_AT, 0 } }, 0, ST_CORRUPT, "its map of blocks is at offset 0" },
	{ { { MAP_AT, 513 } }, 0, ST_CORRUPT, "its map of blocks is at offset 513" },
	{ { { MAP_AT, 1024 } }, 0, ST_CORRUPT, "its data begins at offset 1024" },
	{ { { MAP_AT, 0xfffffe00 }, { DATA_AT, 0xfffffe00 } }, 0, ST_CORRUPT, "its data begins" },
	{ { { DATA_AT, 512 } }, 0, ST_CORRUPT, "its data begins at offset 512" },
	{ { { DATA_AT, 1025 } }, 0, ST_CORRUPT, "its data begins at offset 1025" },
	{ { { SECTOR, 4096 } }, 0, ST_UNSUPPORTED, "its sectors have 4096 bytes" },
	{ { { BLOCK_SIZE, 0 } }, 0, ST_CORRUPT, "its blocks have 0 bytes" },
	{ { { BLOCK_SIZE, 256 } }, 0, ST_CORRUPT, "its blocks have 256 bytes" },
	{ { { BLOCK_SIZE, 4097 } }, 0, ST_CORRUPT, "its blocks have 4097 bytes" },
	{ { { BLOCK_SIZE, 0x80000000 } }, 0, ST_CORRUPT, "past the end of the file" },
	{ { { EXTRA, 512 } }, 0, ST_UNSUPPORTED, "512 extra bytes before each block" },
	{ { { BLOCKS, 7 } }, 0, ST_CORRUPT, "does not fit into its 7 blocks" },
	{ { { BLOCKS, 0x1fffff81 } }, 0, ST_CORRUPT, "536870785 blocks" },
	{ { { BLOCKS, 0x1fffff80 }, { DATA_AT, 0xfffffe00 } },
	  0,
	  ST_CORRUPT,
	  "the file is cut short" },
	{ { { DISK_BYTES, 8 * BLOCK + 1 } }, 0, ST_CORRUPT, "its disk of 32769 bytes" },
	{ { { DISK_BYTES, UINT64_MAX } }, 0, ST_CORRUPT, "its disk of 18446744073709551615" },
	{ { { ENTRY(1), 8 } }, 0, ST_CORRUPT, "1 of its 8 blocks are past the end" },
	{ { { ENTRY(1), 0xfffffffd } }, 0, ST_CORRUPT, "1 of its 8 blocks are past the end" },
	{ { { 0 } }, DATA + 2 * BLOCK + 511, ST_CORRUPT, "at 9727: it was cut short" },
	{ { { 0 } }, DATA + 2 * BLOCK + 512, ST_OK, "" }, /* no more of it is on the disk */
	{ { { 0 } }, MAP + 4 * N_BLOCKS, ST_CORRUPT, "3 of its 8 blocks are past the end" },
	{ { { 0 } }, MAP + 4 * N_BLOCKS - 1, ST_CORRUPT, "the file is cut short: it has 543" },
	{ { { 0 } }, 100, ST_UNSUPPORTED, "" },
};

static void test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct image *image;
		struct error err = { "" };
		enum status st;
		size_t n = 0;

		while (n < N_OF(rows[i].poke) && rows[i].poke[n].n > 0)
			n++;
		st = open_it(make(rows[i].poke, n, rows[i].size), OPEN_READ, &image, &err);
		if (rows[i].size != 100)
			assert_row(st == rows[i].st, i);
		assert_row(strstr(err.text, rows[i].words) != NULL, i);
		if (st == ST_OK)
			image_close(image);
		assert_row(sim_allocations() == 0, i);
	}
}

/* ---- reading ---- */

static void assert_disk(struct image *image, const char *expected)
{
	uint8_t *disk = test_malloc(image->size);

	assert_ok(blk_read(&image->blk, 0, disk, image->size));
	for (uint64_t at = 0; at < image->size; at++)
		if (disk[at] != (uint8_t)(expected[at / BLOCK] == '-' ? 0 : expected[at / BLOCK]))
			fail_msg("byte %zu is 0x%x", (size_t)at, disk[at]);
	test_free(disk);
}

static void test_read(void **state)
{
	static const uint64_t ends[] = { BLOCK, 2 * BLOCK, 3 * BLOCK, 7 * BLOCK, DISK };
	struct image *image;
	struct extent extent;
	struct error err;

	(void)state;
	assert_ok(open_it(make(NULL, 0, 0), OPEN_READ, &image, &err));
	assert_int_equal(image->size, DISK);
	assert_int_equal(image->cluster_bytes, BLOCK);
	assert_disk(image, "\x10-\x11----\x12");
	for (uint64_t at = 0, i = 0; at < DISK; at += extent.length, i++) {
		assert_ok(blk_extent(&image->blk, at, DISK - at, &extent));
		assert_true(extent.allocated && extent.zero == (i % 2 == 1));
		assert_int_equal(at + extent.length, ends[i]);
	}
	image_close(image);
	assert_int_equal(sim_allocations(), 0);
}

/* ---- writing ---- */

static uint64_t field(const struct memory_blk *m, size_t at, size_t n)
{
	return bytes_from_le(m->bytes + at, n);
}

static void write_byte(struct image *image, unsigned block, uint8_t byte)
{
	uint8_t *bytes = test_malloc(BLOCK);

	memset(bytes, byte, BLOCK);
	assert_ok(blk_write(&image->blk, block * BLOCK, bytes, block < 7 ? BLOCK : 512));
	test_free(bytes);
}

/*
 * Wrong numbers of allocated blocks are corrected; gaps are filled; zeros surround what is
 * written.
 */
static void test_write(void **state)
{
	static const struct poke poke[] = { { ENTRY(2), 4 }, { ALLOCATED, 1 } };
	struct memory_blk *m = make(poke, N_OF(poke), 0);
	struct image *image;
	struct error err;

	(void)state;
	assert_ok(open_it(m, OPEN_WRITE, &image, &err));
	assert_int_equal(field(m, ALLOCATED), 5);
	assert_int_equal(field(m, 408, 8), 0x99);
	assert_disk(image, "\x10-\x14----\x12");
	assert_ok(blk_write(&image->blk, 4 * BLOCK + 100, "x", 1));
	write_byte(image, 5, 'e');
	write_byte(image, 6, 'f');
	assert_int_equal(field(m, ENTRY(4)), 0xffffffff); /* not before the flush */
	assert_ok(blk_flush(&image->blk));
	assert_int_equal(field(m, ENTRY(4)), 1);
	assert_int_equal(field(m, ENTRY(5)), 3);
	assert_int_equal(field(m, ENTRY(6)), 5);
	assert_int_equal(field(m, ALLOCATED), 6);
	assert_true(field(m, 408, 8) != 0x99 && field(m, 392, 8) == 0x1122334455667788);
	for (unsigned i = 0; i < BLOCK; i++)
		assert_int_equal(m->bytes[DATA + BLOCK + i], i == 100 ? 'x' : 0);
	assert_int_equal(m->bytes[DATA + 3 * BLOCK], 'e');
	image_close(image);
	assert_int_equal(sim_allocations(), 0);
}

static void test_write_doubled(void **state)
{
	static const struct poke poke[] = { { ENTRY(4), 1 } };
	struct image *image;
	struct error err;

	(void)state;
	assert_int_equal(open_it(make(poke, 1, 0), OPEN_WRITE, &image, &err), ST_CORRUPT);
	assert_non_null(strstr(err.text, "1 of its blocks have the same place"));
	assert_int_equal(sim_allocations(), 0);
}

/* The bytes after the end of the disk are garbage, which nobody gets to see. */
static void test_grow(void **state)
{
	struct memory_blk *m = make(NULL, 0, 0);
	uint64_t file_bytes[1] = { 0 };
	struct image *image;
	struct error err;

	(void)state;
	assert_ok(open_it(m, OPEN_WRITE, &image, &err));
	assert_ok(image->format->change.plan_resize(image, 100 * BLOCK, PREALLOC_OFF, file_bytes,
						    &err));
	assert_int_equal(image->format->change.plan_resize(image, 129 * BLOCK, PREALLOC_OFF,
							   file_bytes, &err),
			 ST_UNSUPPORTED);
	assert_non_null(strstr(err.text, "room for a disk of 524288 bytes"));
	assert_int_equal(image->format->change.plan_resize(image, DISK - 512, PREALLOC_OFF,
							   file_bytes, &err),
			 ST_UNSUPPORTED);
	assert_ok(blk_resize(&image->blk, 10 * BLOCK, PREALLOC_OFF));
	assert_int_equal(field(m, DISK_BYTES), 10 * BLOCK);
	assert_int_equal(field(m, BLOCKS), 10);
	assert_int_equal(field(m, ENTRY(9)), 0xffffffff);
	for (uint64_t at = DATA + 2 * BLOCK; at < DATA + 3 * BLOCK; at++)
		assert_int_equal(m->bytes[at], at < DATA + 2 * BLOCK + 512 ? 0x12 : 0);
	image_close(image);
	assert_int_equal(sim_allocations(), 0);
}

/* ---- checking ---- */

static const struct {
	struct poke poke[3];
	uint64_t size;
	uint64_t corruptions, leaks;           /* before */
	uint64_t corruptions_left, leaks_left; /* after a repair of all */
	const char *disk;                      /* that is read after a repair; NULL: it is not */
} checks[] = {
	{ { { 0 } }, 0, 0, 0, 0, 0, "\x10-\x11----\x12" },
	{ { { ALLOCATED, 2 } }, 0, 1, 0, 0, 0, "\x10-\x11----\x12" },
	{ { { ALLOCATED, 5 } }, 0, 0, 2, 0, 0, "\x10-\x11----\x12" },
	{ { { ALLOCATED, 0xffffffff } }, 0, 1, 0, 0, 0, "\x10-\x11----\x12" },
	{ { { ENTRY(2), 6 }, { ALLOCATED, 7 } }, 0, 0, 4, 0, 0, "\x10-\x16----\x12" },
	{ { { ENTRY(0), 6 }, { ENTRY(7), 7 }, { ALLOCATED, 8 } },
	  0,
	  0,
	  5,
	  0,
	  0,
	  "\x16-\x11----\x17" },
	{ { { ENTRY(4), 1 }, { ALLOCATED, 4 } }, 0, 1, 1, 0, 0, "\x10-\x11-\x11--\x12" },
	{ { { ENTRY(4), 1 }, { ENTRY(5), 1 } }, 0, 2, 0, 0, 0, "\x10-\x11-\x11\x11-\x12" },
	{ { { ENTRY(4), 8 } }, 0, 1, 0, 1, 0, NULL },
	{ { { ENTRY(2), 6 } }, 0, 1, 4, 0, 0, "\x10-\x16----\x12" },
	{ { { 0 } }, DATA + BLOCK, 2, 0, 2, 0, NULL },
};

static void assert_checked(struct image *image, size_t i, bool repaired)
{
	struct check_result found = { 0 };
	struct error err;

	assert_ok(image_check(image, NULL, &found, &err));
	assert_row(found.corruptions ==
			   (repaired ? checks[i].corruptions_left : checks[i].corruptions),
		   i);
	assert_row(found.leaks == (repaired ? checks[i].leaks_left : checks[i].leaks), i);
}

static void test_check(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(checks); i++) {
		struct check_result found;
		struct memory_blk *m;
		struct image *image;
		struct error err;
		unsigned writes;
		size_t n = 0;

		while (n < N_OF(checks[i].poke) && checks[i].poke[n].n > 0)
			n++;
		m = make(checks[i].poke, n, checks[i].size);
		assert_ok(image_open_blk(&storage, &m->blk, "a.vdi", image_format_find("vdi"),
					 OPEN_WRITE, &image, &err));
		assert_checked(image, i, false);
		assert_ok(image_repair(image, REPAIR_ALL, NULL, &found, &err));
		assert_row(found.corruptions_fixed ==
				   checks[i].corruptions - checks[i].corruptions_left,
			   i);
		assert_row(found.leaks_fixed == checks[i].leaks - checks[i].leaks_left, i);
		assert_checked(image, i, true);
		writes = m->n_writes;
		assert_ok(image_repair(image, REPAIR_ALL, NULL, &found, &err));
		assert_row(m->n_writes == writes, i);
		if (checks[i].disk != NULL) {
			assert_ok(image_load(image, &err));
			assert_disk(image, checks[i].disk);
		}
		image_close(image);
		assert_row(sim_allocations() == 0, i);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers), cmocka_unit_test(test_read),
		cmocka_unit_test(test_write),   cmocka_unit_test(test_write_doubled),
		cmocka_unit_test(test_grow),    cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
