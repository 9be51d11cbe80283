/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * dmg images: the disk is what the chunks of all tables say, whatever their order; each field of
 * the trailer, of a table and of a chunk that makes no sense is refused with words that name it;
 * and `check` finds what the checksums find.
 */
#include "foreign_image.h"

#include "base/crc32.h"
#include "codec/codec.h"

enum { SECTORS = 100, DISK = SECTORS * 512, DATA_AT = 64, FILE_MAX = 1 << 17, MISH = 204 };

#define ZLIB 0x80000005

/* The chunks of two tables, in the order of the tables; sectors count from the table's first. */
static const struct {
	unsigned table, sector, n;
	uint32_t type;
} chunks[] = {
	{ 0, 0, 10, ZLIB }, { 0, 10, 5, 0 },   { 0, 15, 20, ZLIB }, { 0, 35, 5, 2 },
	{ 1, 0, 7, 1 },     { 1, 7, 1, ZLIB }, { 1, 8, 32, 1 },     { 1, 40, 20, ZLIB },
};
static const unsigned first_sector[2] = { 0, 40 }, n_sectors[2] = { 40, 60 };

static uint8_t disk[DISK], file[FILE_MAX], table[2][MISH + 40 * 8];
static size_t file_bytes, data_bytes, table_bytes[2];
static uint8_t *trailer;
static bool forked; /* a resource fork has the tables */

static void make_disk(void)
{
	uint32_t state = 7;

	for (size_t i = 0; i < DISK; i++)
		disk[i] = i / 4096 % 2 == 0 ? (uint8_t)dice(&state) : (uint8_t)(i / 64 % 5 + 1);
	for (size_t i = 0; i < N_OF(chunks); i++)
		if (chunks[i].type == 0 || chunks[i].type == 2)
			memset(disk + (first_sector[chunks[i].table] + chunks[i].sector) * 512, 0,
			       chunks[i].n * 512);
}

/* Makes the data, in an order of its own, and the tables. */
static void make_tables(void)
{
	struct codec *codec = codec_open(CODEC_ZLIB, CODEC_DEFAULT);
	unsigned entries[2] = { 0, 0 };
	uint32_t crc[2] = { 0, 0 };

	memset(table, 0, sizeof table);
	data_bytes = 0;
	for (size_t i = 0; i < N_OF(chunks); i++) {
		unsigned t = chunks[i].table;
		uint8_t *entry = table[t] + MISH + 40 * entries[t]++;
		const uint8_t *from = disk + (first_sector[t] + chunks[i].sector) * 512;
		uint8_t *to = file + DATA_AT + data_bytes;
		size_t n = chunks[i].n * 512, packed = 0;

		if (chunks[i].type == 1)
			memcpy(to, from, packed = n);
		else if (chunks[i].type == ZLIB)
			assert_ok(codec_compress(codec, from, n, to, 2 * n, &packed));
		if (chunks[i].type != 2)
			crc[t] = crc32(crc[t], from, n);
		bytes_to_be(entry, 4, chunks[i].type);
		bytes_to_be(entry + 8, 8, chunks[i].sector);
		bytes_to_be(entry + 16, 8, chunks[i].n);
		bytes_to_be(entry + 24, 8, data_bytes);
		bytes_to_be(entry + 32, 8, packed);
		data_bytes += packed;
	}
	codec_close(codec);
	for (unsigned t = 0; t < 2; t++) {
		memcpy(table[t], "mish\0\0\0\1", 8);
		bytes_to_be(table[t] + 8, 8, first_sector[t]);
		bytes_to_be(table[t] + 16, 8, n_sectors[t]);
		bytes_to_be(table[t] + 64, 4, 2);
		bytes_to_be(table[t] + 68, 4, 32);
		bytes_to_be(table[t] + 72, 4, crc[t]);
		bytes_to_be(table[t] + 200, 4, entries[t] + 1);
		bytes_to_be(table[t] + MISH + 40 * entries[t], 4, UINT32_MAX);
		table_bytes[t] = MISH + 40 * (entries[t] + 1);
	}
}

static void put(const char *text)
{
	memcpy(file + file_bytes, text, strlen(text));
	file_bytes += strlen(text);
}

