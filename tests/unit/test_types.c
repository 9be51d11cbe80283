/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "disk/table.h"

/* The type column of `list` is this wide. */
enum { COLUMNS = 20 };

static void test_mbr(void **state)
{
	(void)state;
	for (unsigned type = 0; type < 256; type++)
		assert_row(strlen(mbr_type_name((uint8_t)type)) <= COLUMNS, type);
	assert_string_equal(mbr_type_name(0x07), "NTFS or exFAT");
	assert_string_equal(mbr_type_name(0xef), "EFI system");
	assert_string_equal(mbr_type_name(0x99), "");
}

/* The bytes on the disk are those of the GUIDs as they are written. */
static void test_gpt(void **state)
{
	static const struct {
		struct guid guid;
		const char *name;
	} rows[] = {
		{ { { 0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9,
		      0x3e, 0xc9, 0x3b } },
		  "EFI system" },
		{ { { 0x16, 0xe3, 0xc9, 0xe3, 0x5c, 0x0b, 0xb8, 0x4d, 0x81, 0x7d, 0xf9, 0x2d, 0xf0,
		      0x02, 0x15, 0xae } },
		  "Microsoft reserved" },
		{ { { 0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47, 0x8e, 0x79, 0x3d, 0x69, 0xd8,
		      0x47, 0x7d, 0xe4 } },
		  "Linux file system" },
		{ { { 'H', 'a', 'h', '!', 'I', 'd', 'o', 'n', 't', 'N', 'e', 'e', 'd', 'E', 'F',
		      'I' } },
		  "BIOS boot" },
		{ { { 1 } }, "" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		assert_string_equal(gpt_type_name(&rows[i].guid), rows[i].name);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mbr),
		cmocka_unit_test(test_gpt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
