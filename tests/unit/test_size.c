/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include <math.h>

#include "base/size.h"

static void test_parse(void **state)
{
	static const struct {
		const char *text;
		uint64_t bytes;
	} rows[] = {
		{ "0", 0 },
		{ "1", 1 },
		{ "007", 7 },
		{ "512", 512 },
		{ "1b", 1 },
		{ "1k", 1024 },
		{ "1K", 1024 },
		{ "1m", 1 << 20 },
		{ "64M", 64 << 20 },
		{ "50G", (uint64_t)50 << 30 },
		{ "2t", (uint64_t)2 << 40 },
		{ "3P", (uint64_t)3 << 50 },
		{ "7E", (uint64_t)7 << 60 },
		{ "1.5k", 1536 },
		{ "0.5G", 1 << 29 },
		{ "1.k", 1024 },
		{ "5.", 5 },
		{ "1024.0", 1024 },
		{ "1024.00b", 1024 },
		{ "0.0000000001k", 0 },
		{ "0.1k", 102 },
		{ "1.999999999999999999999999k", 2047 },
		{ "0x0", 0 },
		{ "0x1F", 31 },
		{ "0X200", 512 },
		{ "0x1e", 30 },
		{ "9223372036854775807", INT64_MAX },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct error err = { "" };
		uint64_t bytes = 42;

		if (size_parse(rows[i].text, "size", &bytes, &err) != ST_OK)
			fail_msg("%s: %s", rows[i].text, err.text);
		if (bytes != rows[i].bytes)
			fail_msg("%s: %ju", rows[i].text, (uintmax_t)bytes);
	}
}

static void test_refused(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		" 1",
		"1 ",
		"-1",
		"+1",
		"k",
		".5k",
		"1.5",
		"1.5b",
		"1.01",
		"1kk",
		"1kB",
		"1x",
		"0x",
		"0xg",
		"0x1k.",
		"1,5k",
		"1e3",
		"9223372036854775808",
		"8E",
		"99999999999999999999",
		"0x8000000000000000",
		"0x10000000000000000",
		"16777216T",
		"1.2.3k",
		"--1",
		"nan",
		"1\xc3\xa4",
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct error err = { "" };
		uint64_t bytes = 42;

		if (size_parse(rows[i], "image size", &bytes, &err) != ST_INVALID)
			fail_msg("\"%s\" was taken as %ju", rows[i], (uintmax_t)bytes);
		assert_row(bytes == 42, i);
		assert_non_null(strstr(err.text, "image size"));
		assert_non_null(strstr(err.text, rows[i]));
	}
}

/*
 * The rule of qemu-img: the unit by the binary logarithm after scaling by 1.024, then three
 * significant digits.
 */
static void print_like_qemu(uint64_t bytes, char *to, size_t capacity)
{
	static const char *const units[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
	int power;

	frexp((double)bytes / (1000.0 / 1024.0), &power);
	power = (power - 1) / 10;
	snprintf(to, capacity, "%0.3g %sB", (double)bytes / ldexp(1, power * 10), units[power]);
}

static void compare(uint64_t bytes)
{
	char ours[64], theirs[64];
	struct out_buffer buffer;

	out_buffer_init(&buffer, ours, sizeof ours);
	size_print(&buffer.out, bytes);
	print_like_qemu(bytes, theirs, sizeof theirs);
	if (strcmp(ours, theirs) != 0)
		fail_msg("%ju: \"%s\" instead of \"%s\"", (uintmax_t)bytes, ours, theirs);
}

static void test_print(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (uint64_t bytes = 0; bytes < 3000; bytes++)
		compare(bytes);
	for (int shift = 10; shift < 63; shift++)
		for (uint64_t k = 1; k < 1100; k++) {
			uint64_t bytes = k << shift;

			if (bytes >> shift != k || bytes > SIZE_LIMIT >> 1)
				break;
			compare(bytes);
		}
	/* below 2^53 a double holds every size exactly */
	for (int i = 0; i < 100000; i++) {
		random = random * 6364136223846793005u + 1442695040888963407u;
		compare(random >> (11 + random % 50));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_print),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
