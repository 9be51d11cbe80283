/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Files that are known not to be raw disks (findings trial A2 and conformance 2): each signature is
 * recognised, `info` names it, every other command refuses it as a source and leaves everything as
 * it was, and -f raw takes its bytes. What only resembles a signature stays raw, and so does every
 * disk.
 */
#include "base/bytes.h"
#include "storage/split.h"
#include "format/foreign.h"
#include "machine.h"
#include "run.h"

/* the signature of a kind of file that is used here for all */
#define EWF "EVF\x09\r\n\xff\0"

enum { MIB = 1 << 20, FILE_BYTES = 70000, MARKS_MAX = 4 };

/* Bytes at a place of a file that is otherwise `fill`; a negative place is one from the end. */
struct mark {
	int32_t at;
	const char *bytes;
	size_t n;
};

#define MARK(at, text) \
	{ \
		at, text, sizeof(text) - 1 \
	}

/* The sum of a tar header is made when the file is. */
static const struct sample {
	const char *format; /* what it is; "raw": it only resembles something */
	struct mark mark[MARKS_MAX];
	bool tar;
} samples[] = {
	{ "dmg", { MARK(0, "sprs\0\0\0\3") }, false },
	{ "dmg", { MARK(0, "encrcdsa") }, false },
	{ "dmg", { MARK(-8, "cdsaencr") }, false },
	{ "simg", { MARK(0, "\x3a\xff\x26\xed\1\0\0\0\x1c\0\x0c\0") }, false },
	{ "ffu", { MARK(0, "\x20\0\0\0SignedImage ") }, false },
	{ "luks", { MARK(0, "LUKS\xba\xbe\0\1") }, false },
	{ "luks", { MARK(0, "LUKS\xba\xbe\0\2") }, false },
	{ "gzip", { MARK(0, "\x1f\x8b\x08\x08\0\0\0\0\0\x03") }, false },
	{ "gzip", { MARK(0, "\x1f\x8b\x08\0\0\0\0\0\2\xff") }, false },
	{ "xz",
	  { MARK(0, "\xfd"
		    "7zXZ\0\0\4") },
	  false },
	{ "zstd", { MARK(0, "\x28\xb5\x2f\xfd\x04") }, false },
	{ "zstd", { MARK(0, "\x50\x2a\x4d\x18\4\0\0\0abcd\x28\xb5\x2f\xfd") }, false },
	{ "bzip2", { MARK(0, "BZh9\x31\x41\x59\x26\x53\x59") }, false },
	{ "bzip2", { MARK(0, "BZh1\x17\x72\x45\x38\x50\x90") }, false },
	{ "lz4", { MARK(0, "\x04\x22\x4d\x18\x64\x40") }, false },
	{ "lzip", { MARK(0, "LZIP\1") }, false },
	{ "lzop", { MARK(0, "\x89LZO\0\r\n\x1a\n") }, false },
	{ "zip", { MARK(0, "PK\3\4\x14\0"), MARK(26, "\5\0") }, false },
	{ "7z", { MARK(0, "7z\xbc\xaf\x27\x1c\0\4") }, false },
	{ "tar",
	  { MARK(0, "disk.raw\0"), MARK(257, "ustar\0"
					     "00") },
	  true },
	{ "tar", { MARK(0, "disk.raw\0"), MARK(257, "ustar  \0") }, true },
	{ "ova",
	  { MARK(0, "machine.ovf\0"), MARK(257, "ustar\0"
						"00") },
	  true },
	{ "rar", { MARK(0, "Rar!\x1a\7\1\0") }, false },
	{ "cab", { MARK(0, "MSCF\0\0\0\0"), MARK(24, "\3\1") }, false },
	{ "wim", { MARK(0, "MSWIM\0\0\0") }, false },
	{ "wim", { MARK(0, "WLPWM\0\0\0") }, false },
	{ "ewf", { MARK(0, "EVF\x09\r\n\xff\0") }, false },
	{ "ewf", { MARK(0, "LVF\x09\r\n\xff\0") }, false },
	{ "ewf", { MARK(0, "EVF2\r\n\x81\0") }, false },
	{ "aff", { MARK(0, "AFF10\r\n\0") }, false },
	{ "partclone", { MARK(0, "partclone-image\0") }, false },
	{ "partimage", { MARK(0, "PaRtImAgE-VoLuMe") }, false },
	{ "ntfsclone", { MARK(0, "\0ntfsclone-image") }, false },
	{ "pe", { MARK(0, "MZ"), MARK(60, "\x80\0\0\0"), MARK(128, "PE\0\0") }, false },
	{ "elf",
	  { MARK(0, "\x7f"
		    "ELF\2\1\1") },
	  false },

	/* One byte is wrong, or the second look finds nothing. */
	{ "raw", { MARK(0, "# something\nvarsion=1\n") }, false },
	{ "raw", { MARK(0, "# something\nversion=4\n") }, false },
	{ "raw", { MARK(0, "# something\nversion=12\n") }, false },
	{ "raw", { MARK(1, "conectix") }, false },
	{ "raw", { MARK(-513, "conectix") }, false },
	{ "raw", { MARK(-510, "conectix") }, false },
	{ "raw", { MARK(0, "QFI\xfb\0\0\0\0") }, false },
	{ "raw", { MARK(-512, "koly\0\0\0\5\0\0\2\0") }, false },
	{ "raw", { MARK(-1024, "koly\0\0\0\4\0\0\2\0") }, false },
	{ "raw", { MARK(0, "\x3a\xff\x26\xed\1\0\0\0\x1d\0\x0c\0") }, false },
	{ "raw", { MARK(0, "LUKS\xba\xbe\0\3") }, false },
	{ "raw", { MARK(0, "\x1f\x8b\x07\0\0\0\0\0\0\3") }, false },
	{ "raw", { MARK(0, "\x1f\x8b\x08\xe0\0\0\0\0\0\3") }, false },
	{ "raw", { MARK(0, "\x1f\x8b\x08\0\0\0\0\0\0\x20") }, false },
	{ "raw", { MARK(0, "\x28\xb5\x2f\xfd\x0c") }, false },
	{ "raw", { MARK(0, "\x50\x2a\x4d\x18\4\0\0\0abcd\x28\xb5\x2f\xfe") }, false },
	{ "raw", { MARK(0, "\x50\x2a\x4d\x18\xff\xff\xff\xff") }, false },
	{ "raw", { MARK(0, "\x60\x2a\x4d\x18\4\0\0\0abcd\x28\xb5\x2f\xfd") }, false },
	{ "raw", { MARK(0, "BZh0\x31\x41\x59\x26\x53\x59") }, false },
	{ "raw", { MARK(0, "BZh9\x31\x41\x59\x26\x53\x58") }, false },
	{ "raw", { MARK(0, "\x04\x22\x4d\x18\xa4\x40") }, false },
	{ "raw", { MARK(0, "PK\3\4\x14\0"), MARK(26, "\0\0") }, false },
	{ "raw", { MARK(0, "PK\3\4\x64\0"), MARK(26, "\5\0") }, false },
	{ "raw", { MARK(0, "7z\xbc\xaf\x27\x1c\1\4") }, false },
	{ "raw",
	  { MARK(0, "disk.raw\0"), MARK(257, "ustar\0"
					     "00") },
	  false },
	{ "raw", { MARK(0, "MSCF\0\0\0\0"), MARK(24, "\3\2") }, false },
	{ "raw", { MARK(0, "MZ"), MARK(60, "\x80\0\0\0"), MARK(128, "PE\0\1") }, false },
	{ "raw", { MARK(0, "MZ"), MARK(60, "\xff\x0f\0\0") }, false },
	{ "raw", { MARK(0, "MZ"), MARK(60, "\xff\xff\xff\xff") }, false },
	{ "raw",
	  { MARK(0, "\x7f"
		    "ELF\3\1\1") },
	  false },
	{ "raw",
	  { MARK(0, "\x7f"
		    "ELF\2\0\1") },
	  false },
	{ "raw",
	  { MARK(0, "\x7f"
		    "ELF\2\1\2") },
	  false },
	/* File systems are what disks consist of. */
	{ "raw", { MARK(3, "NTFS    ") }, false },
	{ "raw", { MARK(0, "XFSB") }, false },
	{ "raw", { MARK(0x8001, "CD001") }, false },
};

