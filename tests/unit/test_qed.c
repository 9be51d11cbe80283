/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * QED images, made by hand: the disk is what both tables say; each field that makes no sense is
 * refused with words that name it; a check counts as qemu-img does, and a repair changes what it
 * may; the name of the backing file is the old or the new one, whatever fails.
 */
#include "backing_names.h"
#include "base/bytes.h"
#include "powercut.h"
#include "run.h"

enum {
	CLUSTER = 4096,
	TABLE = 2 * CLUSTER,
	L1 = CLUSTER,
	DATA_A = L1 + TABLE,
	L2 = DATA_A + CLUSTER,
	DATA_B = L2 + TABLE,
	FILE_BYTES = DATA_B + CLUSTER,
	DISK = (5 << 20) + 512, /* a second L2 table could map its end */
};

/* Places of fields: section "Header" of docs/interop/qed_spec.txt. */
enum { AT_FEATURES = 16, AT_COMPATIBLE = 24, AT_AUTOCLEAR = 32, AT_L1 = 40, AT_SIZE = 48 };
enum { AT_NAME = 56, AT_NAME_BYTES = 60 };
enum { BACKING = 1, NEED_CHECK = 2 };

static uint8_t file[FILE_BYTES], disk[DISK];

static void make(void)
{
	memset(file, 0, sizeof file);
	memset(disk, 0, sizeof disk);
	memcpy(file, "QED", 4);
	bytes_to_le(file + 4, 4, CLUSTER);
	bytes_to_le(file + 8, 4, TABLE / CLUSTER);
	bytes_to_le(file + 12, 4, 1);
	bytes_to_le(file + AT_L1, 8, L1);
	bytes_to_le(file + AT_SIZE, 8, DISK);
	bytes_to_le(file + L1, 8, L2);
	bytes_to_le(file + L2, 8, DATA_B); /* the order of the file is not that of the disk */
	bytes_to_le(file + L2 + 8, 8, 1);
	bytes_to_le(file + L2 + 16, 8, DATA_A);
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
	bytes_to_le(file + at, n, value);
	sim_file_put("x", file, sizeof file);
}

static uint64_t field(size_t at, size_t n)
{
	uint64_t size;

	return bytes_from_le(sim_file("x", &size) + at, n);
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

static const struct sim_volume_kind roomy = { .free_bytes = 64 << 20 };

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
	assert_says("file format: qed\n", 0);
	assert_says("cluster_size: 4096\n", 0);
	assert_contents("x");
	MUST("map", "--output=json", "x");
	assert_says("\"start\": 0, \"length\": 4096, \"depth\": 0, \"present\": true, \"zero\": "
		    "false, \"data\": true, \"offset\": 24576}",
		    0);
	assert_says("\"start\": 4096, \"length\": 4096, \"depth\": 0, \"present\": true, \"zero\": "
		    "true, \"data\": false}",
		    1);
	MUST("check", "x");
	assert_says("2/1281 = 0.16% allocated, 50.00% fragmented", 2);
}