static void put_base64(const uint8_t *bytes, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				     "0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t bits = (uint32_t)bytes[i] << 16 |
				(i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0) |
				(i + 2 < n ? bytes[i + 2] : 0);

		for (size_t k = 0; k < 4; k++)
			file[file_bytes++] = (uint8_t)(i + k > n
							       ? '='
							       : digits[bits >> (18 - 6 * k) & 63]);
		if (i % 36 == 0)
			put("\n\t\t");
	}
}

/* The second table comes first. */
static void put_list(void)
{
	put("<?xml version=\"1.0\"?>\n<!DOCTYPE plist>\n<plist version=\"1.0\">\n<dict>\n"
	    "<key>resource-fork</key>\n<dict>\n<key>blkx</key>\n<array>\n");
	for (unsigned t = 2; t-- > 0;) {
		put("<dict><key>Attributes</key><string>0x0050</string><key>Data</key>\n<data>\n");
		put_base64(table[t], table_bytes[t]);
		put("</data><key>ID</key><string>0</string></dict>\n");
	}
	put("</array><key>plst</key><array><dict><key>Data</key><data>AAAA</data></dict></array>"
	    "</dict></dict></plist>\n");
}

static void put_fork(void)
{
	uint8_t *fork = file + file_bytes, *map;
	size_t at = 16;

	memset(fork, 0, 4096);
	bytes_to_be(fork, 4, 16);
	for (unsigned t = 0; t < 2; t++) {
		bytes_to_be(fork + at, 4, table_bytes[t]);
		memcpy(fork + at + 4, table[t], table_bytes[t]);
		at += 4 + table_bytes[t];
	}
	map = fork + at;
	bytes_to_be(fork + 4, 4, at);
	bytes_to_be(map + 24, 2, 28); /* the list of types: one of them, from 28 on */
	bytes_to_be(map + 28, 2, 0);
	memcpy(map + 30, "blkx", 4);
	bytes_to_be(map + 34, 2, 1);
	bytes_to_be(map + 36, 2, 10);
	bytes_to_be(map + 28 + 10 + 5, 3, 0);
	bytes_to_be(map + 28 + 10 + 12 + 5, 3, 4 + table_bytes[0]);
	file_bytes += at + 28 + 10 + 24;
}

/* Puts what describes the data, and the trailer, after the data. */
static void finish(void)
{
	size_t start = DATA_AT + data_bytes;
	uint8_t crcs[8];

	file_bytes = start;
	if (forked)
		put_fork();
	else
		put_list();
	trailer = file + file_bytes;
	memset(trailer, 0, 512);
	memcpy(trailer, "koly\0\0\0\4\0\0\2\0", 12);
	bytes_to_be(trailer + 24, 8, DATA_AT);
	bytes_to_be(trailer + 32, 8, data_bytes);
	bytes_to_be(trailer + (forked ? 40 : 216), 8, start);
	bytes_to_be(trailer + (forked ? 48 : 224), 8, file_bytes - start);
	bytes_to_be(trailer + 80, 4, 2);
	bytes_to_be(trailer + 88, 4, crc32(0, file + DATA_AT, data_bytes));
	memcpy(crcs, table[forked ? 0 : 1] + 72, 4);
	memcpy(crcs + 4, table[forked ? 1 : 0] + 72, 4);
	bytes_to_be(trailer + 352, 4, 2);
	bytes_to_be(trailer + 360, 4, crc32(0, crcs, 8));
	bytes_to_be(trailer + 492, 8, SECTORS);
	file_bytes += 512;
}

static void put_file(void)
{
	sim_file_put("x", file, file_bytes);
}

static void make(bool fork)
{
	forked = fork;
	make_disk();
	make_tables();
	finish();
	put_file();
}

static void test_contents(void **state)
{
	(void)state;
	for (int fork = 0; fork < 2; fork++) {
		make(fork);
		MUST("info", "x");
		assert_non_null(strstr(out.text, "file format: dmg\n"));
		assert_disk("x", disk, DISK);
		MUST("check", "x");
		assert_string_equal(out.text, "No errors were found on the image.\n");
	}
}