static uint8_t bytes[FILE_BYTES];

static void make(const struct sample *sample, size_t n, uint8_t fill)
{
	memset(bytes, fill, n);
	for (size_t i = 0; i < MARKS_MAX && sample->mark[i].bytes != NULL; i++) {
		const struct mark *mark = &sample->mark[i];
		int64_t at = mark->at >= 0 ? mark->at : (int64_t)n + mark->at;

		if (at >= 0 && (uint64_t)at + mark->n <= n)
			memcpy(bytes + at, mark->bytes, mark->n);
	}
	if (sample->tar) {
		unsigned sum = 8 * ' ';

		for (size_t i = 0; i < 512; i++)
			sum += i >= 148 && i < 156 ? 0 : bytes[i];
		snprintf((char *)bytes + 148, 8, "%06o", sum);
	}
	sim_file_put("x", bytes, n);
}

static int set_up(void **state)
{
	static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB };

	(void)state;
	sim_volume(&kind);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sim_machine(NULL, 0);
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}

/* The row fails unless `info` says that format. */
static void assert_format(size_t row, const char *format)
{
	char line[64];

	snprintf(line, sizeof line, "file format: %s\n", format);
	assert_row(RUN("info", "x") == 0, row);
	if (strstr(out.text, line) == NULL)
		fail_msg("row %zu: not %s: %s", row, format, out.text);
	assert_row((strcmp(format, "raw") == 0) == (strstr(out.text, "virtual size: ") != NULL),
		   row);
	assert_row((strcmp(format, "raw") == 0) ==
			   (strstr(err.text, "which efi-img does not read") == NULL &&
			    strstr(err.text, "archive") == NULL),
		   row);
}

