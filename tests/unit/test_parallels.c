/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parallels images as no program here writes them: headers and BATs of which one thing is wrong,
 * clusters of three sectors, both kinds of images, and what is written to them.
 */
#include "unit.h"

#include "base/bytes.h"
#include "format/image.h"
#include "memory_blk.h"

enum {
	CLUSTER = 1536,
	N = 8,
	DATA = CLUSTER,
	FILE_BYTES = DATA + 4 * CLUSTER,
	DISK = 7 * CLUSTER + 512,
	IN_USE = 0x746f6e59,
	CLOSED = 0x312e3276,
};

static struct storage storage;

struct poke {
	uint16_t at;
	uint8_t n;
	uint64_t value;
};

#define MAGIC     8, 8
#define VERSION   16, 4
#define SECTORS   28, 4
#define ENTRIES   32, 4
#define DISK_SIZE 36, 8
#define USED      44, 4
#define DATA_AT   48, 4
#define EXTENSION 56, 8
#define ENTRY(i)  64 + 4 * (i), 4

/* The newer kind: clusters 0, 2 and 7 of the disk are the first three in the file. */
static const struct poke good[] = {
	{ VERSION, 2 },  { 20, 4, 16 },   { SECTORS, 3 },
	{ ENTRIES, N },  { DATA_AT, 3 },  { DISK_SIZE, DISK / 512 },
	{ ENTRY(0), 1 }, { ENTRY(2), 2 }, { ENTRY(7), 3 },
};

/* An image of the newer kind, or the same as an old one, whose entries count in sectors. */
static struct memory_blk *make(bool old, const struct poke *poke, size_t n, uint64_t size)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){
		.size = FILE_BYTES, .writable = true, .limit = 16 * FILE_BYTES });

	for (unsigned i = 0; i < 4; i++)
		memset(m->bytes + DATA + i * CLUSTER, 0x10 + (int)i, CLUSTER);
	memcpy(m->bytes, old ? "WithoutFreeSpace" : "WithouFreSpacExt", 16);
	for (size_t i = 0; i < N_OF(good) + n; i++) {
		const struct poke *p = i < N_OF(good) ? &good[i] : &poke[i - N_OF(good)];
		bool entry = old && p->at >= 64 && i < N_OF(good);

		bytes_to_le(m->bytes + p->at, p->n, p->value * (entry ? 3 : 1));
	}
	if (size > 0) {
		memset(m->bytes + size, 0, FILE_BYTES - size);
		m->blk.size = size;
	}
	return m;
}

static enum status open_it(struct memory_blk *m, enum open_mode mode, struct image **ret,
			   struct error *err)
{
	enum status st = image_open_blk(&storage, &m->blk, "a.hds", image_format_find("parallels"),
					mode, ret, err);

	if (st != ST_OK)
		return st;
	st = image_load(*ret, err);
	if (st != ST_OK)
		image_close(*ret);
	return st;
}

static size_t pokes_of(const struct poke *poke, size_t most)
{
	size_t n = 0;

	while (n < most && poke[n].n > 0)
		n++;
	return n;
}

/* ---- headers and BATs ---- */

