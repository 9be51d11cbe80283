/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "base/memory.h"
#include "disk/part.h"
#include "tables.h"

enum { SIZE = 1 << 20 };

/* A boot sector of FAT, as mkfs.fat writes it, for sectors of some size. */
static void put_fat(struct memory_blk *m, uint64_t at, uint64_t sector_bytes)
{
	static const uint8_t boot_sector[] = {
		0xeb, 0x3c, 0x90, 'm',  'k',  'f',  's',  '.',  'f',  'a',  't',  0x00,
		0x02, 0x04, 0x01, 0x00, 0x02, 0x00, 0x02, 0x00, 0x20, 0xf8, 0x06, 0x00,
	};

	memcpy(m->bytes + at, boot_sector, sizeof boot_sector);
	sim_put(m, at + 11, sector_bytes, 2);
	sim_put(m, at + 510, 0xaa55, 2);
}

static void put_ntfs(struct memory_blk *m, uint64_t at)
{
	memcpy(m->bytes + at, "\xeb\x52\x90NTFS    ", 11);
}

/*
 * What the table was made for does not depend on the blk that it is on: an image has blocks of one
 * byte.
 */
static void test_sector_bytes(void **state)
{
	enum {
		NOTHING,
		GPT_512,
		GPT_4096,
		MBR_512,
		MBR_4096,
		MBR_BARE,
		MBR_FAR,
		FAT_512,
		FAT_4096,
		N_KINDS
	};
	static const uint32_t expected[N_KINDS] = { 0, 512, 4096, 512, 4096, 512, 512, 512, 4096 };

	(void)state;
	for (size_t i = 0; i < N_KINDS; i++) {
		struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){ .size = SIZE });
		uint32_t got = 1;

		if (i == GPT_512 || i == GPT_4096) {
			m->blk.block_bytes = expected[i];
			sim_gpt(m, NULL, 0);
			m->blk.block_bytes = 1;
		} else if (i >= MBR_512 && i <= MBR_FAR) {
			sim_mbr_record(m, 0, 0, 0x07, i == MBR_FAR ? UINT32_MAX : 64, 100);
			if (i != MBR_BARE && i != MBR_FAR)
				put_ntfs(m, 64 * expected[i]);
		} else if (i >= FAT_512) {
			put_fat(m, 0, expected[i]);
		}
		assert_row(part_sector_bytes(&m->blk, &got) == ST_OK, i);
		if (got != expected[i])
			fail_msg("row %zu: %u", i, got);
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

static void test_failures(void **state)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){ .size = 600 });
	uint32_t got;

	(void)state;
	assert_ok(part_sector_bytes(&m->blk, &got)); /* shorter than what is looked at */
	sim_fail_allocation(1);
	assert_int_equal(part_sector_bytes(&m->blk, &got), ST_NO_MEMORY);
	sim_fail_allocation(0);
	m->calls_to_failure = 1;
	m->status = ST_IO;
	assert_int_equal(part_sector_bytes(&m->blk, &got), ST_IO);
	blk_close(&m->blk);
	assert_int_equal(sim_allocations(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sector_bytes),
		cmocka_unit_test(test_failures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