/* Each field of the header as it cannot be. */
static void test_absurd_fields(void **state)
{
	static const struct {
		size_t at, n;
		uint64_t value;
		const char *words;
	} rows[] = {
		{ 4, 4, 0, "cluster size 0 " },
		{ 4, 4, 2048, "cluster size 2048 " },
		{ 4, 4, 4097, "cluster size 4097 " },
		{ 4, 4, 128 << 20, "cluster size 134217728 " },
		{ 4, 4, UINT32_MAX, "cluster size 4294967295 " },
		{ 4, 4, 8192, "offset of the L1 table, 0x1000, is not a multiple" },
		{ 8, 4, 0, "table size of 0 clusters" },
		{ 8, 4, 3, "table size of 3 clusters" },
		{ 8, 4, 32, "table size of 32 clusters" },
		{ 8, 4, UINT32_MAX, "table size of 4294967295 clusters" },
		{ 8, 4, 16, "L1 table, 65536 bytes at 0x1000, lies past the end of the file" },
		{ 12, 4, 0, "a header of 0 clusters" },
		{ 12, 4, 2, "is inside the header of 8192 bytes" },
		{ 12, 4, UINT32_MAX, "a header of 4294967295 clusters" },
		{ AT_FEATURES, 8, 8, "a feature that is not known here: feature bits 0x8" },
		{ AT_FEATURES, 8, UINT64_MAX, "feature bits 0xfffffffffffffff8" },
		{ AT_L1, 8, 0, "is inside the header" },
		{ AT_L1, 8, L1 + 512, "is not a multiple of the cluster size" },
		{ AT_L1, 8, FILE_BYTES, "lies past the end of the file" },
		{ AT_L1, 8, UINT64_MAX - CLUSTER + 1, "lies past the end of the file" },
		{ AT_SIZE, 8, DISK + 1, "size of the disk, 5243393 bytes, is not a multiple" },
		{ AT_SIZE, 8, (UINT64_C(4) << 30) + 512, "up to 4294967296" },
		{ AT_SIZE, 8, UINT64_MAX - 511, "up to 4294967296" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make_with(rows[i].at, rows[i].n, rows[i].value);
		assert_row(RUN("convert", "-O", "raw", "x", "t") == EXIT_ERROR, i);
		assert_says(rows[i].words, i);
		assert_row(RUN("info", "x") == EXIT_ERROR, i);
	}
	make_with(0, 1, 'X');
	assert_int_equal(RUN("info", "-f", "qed", "x"), EXIT_ERROR);
	assert_says("this is not a QED image", 0);
}

static void test_absurd_names(void **state)
{
	static const struct {
		uint64_t at, n;
		const char *words; /* NULL: no name */
	} rows[] = {
		{ 64, 1024, "the backing file, 1024 bytes at 0x40, is too long" },
		{ CLUSTER, 1, "1 bytes at 0x1000, is too long or not in the header" },
		{ CLUSTER - 3, 4, "4 bytes at 0xffd" },
		{ UINT32_MAX, 1, "1 bytes at 0xffffffff" },
		{ UINT32_MAX, UINT32_MAX, "4294967295 bytes at 0xffffffff" },
		{ 64, 0, NULL },
		{ CLUSTER, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make_with(AT_FEATURES, 8, BACKING);
		bytes_to_le(file + AT_NAME, 4, rows[i].at);
		bytes_to_le(file + AT_NAME_BYTES, 4, rows[i].n);
		sim_file_put("x", file, sizeof file);
		assert_row(RUN("info", "x") == (rows[i].words != NULL ? EXIT_ERROR : EXIT_OK), i);
		assert_says(rows[i].words != NULL ? rows[i].words : "image: x\n", i);
	}
}

/* Entries that lead to where nothing can be; counted as qemu-img counts them. */
static void test_absurd_entries(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		unsigned corruptions, leaks;
		bool unreadable, repairable;
	} rows[] = {
		{ L2, 1 << 30, 1, 1, true, true },
		{ L2, UINT64_MAX, 1, 1, true, true },
		{ L2, UINT64_MAX - CLUSTER + 1, 1, 1, true, true },
		{ L2, DATA_B + 512, 1, 1, true, true },
		{ L2, 2, 1, 1, true, true },
		{ L2, FILE_BYTES, 1, 1, true, true },
		{ L2, DATA_A, 1, 1, false, false },
		{ L2, L1, 1, 1, false, false },
		{ L2, 0, 0, 1, false, false },
		{ L2 + 16, L2, 1, 1, false, false },
		{ L2 + 1023 * 8, 1 << 30, 1, 0, true, true },
		{ L1, 1, 1, 4, true, true },
		{ L1, FILE_BYTES - CLUSTER, 1, 4, true, true },
		{ L1, L1, 2, 4, false, false },
		{ L1 + 8, L2, 2, 0, false, false },
		/* past the end of the disk: nothing reads it */
		{ L1 + 1023 * 8, 1 << 30, 1, 0, false, true },
	};
	char words[80];

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make_with(rows[i].at, 8, rows[i].value);
		assert_row((RUN("hash", "x") != 0) == rows[i].unreadable, i);
		assert_row(RUN("check", "--output=json", "x") == (rows[i].corruptions > 0 ? 2 : 3),
			   i);
		snprintf(words, sizeof words, "\"corruptions\": %u,", rows[i].corruptions);
		assert_row(rows[i].corruptions == 0 || strstr(out.text, words) != NULL, i);
		snprintf(words, sizeof words, "\"leaks\": %u,", rows[i].leaks);
		assert_row(rows[i].leaks == 0 || strstr(out.text, words) != NULL, i);
		if (rows[i].corruptions > 0) {
			assert_row(RUN("resize", "x", "+1M") == EXIT_ERROR, i);
			assert_says("it can be read, but before it is written to", i);
			assert_row(RUN("check", "-r", "leaks", "x") == 2, i);
			assert_row(field(rows[i].at, 8) == rows[i].value, i);
		}
		(void)RUN("check", "-r", "all", "x");
		assert_row((field(rows[i].at, 8) != rows[i].value) == rows[i].repairable, i);
		assert_row((RUN("check", "x") == 2) ==
				   (rows[i].corruptions > 0 && !rows[i].repairable),
			   i);
		if (rows[i].repairable)
			MUST("resize", "x", "+1M");
	}
}