static const struct {
	bool old;
	struct poke poke[3];
	uint64_t size; /* of the file; 0: enough */
	enum status st;
	const char *words;
} rows[] = {
	{ false, { { 0 } }, 0, ST_OK, "" },
	{ true, { { 0 } }, 0, ST_OK, "" },
	{ true, { { 40, 4, 0xffffffff } }, 0, ST_OK, "" }, /* the half that does not count */
	{ true, { { DATA_AT, 0 } }, 0, ST_OK, "" },
	{ false, { { USED, IN_USE } }, 0, ST_OK, "" },
	{ false, { { EXTENSION, 9 } }, 0, ST_OK, "" },
	{ false, { { MAGIC, 0 } }, 0, ST_CORRUPT, "it is no Parallels image" },
	{ false, { { VERSION, 1 } }, 0, ST_UNSUPPORTED, "version 1" },
	{ false, { { VERSION, 0xffffffff } }, 0, ST_UNSUPPORTED, "version 4294967295" },
	{ false, { { SECTORS, 0 } }, 0, ST_CORRUPT, "its clusters have 0 sectors" },
	{ false, { { SECTORS, 4186128 } }, 0, ST_CORRUPT, "its clusters have 4186128 sectors" },
	{ false, { { SECTORS, 2 } }, 0, ST_CORRUPT, "does not fit into the 8 clusters" },
	{ false, { { ENTRIES, 0 } }, 0, ST_CORRUPT, "does not fit into the 0 clusters" },
	{ false, { { ENTRIES, 7 } }, 0, ST_CORRUPT, "does not fit into the 7 clusters" },
	{ false, { { ENTRIES, 0x20000000 } }, 0, ST_CORRUPT, "its BAT has 536870912 entries" },
	{ false, { { ENTRIES, 0x1fffffff } }, 0, ST_CORRUPT, "its data begins in sector 3" },
	{ false,
	  { { ENTRIES, 0x1fffffff }, { DATA_AT, 0xffffffff } },
	  0,
	  ST_CORRUPT,
	  "the file is cut short" },
	{ false, { { DISK_SIZE, 25 } }, 0, ST_CORRUPT, "its disk of 25 sectors" },
	{ false, { { DISK_SIZE, UINT64_MAX } }, 0, ST_CORRUPT, "its disk of 18446744073709551615" },
	{ true, { { DISK_SIZE, 25 } }, 0, ST_CORRUPT, "its disk of 25 sectors" },
	{ false, { { ENTRY(0), 5 } }, 0, ST_CORRUPT, "1 of its clusters are past the end" },
	{ false, { { ENTRY(0), 0xffffffff } }, 0, ST_CORRUPT, "1 of its clusters are past" },
	{ true, { { ENTRY(0), 0xffffffff } }, 0, ST_CORRUPT, "1 of its clusters are past" },
	{ false, { { 0 } }, 3 * CLUSTER + 511, ST_CORRUPT, "at 5119: it was cut short" },
	{ false, { { 0 } }, 3 * CLUSTER + 512, ST_OK, "" }, /* no more of it is on the disk */
	{ false, { { 0 } }, 64 + 4 * N - 1, ST_CORRUPT, "the file is cut short: it has 95" },
};

static void test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct image *image;
		struct error err = { "" };
		size_t n = pokes_of(rows[i].poke, N_OF(rows[i].poke));
		enum status st = open_it(make(rows[i].old, rows[i].poke, n, rows[i].size),
					 OPEN_READ, &image, &err);

		assert_row(st == rows[i].st, i);
		assert_row(strstr(err.text, rows[i].words) != NULL, i);
		if (st == ST_OK)
			image_close(image);
		assert_row(sim_allocations() == 0, i);
	}
}

/* ---- reading and writing ---- */

static void assert_disk(struct image *image, const char *expected)
{
	uint8_t *disk = test_malloc(image->size);

	assert_ok(blk_read(&image->blk, 0, disk, image->size));
	for (uint64_t at = 0; at < image->size; at++)
		if (disk[at] !=
		    (uint8_t)(expected[at / CLUSTER] == '-' ? 0 : expected[at / CLUSTER]))
			fail_msg("byte %zu is 0x%x", (size_t)at, disk[at]);
	test_free(disk);
}

static uint64_t field(const struct memory_blk *m, size_t at, size_t n)
{
	return bytes_from_le(m->bytes + at, n);
}

/* In use while it is written to; new clusters come after the last one. */
static void write_to(bool old)
{
	const unsigned unit = old ? 3 : 1;
	struct memory_blk *m = make(old, NULL, 0, 0);
	struct image *image;
	struct error err;

	assert_ok(open_it(m, OPEN_WRITE, &image, &err));
	assert_int_equal(image->size, DISK);
	assert_disk(image, "\x10-\x11----\x12");
	assert_int_equal(field(m, USED), 0);
	assert_ok(blk_write(&image->blk, 4 * CLUSTER + 100, "x", 1));
	assert_ok(blk_write(&image->blk, 2 * CLUSTER, "y", 1));
	assert_int_equal(field(m, USED), IN_USE);
	assert_int_equal(field(m, ENTRY(4)), 0); /* not before the flush */
	assert_ok(blk_flush(&image->blk));
	assert_int_equal(field(m, USED), 0); /* as it was */
	assert_int_equal(field(m, ENTRY(4)), 4 * unit);
	assert_int_equal(field(m, ENTRY(5)), 0);
	for (unsigned i = 0; i < CLUSTER; i++)
		assert_int_equal(m->bytes[DATA + 3 * CLUSTER + i], i == 100 ? 'x' : 0);
	assert_int_equal(m->bytes[DATA + CLUSTER], 'y');
	image_close(image);
	assert_int_equal(sim_allocations(), 0);
}

static void test_write(void **state)
{
	(void)state;
	write_to(false);
	write_to(true);
}

