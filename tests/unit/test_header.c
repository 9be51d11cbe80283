/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Headers that an image may begin with: what is refused, with which words, and that no read or
 * allocation that fails goes unnoticed.
 */
#include "unit.h"

#include "format/qcow2/qcow2.h"
#include "memory_blk.h"

enum { FILE_BYTES = 8192, EXTENSION = 104, LUKS = 2048, LUKS_BYTES = 592, MORE_THAN_READS = 30 };

struct poke {
	uint16_t at;
	uint8_t n;
	uint64_t value;
};

static void put(struct memory_blk *m, const struct poke *poke, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (unsigned k = 0; k < poke[i].n; k++)
			m->bytes[poke[i].at + k] = (uint8_t)(poke[i].value >>
							     8 * (poke[i].n - 1 - k));
}

#define MAGIC        0, 4, 0x514649fb
#define VERSION      4, 4
#define CLUSTER_BITS 20, 4
#define CRYPT        32, 4
#define INCOMPATIBLE 72, 8
#define AUTOCLEAR    88, 8
#define TYPE         EXTENSION, 4
#define BYTES        EXTENSION + 4, 4

/* Version 3, clusters of 512 bytes, a disk of 32 KiB. */
static const struct poke good[] = {
	{ MAGIC },    { VERSION, 3 },        { CLUSTER_BITS, 9 }, { 24, 8, 32768 },
	{ 36, 4, 1 }, { 40, 8, 4096 },       { 48, 8, 6144 },     { 56, 4, 1 },
	{ 96, 4, 4 }, { 100, 4, EXTENSION },
};

static const struct {
	struct poke poke[6];
	uint64_t size; /* of the file; 0: enough */
	enum status st;
	const char *words;
} rows[] = {
	{ { { 0 } }, 0, ST_OK, "" },
	{ { { 0 } }, 103, ST_CORRUPT, "ends after 103 bytes, in the middle of its qcow2 header" },
	{ { { VERSION, 2 } }, 71, ST_CORRUPT, "ends after 71 bytes" },
	{ { { VERSION, 2 } }, 72, ST_OK, "" },
	{ { { INCOMPATIBLE, 16 } },
	  0,
	  ST_CORRUPT,
	  "clusters of 512 bytes are too small for extended L2 entries" },
	{ { { INCOMPATIBLE, 16 }, { CLUSTER_BITS, 13 }, { 40, 8, 0 }, { 48, 8, 8192 } },
	  0,
	  ST_CORRUPT,
	  "clusters of 8192 bytes are too small" },
	{ { { TYPE, 0x0537be77 }, { BYTES, 16 } },
	  0,
	  ST_CORRUPT,
	  "extension of 16 bytes does not fit to encryption method 0" },
	{ { { TYPE, 0x0537be77 }, { BYTES, 16 }, { CRYPT, 1 } },
	  0,
	  ST_CORRUPT,
	  "does not fit to encryption method 1" },
	{ { { TYPE, 0x0537be77 }, { BYTES, 15 }, { CRYPT, 2 } },
	  0,
	  ST_CORRUPT,
	  "extension of 15 bytes does not fit" },
	{ { { TYPE, 0x0537be77 }, { BYTES, 16 }, { CRYPT, 2 }, { 112, 8, LUKS + 1 } },
	  0,
	  ST_CORRUPT,
	  "encryption header, 0x801, is not a multiple" },
	{ { { TYPE, 0x0537be77 },
	    { BYTES, 16 },
	    { CRYPT, 2 },
	    { 112, 8, LUKS },
	    { 120, 8, LUKS_BYTES } },
	  0,
	  ST_OK,
	  "" },
	{ { { TYPE, 0xe2792aca }, { BYTES, 16 } },
	  0,
	  ST_CORRUPT,
	  "the backing file's format has 16 bytes" },
	{ { { TYPE, 0xe2792aca }, { BYTES, 15 } }, 0, ST_OK, "" },
	{ { { TYPE, 0x44415441 }, { BYTES, 1024 }, { CLUSTER_BITS, 11 } },
	  0,
	  ST_CORRUPT,
	  "the data file has 1024 bytes" },
	{ { { TYPE, 0x44415441 }, { BYTES, 1023 }, { CLUSTER_BITS, 11 } }, 0, ST_OK, "" },
	{ { { TYPE, 0x44415441 }, { BYTES, 401 } }, 0, ST_CORRUPT, "does not fit into the header" },
	{ { { TYPE, 0x23852875 }, { BYTES, 24 }, { AUTOCLEAR, 1 }, { 112, 4, 1 }, { 128, 8, 512 } },
	  0,
	  ST_OK,
	  "" },
	{ { { TYPE, 0x23852875 }, { BYTES, 23 }, { AUTOCLEAR, 1 } },
	  0,
	  ST_CORRUPT,
	  "has 23 bytes instead of 24" },
	{ { { TYPE, 0x6803f857 },
	    { BYTES, 96 },
	    { INCOMPATIBLE, 0x400 },
	    { 160, 8, 0x000a6e6577000000 } },
	  0,
	  ST_UNSUPPORTED,
	  "\"new\" (incompatible feature bit 10)" },
	{ { { TYPE, 0x6803f857 },
	    { BYTES, 95 },
	    { INCOMPATIBLE, 0x400 },
	    { 160, 8, 0x000a6e6577000000 } },
	  0,
	  ST_UNSUPPORTED,
	  "here: incompatible feature bit 10" },
	{ { { 8, 8, 256 }, { 16, 4, 200 } }, 0, ST_OK, "" },
	{ { { 8, 8, 256 }, { 16, 4, 257 } },
	  0,
	  ST_CORRUPT,
	  "257 bytes at 0x100, is too long or not in the first cluster" },
};

