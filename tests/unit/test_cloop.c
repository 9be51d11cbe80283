/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Images of cloop with blocks that are units of a copy and with blocks that are not: the disk, each
 * field and offset that makes no sense, each damaged block.
 */
#include "foreign_image.h"

#include "codec/codec.h"

enum { N_BLOCKS = 5, BLOCK_MAX = 3 << 20, DISK_MAX = N_BLOCKS * BLOCK_MAX, TABLE = 136 };

static uint8_t disk[DISK_MAX], file[DISK_MAX + DISK_MAX / 8];
static size_t disk_bytes, file_bytes;

/* Stores a block as it is, which zlib can do with any length. Returns how long it gets. */
static size_t store(uint8_t *to, const uint8_t *from, size_t bytes)
{
	uint32_t a = 1, b = 0;
	size_t n = 2;

	to[0] = 0x78;
	to[1] = 0x01;
	for (size_t at = 0; at < bytes; at += 0xff00) {
		size_t some = bytes - at < 0xff00 ? bytes - at : 0xff00;

		to[n++] = at + some == bytes;
		bytes_to_le(to + n, 2, some);
		bytes_to_le(to + n + 2, 2, ~some & 0xffff);
		memcpy(to + n + 4, from + at, some);
		n += 4 + some;
	}
	for (size_t k = 0; k < bytes; k++) {
		a = (a + from[k]) % 65521;
		b = (b + a) % 65521;
	}
	bytes_to_be(to + n, 4, b << 16 | a);
	return n + 4;
}

/* An image whose blocks have so many bytes. */
static void make(size_t block)
{
	struct codec *codec = codec_open(CODEC_ZLIB, 1);
	uint32_t state = (uint32_t)block;

	disk_bytes = N_BLOCKS * block;
	for (size_t i = 0; i < disk_bytes; i++)
		disk[i] = i / 1000 % 3 == 0   ? (uint8_t)dice(&state)
			  : i / 1000 % 3 == 1 ? (uint8_t)(i / 700)
					      : 0;
	memset(disk + block, 0, block);
	memset(file, 0, TABLE);
	strcpy((char *)file, "#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t "
			     "iso9660 /dev/cloop $1\nexit $?\n");
	bytes_to_be(file + 128, 4, block);
	bytes_to_be(file + 132, 4, N_BLOCKS);
	file_bytes = TABLE + 8 * (N_BLOCKS + 1);
	for (size_t i = 0; i < N_BLOCKS; i++) {
		uint8_t *to = file + file_bytes;
		size_t n;

		bytes_to_be(file + TABLE + 8 * i, 8, file_bytes);
		if (i == 0 || block > CODEC_INPUT_MAX ||
		    codec_compress(codec, disk + i * block, block, to, block, &n) != ST_OK)
			n = store(to, disk + i * block, block);
		file_bytes += n;
	}
	bytes_to_be(file + TABLE + 8 * N_BLOCKS, 8, file_bytes);
	codec_close(codec);
	sim_file_put("x", file, file_bytes);
}

static void test_contents(void **state)
{
	static const size_t blocks[] = { 512, 1536, 4096, 65536, 66048, 2 << 20, BLOCK_MAX };

	(void)state;
	for (size_t i = 0; i < N_OF(blocks); i++) {
		make(blocks[i]);
		MUST("info", "x");
		assert_non_null(strstr(out.text, "file format: cloop\n"));
		assert_disk("x", disk, disk_bytes);
		MUST("check", "x");
		assert_non_null(strstr(out.text, "No errors were found on the image.\n5/5"));
		MUST("map", "--output=json", "x");
		assert_non_null(strstr(out.text, "[{ \"start\": 0, "));
		assert_null(strstr(out.text, "},\n"));
		assert_int_equal(RUN("map", "x"), EXIT_ERROR);
	}
}