/* A file that was cut short is not written to, and what it lacks is not read as anything. */
static void test_truncated(void **state)
{
	(void)state;
	make();
	for (size_t n = 4; n < FILE_BYTES; n += n < 80 ? 1 : 509) {
		sim_file_put("x", file, n);
		assert_row(RUN("convert", "-O", "raw", "x", "t") == EXIT_ERROR, n);
		assert_row(strstr(err.text, "x: ") != NULL, n);
		assert_row(RUN("bench", "-w", "-c", "1", "x") == EXIT_ERROR, n);
		assert_row(RUN("check", "x") == (n < DATA_A ? 1 : 2), n);
	}
	make_with(8, 4, 1); /* tables of one cluster, which QEMU does not open */
	assert_int_equal(RUN("check", "x"), 3);
	MUST("hash", "x");
}

/* The feature that asks for a check, and bits that are not known. */
static void test_features(void **state)
{
	(void)state;
	make_with(AT_FEATURES, 8, NEED_CHECK);
	MUST("check", "x");
	MUST("hash", "x");
	assert_int_equal(field(AT_FEATURES, 8), NEED_CHECK);
	MUST("check", "-r", "leaks", "x");
	assert_int_equal(field(AT_FEATURES, 8), 0);

	/* an entry for what was never written is given up when the image is written to */
	make_with(AT_FEATURES, 8, NEED_CHECK);
	bytes_to_le(file + L2 + 24, 8, FILE_BYTES);
	sim_file_put("x", file, sizeof file);
	MUST("resize", "x", "+1M");
	assert_int_equal(field(L2 + 24, 8), 0);
	assert_int_equal(field(AT_FEATURES, 8), 0);

	make_with(AT_FEATURES, 8, NEED_CHECK);
	bytes_to_le(file + L2 + 24, 8, DATA_A);
	sim_file_put("x", file, sizeof file);
	assert_int_equal(RUN("resize", "x", "+1M"), EXIT_ERROR);
	assert_says("1 errors in it cannot be repaired", 0);
	assert_int_equal(field(AT_FEATURES, 8), NEED_CHECK);

	make_with(AT_AUTOCLEAR, 8, 5);
	bytes_to_le(file + AT_COMPATIBLE, 8, 6);
	sim_file_put("x", file, sizeof file);
	MUST("hash", "x");
	assert_int_equal(field(AT_AUTOCLEAR, 8), 5);
	MUST("bench", "-q", "-w", "-c", "1", "x");
	assert_int_equal(field(AT_AUTOCLEAR, 8), 0);
	assert_int_equal(field(AT_COMPATIBLE, 8), 6);
}

/* What a longer backing file has past the old end does not show when the disk grows. */
static void test_grow_over_backing(void **state)
{
	uint64_t n;
	const uint8_t *copy;

	(void)state;
	put_raw("base", 1, 6 << 20, 0);
	MUST("create", "-q", "-f", "qed", "-b", "base", "-F", "raw", "-o", "cluster_size=4k", "x",
	     "4196352");
	MUST("resize", "x", "9M");
	MUST("check", "x");
	MUST("convert", "--force", "-O", "raw", "x", "t");
	copy = sim_file("t", &n);
	assert_int_equal(n, 9 << 20);
	assert_memory_equal(copy, sim_file("base", &n), 4196352);
	for (uint64_t i = 4196352; i < 9 << 20; i++)
		assert_int_equal(copy[i], 0);
	assert_int_equal(RUN("resize", "--shrink", "x", "1M"), EXIT_ERROR);
	assert_int_equal(RUN("resize", "--preallocation=full", "x", "10M"), EXIT_ERROR);
	assert_int_equal(RUN("resize", "x", "100T"), EXIT_ERROR);
}

/* Names of all lengths, one after the other; what fails leaves the old or the new one. */
static void test_names(void **state)
{
	static const size_t lengths[] = {
		1, 448, 449, 1023, 600, 1022, 5, 1023, 448, 700, 0, 1000
	};

	(void)state;
	make();
	every_backing_name(&roomy, lengths, N_OF(lengths));
	assert_contents("x");
}

/* The largest disks take no more memory than the caches. */
static void test_large(void **state)
{
	(void)state;
	MUST("create", "-q", "-f", "qed", "x", "64T");
	sim_peak_restart();
	MUST("bench", "-q", "-w", "-c", "3", "-s", "4k", "-S", "1G", "-o", "63T", "x");
	MUST("map", "x");
	MUST("check", "x");
	assert_true(sim_peak_bytes() < 64 << 20);
	assert_int_equal(RUN("create", "-f", "qed", "y", "65T"), EXIT_ERROR);
	assert_int_equal(RUN("create", "-f", "qed", "-o", "table_size=1", "y", "1M"), EXIT_ERROR);
	assert_int_equal(RUN("create", "-f", "qed", "-o", "cluster_size=64M", "y", "1M"),
			 EXIT_ERROR);
	assert_says("QEMU cannot open", 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_contents, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_absurd_fields, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_absurd_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_absurd_entries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_truncated, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_features, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_grow_over_backing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_names, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_large, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
