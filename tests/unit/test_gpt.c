/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "disk/part.h"
#include "tables.h"

enum { N_LBAS = 200 };

static const struct sim_part three[] = {
	{ sim_esp, 40, 59, "EFI system partition" },
	{ sim_basic_data, 60, 60, "" },
	{ sim_linux, 61, 100, "root" },
};

static struct memory_blk *make(uint32_t block_bytes)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){
		.size = (uint64_t)N_LBAS * block_bytes,
		.block_bytes = block_bytes,
		.buffer_align = 8,
	});

	sim_gpt(m, three, N_OF(three));
	return m;
}

static void check_three(const struct part_table *table, uint32_t block_bytes)
{
	static const char *const names[] = { "EFI system", "Microsoft basic data",
					     "Linux file system" };
	char type[PART_TYPE_TEXT];

	assert_int_equal(table->kind, PART_GPT);
	assert_int_equal(table->n, N_OF(three));
	for (size_t i = 0; i < N_OF(three); i++) {
		const struct part *part = &table->part[i];

		assert_int_equal(part->number, i + 1);
		assert_int_equal(part->start_bytes, three[i].first_lba * block_bytes);
		assert_int_equal(part->size_bytes,
				 (three[i].last_lba - three[i].first_lba + 1) * block_bytes);
		assert_memory_equal(part->type.b, three[i].type, 16);
		assert_int_equal(part->guid.b[7], i + 1);
		assert_string_equal(part->type_name, names[i]);
		assert_string_equal(part->label, three[i].label);
		assert_false(part->bootable);
	}
	assert_int_equal(table->disk_guid.b[0], 0xd1);
	part_type_print(PART_GPT, &table->part[0], type);
	assert_string_equal(type, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
}

static void test_good(void **state)
{
	static const uint32_t sizes[] = { 512, 4096 };

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		struct memory_blk *m = make(sizes[i]);
		struct part_table table;
		struct error err;

		assert_ok(part_table_read(&m->blk, &table, &err));
		check_three(&table, sizes[i]);
		assert_string_equal(table.note, "");
		part_table_free(&table);
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

/* A file as a disk: its blocks of 1 byte count as sectors of 512. */
static void test_of_a_file(void **state)
{
	struct memory_blk *m = make(512);
	struct part_table table;
	struct error err;

	(void)state;
	m->blk.block_bytes = 1;
	m->blk.buffer_align = 1;
	assert_ok(part_table_read(&m->blk, &table, &err));
	check_three(&table, 512);
	part_table_free(&table);
	blk_close(&m->blk);
}

/* A protective MBR and nothing else. */
static void test_of_one_block(void **state)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = 512, .block_bytes = 512 });
	struct part_table table;
	struct error err;

	(void)state;
	sim_mbr_record(m, 0, 0, 0xee, 1, UINT32_MAX);
	assert_ok(part_table_read(&m->blk, &table, &err));
	assert_int_equal(table.n, 0);
	assert_non_null(strstr(table.note, "the GPT is damaged: there is no LBA 1; its backup, "
					   "too: there is no header at LBA 0"));
	part_table_free(&table);
	blk_close(&m->blk);
}

/*
 * One field changed. CRCs of headers are computed anew, so that the field itself must be noticed.
 */