static void test_foreign_each_signature(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(samples); i++) {
		make(&samples[i], FILE_BYTES, 0);
		assert_format(i, samples[i].format);
		make(&samples[i], FILE_BYTES - 3951, 0xa5);
		assert_format(i, samples[i].format);
	}
}

/* A file that ends within its signature is none, one that ends right after it is. */
static void test_foreign_short_files(void **state)
{
	static const struct {
		const char *format, *text;
		size_t n;
	} rows[] = {
		{ "ewf", EWF, 8 },
		{ "raw", EWF, 6 },
		{ "bzip2", "BZh1\x17\x72\x45\x38\x50\x90", 10 },
		{ "raw", "BZh1\x17\x72\x45\x38\x50\x90", 9 },
		{ "raw", "koly", 4 },
		{ "raw", "conectix", 0 },
		{ "raw", "MZ", 2 },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		sim_file_put("x", rows[i].text, rows[i].n);
		assert_format(i, rows[i].format);
	}
}

static void put_ewf(void)
{
	make(&(struct sample){ "ewf", { MARK(0, EWF) }, false }, FILE_BYTES, 0x11);
}

/* What is recognised by its end. */
static void put_encrypted_dmg(void)
{
	make(&(struct sample){ "dmg", { MARK(-8, "cdsaencr") }, false }, FILE_BYTES, 0x11);
}

/* The file and the volume are as they were. */
static void assert_untouched(size_t row, size_t files)
{
	uint64_t n;
	const uint8_t *now = sim_file("x", &n);

	assert_row(n == FILE_BYTES && memcmp(now, bytes, n) == 0, row);
	assert_row(sim_files() == files, row);
}

/* An overlay that names "x" and no format, as older programs made them. */
static void put_overlay(void)
{
	uint64_t n;
	uint8_t *overlay;

	MUST("create", "-q", "--force", "-f", "qcow2", "-b", "x", "-F", "raw", "overlay", "70144");
	overlay = (uint8_t *)(uintptr_t)sim_file("overlay", &n);
	for (uint64_t i = 0; i + 8 < n; i++)
		if (memcmp(overlay + i, "\xe2\x79\x2a\xca\0\0\0\3", 8) == 0) {
			memcpy(overlay + i, "\xee\xee\xee\xee",
			       4); /* an extension that nobody knows */
			return;
		}
	fail_msg("there is no format of the backing file in the header");
}

static const char *const refused[][WORDS] = {
	{ "convert", "-O", "qcow2", "x", "t" },
	{ "convert", "x", "t" },
	{ "convert", "-c", "-O", "qcow2", "x", "t" },
	{ "convert", "other", "x", "t" },
	{ "convert", "--dry-run", "x", "t" },
	{ "convert", "--salvage", "x", "t" },
	{ "convert", "overlay", "t" },
	{ "convert", "-l", "s", "x", "t" },
	{ "dd", "if=x", "of=t" },
	{ "dd", "-O", "qcow2", "bs=1k", "skip=1", "if=x", "of=t" },
	{ "compare", "x", "other" },
	{ "compare", "other", "x" },
	{ "compare", "-f", "raw", "other", "overlay" },
	{ "hash", "x" },
	{ "hash", "other", "x" },
	{ "map", "x" },
	{ "map", "--output=json", "overlay" },
	{ "measure", "-O", "qcow2", "x" },
	{ "check", "x" },
	{ "check", "-r", "all", "x" },
	{ "resize", "x", "+1M" },
	{ "resize", "--shrink", "x", "1k" },
	{ "amend", "-o", "compat=0.10", "x" },
	{ "amend", "-o", "help", "x" },
	{ "bench", "-c", "1", "x" },
	{ "bench", "-w", "-c", "1", "x" },
	{ "commit", "x" },
	{ "commit", "overlay" },
	{ "rebase", "-u", "-b", "", "x" },
	{ "rebase", "-b", "other", "-F", "raw", "overlay" },
	{ "snapshot", "-l", "x" },
	{ "snapshot", "-c", "s", "x" },
	{ "bitmap", "--add", "x", "b" },
	{ "info", "--backing-chain", "overlay" },
};

