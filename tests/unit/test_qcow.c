/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * qcow images of version 1, made by hand: the disk is what both tables say; each field that makes
 * no sense is refused with words that name it; the check finds what leads elsewhere or is used
 * twice; the name of the backing file is the old or the new one, whatever fails.
 */
#include "backing_names.h"
#include "base/bytes.h"
#include "codec/codec.h"
#include "powercut.h"
#include "run.h"

enum {
	CLUSTER = 1024,
	L2_ENTRIES = 64,
	L1 = 48, /* as QEMU, not aligned */
	N_L1 = 5,
	L2 = CLUSTER,
	DATA_A = 2 * CLUSTER,
	DATA_B = 3 * CLUSTER,
	PACKED = 4 * CLUSTER + 100, /* anywhere */
	FILE_BYTES = 5 * CLUSTER,
	DISK = 4 * L2_ENTRIES * CLUSTER + 512,
};

/* Places of fields. */
enum {
	AT_NAME = 8,
	AT_NAME_BYTES = 16,
	AT_SIZE = 24,
	AT_CLUSTER_BITS = 32,
	AT_L2_BITS = 33,
	AT_CRYPT = 36,
	AT_L1 = 40
};

static const struct sim_volume_kind roomy = { .free_bytes = 64 << 20 };

static uint8_t file[FILE_BYTES], disk[DISK];

static uint64_t packed_entry(uint64_t offset, uint64_t n)
{
	return UINT64_C(1) << 63 | n << (63 - 10) | offset;
}

/* Cluster 3 of the disk, compressed; returns its entry. */
static uint64_t put_packed(void)
{
	struct codec *codec = codec_open(CODEC_DEFLATE, CODEC_DEFAULT);
	size_t n;

	for (size_t i = 0; i < CLUSTER; i++)
		disk[3 * CLUSTER + i] = (uint8_t)(i / 100 + 1);
	assert_non_null(codec);
	assert_ok(codec_compress(codec, disk + 3 * CLUSTER, CLUSTER, file + PACKED, 500, &n));
	codec_close(codec);
	return packed_entry(PACKED, n);
}

static void make(void)
{
	memset(file, 0, sizeof file);
	memset(disk, 0, sizeof disk);
	memcpy(file, "QFI\xfb\0\0\0\1", 8);
	bytes_to_be(file + AT_SIZE, 8, DISK);
	file[AT_CLUSTER_BITS] = 10;
	file[AT_L2_BITS] = 6;
	bytes_to_be(file + AT_L1, 8, L1);
	bytes_to_be(file + L1, 8, L2);
	bytes_to_be(file + L2, 8, DATA_B); /* the order of the file is not that of the disk */
	bytes_to_be(file + L2 + 16, 8, DATA_A);
	bytes_to_be(file + L2 + 24, 8, put_packed());
	for (size_t i = 0; i < CLUSTER; i++) {
		disk[i] = file[DATA_B + i] = (uint8_t)(i % 251 + 1);
		disk[2 * CLUSTER + i] = file[DATA_A + i] = (uint8_t)(i % 241 + 3);
	}
	sim_file_put("x", file, sizeof file);
}

/* The image with one field changed. */
static void make_with(size_t at, size_t n, uint64_t value)
{
	make();
	bytes_to_be(file + at, n, value);
	sim_file_put("x", file, sizeof file);
}

static void assert_contents(const char *name)
{
	const uint8_t *copy;
	uint64_t n;

	MUST("convert", "--force", "-O", "raw", name, "t");
	copy = sim_file("t", &n);
	assert_int_equal(n, DISK);
	assert_memory_equal(copy, disk, DISK);
}

static void assert_says(const char *words, size_t row)
{
	if (strstr(err.text, words) == NULL && strstr(out.text, words) == NULL)
		fail_msg("row %zu: \"%s\" is not said: %s%s", row, words, out.text, err.text);
}

static int set_up(void **state)
{
	(void)state;
	sim_volume(&roomy);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}

static void test_contents(void **state)
{
	(void)state;
	make();
	MUST("info", "x");
	assert_says("file format: qcow\n", 0);
	assert_says("cluster_size: 1024\n", 0);
	assert_contents("x");
	MUST("check", "x");
	assert_says("3/257 = 1.17% allocated, 66.67% fragmented, 33.33% compressed clusters", 0);
	MUST("map", "--output=json", "x");
	assert_says("\"start\": 2048, \"length\": 1024, \"depth\": 0, \"present\": true, \"zero\": "
		    "false, \"data\": true, \"offset\": 2048}",
		    0);
	assert_int_equal(RUN("map", "x"), EXIT_ERROR);
	assert_says("compressed", 0);
}

