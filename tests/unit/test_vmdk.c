/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMDK images made by hand: every kind of extent shows the disk that its tables say; each field of
 * a header, and each line of a descriptor, that makes no sense is refused with words that name it;
 * a parent must be the one that the image was made over; a repair takes what one copy of the tables
 * has lost from the other.
 */
#include "base/bytes.h"
#include "run.h"

enum {
	SECTOR = 512,
	GRAIN = 64 << 10,
	DISK = 5 * GRAIN + 3 * SECTOR,
	DESCRIPTOR = SECTOR,
	REDUNDANT = 21 * SECTOR,
	REDUNDANT_TABLE = REDUNDANT + SECTOR,
	DIRECTORY = REDUNDANT_TABLE + 2048,
	TABLE = DIRECTORY + SECTOR,
	FIRST = GRAIN,
	FILE_BYTES = FIRST + 3 * GRAIN,
};

static uint8_t file[FILE_BYTES], disk[DISK];

static const char inside[] = "# Disk DescriptorFile\nversion=1\nCID=0000abcd\nparentCID=ffffffff\n"
			     "createType=\"monolithicSparse\"\nRW 643 SPARSE \"x\"\n";

static void put_grain(size_t index, uint64_t at, uint8_t seed)
{
	for (size_t i = 0; i < GRAIN; i++) {
		file[at + i] = (uint8_t)(i % 251 + seed);
		if (index * GRAIN + i < DISK)
			disk[index * GRAIN + i] = file[at + i];
	}
}

/* Grain 0 is the third of the file, 2 the first, 5, the short one, the second; 3 is zeros. */
static void make(void)
{
	const struct {
		size_t index;
		uint32_t entry;
	} entries[] = { { 0, (FIRST + 2 * GRAIN) / SECTOR },
			{ 2, FIRST / SECTOR },
			{ 3, 1 },
			{ 5, (FIRST + GRAIN) / SECTOR } };

	memset(file, 0, sizeof file);
	memset(disk, 0, sizeof disk);
	memcpy(file, "KDMV", 4);
	bytes_to_le(file + 4, 4, 2);
	bytes_to_le(file + 8, 4, 7);
	bytes_to_le(file + 12, 8, DISK / SECTOR);
	bytes_to_le(file + 20, 8, GRAIN / SECTOR);
	bytes_to_le(file + 28, 8, 1);
	bytes_to_le(file + 36, 8, 20);
	bytes_to_le(file + 44, 4, 512);
	bytes_to_le(file + 48, 8, REDUNDANT / SECTOR);
	bytes_to_le(file + 56, 8, DIRECTORY / SECTOR);
	bytes_to_le(file + 64, 8, FIRST / SECTOR);
	memcpy(file + 73, "\n \r\n", 4);
	memcpy(file + DESCRIPTOR, inside, sizeof inside - 1);
	bytes_to_le(file + REDUNDANT, 4, REDUNDANT_TABLE / SECTOR);
	bytes_to_le(file + DIRECTORY, 4, TABLE / SECTOR);
	for (size_t i = 0; i < N_OF(entries); i++) {
		bytes_to_le(file + TABLE + 4 * entries[i].index, 4, entries[i].entry);
		bytes_to_le(file + REDUNDANT_TABLE + 4 * entries[i].index, 4, entries[i].entry);
	}
	put_grain(0, FIRST + 2 * GRAIN, 1);
	put_grain(2, FIRST, 3);
	put_grain(5, FIRST + GRAIN, 5);
	sim_file_put("x", file, sizeof file);
}

static void make_with(size_t at, size_t n, uint64_t value)
{
	make();
	bytes_to_le(file + at, n, value);
	sim_file_put("x", file, sizeof file);
}

static void put_text(const char *name, const char *text)
{
	sim_file_put(name, (const uint8_t *)text, strlen(text));
}

/* A descriptor with these lines for extents, and more. */
static void describe(const char *type, const char *lines)
{
	char text[1024];

	snprintf(text, sizeof text,
		 "# Disk DescriptorFile\r\nversion=1\r\nCID=1234\r\nparentCID=ffffffff\r\n"
		 "createType=\"%s\"\r\n\r\n%s",
		 type, lines);
	put_text("x", text);
}

static void assert_contents(const char *name, const uint8_t *expected, size_t bytes)
{
	const uint8_t *copy;
	uint64_t n;

	MUST("convert", "--force", "-O", "raw", name, "t");
	copy = sim_file("t", &n);
	assert_int_equal(n, bytes);
	assert_memory_equal(copy, expected, bytes);
	MUST("compare", name, "t");
}