static void refuses(void (*put)(void))
{
	uint64_t n_before, n_after;

	put();
	put_raw("other", 1, FILE_BYTES, 0);
	put_overlay();
	(void)sim_file("overlay", &n_before);
	for (size_t i = 0; i < N_OF(refused); i++) {
		assert_row(run(refused[i]) ==
				   (strcmp(refused[i][0], "compare") == 0 ? 2 : EXIT_ERROR),
			   i);
		if (strstr(err.text, "x: this is a") == NULL ||
		    strstr(err.text, " first") == NULL || strstr(err.text, "-f raw") == NULL)
			fail_msg("row %zu: %s", i, err.text);
		assert_untouched(i, 3);
	}
	(void)sim_file("overlay", &n_after);
	assert_int_equal(n_after, n_before);
}

static void test_trial_a2_refused_by_every_command(void **state)
{
	(void)state;
	refuses(put_ewf);
	refuses(put_encrypted_dmg);
}

/* Whoever says that it is raw gets its bytes. */
static void test_foreign_as_raw(void **state)
{
	static const char *const lines[][WORDS] = {
		{ "info", "-f", "raw", "x" },
		{ "convert", "-f", "raw", "x", "t" },
		{ "dd", "-f", "raw", "if=x", "of=u" },
		{ "compare", "-f", "raw", "-F", "raw", "x", "t" },
		{ "convert", "-f", "raw", "-O", "qcow2", "x", "v" },
		{ "compare", "-f", "qcow2", "-F", "raw", "v", "x" },
		{ "compare", "-F", "raw", "v", "x" },
		{ "hash", "-f", "raw", "x" },
		{ "map", "-f", "raw", "x" },
		{ "measure", "-f", "raw", "-O", "qcow2", "x" },
		{ "bench", "-f", "raw", "-c", "1", "x" },
		{ "create", "-f", "qcow2", "-b", "x", "-F", "raw", "w" },
		{ "compare", "-F", "raw", "w", "x" },
		{ "rebase", "-u", "-b", "x", "-F", "raw", "overlay" },
		{ "compare", "-F", "raw", "overlay", "x" },
		{ "bench", "-f", "raw", "-w", "-c", "1", "-s", "512", "--pattern", "17", "-o",
		  "1024", "x" },
		{ "resize", "-f", "raw", "x", "+1M" },
	};
	uint64_t n;
	const uint8_t *copy;

	(void)state;
	put_ewf();
	put_overlay();
	for (size_t i = 0; i < N_OF(lines); i++) {
		if (run(lines[i]) != 0)
			fail_msg("row %zu: %s", i, err.text);
		assert_row(strstr(err.text, "does not read") == NULL, i);
	}
	copy = sim_file("t", &n);
	assert_int_equal(n, 70144);
	assert_memory_equal(copy, bytes, FILE_BYTES);
	assert_int_equal(RUN("info", "t"), 0); /* and is what it was */
	assert_non_null(strstr(out.text, "file format: ewf\n"));
}

static void test_foreign_info_json(void **state)
{
	(void)state;
	put_ewf();
	assert_int_equal(RUN("info", "--output=json", "x"), 0);
	assert_string_equal(out.text, "{\n    \"filename\": \"x\",\n    \"format\": \"ewf\",\n    "
				      "\"actual-size\": 70000\n}\n");
	assert_non_null(strstr(err.text, "efi-img: x: this is an EWF image (EnCase, E01)"));
	assert_int_equal(RUN("info", "--output=json", "--backing-chain", "x"), 0);
	assert_string_equal(out.text, "[\n    {\n        \"filename\": \"x\",\n        \"format\": "
				      "\"ewf\",\n        \"actual-size\": 70000\n    }\n]\n");
	assert_int_equal(RUN("info", "-f", "ewf", "x"), EXIT_ERROR);
	assert_int_equal(RUN("info", "-f", "qcow2", "x"), EXIT_ERROR);
	assert_string_equal(out.text, "");
}