static struct memory_blk *image(size_t row)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){ .size = FILE_BYTES });

	put(m, good, N_OF(good));
	put(m, rows[row].poke, N_OF(rows[row].poke));
	if (rows[row].size > 0) {
		memset(m->bytes + rows[row].size, 0, FILE_BYTES - rows[row].size);
		m->blk.size = rows[row].size;
	}
	return m;
}

static enum status read_it(struct memory_blk *m, struct error *err)
{
	struct qcow2_header header;
	enum status st = qcow2_header_read(&m->blk, &header, err);

	qcow2_header_free(&header);
	return st;
}

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct memory_blk *m = image(i);
		struct error err = { .text = "" };
		enum status st = read_it(m, &err);

		if (st != rows[i].st || strstr(err.text, rows[i].words) == NULL)
			fail_msg("row %zu: %d, %s", i, (int)st, err.text);
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_every_failure(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct memory_blk *m = image(i);
		enum status st = ST_IO;
		struct error err;
		unsigned n;

		m->status = ST_IO;
		for (n = 0; st == ST_IO && n < MORE_THAN_READS; n++) {
			m->calls_to_failure = n + 1;
			st = read_it(m, &err);
			assert_row(st == rows[i].st || (st == ST_IO &&
							strstr(err.text, "reading the ") != NULL),
				   i);
		}
		assert_row(n > 1 && n < MORE_THAN_READS, i);
		m->calls_to_failure = 0;
		for (n = 1, st = ST_NO_MEMORY; st == ST_NO_MEMORY; n++) {
			sim_fail_allocation(n);
			st = read_it(m, &err);
			assert_row(st == (sim_allocation_failed() ? ST_NO_MEMORY : rows[i].st), i);
		}
		sim_fail_allocation(0);
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_luks(void **state)
{
	static const struct {
		uint64_t bytes;
		struct poke poke;
		enum status st;
		const char *words;
	} cases[] = {
		{ LUKS_BYTES, { 0 }, ST_OK, "" },
		{ LUKS_BYTES - 1, { 0 }, ST_CORRUPT, "only 591 bytes" },
		{ LUKS_BYTES, { LUKS + 5, 1, 0 }, ST_CORRUPT, "no LUKS1 header at 0x800" },
		{ LUKS_BYTES, { LUKS + 7, 1, 2 }, ST_CORRUPT, "no LUKS1 header at 0x800" },
		{ LUKS_BYTES, { LUKS + 108, 4, 1025 }, ST_CORRUPT, "the key has 1025 bytes" },
	};
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){ .size = FILE_BYTES });
	struct qcow2_header header = { .luks.offset = LUKS, .luks.bytes = LUKS_BYTES };
	struct qcow2_luks luks;
	struct error err;

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		memcpy(m->bytes + LUKS, "LUKS\xba\xbe\0\1aes", 11);
		memcpy(m->bytes + LUKS + 40, "xts-plain64", 11);
		put(m, &(struct poke){ LUKS + 108, 4, 64 }, 1);
		put(m, &cases[i].poke, 1);
		header.luks.bytes = cases[i].bytes;
		assert_row(qcow2_luks_read(&m->blk, &header, &luks, &err) == cases[i].st, i);
		assert_row(cases[i].st == ST_OK ? strcmp(luks.cipher_alg, "aes-256") == 0
						: strstr(err.text, cases[i].words) != NULL,
			   i);
	}
	m->calls_to_failure = 1;
	m->status = ST_IO;
	assert_int_equal(qcow2_luks_read(&m->blk, &header, &luks, &err), ST_IO);
	blk_close(&m->blk);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_every_failure),
		cmocka_unit_test(test_luks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
