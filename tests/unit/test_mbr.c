/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "disk/part.h"
#include "tables.h"

enum { N_LBAS = 1000 };

static struct memory_blk *make(uint32_t block_bytes)
{
	return memory_blk_new(&(struct memory_blk_kind){ .size = (uint64_t)N_LBAS * block_bytes,
							 .block_bytes = block_bytes });
}

/*
 * Two primary partitions, an extended one with a chain of three tables, and a free record between.
 */
static struct memory_blk *make_chain(uint32_t block_bytes)
{
	struct memory_blk *m = make(block_bytes);

	sim_put(m, 440, 0xfeedbeef, 4);
	sim_mbr_record(m, 0, 0, 0x0c, 10, 90);
	sim_put(m, 446, 0x80, 1);
	sim_mbr_record(m, 0, 2, 0x05, 200, 500);
	sim_mbr_record(m, 0, 3, 0x83, 700, 300);
	sim_mbr_record(m, 200, 0, 0x83, 1, 49);
	sim_mbr_record(m, 200, 1, 0x05, 300, 100); /* the chain need not ascend */
	sim_mbr_record(m, 500, 0, 0x82, 2, 50);
	sim_mbr_record(m, 500, 1, 0x05, 100, 100);
	sim_mbr_record(m, 300, 0, 0x07, 1, 99);
	return m;
}

