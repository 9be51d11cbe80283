/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "fs/fs.h"
#include "memory_blk.h"

enum { START = 8192, SIZE = 1 << 17 };

/* What is at an offset, and the type that it is a signature of. */
static const struct {
	size_t offset;
	const char *magic, *type;
	size_t label_offset;
} signatures[] = {
	{ 3, "NTFS    ", "NTFS", 0 },
	{ 3, "EXFAT   ", "exFAT", 0 },
	{ 3, "-FVE-FS-", "BitLocker", 0 },
	{ 1064, "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\x53\xef", "ext2", 1144 },
	{ 0, "XFSB", "XFS", 108 },
	{ 0, "LUKS\xba\xbe", "LUKS", 0 },
	{ 512, "LABELONE", "LVM", 0 },
	{ 4086, "SWAPSPACE2", "Linux swap", 1052 },
	{ 0x10040, "_BHRfS_M", "Btrfs", 0x1012b },
	{ 1024, "H+", "HFS+", 0 },
	{ 32, "NXSB", "APFS", 0 },
	{ 0x8001, "CD001", "ISO 9660", 0x8028 },
	{ 1536, "LABELONE", "LVM", 0 },
	{ 4096, "\xfc\x4e\x2b\xa9", "Linux RAID", 0 },
	{ 4120, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca", "bcache", 0 },
	{ 4120, "\xc6\x85\x73\xf6\x66\xce\x90\xa9", "bcachefs", 0 },
	{ 0x4018, "version", "ZFS", 0 },
	{ 0x255c, "\x54\x19\1", "UFS", 0 },
	{ 0x1055c, "\x19\1\x54\x19", "UFS", 0 },
	{ 0x2034, "ReIsErFs", "ReiserFS", 0 },
	{ 0x10034, "ReIsEr2Fs", "ReiserFS", 0 },
	{ 0x8000, "JFS1", "JFS", 0 },
	{ 0x10000, "\1\x16\x19\x70", "GFS2", 0 },
	{ 8192, "OCFSV2", "OCFS2", 0 },
	{ 1024, "\x10\x20\xf5\xf2", "F2FS", 0 },
	{ 3, "ReFS", "ReFS", 0 },
	{ 0, "hsqs", "squashfs", 0 },
	{ 1024, "\xe2\xe1\xf5\xe0", "EROFS", 0 },
	{ 512, "\x57\x45\x56\x82", "BSD disklabel", 0 },
	{ 524, "\xee\xde\x0d\x60", "Solaris disk label", 0 },
	{ 32, "ORCLDISK", "Oracle ASM", 0 },
	{ 0, "bluestore block device", "Ceph", 0 },
	{ 0, "verity", "dm-verity", 0 },
	{ 0, "integrt", "dm-integrity", 0 },
	{ 100, "nothing", "", 0 },
};

static void test_types(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(signatures); i++) {
		struct memory_blk *m = memory_blk_new(
			&(struct memory_blk_kind){ .size = START + SIZE, .block_bytes = 4096 });
		struct fs volume;

		memcpy(m->bytes + START + signatures[i].offset, signatures[i].magic,
		       strlen(signatures[i].magic));
		if (signatures[i].label_offset > 0)
			memcpy(m->bytes + START + signatures[i].label_offset, "my disk   ", 10);
		assert_ok(fs_look_at(&m->blk, START, SIZE, &volume));
		assert_string_equal(volume.type, signatures[i].type);
		assert_row(fs_is_boot_sector(m->bytes + START) ==
				   (signatures[i].offset == 3 &&
				    strcmp(signatures[i].type, "ReFS") != 0),
			   i);
		assert_string_equal(volume.label, signatures[i].label_offset > 0 ? "my disk" : "");
		/* what lies beyond the volume does not count */
		assert_ok(fs_look_at(&m->blk, START, signatures[i].offset, &volume));
		assert_string_equal(volume.type, "");
		blk_close(&m->blk);
	}
	assert_int_equal(sim_allocations(), 0);
}

/* A label of any bytes is UTF-8 afterwards. */
static void test_label(void **state)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){ .size = SIZE });
	struct fs volume;

	(void)state;
	memcpy(m->bytes + 0x10040, "_BHRfS_M", 8);
	memset(m->bytes + 0x1012b, 0xff, 256);
	assert_ok(fs_look(&m->blk, &volume));
	assert_int_equal(strlen(volume.label), 256 * 3);
	memcpy(m->bytes + 0x1012b, "W\xc3\xb6rk\0", 6);
	assert_ok(fs_look(&m->blk, &volume));
	assert_string_equal(volume.label, "W\xc3\xb6rk");
	m->calls_to_failure = 1;
	m->status = ST_IO;
	assert_int_equal(fs_look(&m->blk, &volume), ST_IO);
	m->calls_to_failure = 0;
	sim_fail_allocation(1);
	assert_int_equal(fs_look(&m->blk, &volume), ST_NO_MEMORY);
	sim_fail_allocation(0);
	blk_close(&m->blk);
}

static void test_random(void **state)
{
	struct memory_blk *m = memory_blk_new(&(struct memory_blk_kind){ .size = SIZE });
	uint32_t random = 7;

	(void)state;
	for (int i = 0; i < 500; i++) {
		struct fs volume;

		for (size_t k = 0; k < 512; k++) {
			random = random * 1664525 + 1013904223;
			m->bytes[k] = (uint8_t)(random >> 24);
		}
		memcpy(m->bytes + 510, "\x55\xaa", 2);
		memcpy(m->bytes, "\xeb\x3c\x90", 3);
		assert_ok(fs_look(&m->blk, &volume));
		(void)fs_is_boot_sector(m->bytes);
	}
	blk_close(&m->blk);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
