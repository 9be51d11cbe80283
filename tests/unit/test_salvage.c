/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * `convert --salvage`: what cannot be read is zeros in the target, all else is as it was, and
 * nothing that is lost goes unsaid.
 */
#include "unit.h"

#include "cli/command.h"
#include "cli/dispatch.h"
#include "volume.h"

enum { WORDS = 16, DISK_BYTES = 200 << 10, LOST = 10 };

static struct capture out, err;
static uint8_t disk[DISK_BYTES];

static int run(const char *const *words)
{
	struct console console = { .out = &out.out, .err = &err.out, .progress_in_out = true };
	char *argv[WORDS];
	int argc = 0;

	for (; words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	capture_clear(&out);
	capture_clear(&err);
	return cli_run(&console, argc, argv);
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

static int set_up(void **state)
{
	static const struct sim_volume_kind kind = { .free_bytes = 16 << 20 };
	uint32_t dice = 1;

	(void)state;
	capture_init(&out);
	capture_init(&err);
	sim_volume(&kind);
	for (size_t i = 0; i < DISK_BYTES; i++) {
		dice = dice * 1664525 + 1013904223;
		disk[i] = (uint8_t)(dice >> 24 | 1);
	}
	sim_file_put("raw", disk, DISK_BYTES);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}

/* The target, as raw, is `disk`. */
static void assert_disk(const char *target)
{
	uint64_t n;
	const uint8_t *bytes;

	assert_int_equal(RUN("convert", "--force", target, "back"), EXIT_OK);
	bytes = sim_file("back", &n);
	assert_int_equal(n, DISK_BYTES);
	assert_memory_equal(bytes, disk, DISK_BYTES);
}

static void blocks(void **state)
{
	(void)state;
	sim_volume_bad("raw", 1000, 1);
	sim_volume_bad("raw", 65536, 1536);
	sim_volume_bad("raw", 67071, 2);
	sim_volume_bad("raw", DISK_BYTES - 1, 1);
	assert_int_equal(RUN("convert", "-O", "qcow2", "raw", "t"), EXIT_ERROR);
	assert_int_equal(sim_files(), 1);
	assert_int_equal(RUN("convert", "-q", "--salvage", "-O", "qcow2", "raw", "t"), LOST);
	assert_string_equal(err.text, "efi-img: raw: lost: 512 bytes at offset 512 of the disk "
				      "could not be read: the device reports an error\n"
				      "efi-img: raw: lost: 2048 bytes at offset 65536 of the disk "
				      "could not be read: the device reports an error\n"
				      "efi-img: raw: lost: 512 bytes at offset 204288 of the disk "
				      "could not be read: the device reports an error\n"
				      "efi-img: t: 3072 bytes of it are zeros because they could "
				      "not be read\n");
	memset(disk + 512, 0, 512);
	memset(disk + 65536, 0, 2048);
	memset(disk + 204288, 0, 512);
	assert_disk("t");
	assert_int_equal(RUN("convert", "--salvage", "t", "copy"), EXIT_OK);
	assert_string_equal(err.text, "");
}

/*
 * The line of -p goes on while a block is tried again and again, and says how many places are lost
 * so far.
 */
static void shown_meanwhile(void **state)
{
	size_t lines = 0, with_lost = 0;

	(void)state;
	for (uint64_t at = 512; at < 20 << 10; at += 1024)
		sim_volume_bad("raw", at, 1);
	sim_clock_step(250000000);
	assert_int_equal(RUN("convert", "-p", "--salvage", "raw", "t"), LOST);
	sim_clock_step(1000000);
	for (const char *line = strtok(out.text, "\r"); line != NULL; line = strtok(NULL, "\r")) {
		lines++;
		with_lost += strstr(line, "(0.00/100%) copying 0.0/200.0 KiB, 0.0 MB/s, ") !=
				     NULL &&
			     strstr(line, " lost") != NULL;
	}
	assert_in_range(lines, 20, sim_volume_bad_reads());
	assert_in_range(with_lost, 15, lines);
}

/*
 * A target that exists gets zeros, too, where the source is lost; so does one with a backing file.
 */
static void over_other_data(void **state)
{
	static uint8_t ones[DISK_BYTES];

	(void)state;
	memset(ones, 1, sizeof ones);
	sim_file_put("ones", ones, sizeof ones);
	sim_volume_bad("raw", 4096, 8192);
	assert_int_equal(RUN("convert", "-O", "qcow2", "-o", "cluster_size=4k", "ones", "t"),
			 EXIT_OK);
	assert_int_equal(RUN("convert", "--salvage", "-n", "-O", "qcow2", "raw", "t"), LOST);
	memset(disk + 4096, 0, 8192);
	assert_disk("t");
	assert_int_equal(RUN("convert", "--salvage", "-O", "qcow2", "-B", "ones", "-F", "raw", "-o",
			     "cluster_size=4k", "raw", "u"),
			 LOST);
	assert_disk("u");
}

/* The offset of the table that an L1 table with one entry refers to. */
static uint64_t table_of(const char *name)
{
	uint64_t n, l1 = 0, l2 = 0;
	const uint8_t *bytes = sim_file(name, &n);

	for (size_t i = 0; i < 8; i++)
		l1 = l1 << 8 | bytes[40 + i];
	for (size_t i = 1; i < 8; i++)
		l2 = l2 << 8 | bytes[l1 + i];
	return l2;
}

/*
 * What a table that cannot be read maps is lost; the table is not tried for each of its clusters.
 */
static void table(void **state)
{
	(void)state;
	assert_int_equal(RUN("convert", "-O", "qcow2", "-o", "cluster_size=512", "raw", "s"),
			 EXIT_OK);
	sim_volume_bad("s", table_of("s"), 1);
	assert_int_equal(RUN("convert", "--salvage", "-c", "-O", "qcow2", "s", "t"), LOST);
	assert_string_equal(err.text, "efi-img: s: lost: 32768 bytes at offset 0 of the disk could "
				      "not be read: the device reports an error\n"
				      "efi-img: t: 32768 bytes of it are zeros because they could "
				      "not be read\n");
	memset(disk, 0, 32768);
	assert_disk("t");
	assert_true(sim_volume_bad_reads() <= 16);
}

/* Of an entry that cannot be one, only its cluster is lost. */
static void entry(void **state)
{
	static uint8_t copy[1 << 20];
	const uint8_t *bytes;
	uint64_t n;

	(void)state;
	assert_int_equal(RUN("convert", "-O", "qcow2", "-o", "cluster_size=4k", "raw", "s"),
			 EXIT_OK);
	bytes = sim_file("s", &n);
	memcpy(copy, bytes, n);
	copy[table_of("s") + 5 * 8 + 6] |= 2; /* not at the beginning of a cluster */
	sim_file_put("s", copy, n);
	assert_int_equal(RUN("convert", "--salvage", "s", "t"), LOST);
	assert_string_equal(err.text, "efi-img: s: lost: 4096 bytes at offset 20480 of the disk "
				      "could not be read: the contents are damaged\n"
				      "efi-img: t: 4096 bytes of it are zeros because they could "
				      "not be read\n");
	memset(disk + 20480, 0, 4096);
	assert_disk("t");
}

static void compressed(void **state)
{
	static const uint8_t garbage[1] = { 0xff };
	static uint8_t copy[1 << 20];
	const uint8_t *bytes;
	uint64_t n, l2, offset;

	(void)state;
	memset(disk, 'a', DISK_BYTES / 2);
	sim_file_put("raw", disk, DISK_BYTES);
	assert_int_equal(RUN("convert", "-c", "-O", "qcow2", "-o", "cluster_size=8k", "raw", "s"),
			 EXIT_OK);
	bytes = sim_file("s", &n);
	memcpy(copy, bytes, n);
	l2 = table_of("s");
	offset = (uint64_t)bytes[l2 + 2 * 8 + 4] << 24 | (uint64_t)bytes[l2 + 2 * 8 + 5] << 16 |
		 (uint64_t)bytes[l2 + 2 * 8 + 6] << 8 | bytes[l2 + 2 * 8 + 7];
	copy[offset] = garbage[0];
	sim_file_put("s", copy, n);
	assert_int_equal(RUN("convert", "-O", "raw", "s", "t"), EXIT_ERROR);
	assert_int_equal(RUN("convert", "--salvage", "-O", "raw", "s", "t"), LOST);
	assert_non_null(strstr(err.text, "8192 bytes at offset 16384 "));
	memset(disk + 16384, 0, 8192);
	assert_disk("t");
}

/* Many ranges are counted, not listed without end. */
static void many(void **state)
{
	unsigned lines = 0;

	(void)state;
	for (unsigned i = 0; i < 150; i++) {
		sim_volume_bad("raw", i * 1024 + 100, 3);
		memset(disk + i * 1024, 0, 512);
	}
	assert_int_equal(RUN("convert", "--salvage", "raw", "t"), EXIT_ERROR); /* what is in it? */
	assert_non_null(strstr(err.text, "-f"));
	assert_int_equal(RUN("convert", "--salvage", "-f", "raw", "raw", "t"), LOST);
	for (const char *p = err.text; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 102);
	assert_non_null(strstr(err.text, "512 bytes at offset 101376 "));
	assert_non_null(
		strstr(err.text,
		       "and 50 more such ranges after them\n"
		       "efi-img: t: 76800 bytes of it are zeros because they could not be read\n"));
	assert_disk("t");
}

/* The second of two sources is the one that is named, with the offset in its own disk. */
static void two_sources(void **state)
{
	uint64_t n;

	(void)state;
	sim_file_put("other", disk, 5120);
	sim_volume_bad("raw", 0, 512);
	sim_volume_bad("other", 4608, 512);
	assert_int_equal(RUN("convert", "--salvage", "-f", "raw", "other", "raw", "t"), LOST);
	assert_string_equal(err.text, "efi-img: other: lost: 512 bytes at offset 4608 of the disk "
				      "could not be read: the device reports an error\n"
				      "efi-img: raw: lost: 512 bytes at offset 0 of the disk could "
				      "not be read: the device reports an error\n"
				      "efi-img: t: 1024 bytes of it are zeros because they could "
				      "not be read\n");
	memset(disk, 0, 512);
	assert_non_null(sim_file("t", &n));
	assert_memory_equal(sim_file("t", &n) + 5120, disk, DISK_BYTES);
}

/* Ranges of two sources are not one range, though the second begins at the offset where the first
 * ends. */
static void two_sources_in_a_row(void **state)
{
	static uint8_t longer[2 * DISK_BYTES];

	(void)state;
	memset(longer, 'l', sizeof longer);
	sim_file_put("longer", longer, sizeof longer);
	sim_volume_bad("raw", DISK_BYTES - 512, 512);
	sim_volume_bad("longer", DISK_BYTES, 512);
	assert_int_equal(RUN("convert", "--salvage", "-f", "raw", "raw", "longer", "t"), LOST);
	assert_string_equal(err.text, "efi-img: raw: lost: 512 bytes at offset 204288 of the disk "
				      "could not be read: the "
				      "device reports an error\n"
				      "efi-img: longer: lost: 512 bytes at offset 204800 of the "
				      "disk could not be read: the "
				      "device reports an error\n"
				      "efi-img: t: 1024 bytes of it are zeros because they could "
				      "not be read\n");
}

/*
 * Every failure of another kind ends it, with nothing left; one that goes away by trying again
 * costs nothing.
 */
static void every_failure(void **state)
{
	static const enum status kinds[] = { ST_OK, ST_CANCELLED, ST_IO, ST_NO_MEDIUM,
					     ST_MEDIUM_CHANGED };
	unsigned tried = 0, overcome = 0;

	(void)state;
	assert_int_equal(RUN("convert", "-O", "qcow2", "-o", "cluster_size=4k", "raw", "s"),
			 EXIT_OK);
	sim_volume_bad("s", table_of("s") + 4096, 512);
	for (size_t kind = 0; kind < N_OF(kinds); kind++)
		for (unsigned n = 1;; n++) {
			bool happened;
			int code;

			if (sim_file("t", &(uint64_t){ 0 }) != NULL)
				assert_ok(platform_remove("t", &(struct error){ { 0 } }));
			sim_fail_allocation(kinds[kind] == ST_OK ? n : 0);
			sim_cancel(kinds[kind] == ST_CANCELLED ? n : 0);
			sim_volume_fail(kind >= 2 ? n : 0, kinds[kind]);
			code = RUN("convert", "--salvage", "s", "t");
			happened = kind == 0   ? sim_allocation_failed()
				   : kind == 1 ? code == EXIT_ERROR
					       : sim_volume_failed();
			sim_fail_allocation(0);
			sim_cancel(0);
			sim_volume_fail(0, ST_OK);
			if (code != LOST && code != EXIT_ERROR)
				fail_msg("failure %u of kind %zu: code %d: %s", n, kind, code,
					 err.text);
			if ((code == LOST) != (sim_file("t", &(uint64_t){ 0 }) != NULL) ||
			    sim_allocations() != 0)
				fail_msg("failure %u of kind %zu: something is left, or missing: "
					 "%s",
					 n, kind, err.text);
			if (!happened)
				break;
			overcome += code == LOST;
			if (code == LOST &&
			    (kinds[kind] != ST_IO ||
			     strstr(err.text, "t: 512 bytes of it are zeros") == NULL))
				fail_msg("failure %u of kind %zu: %s", n, kind, err.text);
			tried++;
		}
	print_message("%u failures, %u overcome\n", tried, overcome);
	assert_true(tried > 60 && overcome >= 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(blocks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(shown_meanwhile, set_up, tear_down),
		cmocka_unit_test_setup_teardown(over_other_data, set_up, tear_down),
		cmocka_unit_test_setup_teardown(table, set_up, tear_down),
		cmocka_unit_test_setup_teardown(entry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(compressed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_sources, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_sources_in_a_row, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_failure, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