/* The end of the file is that of the last part. */
static void test_foreign_split(void **state)
{
	static const uint8_t first[SPLIT_MARK]; /* bytes: the length of a part that others follow */

	(void)state;
	put_encrypted_dmg();
	sim_file_put("x.001", bytes, FILE_BYTES);
	sim_file_put("x", first, sizeof first);
	assert_format(0, "dmg");
	sim_file_put("x.001", first, FILE_BYTES);
	assert_format(0, "raw");
}

/* What a disk begins or ends with is what is on it. */
static void test_foreign_is_no_disk(void **state)
{
	static const struct sim_device disk = { "blk0:",
						{ .path = (char *)"Pci(0x1)",
						  .parent = DEVICE_NO_PARENT,
						  .serial = (char *)"D",
						  .size_bytes = FILE_BYTES / 512 * 512,
						  .block_bytes = 512,
						  .medium = true,
						  .flushes = true } };

	(void)state;
	for (size_t i = 0; i < N_OF(samples); i++) {
		make(&samples[i], FILE_BYTES / 512 * 512, 0x11);
		sim_machine(&disk, 1);
		sim_machine_files(0, "x", NULL);
		assert_row(RUN("info", "serial=D") == 0 &&
				   strstr(out.text, "file format: raw\n") != NULL,
			   i);
		assert_row(RUN("hash", "serial=D") == 0, i);
	}
}

/* The first sector has to be there. What the others would say is missing then, and --salvage copies
 * the rest. */
static void test_foreign_unreadable_sectors(void **state)
{
	uint64_t n;

	(void)state;
	put_raw("other", 1, FILE_BYTES, 0);
	MUST("convert", "-O", "qcow2", "other", "q", NULL);
	(void)sim_file("q", &n);
	sim_volume_bad("q", n - 1, 1);
	sim_volume_bad("other", 700, 1);
	sim_volume_bad("other", FILE_BYTES - 1, 1);
	assert_int_equal(RUN("info", "q"), 0);
	assert_non_null(strstr(out.text, "qcow2"));
	assert_int_equal(RUN("info", "other"), 0);
	assert_non_null(strstr(out.text, "raw"));
	put_ewf();
	sim_volume_bad("x", 512, FILE_BYTES - 512);
	assert_format(0, "ewf");
	sim_volume_bad("x", 511, 1);
	assert_int_equal(RUN("info", "x"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "first and last bytes"));
	assert_int_equal(RUN("info", "-f", "raw", "x"), 0);
}

/* Whatever fails, it is not taken for raw. */
static void test_foreign_every_failure(void **state)
{
	void (*const put[])(void) = { put_ewf, put_encrypted_dmg };

	(void)state;
	for (size_t i = 0; i < N_OF(put); i++) {
		bool failed = true;

		put[i]();
		for (unsigned n = 1; failed; n++) {
			sim_volume_fail(n, ST_IO);
			assert_true(RUN("info", "x") == EXIT_ERROR ||
				    strstr(out.text, "file format: ewf") != NULL ||
				    strstr(out.text, "dmg") != NULL);
			failed = sim_volume_failed();
			sim_volume_fail(0, ST_OK);
			assert_null(strstr(out.text, "raw"));
		}
		failed = true;
		for (unsigned n = 1; failed; n++) {
			sim_fail_allocation(n);
			assert_int_equal(RUN("convert", "x", "t"), EXIT_ERROR);
			failed = sim_allocation_failed();
			sim_fail_allocation(0);
			assert_int_equal(sim_files(), 1);
		}
	}
}

/* Random bytes are nothing that is known, whatever few of them a signature begins with. */
static void test_foreign_random_is_raw(void **state)
{
	static struct image_probe probe = { .name = "x", .size = MIB, .whole = true };
	unsigned seeds = setting("SEEDS", 20000);
	uint32_t die = setting("SEED", 1);

	(void)state;
	for (unsigned i = 0; i < seeds; i++) {
		const struct sample *sample = &samples[i % N_OF(samples)];

		for (size_t k = 0; k < sizeof probe.head; k += 2)
			bytes_to_le(probe.head + k, 2, dice(&die));
		for (size_t k = 0; k < sizeof probe.tail; k += 2)
			bytes_to_le(probe.tail + k, 2, dice(&die));
		if (sample->mark[0].at >= 0 && sample->mark[0].at < PROBE_HEAD_BYTES)
			memcpy(probe.head + sample->mark[0].at, sample->mark[0].bytes, 2);
		assert_null(foreign_recognise(&probe));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_foreign_each_signature, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_foreign_short_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_trial_a2_refused_by_every_command, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_foreign_as_raw, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_foreign_info_json, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_foreign_split, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_foreign_is_no_disk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_foreign_unreadable_sectors, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_foreign_every_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_foreign_random_is_raw, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