enum { HEADER = 512, ENTRY_0 = 1024, ENTRY_2 = ENTRY_0 + 256, MBR_0 = 446 };
enum result { BACKUP, PRIMARY };
static const struct {
	uint64_t offset, value;
	size_t n_bytes;
	bool seal;
	enum result result;
	size_t n;
	const char *note;
} pokes[] = {
	{ HEADER + 0, 'X', 1, false, BACKUP, 3, "there is no header at LBA 1" },
	{ HEADER + 8, 0x20000, 4, true, BACKUP, 3, "revision 0x00020000" },
	{ HEADER + 8, 0x10001, 4, true, PRIMARY, 3, "" },
	{ HEADER + 12, 91, 4, true, BACKUP, 3, "size of 91 bytes" },
	{ HEADER + 12, 513, 4, true, BACKUP, 3, "size of 513 bytes" },
	{ HEADER + 12, 0xffffffff, 4, true, BACKUP, 3, "size of 4294967295 bytes" },
	{ HEADER + 12, 512, 4, true, PRIMARY, 3, "" },
	{ HEADER + 16, 0, 4, false, BACKUP, 3, "header's CRC" },
	{ HEADER + 24, 2, 8, true, BACKUP, 3, "says that it is at LBA 2" },
	{ HEADER + 32, 150, 8, true, PRIMARY, 3, "made for a smaller disk" },
	{ HEADER + 32, 300, 8, true, PRIMARY, 3, "made for a larger disk" },
	{ HEADER + 40, 200, 8, true, BACKUP, 3, "first usable LBA" },
	{ HEADER + 40, 50, 8, true, PRIMARY, 3,
	  "partition 1 (LBA 40 to 59) lies outside of the usable range" },
	{ HEADER + 48, 99, 8, true, PRIMARY, 3,
	  "partition 3 (LBA 61 to 100) lies outside of the usable range" },
	{ HEADER + 72, 0, 8, true, BACKUP, 3, "entries at LBA 0" },
	{ HEADER + 72, 1, 8, true, BACKUP, 3, "entries at LBA 1" },
	{ HEADER + 72, 169, 8, true, BACKUP, 3, "entries at LBA 169" },
	{ HEADER + 72, UINT64_MAX, 8, true, BACKUP, 3, "entries at LBA 18446744073709551615" },
	{ HEADER + 80, 4097, 4, true, BACKUP, 3, "4097 entries" },
	{ HEADER + 80, 0xffffffff, 4, true, BACKUP, 3, "4294967295 entries" },
	{ HEADER + 80, 4096, 4, true, BACKUP, 3, "entries at LBA 2" },
	{ HEADER + 80, 2, 4, true, PRIMARY, 2, "" },
	{ HEADER + 80, 0, 4, true, PRIMARY, 0, "" },
	{ HEADER + 84, 0, 4, true, BACKUP, 3, "size of 0 bytes" },
	{ HEADER + 84, 64, 4, true, BACKUP, 3, "size of 64 bytes" },
	{ HEADER + 84, 129, 4, true, BACKUP, 3, "size of 129 bytes" },
	{ HEADER + 84, 8192, 4, true, BACKUP, 3, "size of 8192 bytes" },
	{ HEADER + 84, 0x80000000, 4, true, BACKUP, 3, "size of 2147483648 bytes" },
	{ HEADER + 84, 256, 4, true, PRIMARY, 2, "" }, /* every second entry of 128 */
	{ HEADER + 88, 0, 4, false, BACKUP, 3, "header's CRC" },
	{ ENTRY_0 + 56, 'x', 2, false, BACKUP, 3, "entries' CRC" },
	{ ENTRY_0 + 32, 60, 8, true, PRIMARY, 2, "partition 1 does not lie on the disk" },
	{ ENTRY_0 + 40, UINT64_MAX, 8, true, PRIMARY, 2, "partition 1 does not lie on the disk" },
	{ ENTRY_0 + 40, N_LBAS, 8, true, PRIMARY, 2, "partition 1 does not lie on the disk" },
	{ ENTRY_0 + 40, N_LBAS - 1, 8, true, PRIMARY, 3,
	  "outside of the usable range, LBA 34 to 166; partitions 1 and 2 overlap" },
	{ ENTRY_0 + 40, 60, 8, true, PRIMARY, 3, "partitions 1 and 2 overlap" },
	{ ENTRY_0 + 48, 4, 8, true, PRIMARY, 3, "" },
	{ ENTRY_2 + 32, 59, 8, true, PRIMARY, 3, "partitions 1 and 3 overlap" },
	{ MBR_0 + 4, 0xef, 1, false, PRIMARY, 1, "the MBR is not a protective one" },
	{ MBR_0 + 4, 0, 1, false, PRIMARY, 3, "the protective MBR is missing" },
	{ MBR_0 + 0, 7, 1, false, PRIMARY, 3, "the protective MBR is missing" },
	{ 510, 0, 2, false, PRIMARY, 3, "the protective MBR is missing" },
};