static void test_good(void **state)
{
	static const struct {
		uint32_t number;
		uint64_t first_lba, n_lbas;
		uint8_t type;
		const char *name;
	} rows[] = {
		{ 1, 10, 90, 0x0c, "FAT32 (LBA)" }, { 3, 200, 500, 0x05, "extended" },
		{ 4, 700, 300, 0x83, "Linux" },     { 5, 201, 49, 0x83, "Linux" },
		{ 6, 502, 50, 0x82, "Linux swap" }, { 7, 301, 99, 0x07, "NTFS or exFAT" },
	};
	static const uint32_t sizes[] = { 512, 4096 };

	(void)state;
	for (size_t s = 0; s < N_OF(sizes); s++) {
		struct memory_blk *m = make_chain(sizes[s]);
		struct part_table table;
		struct error err;
		char type[PART_TYPE_TEXT];

		assert_ok(part_table_read(&m->blk, &table, &err));
		assert_int_equal(table.kind, PART_MBR);
		assert_true(table.mbr_signature == 0xfeedbeef);
		assert_string_equal(table.note, "");
		assert_int_equal(table.n, N_OF(rows));
		for (size_t i = 0; i < N_OF(rows); i++) {
			const struct part *part = &table.part[i];

			assert_row(part->number == rows[i].number, i);
			assert_row(part->start_bytes == rows[i].first_lba * sizes[s], i);
			assert_row(part->size_bytes == rows[i].n_lbas * sizes[s], i);
			assert_row(part->mbr_type == rows[i].type &&
					   strcmp(part->type_name, rows[i].name) == 0,
				   i);
			assert_row(part->label[0] == '\0' && part->bootable == (i == 0), i);
		}
		part_type_print(PART_MBR, &table.part[0], type);
		assert_string_equal(type, "0x0c");
		part_table_free(&table);
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_poked(void **state)
{
	enum { EBR_200 = 200 * 512, EBR_500 = 500 * 512, EBR_300 = 300 * 512, LINK = 446 + 16 };
	static const struct {
		uint64_t offset, value;
		size_t n_bytes, n;
		enum part_kind kind;
		const char *note;
	} rows[] = {
		{ 510, 0, 2, 0, PART_NONE, "" },
		{ 446, 0x01, 1, 0, PART_NONE, "" },
		{ 446 + 48, 0x7f, 1, 0, PART_NONE, "" },
		{ 446 + 4, 0, 1, 5, PART_MBR, "" },
		{ 446 + 12, 0, 4, 5, PART_MBR, "" },
		{ 446 + 12, 0xffffffff, 4, 5, PART_MBR, "partition 1 does not lie on the disk" },
		{ 446 + 8, 0xffffffff, 4, 5, PART_MBR, "partition 1 does not lie on the disk" },
		{ 446 + 8, 911, 4, 5, PART_MBR, "partition 1 does not lie on the disk" },
		{ 446 + 8, 910, 4, 6, PART_MBR, "" },
		{ 446 + 8, 0, 4, 6, PART_MBR, "" },
		{ 446 + 36, 0x0f, 1, 6, PART_MBR, "" },
		{ 446 + 36, 0x85, 1, 6, PART_MBR, "" },
		{ 446 + 36, 0x83, 1, 3, PART_MBR, "" },
		{ 446 + 40, 5000, 4, 2, PART_MBR, "leaves the extended partition, to LBA 5000" },
		{ EBR_200 + 510, 0, 2, 3, PART_MBR, "breaks at LBA 200: there is no table" },
		{ EBR_500 + 510, 0, 2, 4, PART_MBR, "breaks at LBA 500: there is no table" },
		{ EBR_200 + LINK + 8, 500, 4, 4, PART_MBR,
		  "leaves the extended partition, to LBA 700" },
		{ EBR_200 + LINK + 8, 0xffffffff, 4, 4, PART_MBR,
		  "leaves the extended partition, to LBA 4294967495" },
		{ EBR_200 + LINK + 4, 0, 1, 4, PART_MBR, "" },
		{ EBR_200 + LINK + 12, 0, 4, 4, PART_MBR, "" },
		{ EBR_200 + 446 + 4, 0, 1, 5, PART_MBR, "" },
		{ EBR_200 + 446 + 12, 5000, 4, 5, PART_MBR,
		  "partition 5 does not lie on the disk" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct memory_blk *m = make_chain(512);
		struct part_table table;
		struct error err;

		sim_put(m, rows[i].offset, rows[i].value, rows[i].n_bytes);
		assert_ok(part_table_read(&m->blk, &table, &err));
		if (table.kind != rows[i].kind || table.n != rows[i].n ||
		    strstr(table.note, rows[i].note) == NULL ||
		    (rows[i].note[0] == '\0' && table.note[0] != '\0'))
			fail_msg("row %zu: kind %d, %zu partitions, \"%s\"", i, (int)table.kind,
				 table.n, table.note);
		part_table_free(&table);
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

/* A circle ends, and each partition of it is there once. */
static void test_circle(void **state)
{
	static const uint32_t back_to[] = { 0, 100, 300 };

	(void)state;
	for (size_t i = 0; i < N_OF(back_to); i++) {
		struct memory_blk *m = make_chain(512);
		struct part_table table;
		struct error err;

		sim_mbr_record(m, 300, 1, 0x05, back_to[i], 100);
		assert_ok(part_table_read(&m->blk, &table, &err));
		assert_non_null(strstr(table.note, "the chain of logical partitions loops"));
		assert_int_equal(table.n, 6);
		part_table_free(&table);
		blk_close(&m->blk);
	}
}

/* A partition that is too long, up to the table of another one. */
static void test_table_inside(void **state)
{
	struct memory_blk *m = make_chain(512);
	struct part_table table;
	struct error err;

	(void)state;
	sim_mbr_record(m, 200, 0, 0x83, 1, 100);
	assert_ok(part_table_read(&m->blk, &table, &err));
	assert_int_equal(table.n, 6);
	assert_string_equal(table.note, "partition 5 has a table of the chain in it, at LBA 300");
	part_table_free(&table);
	blk_close(&m->blk);
}

static void test_long_chain(void **state)
{
	struct memory_blk *m = make(512);
	struct part_table table;
	struct error err;

	(void)state;
	sim_mbr_record(m, 0, 0, 0x05, 100, 900);
	for (uint32_t i = 0; i < 200; i++) {
		sim_mbr_record(m, 100 + 4 * i, 0, 0x83, 1, 3);
		sim_mbr_record(m, 100 + 4 * i, 1, 0x05, 4 * (i + 1), 4);
	}
	assert_ok(part_table_read(&m->blk, &table, &err));
	assert_int_equal(table.n, 1 + 128);
	assert_int_equal(table.part[128].number, 132);
	assert_non_null(strstr(table.note, "has more than 128 tables"));
	part_table_free(&table);
	blk_close(&m->blk);
}

static void test_read_errors(void **state)
{
	struct memory_blk *m = make_chain(512);
	struct part_table table;
	struct error err;

	(void)state;
	/* the first block, the second (a GPT?), the first table of the chain */
	m->calls_to_failure = 3;
	m->status = ST_IO;
	m->blk.buffer_align = 1;
	assert_ok(part_table_read(&m->blk, &table, &err));
	assert_int_equal(table.n, 3);
	assert_string_equal(table.note, "the chain of logical partitions breaks at LBA 200: the "
					"device reports an error");
	part_table_free(&table);
	blk_close(&m->blk);
}

static void test_empty(void **state)
{
	struct memory_blk *m = make(512);
	struct part_table table;
	struct error err;

	(void)state;
	assert_ok(part_table_read(&m->blk, &table, &err));
	assert_int_equal(table.kind, PART_NONE);
	part_table_free(&table);
	sim_put(m, 510, 0xaa55, 2);
	assert_ok(part_table_read(&m->blk, &table, &err));
	assert_int_equal(table.kind, PART_MBR);
	assert_int_equal(table.n, 0);
	part_table_free(&table);
	m->blk.size = 0;
	assert_ok(part_table_read(&m->blk, &table, &err));
	assert_int_equal(table.kind, PART_NONE);
	part_table_free(&table);
	blk_close(&m->blk);
	assert_int_equal(sim_allocations(), 0);
}

/*
 * An image made for both uses, in an optical drive: its MBR counts in other units, and is left
 * alone.
 */
static void test_optical(void **state)
{
	struct memory_blk *m = make_chain(2048);
	struct part_table table;
	struct error err;

	(void)state;
	assert_ok(part_table_read(&m->blk, &table, &err));
	assert_int_equal(table.kind, PART_NONE);
	part_table_free(&table);
	blk_close(&m->blk);
}

static void test_no_memory(void **state)
{
	struct memory_blk *m = make_chain(512);
	unsigned n = 1;

	(void)state;
	for (;; n++) {
		struct part_table table;
		struct error err;
		enum status st;

		sim_fail_allocation(n);
		st = part_table_read(&m->blk, &table, &err);
		if (!sim_allocation_failed()) {
			assert_int_equal(table.n, 6);
			part_table_free(&table);
			break;
		}
		if (st == ST_OK)
			part_table_free(&table);
		assert_int_equal(sim_allocations(), 0);
	}
	sim_fail_allocation(0);
	assert_true(n > 3);
	blk_close(&m->blk);
}

static void test_random(void **state)
{
	uint32_t random = 99;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct memory_blk *m = make_chain(512);
		struct part_table table;
		struct error err;

		for (int k = 0; k < 1 + i % 6; k++) {
			static const uint64_t tables[] = { 0, 200, 500, 300 };
			uint64_t at;

			random = random * 1664525 + 1013904223;
			at = tables[random >> 8 & 3] * 512 + 446 + (random >> 12) % 64;
			random = random * 1664525 + 1013904223;
			m->bytes[at] = at % 512 < 447 ? 0x80 : (uint8_t)(random >> 24);
		}
		assert_ok(part_table_read(&m->blk, &table, &err));
		for (size_t k = 0; k < table.n; k++)
			assert_true(table.part[k].size_bytes > 0 &&
				    table.part[k].start_bytes < m->blk.size &&
				    table.part[k].size_bytes <=
					    m->blk.size - table.part[k].start_bytes);
		part_table_free(&table);
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),       cmocka_unit_test(test_poked),
		cmocka_unit_test(test_circle),     cmocka_unit_test(test_table_inside),
		cmocka_unit_test(test_long_chain), cmocka_unit_test(test_read_errors),
		cmocka_unit_test(test_empty),      cmocka_unit_test(test_optical),
		cmocka_unit_test(test_no_memory),  cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
