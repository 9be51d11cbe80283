/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files in tar archives: names and sizes as POSIX, pax and GNU write them, what is damaged, and the
 * disks that an OVF descriptor names.
 */
#include "foreign_image.h"

#include "storage/tar.h"

enum { ARCHIVE_MAX = 1 << 20, DISK = 70000 };

static uint8_t archive[ARCHIVE_MAX], disk[DISK];
static size_t end;

static void sum(uint8_t *header)
{
	unsigned n = 8 * ' ';

	for (size_t i = 0; i < 512; i++)
		n += i >= 148 && i < 156 ? 0 : header[i];
	snprintf((char *)header + 148, 8, "%06o", n);
}

/* Appends a member; returns its header. */
static uint8_t *add(char type, const char *name, const void *contents, size_t n)
{
	uint8_t *header = archive + end;

	memset(header, 0, 512);
	snprintf((char *)header, 100, "%s", name);
	snprintf((char *)header + 124, 12, "%011zo", n);
	header[156] = (uint8_t)type;
	memcpy(header + 257,
	       "ustar\0"
	       "00",
	       8);
	sum(header);
	memset(header + 512, 0, (n + 511) / 512 * 512);
	if (n > 0)
		memcpy(header + 512, contents, n);
	end += 512 + (n + 511) / 512 * 512;
	return header;
}

static void begin(void)
{
	uint32_t state = 3;

	end = 0;
	for (size_t i = 0; i < DISK; i++)
		disk[i] = (uint8_t)dice(&state);
}

static void finish(void)
{
	memset(archive + end, 0, 1024);
	sim_file_put("x", archive, end + 1024);
}

/* The raw disk at that name is ours, in whole sectors. */
static void assert_is_disk(const char *name)
{
	static const char zeros[512];
	const uint8_t *copy;
	uint64_t n;

	MUST("convert", "--force", "-f", "raw", "-O", "raw", name, "t");
	copy = sim_file("t", &n);
	assert_int_equal(n, (DISK + 511) / 512 * 512);
	assert_memory_equal(copy, disk, DISK);
	assert_memory_equal(copy + DISK, zeros, n - DISK);
}