static void test_poked(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(pokes); i++) {
		struct memory_blk *m = make(512);
		struct part_table table;
		struct error err;

		sim_put(m, pokes[i].offset, pokes[i].value, pokes[i].n_bytes);
		if (pokes[i].seal)
			sim_gpt_seal(m, 1);
		assert_ok(part_table_read(&m->blk, &table, &err));
		if (table.n != pokes[i].n || strstr(table.note, pokes[i].note) == NULL ||
		    (pokes[i].note[0] == '\0' && table.note[0] != '\0') ||
		    (pokes[i].result == BACKUP) !=
			    (strstr(table.note, "this is its backup") != NULL))
			fail_msg("row %zu: %zu partitions, \"%s\"", i, table.n, table.note);
		part_table_free(&table);
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_both_damaged(void **state)
{
	struct memory_blk *m = make(512);
	struct part_table table;
	struct error err;

	(void)state;
	sim_put(m, 512 + 56, 0, 8);
	sim_put(m, 199 * 512, 0, 8);
	assert_ok(part_table_read(&m->blk, &table, &err));
	assert_int_equal(table.kind, PART_GPT);
	assert_int_equal(table.n, 0);
	assert_non_null(strstr(table.note, "the GPT is damaged: the header's CRC"));
	assert_non_null(strstr(table.note, "its backup, too: there is no header at LBA 199"));
	part_table_free(&table);
	blk_close(&m->blk);
}

/* The disk has grown: the backup is where the valid header has it, not at the end. */
static void test_backup_elsewhere(void **state)
{
	struct memory_blk *m = make(512), *larger = memory_blk_new(&(struct memory_blk_kind){
						  .size = 300 * 512, .block_bytes = 512 });
	struct part_table table;
	struct error err;

	(void)state;
	memcpy(larger->bytes, m->bytes, m->blk.size);
	sim_put(larger, 1024 + 60, 0xffff, 2); /* an entry of the primary */
	assert_ok(part_table_read(&larger->blk, &table, &err));
	check_three(&table, 512);
	assert_non_null(strstr(table.note, "this is its backup"));
	part_table_free(&table);
	blk_close(&m->blk);
	blk_close(&larger->blk);
}

static void test_smaller_disk(void **state)
{
	struct memory_blk *m = make(512);
	struct part_table table;
	struct error err;

	(void)state;
	m->blk.size = 60 * 512;
	assert_ok(part_table_read(&m->blk, &table, &err));
	assert_int_equal(table.n, 1);
	assert_string_equal(table.note, "the GPT was made for a larger disk: its backup should be "
					"at LBA 199, the disk ends at LBA 59; "
					"2 partitions, from number 2 on, do not lie on the disk "
					"and are left out");
	part_table_free(&table);
	blk_close(&m->blk);
}

/* An image of a disk with other sectors. */
static void test_other_block_size(void **state)
{
	static const uint32_t sizes[][2] = { { 512, 4096 }, { 4096, 512 } };

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++) {
		struct memory_blk *m = make(sizes[i][0]);
		struct part_table table;
		struct error err;
		char words[64];

		m->blk.block_bytes = sizes[i][1];
		m->blk.size -= m->blk.size % sizes[i][1];
		assert_ok(part_table_read(&m->blk, &table, &err));
		assert_int_equal(table.kind, PART_GPT);
		assert_int_equal(table.n, 0);
		snprintf(words, sizeof words, "made for blocks of %u bytes", sizes[i][0]);
		assert_non_null(strstr(table.note, words));
		part_table_free(&table);
		blk_close(&m->blk);
	}
}