/* Each field of the header as it cannot be. */
static void test_absurd_fields(void **state)
{
	static const struct {
		size_t at, n;
		uint64_t value;
		const char *words;
	} rows[] = {
		{ AT_SIZE, 8, 0, "size of the disk, 0 bytes" },
		{ AT_SIZE, 8, 1, "size of the disk, 1 bytes" },
		{ AT_SIZE, 8, UINT64_MAX, "size of the disk, 18446744073709551615 bytes" },
		{ AT_SIZE, 8, UINT64_C(1) << 62, "size of the disk, 4611686018427387904 bytes" },
		{ AT_SIZE, 8, UINT64_C(1) << 40, "L1 table, 134217728 bytes at 0x30, lies past" },
		{ AT_CLUSTER_BITS, 1, 8, "cluster size of 2^8 bytes" },
		{ AT_CLUSTER_BITS, 1, 17, "cluster size of 2^17 bytes" },
		{ AT_CLUSTER_BITS, 1, 255, "cluster size of 2^255 bytes" },
		{ AT_L2_BITS, 1, 5, "tables of 2^5 entries" },
		{ AT_L2_BITS, 1, 14, "tables of 2^14 entries" },
		{ AT_L2_BITS, 1, 255, "tables of 2^255 entries" },
		{ AT_CRYPT, 4, 2, "encryption method 2" },
		{ AT_CRYPT, 4, UINT32_MAX, "encryption method 4294967295" },
		{ AT_L1, 8, 0, "L1 table, 0x0, is inside the header" },
		{ AT_L1, 8, 47, "L1 table, 0x2f, is inside the header" },
		{ AT_L1, 8, FILE_BYTES - 39, "L1 table, 40 bytes at 0x13d9, lies past the end" },
		{ AT_L1, 8, UINT64_MAX, "lies past the end of the file (5120 bytes)" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make_with(rows[i].at, rows[i].n, rows[i].value);
		assert_row(RUN("convert", "-O", "raw", "x", "t") == EXIT_ERROR, i);
		assert_says(rows[i].words, i);
		assert_row(RUN("info", "x") == EXIT_ERROR, i);
	}
	make_with(4, 4, 2);
	assert_int_equal(RUN("info", "-f", "qcow", "x"), EXIT_ERROR);
	assert_says("version 2 is not that of the format qcow", 0);
	make_with(0, 1, 'X');
	assert_int_equal(RUN("info", "-f", "qcow", "x"), EXIT_ERROR);
	assert_says("this is not a qcow image", 0);
	/* encrypted images are described and checked, nothing else */
	make_with(AT_CRYPT, 4, 1);
	MUST("info", "x");
	assert_says("encrypted: yes\n", 0);
	MUST("check", "x");
	assert_int_equal(RUN("hash", "x"), EXIT_ERROR);
	assert_says("it is encrypted (AES)", 0);
}

static void test_absurd_names(void **state)
{
	static const struct {
		uint64_t at, n;
		const char *words; /* NULL: no name */
	} rows[] = {
		{ 88, 1024, "the backing file, 1024 bytes at 0x58, is too long" },
		{ FILE_BYTES, 1, "1 bytes at 0x1400, is too long or not in the file" },
		{ UINT64_MAX, 1, "1 bytes at 0xffffffffffffffff" },
		{ UINT64_MAX, UINT32_MAX, "4294967295 bytes at" },
		{ 88, 0, NULL },
		{ 0, 7, NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make_with(AT_NAME, 8, rows[i].at);
		bytes_to_be(file + AT_NAME_BYTES, 4, rows[i].n);
		sim_file_put("x", file, sizeof file);
		assert_row(RUN("info", "x") == (rows[i].words != NULL ? EXIT_ERROR : EXIT_OK), i);
		assert_says(rows[i].words != NULL ? rows[i].words : "image: x\n", i);
	}
}

static void test_absurd_entries(void **state)
{
	const struct {
		size_t at;
		uint64_t value;
		bool unreadable;
	} rows[] = {
		{ L2, UINT64_C(1) << 40, true },
		{ L2, DATA_B + 1, true },
		{ L2, FILE_BYTES - 512, true }, /* not all of it is in the file */
		{ L2, FILE_BYTES, true },
		{ L2, DATA_A, false }, /* twice */
		{ L2, L2, false },
		{ L2, 4 * CLUSTER, false },  /* where the compressed one is */
		{ L2, DATA_A + 512, false }, /* parts of two */
		{ L2 + 24, packed_entry(PACKED, 0), true },
		{ L2 + 24, packed_entry(FILE_BYTES - 10, 11), true },
		{ L2 + 24, packed_entry(UINT64_C(1) << 50, 11), true },
		{ L2 + 24, packed_entry(10, 11), true },
		{ L2 + 24, packed_entry(PACKED, 3), true }, /* too short */
		{ L2 + 24, UINT64_MAX, true },
		{ L2 + 63 * 8, UINT64_C(1) << 62, true },
		{ L1, L2 + 256, true },
		{ L1, FILE_BYTES - 256, true },
		{ L1, UINT64_C(1) << 63, true },
		{ L1 + 8, L2, false },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		bool too_short = rows[i].value == packed_entry(PACKED, 3);

		make_with(rows[i].at, 8, rows[i].value);
		assert_row((RUN("hash", "x") != 0) == rows[i].unreadable, i);
		/* contents are not checked */
		assert_row(RUN("check", "x") == (too_short ? 0 : 2), i);
		assert_row(RUN("bench", "-q", "-w", "-c", "1", "-o", "100k", "-s", "512", "x") ==
				   (too_short ? EXIT_OK : EXIT_ERROR),
			   i);
	}
}

static void test_truncated(void **state)
{
	(void)state;
	make();
	for (size_t n = 8; n < FILE_BYTES; n += n < 100 ? 1 : 509) {
		bool ends_in_waste = n > PACKED + 60;

		sim_file_put("x", file, n);
		assert_row((RUN("convert", "--force", "-O", "raw", "x", "t") == EXIT_OK) ==
				   ends_in_waste,
			   n);
		assert_row(RUN("check", "x") == (n < L1 + 8 * N_L1 ? 1 : ends_in_waste ? 0 : 2), n);
		assert_row((RUN("bench", "-q", "-w", "-c", "1", "-s", "512", "x") == EXIT_OK) ==
				   ends_in_waste,
			   n);
	}
}

/* Everything that can be written over what is there, compressed and not, again and again. */
static void test_written_over(void **state)
{
	(void)state;
	make();
	put_raw("other", 2, DISK, 0);
	for (unsigned i = 0; i < 2; i++) {
		MUST("convert", "-c", "-n", "-f", "raw", "-O", "qcow", "other", "x");
		MUST("compare", "-F", "raw", "x", "other");
		MUST("check", "x");
		MUST("bench", "-q", "-w", "-c", "20", "-s", "700", "-S", "3000", "x");
		MUST("check", "x");
		MUST("convert", "-n", "-f", "raw", "-O", "qcow", "other", "x");
		MUST("compare", "-F", "raw", "x", "other");
		MUST("check", "x");
	}
}

/* Names of all lengths, one after the other; what fails leaves the old or the new one. */
static void test_names(void **state)
{
	static const size_t lengths[] = { 1, 400, 500, 7, 1023, 0, 5, 464, 1000 };

	(void)state;
	make();
	every_backing_name(&roomy, lengths, N_OF(lengths));
	assert_contents("x");
}

/* The largest disks take no more memory than the caches. */
static void test_large(void **state)
{
	(void)state;
	MUST("create", "-q", "-f", "qcow", "x", "2T");
	sim_peak_restart();
	MUST("bench", "-q", "-w", "-c", "5", "-s", "4k", "-S", "1G", "-o", "1T", "x");
	MUST("map", "x");
	MUST("check", "x");
	assert_true(sim_peak_bytes() < 64 << 20);
	assert_int_equal(RUN("create", "-f", "qcow", "y", "513T"), EXIT_ERROR);
	assert_says("more than a qcow image can have", 0);
	assert_int_equal(RUN("create", "-f", "qcow", "y", "0"), EXIT_ERROR);
	assert_int_equal(RUN("create", "-f", "qcow", "-o", "encryption=on", "y", "1M"), EXIT_ERROR);
	assert_says("encryption", 0);
	assert_int_equal(RUN("resize", "x", "+1M"), EXIT_ERROR);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_contents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_absurd_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_absurd_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_absurd_entries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_written_over, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