static void test_names(void **state)
{
	static const struct {
		const char *stored, *given;
	} rows[] = {
		{ "d.raw", "x/d.raw" },         { "./d.raw", "x/d.raw" },
		{ "a/b/d.raw", "x/a/b/d.raw" }, { "a/b/d.raw", "x\\a\\b\\d.raw" },
		{ "D.RAW", "x/d.raw" },         { "d.raw", "x/./d.raw" },
		{ "d e.raw", "x/d e.raw" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		begin();
		add('0', "other", "contents", 8);
		add('5', "a/", NULL, 0);
		add('2', "link", NULL, 0);
		add('0', rows[i].stored, disk, DISK);
		add('0', "after", NULL, 0);
		finish();
		assert_is_disk(rows[i].given);
	}
	assert_int_equal(RUN("hash", "-f", "raw", "x/nothing"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "x/nothing: there is no such file in the archive"));
	assert_int_equal(RUN("hash", "-f", "raw", "y/d.raw"), EXIT_ERROR);
	assert_null(strstr(err.text, "archive"));
	assert_int_equal(RUN("hash", "-f", "raw", "x/link"), EXIT_ERROR);
	assert_int_equal(RUN("hash", "-f", "raw", "t/d.raw"), EXIT_ERROR); /* t is no archive */
	assert_null(strstr(err.text, "archive"));
}

/* Long names, and sizes, as the three formats write them. */
static void test_extended(void **state)
{
	static char name[300], record[400];
	uint8_t *header;

	(void)state;
	memset(name, 'n', sizeof name - 1);
	memcpy(name, "x/", 2);
	begin(); /* a prefix */
	header = add('0', "leaf", disk, DISK);
	memcpy(header + 345, "pre/fix", 7);
	sum(header);
	finish();
	assert_is_disk("x/pre/fix/leaf");
	begin(); /* GNU: a long name, a size in base 256, other things where the prefix would be */
	add('L', "././@LongLink", name + 2, sizeof name - 2);
	header = add('0', "cut", disk, DISK);
	memcpy(header + 257, "ustar  ", 8);
	memcpy(header + 345, "00000000000", 11);
	memset(header + 124, 0, 12);
	header[124] = 0x80;
	bytes_to_be(header + 128, 8, DISK);
	sum(header);
	finish();
	assert_is_disk(name);
	begin(); /* pax: name and size */
	add('g', "global", "20 comment=whatever\n", 20);
	snprintf(record, sizeof record, "%zu path=%s\n17 size=00070000\n11 mtime=1\n",
		 strlen(name + 2) + 10, name + 2);
	add('x', "extended", record, strlen(record));
	header = add('0', "cut", disk, DISK);
	memcpy(header + 124, "00000000000", 11);
	sum(header);
	finish();
	record[0] = 'X';
	assert_is_disk(name);
	add('0', "second", disk, DISK); /* has a name and a size of its own */
	finish();
	assert_is_disk("x/second");
}

static void test_absurd(void **state)
{
	static const struct {
		size_t at;
		const char *bytes;
		size_t n;
		const char *words;
	} rows[] = {
		{ 124, "77777777777", 11, "ends past the end of the archive" },
		{ 124, "\x80\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 12, "ends past the end" },
		{ 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12,
		  "ends past the end" },
		{ 124, "\x80\1", 2, "ends past the end" },
		{ 156, "L", 1, "has 70000 bytes, which are too many" },
		{ 156, "x", 1, "has 70000 bytes, which are too many" },
		{ 156, "S", 1, "stored without its holes" },
		{ 156, "1", 1, "no such file" },
		{ 0, "e", 1, "no such file" },
	};
	uint8_t *header;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		begin();
		add('0', "first", "1", 1);
		header = add('0', "d.raw", disk, DISK);
		memcpy(header + rows[i].at, rows[i].bytes, rows[i].n);
		sum(header);
		finish();
		assert_row(RUN("hash", "-f", "raw", "x/d.raw") == EXIT_ERROR, i);
		if (strstr(err.text, rows[i].words) == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
	begin();
	header = add('0', "d.raw", disk, DISK);
	header[148]++; /* the checksum: this is no archive */
	finish();
	assert_int_equal(RUN("hash", "-f", "raw", "x/d.raw"), EXIT_ERROR);
	assert_null(strstr(err.text, "archive"));
	begin(); /* pax: sizes and records that make no sense are no records */
	add('x', "extended", "99999999999999999999 size=1\n", 28);
	add('0', "d.raw", disk, DISK);
	finish();
	assert_is_disk("x/d.raw");
	begin();
	add('x', "extended", "26 GNU.sparse.major=1\n", 22);
	add('x', "extended", "22 GNU.sparse.major=1\n", 22);
	add('0', "d.raw", disk, DISK);
	finish();
	assert_int_equal(RUN("hash", "-f", "raw", "x/d.raw"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "stored without its holes"));
}

/* A virtual machine whose descriptor has these files and disks. */
static void put_machine(const char *descriptor)
{
	begin();
	add('0', "dir/m.ovf", descriptor, strlen(descriptor));
	add('0', "m.mf", "SHA256(m.ovf)= 00\n", 18);
	add('0', "dir/d one.img", disk, DISK);
	add('0', "d2.img", "two", 3);
	finish();
}

#define FILE(attributes) "<ovf:File " attributes "/>"
#define DISKS(files, disks) \
	"<?xml version='1.0'?><ovf:Envelope><References>" files \
	"</References><!-- x --><DiskSection>" \
	"<Info>List</Info>" disks "</DiskSection></ovf:Envelope>"

static void test_disks(void **state)
{
	static const struct {
		const char *descriptor, *words;
	} rows[] = {
		{ DISKS(FILE("ovf:id='a' ovf:href='d one.img'"), "<Disk ovf:fileRef='a'/>"), NULL },
		{ DISKS(FILE("ovf:id='i' ovf:href='cd.iso'") FILE(
				"id=\"a\" href=\"d%20one.img\" size='1' compression='identity'"),
			"<Disk fileRef=\"a\" capacity='1'></Disk>"),
		  NULL },
		{ DISKS(FILE("id='a' href='d&#32;one.img'"),
			"<Disk fileRef='a'/><Disk diskId='empty'/><Disk fileRef='a'/>"),
		  NULL },
		{ DISKS(FILE("id='a' href='d one.img'") FILE("id='b' href='../d2.img'"),
			"<Disk fileRef='a'/><Disk fileRef='b'/>"),
		  "a virtual machine with 2 disks; name one of them: x/dir/d one.img, "
		  "x/dir/../d2.img" },
		{ DISKS(FILE("id='a' href='d one.img'"), ""),
		  "its descriptor dir/m.ovf names no disk" },
		{ DISKS(FILE("id='a' href='d one.img'"), "<Disk fileRef='b'/>"), "names no disk" },
		{ DISKS(FILE("id='a'"), "<Disk fileRef='a'/>"), "names no disk" },
		{ DISKS(FILE("id='a' href='d one.img' compression='gzip'"), "<Disk fileRef='a'/>"),
		  "its disk d one.img is compressed (gzip)" },
		{ DISKS(FILE("id='a' href='d one.img' chunkSize='1000'"), "<Disk fileRef='a'/>"),
		  "its disk d one.img is stored in chunks of 1000 bytes" },
		{ DISKS(FILE("id='a' href='http://h/d.img'"), "<Disk fileRef='a'/>"),
		  "its disk http://h/d.img is not in the archive" },
		{ DISKS(FILE("id='a' href='/etc/passwd'"), "<Disk fileRef='a'/>"),
		  "its disk /etc/passwd is not in the archive" },
		{ DISKS(FILE("id='a' href='none.img'"), "<Disk fileRef='a'/>"),
		  "x/dir/none.img: there is no such file in the archive" },
		{ "", "names no disk" },
		{ "<Disk fileRef='a'", "names no disk" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		put_machine(rows[i].descriptor);
		if (rows[i].words == NULL) {
			MUST("info", "x");
			assert_row(strstr(out.text, "image: x/dir/d one.img\n") != NULL, i);
			MUST("convert", "--force", "-O", "raw", "x", "t");
			MUST("compare", "-f", "raw", "x/dir/d one.img", "t");
			continue;
		}
		assert_row(RUN("convert", "--force", "-O", "raw", "x", "t") == EXIT_ERROR, i);
		if (strstr(err.text, rows[i].words) == NULL)
			fail_msg("row %zu: %s", i, err.text);
	}
	put_machine(rows[0].descriptor);
	assert_is_disk("x/dir/d one.img");
	MUST("info", "-f", "raw", "x"); /* the bytes of the archive */
	assert_non_null(strstr(out.text, "image: x\n"));
}

/* An archive is only read; the access set has it once. */
static void test_read_only(void **state)
{
	static const char *const lines[][WORDS] = {
		{ "resize", "-f", "raw", "x/d2.img", "1M" },
		{ "resize", "x", "1M" },
		{ "bench", "-w", "-c", "1", "-f", "raw", "x/d2.img" },
		{ "check", "-r", "all", "x" },
	};
	uint64_t n;

	(void)state;
	put_machine(DISKS(FILE("id='a' href='d one.img'"), "<Disk fileRef='a'/>"));
	for (size_t i = 0; i < N_OF(lines); i++) {
		assert_row(run(lines[i]) == EXIT_ERROR, i);
		assert_row(strstr(err.text, "files in the archive x can only be read") != NULL, i);
		assert_row(memcmp(sim_file("x", &n), archive, end) == 0, i);
	}
	MUST("convert", "--dry-run", "-O", "raw", "x", "t");
	assert_non_null(
		strstr(out.text, "touches: read   x (image)\n         create t (target)\n"));
	assert_int_equal(RUN("convert", "--force", "-O", "raw", "x", "x"), EXIT_ERROR);
	assert_int_equal(RUN("convert", "--force", "-f", "raw", "-O", "raw", "x/d2.img", "x"),
			 EXIT_ERROR);
	assert_non_null(strstr(err.text, "the same file as x"));
}

/* An image in the archive, with a backing file in it. */
static void test_chain(void **state)
{
	const uint8_t *bytes;
	uint64_t n;

	(void)state;
	begin();
	sim_file_put("base", disk, DISK);
	MUST("create", "-q", "-f", "qcow2", "-b", "base", "-F", "raw", "over");
	bytes = sim_file("over", &n);
	add('0', "a/over", bytes, n);
	add('0', "a/base", disk, DISK);
	finish();
	sim_file_put("base", "gone", 4);
	MUST("convert", "-O", "raw", "x/a/over", "t");
	assert_memory_equal(sim_file("t", &n), disk, DISK);
	MUST("info", "--backing-chain", "x/a/over");
	assert_non_null(strstr(out.text, "backing file: base (actual path: x/a/base)\n"));
}

static void test_plain_archive(void **state)
{
	(void)state;
	begin();
	add('0', "d.raw", disk, DISK);
	finish();
	assert_int_equal(RUN("convert", "-O", "raw", "x", "t"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "x: this is a tar archive, which efi-img does not read: "
					 "name the file in it (ARCHIVE/FILE), or "));
	MUST("info", "x");
	assert_non_null(strstr(out.text, "file format: tar\n"));
}

static void test_every_failure(void **state)
{
	(void)state;
	put_machine(DISKS(FILE("id='a' href='d one.img'"), "<Disk fileRef='a'/>"));
	try_every_failure("hash");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(test_names),         TEST(test_extended),      TEST(test_absurd),
		TEST(test_disks),         TEST(test_read_only),     TEST(test_chain),
		TEST(test_plain_archive), TEST(test_every_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