/* The label is 36 units, with or without an end, of any UTF-16. */
static void test_labels(void **state)
{
	struct memory_blk *m = make(512);
	struct part_table table;
	struct error err;

	(void)state;
	for (uint64_t k = 0; k < 36; k++) {
		sim_put(m, 1024 + 56 + 2 * k, 0x20ac, 2);
		sim_put(m, 1024 + 128 + 56 + 2 * k, 0xdc00, 2);
	}
	sim_put(m, 1024 + 256 + 56, 0xdcbed83d, 4);
	sim_put(m, 1024 + 256 + 60, 0, 2);
	sim_gpt_seal(m, 1);
	assert_ok(part_table_read(&m->blk, &table, &err));
	assert_int_equal(strlen(table.part[0].label), 36 * 3);
	assert_int_equal(strlen(table.part[1].label), 36 * 3);
	assert_memory_equal(table.part[1].label, "\xef\xbf\xbd", 3);
	assert_string_equal(table.part[2].label, "\xf0\x9f\x92\xbe");
	part_table_free(&table);
	blk_close(&m->blk);
}

static void test_read_errors(void **state)
{
	(void)state;
	for (unsigned n = 1; n <= 4; n++) {
		struct memory_blk *m = make(512);
		struct part_table table;
		struct error err;
		enum status st;

		m->blk.buffer_align = 1;
		m->calls_to_failure = n;
		m->status = ST_IO;
		st = part_table_read(&m->blk, &table, &err);
		assert_int_equal(st, n == 1 ? ST_IO : ST_OK);
		if (n == 1)
			assert_string_equal(err.text, "the first block cannot be read: the device "
						      "reports an error");
		else
			assert_int_equal(table.n, 0);
		part_table_free(&table);
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_no_memory(void **state)
{
	struct memory_blk *m = make(512);
	unsigned n = 1;

	(void)state;
	m->blk.buffer_align = 8; /* reading may need a buffer, too */
	for (;; n++) {
		struct part_table table;
		struct error err;
		enum status st;

		sim_fail_allocation(n);
		st = part_table_read(&m->blk, &table, &err);
		if (!sim_allocation_failed()) {
			check_three(&table, 512);
			part_table_free(&table);
			break;
		}
		if (st == ST_OK) /* is_signed_at() found no buffer and said no */
			part_table_free(&table);
		else
			assert_int_equal(st, ST_NO_MEMORY);
		assert_int_equal(sim_allocations(), 0);
	}
	sim_fail_allocation(0);
	assert_true(n > 4);
	blk_close(&m->blk);
	assert_int_equal(sim_allocations(), 0);
}

/* Random damage of a good table, its CRCs right: no crash, and every partition lies on the disk. */
static void test_random(void **state)
{
	uint32_t random = 12345;

	(void)state;
	for (int i = 0; i < 3000; i++) {
		struct memory_blk *m = make(512);
		struct part_table table;
		struct error err;

		for (int k = 0; k < 1 + i % 5; k++) {
			static const uint32_t spans[][2] = { { 446, 66 },
							     { 512 + 8, 84 },
							     { 1024, 400 } };
			uint32_t span = (random >> 8) % 3;

			random = random * 1664525 + 1013904223;
			m->bytes[spans[span][0] + (random >> 4) % spans[span][1]] =
				(uint8_t)(random >> 24);
			random = random * 1664525 + 1013904223;
		}
		if (i % 2 == 0)
			sim_gpt_seal(m, 1);
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
		cmocka_unit_test(test_good),         cmocka_unit_test(test_of_a_file),
		cmocka_unit_test(test_of_one_block), cmocka_unit_test(test_poked),
		cmocka_unit_test(test_both_damaged), cmocka_unit_test(test_backup_elsewhere),
		cmocka_unit_test(test_smaller_disk), cmocka_unit_test(test_other_block_size),
		cmocka_unit_test(test_labels),       cmocka_unit_test(test_read_errors),
		cmocka_unit_test(test_no_memory),    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