static const struct {
	struct poke poke[2];
	const char *words; /* NULL: it is not refused */
} writes[] = {
	{ { { USED, IN_USE } }, NULL },
	{ { { EXTENSION, 9 } }, "it has an extension (in sector 9)" },
	{ { { DATA_AT, 15 }, { USED, IN_USE } }, NULL }, /* where the file ends */
	{ { { DATA_AT, 16 } }, "its data begins at offset 0x2000, past the end of the file" },
	{ { { DATA_AT, 0xffffffff } }, "its data begins at offset 0x1fffffffe00, past the end" },
	{ { { ENTRY(4), 2 } }, "1 of its clusters overlap others" },
	{ { { ENTRY(4), 2 }, { ENTRY(5), 2 } }, "2 of its clusters overlap others" },
};

static void test_refused_writes(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(writes); i++) {
		struct memory_blk *m = make(false, writes[i].poke,
					    pokes_of(writes[i].poke, N_OF(writes[i].poke)), 0);
		struct image *image;
		struct error err = { "" };
		enum status st = open_it(m, OPEN_WRITE, &image, &err);

		assert_row((st == ST_OK) == (writes[i].words == NULL), i);
		if (st == ST_OK) {
			assert_ok(blk_flush(&image->blk));
			assert_int_equal(field(m, USED), CLOSED);
			image_close(image);
		} else {
			assert_row(strstr(err.text, writes[i].words) != NULL, i);
		}
		assert_row(sim_allocations() == 0, i);
	}
}

/* ---- checking ---- */

static const struct {
	bool old;
	struct poke poke[3];
	uint64_t size;
	uint64_t corruptions, leaks;           /* before */
	uint64_t corruptions_left, leaks_left; /* after a repair of all */
	const char *disk;                      /* that is read after a repair; NULL: it is not */
} checks[] = {
	{ false, { { 0 } }, DATA + 3 * CLUSTER, 0, 0, 0, 0, "\x10-\x11----\x12" },
	{ false, { { 0 } }, 0, 0, 1, 0, 0, "\x10-\x11----\x12" },
	{ true, { { 0 } }, 0, 0, 1, 0, 0, "\x10-\x11----\x12" },
	{ false, { { EXTENSION, 9 } }, 0, 0, 0, 0, 0, "\x10-\x11----\x12" },
	{ false, { { USED, IN_USE } }, 0, 1, 1, 0, 0, "\x10-\x11----\x12" },
	{ false, { { DATA_AT, 15 } }, 0, 0, 0, 0, 0, "\x10-\x11----\x12" },
	{ false, { { DATA_AT, 16 } }, 0, 1, 0, 1, 0, NULL },
	{ false, { { DATA_AT, 16 }, { USED, IN_USE } }, 0, 2, 0, 2, 0, NULL },
	{ false, { { ENTRY(2), 9 } }, 0, 1, 1, 0, 0, "\x10------\x12" },
	{ false, { { ENTRY(4), 2 } }, 0, 1, 1, 0, 0, "\x10-\x11-\x11--\x12" },
	{ true, { { ENTRY(4), 6 }, { ENTRY(5), 6 } }, 0, 2, 1, 0, 0, "\x10-\x11-\x11\x11-\x12" },
	{ true, { { ENTRY(4), 4 } }, 0, 1, 1, 1, 1, NULL },
	{ true, { { ENTRY(0), 0 }, { DATA_AT, 6 } }, 0, 0, 1, 0, 0, "--\x11----\x12" },
	{ false, { { 0 } }, DATA + CLUSTER + 700, 2, 0, 1, 0, NULL },
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
	assert_row(found.total_clusters == N, i);
}

static void test_check(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(checks); i++) {
		struct check_result found;
		struct memory_blk *m;
		struct image *image;
		struct error err;
		unsigned n_writes;

		m = make(checks[i].old, checks[i].poke,
			 pokes_of(checks[i].poke, N_OF(checks[i].poke)), checks[i].size);
		assert_ok(image_open_blk(&storage, &m->blk, "a.hds", image_format_find("parallels"),
					 OPEN_WRITE, &image, &err));
		assert_checked(image, i, false);
		assert_ok(image_repair(image, REPAIR_ALL, NULL, &found, &err));
		assert_row(found.corruptions_fixed ==
				   checks[i].corruptions - checks[i].corruptions_left,
			   i);
		assert_checked(image, i, true);
		n_writes = m->n_writes + m->n_resizes;
		assert_ok(image_repair(image, REPAIR_ALL, NULL, &found, &err));
		assert_row(m->n_writes + m->n_resizes == n_writes, i);
		if (checks[i].disk != NULL && checks[i].poke[0].at == 56)
			image->mode = OPEN_READ; /* with its extension, that is all there is */
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
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_refused_writes),
		cmocka_unit_test(test_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