struct row {
	size_t at, n;
	uint64_t value;
	const char *words;
};

static void test_absurd_trailer(void **state)
{
	static const struct row rows[] = {
		{ 24, 8, UINT64_MAX, "data fork (offset 18446744073709551615, " },
		{ 32, 8, UINT64_C(1) << 63, "9223372036854775808 bytes) ends past the end" },
		{ 60, 4, 2, "segment 0 of 2 of a dmg image" },
		{ 216, 8, 1 << 20, "property list (offset 1048576, " },
		{ 216, 8, UINT64_MAX, "property list (offset 18446744073709551615, " },
		{ 216, 8, 0, "the property list has no tables of chunks" },
		{ 224, 8, UINT64_MAX, "18446744073709551615 bytes) ends past the end of the file" },
		{ 224, 8, 0, "neither a property list nor a resource fork" },
		{ 224, 8, 10, "the property list has no tables of chunks" },
		{ 224, 8, 400, "is no base64" },
		{ 492, 8, 0, "(0 sectors)" },
		{ 492, 8, SECTORS - 1, "ends past the end of the disk (99 sectors)" },
		{ 492, 8, SECTORS + 1, "sector 100 of the disk, which has 101, is in no chunk" },
		{ 492, 8, UINT64_MAX, "a disk of 18446744073709551615 sectors" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make(false);
		bytes_to_be(trailer + rows[i].at, rows[i].n, rows[i].value);
		put_file();
		if (rows[i].at == 224 && rows[i].value == 400)
			continue; /* may end within a group of four */
		assert_refused(i, rows[i].words);
		assert_row(RUN("info", "x") == EXIT_ERROR, i);
	}
	make(false);
	trailer[0] = 'X';
	put_file();
	assert_int_equal(RUN("info", "-f", "dmg", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "its last 512 bytes are not a trailer"));
	MUST("info", "x");
	assert_non_null(strstr(out.text, "file format: raw\n"));
}

/* Each field of the second table, and of its third chunk. */
static void test_absurd_tables(void **state)
{
	enum { CHUNK = MISH + 40 * 2, ZLIB_CHUNK = MISH + 40 * 3 };
	static const struct row rows[] = {
		{ 0, 1, 'X', "does not begin with \"mish\"" },
		{ 4, 4, 2, "has the unknown version 2" },
		{ 8, 8, 39, "sector 39 of the disk is in two chunks" },
		{ 8, 8, 41, "ends past the end of the disk (100 sectors)" },
		{ 8, 8, UINT64_MAX, "ends past the end of the disk (100 sectors)" },
		{ 24, 8, UINT64_MAX, "its data at offset 18446744073709551615" },
		{ 24, 8, 1 << 20, "ends past the end of the file" },
		{ 200, 4, 6, "says that it has 6 chunks" },
		{ 200, 4, UINT32_MAX, "says that it has 4294967295 chunks" },
		{ 200, 4, 3, "sector 80 of the disk, which has 100, is in no chunk" },
		{ CHUNK, 4, UINT32_MAX, "sector 48 of the disk, which has 100, is in no chunk" },
		{ CHUNK, 4, 0x7ffffffe, "sector 48 of the disk, which has 100, is in no chunk" },
		{ CHUNK, 4, 0x80000004, "its chunks are compressed by ADC, " },
		{ CHUNK, 4, 0x80000007, "its chunks are compressed by LZFSE, " },
		{ CHUNK, 4, 0x80000008, "its chunks are compressed by LZMA, " },
		{ CHUNK, 4, 0x80000009, "it has chunks of type 0x80000009, " },
		{ CHUNK + 8, 8, 7, "sector 47 of the disk is in two chunks" },
		{ CHUNK + 8, 8, 9, "sector 48 of the disk, which has 100, is in no chunk" },
		{ CHUNK + 8, 8, UINT64_MAX, "(sector 18446744073709551615 of the table's" },
		{ CHUNK + 16, 8, 0, "sector 48 of the disk, which has 100, is in no chunk" },
		{ CHUNK + 16, 8, 31, "has 16384 bytes for 31 sectors" },
		{ CHUNK + 16, 8, UINT64_MAX, "18446744073709551615 sectors) ends past the end" },
		{ CHUNK + 24, 8, UINT64_MAX, "ends past the end of the file" },
		{ CHUNK + 24, 8, 1 << 20, "ends past the end of the file" },
		{ CHUNK + 32, 8, UINT64_MAX, "ends past the end of the file" },
		{ CHUNK + 32, 8, 16383, "has 16383 bytes for 32 sectors" },
		{ ZLIB_CHUNK + 32, 8, 0, "0 compressed bytes for 20 sectors" },
		{ MISH + 40 + 32, 8, 1025, "1025 compressed bytes for 1 sectors" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make(i % 2 != 0);
		bytes_to_be(table[1] + rows[i].at, rows[i].n, rows[i].value);
		finish();
		put_file();
		assert_refused(i, rows[i].words);
	}
}

/* A compressed chunk of more than 64 MiB cannot be; zeros may have any length. */
static void test_large_chunks(void **state)
{
	(void)state;
	for (int zeros = 0; zeros < 2; zeros++) {
		make(false);
		bytes_to_be(table[1] + MISH + 40 * 3, 4, zeros != 0 ? 2 : ZLIB);
		bytes_to_be(table[1] + MISH + 40 * 3 + 16, 8, UINT64_C(1) << 40);
		finish();
		bytes_to_be(trailer + 492, 8, 80 + (UINT64_C(1) << 40));
		put_file();
		if (zeros == 0)
			assert_refused(0, "compressed bytes for 1099511627776 sectors");
		else
			MUST("map", "--output=json", "x");
	}
	bytes_to_be(table[1] + MISH + 40 * 3, 4, 0);
	finish();
	bytes_to_be(trailer + 492, 8, 80 + (UINT64_C(1) << 40));
	put_file();
	assert_int_equal(RUN("check", "x"), 2); /* the checksum of a tebisector, at once */
}

static void test_absurd_fork(void **state)
{
	static const struct row rows[] = {
		{ 0, 4, UINT32_MAX, "ends past the end of the resource fork" },
		{ 4, 4, UINT32_MAX, "the resource fork has no tables of chunks" },
		{ 4, 4, 0, "the resource fork has no tables of chunks" },
		{ 16, 4, UINT32_MAX, "ends past the end of the resource fork" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make(true);
		bytes_to_be(file + DATA_AT + data_bytes + rows[i].at, rows[i].n, rows[i].value);
		put_file();
		assert_refused(i, rows[i].words);
	}
}

static void test_truncated(void **state)
{
	(void)state;
	for (int fork = 0; fork < 2; fork++) {
		make(fork);
		for (size_t n = 1; n + 512 < file_bytes; n += 1009) { /* the trailer is left */
			sim_file_put("x", file + n, file_bytes - n);
			assert_refused(n, "x: ");
		}
	}
}

/* Each byte of the file that matters, changed: an error, or what check finds. */
static void test_damage(void **state)
{
	size_t n = 0, n_found = 0;

	(void)state;
	for (size_t i = 0; i < data_bytes; i += 97) {
		make(false);
		file[DATA_AT + i] ^= 0x20;
		put_file();
		assert_row(RUN("check", "x") == 2, i);
		assert_row(strstr(err.text, "corrupt: the data fork at 64: the CRC-32 is") != NULL,
			   i);
		n_found += strstr(err.text, "corrupt: table ") != NULL ||
			   strstr(err.text, "corrupt: the chunk at sector ") != NULL;
		n++;
	}
	assert_true(n - n_found <= 5); /* bits after the end of a stream mean nothing */
	make(false);
	bytes_to_be(table[0] + 64, 4, 0); /* without a checksum */
	file[DATA_AT + 30] ^= 1;
	finish();
	put_file();
	assert_int_equal(RUN("check", "x"), 2);
}

static void test_every_failure(void **state)
{
	(void)state;
	make(false);
	try_every_failure("hash");
	try_every_failure("check");
	make(true);
	try_every_failure("check");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_contents),     TEST(test_absurd_trailer), TEST(test_absurd_tables),
		TEST(test_large_chunks), TEST(test_absurd_fork),    TEST(test_truncated),
		TEST(test_damage),       TEST(test_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