/* Each field as it cannot be. */
static void test_absurd_fields(void **state)
{
	static const struct {
		size_t at, n;
		uint64_t value;
		const char *words;
	} rows[] = {
		{ 128, 4, 0, "block size of 0 bytes" },
		{ 128, 4, 511, "block size of 511 bytes" },
		{ 128, 4, (64 << 20) + 512, "block size of 67109376 bytes" },
		{ 128, 4, UINT32_MAX, "block size of 4294967295 bytes" },
		{ 132, 4, UINT32_MAX, "table of 4294967295 blocks ends past the end" },
		{ 132, 4, 1 << 20, "table of 1048576 blocks ends past the end" },
		{ TABLE, 8, 0, "block 0 begins inside of the table (offset 0, " },
		{ TABLE, 8, TABLE + 47, "block 0 begins inside of the table (offset 183, " },
		{ TABLE + 40, 8, UINT64_MAX, "the last block ends past the end of the file" },
		{ TABLE + 40, 8, DISK_MAX, "the last block ends past the end of the file" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make(4096);
		bytes_to_be(file + rows[i].at, rows[i].n, rows[i].value);
		sim_file_put("x", file, file_bytes);
		assert_refused(i, rows[i].words);
		assert_row(RUN("info", "x") == EXIT_ERROR, i);
	}
	make(4096);
	file[0] = 'X';
	sim_file_put("x", file, file_bytes);
	assert_int_equal(RUN("info", "-f", "cloop", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "no cloop image of version 2.0"));
	bytes_to_be(file + 132, 4, 0);
	file[0] = '#';
	sim_file_put("x", file, file_bytes);
	MUST("convert", "-O", "raw", "x", "t"); /* an empty disk */
}

/* An offset between the first and the last is looked at when its block is read. */
static void test_absurd_offsets(void **state)
{
	static const uint64_t values[] = { 0, TABLE, 10000000, UINT64_MAX, UINT64_C(1) << 63 };
	static const size_t blocks[] = { 4096, 66048 };

	(void)state;
	for (size_t i = 0; i < N_OF(values) * N_OF(blocks); i++) {
		make(blocks[i % N_OF(blocks)]);
		bytes_to_be(file + TABLE + 16, 8, values[i / N_OF(blocks)]);
		sim_file_put("x", file, file_bytes);
		assert_refused(i, "x");
		assert_row(RUN("check", "x") == 2, i);
		assert_row(strstr(err.text, "corrupt: block 1 cannot be stored at ") != NULL, i);
		assert_row(strstr(err.text, "corrupt: block 2 cannot be stored at ") != NULL, i);
		assert_row(strstr(out.text, "\n2 errors were found on the image.\n") != NULL, i);
	}
	make(4096); /* two offsets are exchanged */
	bytes_to_be(file + TABLE + 8, 8, bytes_from_be(file + TABLE + 16, 8));
	sim_file_put("x", file, file_bytes);
	assert_int_equal(RUN("check", "x"), 2);
	assert_refused(0, "x");
}

static void test_damaged_blocks(void **state)
{
	(void)state;
	for (size_t i = 0; i < 60; i++) {
		size_t first, end;

		make(i % 2 == 0 ? 4096 : 4608);
		first = (size_t)bytes_from_be(file + TABLE + 16, 8);
		end = (size_t)bytes_from_be(file + TABLE + 24, 8);
		file[first + i * (end - first) / 60] ^= 0x10;
		sim_file_put("x", file, file_bytes);
		assert_refused(i, "x");
		assert_row(RUN("check", "x") == 2, i);
		assert_row(strstr(err.text, "corrupt: block 2 at ") != NULL, i);
		assert_row(RUN("convert", "--force", "--salvage", "-O", "raw", "x", "t") == 10, i);
	}
}

static void test_truncated(void **state)
{
	(void)state;
	make(4096);
	for (size_t n = 23; n < file_bytes; n += n < 200 ? 1 : 509) {
		sim_file_put("x", file, n);
		assert_refused(n, "x: ");
	}
}

static void test_every_failure(void **state)
{
	(void)state;
	make(4096);
	try_every_failure("hash");
	make(4608);
	try_every_failure("hash");
	try_every_failure("check");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_contents),       TEST(test_absurd_fields), TEST(test_absurd_offsets),
		TEST(test_damaged_blocks), TEST(test_truncated),     TEST(test_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