static void assert_refused(size_t row, const char *words)
{
	assert_row(RUN("convert", "--force", "-O", "raw", "x", "t") == EXIT_ERROR, row);
	if (strstr(err.text, words) == NULL)
		fail_msg("row %zu: \"%s\" is not in: %s", row, words, err.text);
}

static int set_up(void **state)
{
	static const struct sim_volume_kind roomy = { .free_bytes = 64 << 20 };

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

/* ---- reading ---- */

static void test_sparse(void **state)
{
	(void)state;
	make();
	MUST("info", "x");
	assert_non_null(strstr(out.text, "cid: 43981\n"));
	assert_contents("x", disk, DISK);
	MUST("check", "x");
	assert_string_equal(out.text, "No errors were found on the image.\n");
}

/* An extent of a split image by itself: of VMware, and of QEMU, which leaves room for a text. */
static void test_extent_alone(void **state)
{
	(void)state;
	make();
	memset(file + DESCRIPTOR, 0, 20 * SECTOR);
	sim_file_put("x", file, sizeof file);
	assert_int_equal(RUN("info", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "type SPARSE without its descriptor"));
	memset(file + 28, 0, 16);
	sim_file_put("x", file, sizeof file);
	assert_contents("x", disk, DISK);
	assert_int_equal(RUN("bench", "-w", "-c", "1", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "only be written through the descriptor"));
}

/* A disk of every kind of line: each counts, and none shifts another. */
static void test_extents(void **state)
{
	static uint8_t all[2 * DISK + 7 * SECTOR], flat[16 * SECTOR];

	(void)state;
	make();
	sim_file_put("a-s001", file, sizeof file);
	for (size_t i = 0; i < sizeof flat; i++)
		flat[i] = (uint8_t)(i / 3 + 9);
	sim_file_put("a-f001", flat, sizeof flat);
	describe("twoGbMaxExtentSparse", "rw 643  sparse \"a-s001\"\r\n"
					 "RW 2 ZERO\r\n"
					 "RDONLY 3 FLAT \"a-f001\" 5\r\n"
					 "RW 2 FLAT \"a-f001\" 0\r\n");
	memcpy(all, disk, DISK);
	memcpy(all + DISK + 2 * SECTOR, flat + 5 * SECTOR, 3 * SECTOR);
	memcpy(all + DISK + 5 * SECTOR, flat, 2 * SECTOR);
	assert_contents("x", all, DISK + 7 * SECTOR);
	MUST("check", "x");
	MUST("map", "--output=json", "x");
	MUST("info", "--output=json", "x");
	assert_non_null(strstr(out.text, "\"format\": \"ZERO\""));
	/* what cannot be written is said before anything is */
	assert_int_equal(RUN("bench", "-w", "-c", "1", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "its extent 1 is zeros (ZERO)"));
}

static void test_cowd(void **state)
{
	static uint8_t bytes[4 * GRAIN], expected[10 << 9];
	enum { AT = 8 * SECTOR, TABLE_AT = 5 * SECTOR };

	(void)state;
	memcpy(bytes, "COWD", 4);
	bytes_to_le(bytes + 4, 4, 1);
	bytes_to_le(bytes + 8, 4, 3);
	bytes_to_le(bytes + 12, 4, 10);
	bytes_to_le(bytes + 16, 4, 1);
	bytes_to_le(bytes + 20, 4, 4);
	bytes_to_le(bytes + 24, 4, 1);
	bytes_to_le(bytes + 28, 4, 99);
	bytes_to_le(bytes + 4 * SECTOR, 4, 5);
	bytes_to_le(bytes + TABLE_AT + 4 * 7, 4, 100);
	bytes_to_le(bytes + TABLE_AT + 4 * 8, 4, 101);
	bytes_to_le(bytes + TABLE_AT + 4 * 1, 4, 103);
	for (size_t i = 0; i < 2 * SECTOR; i++)
		bytes[100 * SECTOR + i] = expected[7 * SECTOR + i] = (uint8_t)(i % 199 + 1);
	for (size_t i = 0; i < SECTOR; i++)
		bytes[103 * SECTOR + i] = expected[SECTOR + i] = 0x77;
	sim_file_put("a-delta", bytes, sizeof bytes);
	describe("vmfsSparse", "RW 10 VMFSSPARSE \"a-delta\"\r\n");
	assert_contents("x", expected, sizeof expected);
	MUST("check", "x");
	assert_int_equal(RUN("bench", "-w", "-c", "1", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "only reads (VMFSSPARSE, SESPARSE)"));
	/* without its descriptor */
	assert_int_equal(RUN("info", "a-delta"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "without its descriptor"));
}

enum { SE_TABLES = 40 << 10, SE_GRAINS = 128 << 10, SE_GRAIN = 4096 };

static uint8_t se_file[SE_GRAINS + 8 * SE_GRAIN];

static void make_se_sparse(uint64_t entry)
{
	memset(se_file, 0, sizeof se_file);
	bytes_to_le(se_file, 8, 0xcafebabe);
	bytes_to_le(se_file + 8, 8, UINT64_C(0x200000001));
	bytes_to_le(se_file + 16, 8, 40);
	bytes_to_le(se_file + 24, 8, 8);
	bytes_to_le(se_file + 32, 8, 64);
	bytes_to_le(se_file + 80, 8, 1);
	bytes_to_le(se_file + 128, 8, 2);
	bytes_to_le(se_file + 136, 8, 1);
	bytes_to_le(se_file + 144, 8, SE_TABLES / SECTOR);
	bytes_to_le(se_file + 192, 8, SE_GRAINS / SECTOR);
	bytes_to_le(se_file + SECTOR, 8, 0xcafecafe);
	bytes_to_le(se_file + 2 * SECTOR, 8, UINT64_C(0x1000000000000001));
	bytes_to_le(se_file + SE_TABLES + 32768 + 8, 8, UINT64_C(0x2000000000000000));
	bytes_to_le(se_file + SE_TABLES + 32768 + 16, 8, UINT64_C(0x3003000000000000));
	bytes_to_le(se_file + SE_TABLES + 32768 + 32, 8, entry);
	memset(se_file + SE_GRAINS + 3 * SE_GRAIN, 0x33, SE_GRAIN);
	memset(se_file + SE_GRAINS + 5 * SE_GRAIN, 0x55, SE_GRAIN);
	sim_file_put("a-sesparse", se_file, sizeof se_file);
	describe("seSparse", "RW 40 SESPARSE \"a-sesparse\"\n");
}

static void test_se_sparse(void **state)
{
	static uint8_t expected[5 * SE_GRAIN];

	(void)state;
	memset(expected + 2 * SE_GRAIN, 0x33, SE_GRAIN);
	memset(expected + 4 * SE_GRAIN, 0x55, SE_GRAIN);
	make_se_sparse(UINT64_C(0x3005000000000000));
	assert_contents("x", expected, sizeof expected);
	MUST("check", "x");
	make_se_sparse(UINT64_C(0x4005000000000000));
	assert_refused(0, "at offset 16384");
	assert_int_equal(RUN("check", "x"), 2);
	make_se_sparse(UINT64_C(0x3005000000000001));
	assert_refused(1, "at offset 16384");
}

static void test_se_sparse_fields(void **state)
{
	static const struct {
		size_t at;
		uint64_t value;
		const char *words;
	} rows[] = {
		{ 8, 1, "version 0x1 is not known" },
		{ 16, UINT64_MAX, "capacity" },
		{ 24, 16, "grains of 16 sectors" },
		{ 32, 8, "grain tables of 8" },
		{ 40, 1, "flags 0x1" },
		{ 80, 1 << 20, "volatile header" },
		{ 128, UINT64_MAX, "grain directory" },
		{ 136, 0, "grain directory of 0 sectors" },
		{ 144, UINT64_C(1) << 40, "grain tables" },
		{ 192, UINT64_C(1) << 60, "grains" },
		{ SECTOR, 1, "volatile header is none" },
		{ SECTOR + 24, 1, "journal must be replayed" },
		{ 2 * SECTOR, 5, "entry 0 of its grain directory is 0x5" },
		{ 2 * SECTOR, UINT64_C(0x10000000ffffffff), "entry 0 of its grain directory" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make_se_sparse(0);
		bytes_to_le(se_file + rows[i].at, 8, rows[i].value);
		sim_file_put("a-sesparse", se_file, sizeof se_file);
		assert_refused(i, rows[i].words);
	}
}

/* ---- what makes no sense ---- */

static void test_absurd_fields(void **state)
{
	static const struct {
		size_t at, n;
		uint64_t value;
		const char *words;
	} rows[] = {
		{ 4, 4, 0, "version 0 is not known" },
		{ 4, 4, 4, "version 4 is not known" },
		{ 8, 4, 0x107, "flags 0x100 are not known" },
		{ 8, 4, 0x10007, "compression is 0, but the flags" },
		{ 12, 8, UINT64_MAX, "a capacity of" },
		{ 12, 8, UINT64_C(1) << 50, "grain directory of" },
		{ 20, 8, 0, "a grain of 0 sectors" },
		{ 20, 8, 127, "a grain of 127 sectors" },
		{ 20, 8, UINT64_C(1) << 40, "a grain of" },
		{ 28, 8, UINT64_MAX, "the descriptor of" },
		{ 28, 8, 300, "its descriptor" },
		{ 36, 8, 10000, "a descriptor of 10000 sectors" },
		{ 36, 8, 1900, "the descriptor of" },
		{ 44, 4, 0, "0 entries in a grain table" },
		{ 44, 4, 1 << 20, "1048576 entries" },
		{ 48, 8, 100000, "the redundant grain directory of 4 bytes at sector 100000" },
		{ 56, 8, 100000, "the grain directory of 4 bytes at sector 100000" },
		{ 56, 8, UINT64_MAX, "its footer is missing" },
		{ 64, 8, 100000, "the metadata before the first grain" },
		{ 73, 1, '\r', "damaged by a transfer as text" },
		{ 77, 2, 1, "compression is 1, but the flags" },
		{ 77, 2, 2, "compression 2 is not known" },
		{ REDUNDANT, 4, 100000, "entry 0 of its grain directory" },
		{ DIRECTORY, 4, UINT32_MAX, "entry 0 of its grain directory" },
		{ TABLE, 4, UINT32_MAX, "at offset 0" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make_with(rows[i].at, rows[i].n, rows[i].value);
		assert_refused(i, rows[i].words);
	}
}

static const struct {
	const char *type, *lines, *words;
} descriptors[] = {
	{ "custom", "", "createType \"custom\" is not one" },
	{ "fullDevice", "", "createType \"fullDevice\"" },
	{ "monolithicSparse", "", "createType \"monolithicSparse\"" },
	{ "monolithicFlat", "NOACCESS 8 FLAT \"f\" 0\n", "NOACCESS" },
	{ "monolithicFlat", "RX 8 FLAT \"f\" 0\n", "line 7 (RX 8 FLAT \"f\" 0)" },
	{ "monolithicFlat", "what is this\n", "line 7 (what is this): it is not" },
	{ "monolithicFlat", "RW x FLAT \"f\" 0\n", "number of its sectors" },
	{ "monolithicFlat", "RW 99999999999999999999 FLAT \"f\" 0\n", "sectors is absurd" },
	{ "monolithicFlat", "RW 9223372036854775807 FLAT \"f\" 0\n", "sectors is absurd" },
	{ "monolithicFlat", "RW 8 FLAT f 0\n", "not in quotes" },
	{ "monolithicFlat", "RW 8 FLAT \"f 0\n", "not in quotes" },
	{ "monolithicFlat", "RW 8 FLAT \"f\"\n", "offset in its file is missing" },
	{ "monolithicFlat", "RW 8 FLAT \"f\" -1\n", "offset in its file is absurd" },
	{ "monolithicFlat", "RW 8 FLAT \"f\" 0 more\n", "what follows the offset" },
	{ "monolithicFlat", "RW 8 FLAT\n", "name of its file is missing" },
	{ "monolithicFlat", "RW 8 ZERO \"f\"\n", "an extent of zeros has no file" },
	{ "monolithicFlat", "RW 8 SPARSE \"f\" 5\n", "has no offset" },
	{ "monolithicFlat", "RW 8 VMFSRAW \"f\"\n", "a disk of the machine" },
	{ "monolithicFlat", "RW 8 VMFSRDM \"f\"\n", "a disk of the machine" },
	{ "monolithicFlat", "RW 8 HOLLOW \"f\"\n", "type of the extent is not known" },
	{ "monolithicFlat", "RW 8 FLAT \"../f\" 0\n", "\"../f\" is not the name of a file" },
	{ "monolithicFlat", "RW 8 FLAT \"/f\" 0\n", "\"/f\" is not the name of a file" },
	{ "monolithicFlat", "RW 8 FLAT \"fs0:f\" 0\n", "is not the name of a file" },
	{ "monolithicFlat", "RW 8 FLAT \"serial=D\" 0\n", "is not the name of a file" },
	{ "monolithicFlat", "RW 8 FLAT \"\" 0\n", "is not the name of a file" },
	{ "monolithicFlat", "RW 8 FLAT \"none\" 0\n", "its extent: none: " },
	{ "monolithicFlat", "RW 9 FLAT \"f\" 0\n", "it has 4096 bytes, but the extent" },
	{ "monolithicFlat", "RW 8 FLAT \"f\" 1\n", "it has 4096 bytes, but the extent" },
	{ "vmfs", "RW 8 SPARSE \"f\"\n", "does not begin as an extent of its type" },
	{ "vmfs", "RW 8 SESPARSE \"f\"\n", "does not begin as an extent of its type" },
	{ "vmfs", "RW 644 SPARSE \"s\"\n", "its header has 643 sectors, but the" },
	{ "vmfs", "RW 643 SPARSE \"s\"\nRW 643 SPARSE \"s\"\n", "\"s\" twice" },
	{ "vmfs", "encryptedDescriptor = \"abc\"\n", "the disk is encrypted" },
	{ "vmfs", "ddb.encryption = \"x\"\n", "the disk is encrypted" },
	{ "vmfs", "CID=xyz\n", "1 to 8 hexadecimal digits" },
	{ "vmfs", "CID=123456789\n", "1 to 8 hexadecimal digits" },
	{ "vmfs", "version=4\n", "this version is not known" },
	{ "vmfs", "parentCID=12\n", "no parentFileNameHint" },
	{ "vmfs", "parentFileNameHint=\"p\"\n", "a parentFileNameHint" },
	{ "vmfs", "parentCID=1\nparentFileNameHint=\"../p\"\n", "its parent \"../p\"" },
	{ "vmfs", "encoding=\"windows-1252\"\nRW 8 VMFS \"\xe4\"\n", "not in UTF-8" },
	{ "a type that is longer than there is any use for", "", "this kind of image" },
};

static void test_descriptors(void **state)
{
	(void)state;
	make();
	sim_file_put("s", file, sizeof file);
	sim_file_put("f", disk, 8 * SECTOR);
	for (size_t i = 0; i < N_OF(descriptors); i++) {
		describe(descriptors[i].type, descriptors[i].lines);
		assert_refused(i, descriptors[i].words);
	}
	put_text("x", "# a\nversion=1\ncreateType=\"vmfs\"\n");
	assert_refused(100, "has no CID");
	put_text("x", "# a\nversion=1\nCID=1\n");
	assert_refused(101, "has no createType");
}

/* What is allowed: blanks, any case, comments, names that are not plain letters. */
static void test_descriptor_forms(void **state)
{
	static const char text[] =
		"# Disk DescriptorFile\n\n  VERSION = 1 \nencoding=\"UTF-8\"\n"
		"cid = 7\nParentCid=FFFFFFFF\ncreatetype = \"MONOLITHICFLAT\"\n"
		"# RW 8 FLAT \"none\" 0\n\t rdonly\t8  flat  \"d\xc3\xa4=b c\" 0 \n"
		"ddb.adapterType = \"ide\"\nddb.uuid = \"60 00 C2\"\n\0\0garbage";

	(void)state;
	make();
	sim_file_put("d\xc3\xa4=b c", disk, 8 * SECTOR);
	sim_file_put("x", (const uint8_t *)text, sizeof text);
	assert_contents("x", disk, 8 * SECTOR);
}

static void test_tracked_changes(void **state)
{
	(void)state;
	make();
	sim_file_put("f", disk, 8 * SECTOR);
	describe("monolithicFlat", "RW 8 FLAT \"f\" 0\nchangeTrackPath=\"x-ctk.vmdk\"\n");
	assert_contents("x", disk, 8 * SECTOR);
	assert_int_equal(RUN("bench", "-w", "-c", "1", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "changeTrackPath"));
}

/* ---- parents ---- */

static void test_parents(void **state)
{
	(void)state;
	make();
	sim_file_put("p", file, sizeof file);
	MUST("create", "-q", "--force", "-f", "vmdk", "-b", "p", "-F", "vmdk", "x");
	assert_contents("x", disk, DISK);
	MUST("bench", "-q", "-w", "-c", "1", "p");
	assert_refused(0, "but parentCID is 0000abcd");
	put_text("p", "nothing");
	assert_refused(1, "backing file of x");
	assert_int_equal(RUN("create", "-f", "vmdk", "-b", "p", "-F", "raw", "y"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "must be a vmdk"));
	assert_int_equal(RUN("create", "-f", "vmdk", "-u", "-b", "p", "-F", "vmdk", "y", "1M"),
			 EXIT_ERROR);
	assert_non_null(strstr(err.text, "its CID is stored"));
}

/* ---- both copies ---- */

static void test_check(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
		bool unclean;
		int code, repaired;
		const char *words;
	} rows[] = {
		{ TABLE, 0, false, 2, 0, "grain 0, entry 0x0: the redundant grain table" },
		{ TABLE, 0, true, 3, 0, "leak: grain 0" },
		{ TABLE, 1 << 20, false, 2, 0, "it lies past the end of the file" },
		{ REDUNDANT_TABLE, 1 << 20, true, 3, 0, "the redundant grain table" },
		{ TABLE + 4, FIRST / SECTOR, false, 2, 2, "another grain lies there, too" },
		{ TABLE + 4, 5, false, 2, 0, "it lies in the metadata" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		make_with(rows[i].at, 4, rows[i].value);
		file[72] = rows[i].unclean;
		sim_file_put("x", file, sizeof file);
		assert_row(RUN("check", "x") == rows[i].code, i);
		if (strstr(err.text, rows[i].words) == NULL &&
		    strstr(out.text, rows[i].words) == NULL)
			fail_msg("row %zu: %s%s", i, out.text, err.text);
		assert_row(RUN("check", "-r", "all", "x") == rows[i].repaired, i);
		assert_row(RUN("check", "x") == rows[i].repaired, i);
	}
}

static void test_both_copies_get_grains(void **state)
{
	uint64_t n;
	const uint8_t *bytes;

	(void)state;
	make();
	MUST("bench", "-q", "-w", "-c", "1", "-o", "65536", "-s", "512", "x");
	bytes = sim_file("x", &n);
	assert_int_equal(n, FILE_BYTES + GRAIN);
	assert_int_equal(bytes_from_le(bytes + TABLE + 4, 4), FILE_BYTES / SECTOR);
	assert_memory_equal(bytes + TABLE, bytes + REDUNDANT_TABLE, 6 * 4);
	assert_int_equal(bytes[72], 0);
	assert_memory_not_equal(bytes + DESCRIPTOR, inside, sizeof inside - 1); /* the CID */
	MUST("check", "x");
}

/* A table that is lost is taken from its copy, when the image is opened for writing, too. */
static void test_lost_table(void **state)
{
	(void)state;
	make();
	memset(file + TABLE, 0xff, 6 * 4);
	file[72] = 1;
	sim_file_put("x", file, sizeof file);
	MUST("bench", "-q", "-w", "-c", "1", "-o", "327680", "-s", "1536", "x");
	memset(disk + 5 * GRAIN, 0, 3 * SECTOR);
	assert_contents("x", disk, DISK);
	MUST("check", "x");
}

/* A directory that names a grain, a directory or the other copy's table as a table. */
static void test_misplaced_table(void **state)
{
	static const size_t places[] = { FIRST, FIRST + 2 * GRAIN, DIRECTORY, TABLE, DESCRIPTOR };

	(void)state;
	for (size_t i = 0; i < N_OF(places); i++) {
		uint64_t size;

		make_with(REDUNDANT, 4, places[i] / SECTOR);
		assert_int_equal(RUN("check", "x"), 2);
		assert_non_null(strstr(err.text, "where a grain table is named"));
		assert_int_equal(RUN("check", "-r", "all", "x"), 2);
		assert_int_equal(RUN("bench", "-w", "-c", "1", "x"), EXIT_ERROR);
		assert_non_null(strstr(err.text, "where something else lies"));
		assert_memory_equal(sim_file("x", &size), file, sizeof file);
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_sparse),
		TEST(test_extent_alone),
		TEST(test_extents),
		TEST(test_cowd),
		TEST(test_se_sparse),
		TEST(test_se_sparse_fields),
		TEST(test_absurd_fields),
		TEST(test_descriptors),
		TEST(test_descriptor_forms),
		TEST(test_tracked_changes),
		TEST(test_parents),
		TEST(test_check),
		TEST(test_both_copies_get_grains),
		TEST(test_lost_table),
		TEST(test_misplaced_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
