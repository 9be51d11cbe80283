/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Work on several processors: all of it is done, what comes out is the same as with one, and one
 * that stops answering costs nothing.
 */
#include "codec/codec.h"
#include "engine/pipeline.h"
#include "engine/workers.h"
#include "machine.h"
#include "processors.h"
#include "record/outcome.h"
#include "run.h"

enum { DISK_BYTES = 5 << 20, TRIALS = 4 };

/* ---- the queue ---- */

struct sum {
	struct work work;
	unsigned number, times;
	size_t worker;
};

static void add(struct work *work, size_t worker)
{
	struct sum *sum = (struct sum *)work;

	sum->times++;
	sum->worker = worker;
}

static void each_once(void **state)
{
	static struct sum sums[500];
	struct workers *workers;
	struct error error;

	(void)state;
	for (size_t others = 0; others <= 4; others++) {
		size_t n = 0;

		sim_processors(others);
		assert_ok(workers_start(&workers, &error));
		workers_add(workers, 1, 3);
		assert_int_equal(workers_count(workers), others < 3 ? others : 3);
		for (size_t i = 0; i < N_OF(sums); i++) {
			sums[i] = (struct sum){ .work.run = add };
			work_submit(workers, &sums[i].work);
			if (i >= WORK_MAX - 1)
				assert_true(work_wait(workers, &sums[n++].work));
		}
		while (n < N_OF(sums))
			assert_true(work_wait(workers, &sums[n++].work));
		workers_stop(workers);
		for (size_t i = 0; i < N_OF(sums); i++) {
			assert_row(sums[i].times == 1, i);
			assert_row(sums[i].worker <= (others < 3 ? others : 3), i);
		}
	}
}

/* What was submitted and not begun is left. */
static void stopped(void **state)
{
	struct sum sum = { .work.run = add };
	struct workers *workers;
	struct error error;

	(void)state;
	sim_processors(0);
	assert_ok(workers_start(&workers, &error));
	workers_add(workers, 1, 3);
	work_submit(workers, &sum.work);
	workers_stop(workers);
	assert_int_equal(sum.times, 0);
}

/* ---- converting ---- */

static int set_up(void **state)
{
	static const struct sim_volume_kind kind = { .free_bytes = 128 << 20 };
	uint8_t *disk = calloc(DISK_BYTES, 1);
	uint32_t dice = 1;

	(void)state;
	sim_volume(&kind);
	/* By turns noise, words, and zeros, which begin and end anywhere. */
	for (size_t i = 0; i < DISK_BYTES; i++) {
		dice = dice * 1664525 + 1013904223;
		disk[i] = (uint8_t)(i / 300000 % 3 == 0   ? dice >> 24
				    : i / 300000 % 3 == 1 ? dice >> 30
							  : 0);
	}
	sim_processors(0);
	sim_file_put("raw", disk, DISK_BYTES);
	free(disk);
	assert_int_equal(RUN("convert", "-c", "-O", "qcow2", "raw", "zlib"), EXIT_OK);
	assert_int_equal(RUN("convert", "-c", "-O", "qcow2", "-o",
			     "compression_type=zstd,cluster_size=32k", "raw", "zstd"),
			 EXIT_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sim_processors(0);
	sim_processors_read(true);
	sim_processor_stops(0);
	sim_processor_given_up(NULL);
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}

static const struct {
	const char *words[8];
} conversions[] = {
	{ { "convert", "-O", "qcow2", "raw" } },
	{ { "convert", "-c", "-O", "qcow2", "raw" } },
	{ { "convert", "-c", "-O", "qcow2", "zstd" } },
	{ { "convert", "-O", "qcow2", "-o", "cluster_size=2M", "zlib", "zstd" } },
	{ { "convert", "-S", "0", "zlib" } },
	{ { "convert", "zstd" } },
};

static void convert(size_t row, const char *target)
{
	const char *words[10] = { conversions[row].words[0], "--force" };
	size_t n = 2;

	for (size_t i = 1; conversions[row].words[i] != NULL; i++)
		words[n++] = conversions[row].words[i];
	words[n] = target;
	if (run(words) != EXIT_OK)
		fail_msg("row %zu: %s", row, err.text);
}

static void assert_same(const char *a, const char *b, size_t row)
{
	uint64_t n_a, n_b;
	const uint8_t *of_a = sim_file(a, &n_a), *of_b = sim_file(b, &n_b);

	assert_row(n_a == n_b && memcmp(of_a, of_b, n_a) == 0, row);
}

static void same_image(void **state)
{
	(void)state;
	for (size_t row = 0; row < N_OF(conversions); row++) {
		sim_processors(0);
		convert(row, "alone");
		for (size_t others = 1; others <= 3; others++) {
			sim_processors(others);
			for (int read = 0; read <= 1; read++) {
				sim_processors_read(read);
				convert(row, "together");
				assert_same("alone", "together", row);
			}
		}
	}
}

/*
 * Where only the boot processor can read, the others are for what takes longer than reading:
 * packing and unpacking.
 */
static void started_for_hard_work_only(void **state)
{
	(void)state;
	sim_processors(2);
	sim_processors_read(false);
	(void)sim_processors_started();
	assert_int_equal(RUN("convert", "raw", "copy"), EXIT_OK);
	assert_int_equal(RUN("convert", "-O", "qcow2", "raw", "image"), EXIT_OK);
	assert_int_equal(RUN("compare", "image", "copy"), EXIT_OK);
	assert_int_equal(RUN("hash", "image"), EXIT_OK);
	assert_int_equal(sim_processors_started(), 0);
	assert_int_equal(RUN("convert", "--force", "zstd", "copy"), EXIT_OK);
	assert_int_equal(sim_processors_started(), 2);
	assert_int_equal(RUN("convert", "--force", "-c", "-O", "qcow2", "raw", "copy"), EXIT_OK);
	assert_int_equal(sim_processors_started(), 2);
	assert_int_equal(RUN("compare", "raw", "zlib"), EXIT_OK);
	assert_int_equal(sim_processors_started(), 2);
	assert_int_equal(RUN("hash", "zlib"), EXIT_OK);
	assert_int_equal(sim_processors_started(), 2);
}

/* Checksums are worth it where there are many: those of a copy, and those of what is read back. */
static void started_for_many_sums(void **state)
{
	static const struct sim_device machine = {
		"blk0:",
		{ .path = (char *)"Pci(0x1)",
		  .parent = DEVICE_NO_PARENT,
		  .bus = "NVMe",
		  .serial = (char *)"D",
		  .size_bytes = 2 * DISK_BYTES,
		  .block_bytes = 512,
		  .medium = true,
		  .flushes = true },
	};
	uint8_t *disk = calloc(2, DISK_BYTES);

	(void)state;
	sim_file_put("disk", disk, 2 * DISK_BYTES);
	free(disk);
	sim_machine(&machine, 1);
	sim_machine_files(0, "disk", NULL);
	sim_processors(2);
	sim_processors_read(false);
	assert_int_equal(RUN("create", "-f", "qcow2", "large", "1023M"), EXIT_OK);
	(void)sim_processors_started();
	assert_int_equal(RUN("convert", "-O", "qcow2", "large", "serial=D"), EXIT_OK);
	assert_int_equal(sim_processors_started(), 0);
	assert_int_equal(RUN("resize", "large", "1G"), EXIT_OK);
	assert_int_equal(RUN("convert", "-O", "qcow2", "--no-verify", "large", "serial=D",
			     "--erase=D"),
			 EXIT_OK);
	assert_int_equal(sim_processors_started(), 0);
	assert_int_equal(RUN("convert", "-O", "qcow2", "large", "serial=D", "--erase=D"), EXIT_OK);
	assert_int_equal(sim_processors_started(), 4);
	/*
	 * the devices of a virtual machine need it more; it is taken where there is something to
	 * unpack
	 */
	sim_processors(1);
	assert_int_equal(RUN("convert", "-O", "qcow2", "large", "serial=D", "--erase=D"), EXIT_OK);
	assert_int_equal(sim_processors_started(), 0);
	assert_int_equal(RUN("resize", "zlib", "1G"), EXIT_OK);
	assert_int_equal(RUN("convert", "-O", "qcow2", "zlib", "serial=D", "--erase=D"), EXIT_OK);
	assert_int_equal(sim_processors_started(), 1);
	sim_machine(NULL, 0);
}

static void one_stops(void **state)
{
	(void)state;
	for (size_t row = 0; row < N_OF(conversions); row++) {
		sim_processors(0);
		convert(row, "alone");
		for (unsigned n = 1; n <= TRIALS; n++) {
			sim_processors(n % 3 + 1);
			sim_processors_read(n % 2 == 0);
			sim_processor_stops(n);
			convert(row, "together");
			assert_same("alone", "together", row);
		}
	}
}

/* Compressing is in the middle of a processor's work, too. */
enum status __real_codec_compress(struct codec *, const void *in, size_t in_len, void *out,
				  size_t capacity, size_t *ret_len);
enum status __wrap_codec_compress(struct codec *, const void *in, size_t in_len, void *out,
				  size_t capacity, size_t *ret_len);
enum status __wrap_codec_compress(struct codec *codec, const void *in, size_t in_len, void *to,
				  size_t capacity, size_t *ret_len)
{
	sim_processor_works();
	return __real_codec_compress(codec, in, in_len, to, capacity, ret_len);
}

/* What has been salvaged is not read again, and what is lost is counted once. */
static void one_stops_while_salvaging(void **state)
{
	(void)state;
	sim_processors(0);
	sim_volume_bad("zlib", 400000, 3000);
	sim_volume_bad("zlib", 700000, 1);
	assert_int_equal(RUN("convert", "--salvage", "-c", "-O", "qcow2", "zlib", "alone"),
			 OUTCOME_LOST);
	for (unsigned n = 1; n <= TRIALS; n++) {
		sim_processors(2);
		sim_processor_stops(n);
		assert_int_equal(RUN("convert", "--force", "--salvage", "-c", "-O", "qcow2", "zlib",
				     "together"),
				 OUTCOME_LOST);
		assert_same("alone", "together", n);
		/* 3584 and a cluster */
		assert_non_null(strstr(err.text, "efi-img: together: 69120 bytes of it are zeros"));
	}
}

/* What another processor could not read is read once more, and then its work is done. */
static void read_again(void **state)
{
	unsigned again = 0;

	(void)state;
	sim_processors(0);
	convert(0, "alone");
	sim_processors(2);
	for (unsigned n = 8; n <= 40; n++) { /* opened before */
		sim_volume_fail(n, ST_IO);
		if (RUN("convert", "--force", "-O", "qcow2", "raw", "together") == EXIT_OK) {
			assert_same("alone", "together", n);
			again++;
		} else {
			/* it was a write */
			assert_non_null(strstr(err.text, "efi-img: together: "));
		}
	}
	assert_true(again > 0);
	sim_volume_fail(0, ST_OK);
}

/* A disk that is gone is not looked for sector by sector. */
static void gone_where_others_read(void **state)
{
	unsigned n_reading = 0;

	(void)state;
	sim_processors(2);
	for (unsigned n = 1; n <= 40; n++) {
		sim_volume_leave(n, ST_NO_MEDIUM);
		assert_int_equal(RUN("convert", "--force", "raw", "together"), EXIT_ERROR);
		assert_true(sim_volume_failed());
		sim_volume_fail(0, ST_OK);
		assert_non_null(strstr(err.text, "no medium in the drive"));
		assert_null(strstr(err.text, "cannot be read"));
		n_reading += strstr(err.text, "efi-img: raw: reading ") != NULL;
	}
	assert_true(n_reading >= 3); /* how many depends on when the others read */
}

/* What is said when there is no memory to do again what a lost processor had. */
static unsigned allocation;
static bool is_lost;

static void fail_allocation(void)
{
	is_lost = true;
	sim_fail_allocation(allocation);
}

static unsigned lost_without_memory(const char *const words[])
{
	for (allocation = 1;; allocation++) {
		int code;

		/* The others may come too late for any of the work. */
		is_lost = false;
		for (unsigned tries = 0; !is_lost; tries++) {
			assert_true(tries < 1000);
			sim_processor_stops(1);
			code = run(words);
			assert_true(is_lost || code == EXIT_OK);
		}
		if (!sim_allocation_failed())
			assert_int_equal(code, EXIT_OK);
		sim_fail_allocation(0);
		if (code == EXIT_OK)
			return allocation - 1;
		assert_int_equal(code, strcmp(words[0], "compare") == 0 ? 4 : EXIT_ERROR);
		assert_non_null(strstr(err.text, "not enough memory"));
		assert_string_equal(out.text, "");
	}
}

static void one_stops_without_memory(void **state)
{
	uint8_t *disk = malloc(DISK_BYTES);
	uint32_t dice = 1;
	char sum[128];

	(void)state;
	/*
	 * Noise and words in each piece: whichever is lost, another processor was reading in it,
	 * and there is something to be decompressed.
	 */
	for (size_t i = 0; i < DISK_BYTES; i++) {
		dice = dice * 1664525 + 1013904223;
		disk[i] = (uint8_t)((i >> 16) % 2 == 0 ? dice >> 24 : dice >> 30);
	}
	sim_file_put("raw", disk, DISK_BYTES);
	free(disk);
	sim_processors(0);
	assert_int_equal(RUN("convert", "--force", "-c", "-O", "qcow2", "raw", "zlib"), EXIT_OK);
	assert_int_equal(RUN("hash", "zlib"), EXIT_OK);
	snprintf(sum, sizeof sum, "%s", out.text);
	sim_processors(2);
	sim_processor_given_up(fail_allocation);
	/* The piece and its buffers; then, the last look at the new file. */
	assert_int_equal(lost_without_memory((const char *const[WORDS]){ "convert", "--force",
									 "zlib", "together" }),
			 6);
	assert_same("raw", "together", 0);
	assert_int_equal(lost_without_memory((const char *const[WORDS]){ "hash", "zlib" }), 2);
	assert_string_equal(out.text, sum);
	assert_int_equal(lost_without_memory(
				 (const char *const[WORDS]){ "compare", "zlib", "raw" }),
			 3);
	assert_string_equal(out.text, "Images are identical.\n");
	/* And what the boot processor has read to be decompressed, where it reads alone. */
	sim_processors_read(false);
	assert_true(lost_without_memory((const char *const[WORDS]){
			    "convert", "--force", "-c", "-O", "qcow2", "zlib", "together" }) >= 6);
	sim_processors(0);
	assert_int_equal(RUN("compare", "raw", "together"), EXIT_OK);
	assert_int_equal(sim_files(), 4);
}

/*
 * Disks are compared as one processor would: the first place that differs is named, and what can be
 * read in front of a bad one counts.
 */
static void same_verdict(void **state)
{
	char expected[64];
	uint64_t n;

	(void)state;
	assert_int_equal(RUN("convert", "raw", "copy"), EXIT_OK);
	for (size_t others = 0; others <= 3; others++) {
		sim_processors(others);
		sim_processors_read(others != 2);
		assert_int_equal(RUN("compare", "zstd", "raw"), EXIT_OK);
		assert_int_equal(RUN("compare", "zlib", "zstd"), EXIT_OK);
		sim_processor_stops(2);
		assert_int_equal(RUN("compare", "raw", "copy"), EXIT_OK);
		sim_processor_stops(0);
	}
	for (size_t others = 0; others <= 3; others++) {
		uint64_t place = (3 << 20) + 5000 * others;
		uint8_t *bytes;

		sim_processors(others);
		bytes = (uint8_t *)(uintptr_t)sim_file("copy", &n);
		bytes[place] ^= 1;
		bytes[place + 512] ^= 1;
		snprintf(expected, sizeof expected, "Content mismatch at offset %ju!\n",
			 (uintmax_t)(place / 512 * 512));
		assert_int_equal(RUN("compare", "zlib", "copy"), 1);
		assert_string_equal(out.text, expected);
		bytes[place] ^= 1;
		bytes[place + 512] ^= 1;
	}
	sim_volume_bad("copy", 4 << 20, 1);
	assert_int_equal(RUN("compare", "zlib", "copy"), 4);
	assert_non_null(strstr(err.text, "copy: reading"));
	((uint8_t *)(uintptr_t)sim_file("copy", &n))[2 << 20] ^= 1;
	assert_int_equal(RUN("compare", "zlib", "copy"), 1);
}

/*
 * Each allocation fails once; with less memory there are fewer slots, but what is said to be done
 * is whole.
 */
static void little_memory(void **state)
{
	unsigned n = 0;

	(void)state;
	sim_processors(0);
	convert(1, "alone");
	sim_processors(3);
	do {
		int code;

		sim_fail_allocation(++n);
		code = RUN("convert", "--force", "-c", "-O", "qcow2", "raw", "together");
		assert_row(code == EXIT_OK || sim_allocation_failed(), n);
		if (code == EXIT_OK)
			assert_same("alone", "together", n);
	} while (sim_allocation_failed());
	sim_fail_allocation(0);
}

/* The same where they are started late. */
static void little_memory_later(void **state)
{
	unsigned n = 0;

	(void)state;
	sim_processors(3);
	sim_processors_read(false);
	do {
		bool whole;

		sim_fail_allocation(++n);
		whole = RUN("convert", "--force", "zstd", "together") == EXIT_OK;
		assert_row(whole || sim_allocation_failed(), n);
		if (whole)
			assert_same("raw", "together", n);
	} while (sim_allocation_failed());
	n = 0;
	do {
		sim_fail_allocation(++n);
		assert_row(RUN("compare", "zlib", "zstd") == EXIT_OK || sim_allocation_failed(), n);
	} while (sim_allocation_failed());
	n = 0;
	do {
		bool whole;

		sim_fail_allocation(++n);
		whole = RUN("hash", "zlib") == EXIT_OK;
		assert_row(whole || (sim_allocation_failed() &&
				     strstr(err.text, "not enough memory") != NULL && out.n == 0),
			   n);
	} while (sim_allocation_failed());
	sim_fail_allocation(0);
}

/*
 * Two pieces for each processor, which are no longer because a format's blocks are, or because
 * there are two sides; and what a processor needs itself.
 */
static void memory_in_flight(void **state)
{
	static const char *const lines[][WORDS] = {
		{ "convert", "--force", "-O", "vmdk", "-o", "subformat=streamOptimized", "raw",
		  "t" },
		{ "convert", "--force", "t", "copy" },
		{ "convert", "--force", "-c", "-O", "qcow2", "zstd", "copy" },
		{ "compare", "raw", "vdi" },
		{ "hash", "zlib" },
		{ "rebase", "-b", "empty", "-F", "qcow2", "thin" },
	};
	enum { ITS_OWN = 1 << 20 }; /* a compressor has 0.7 MiB */

	(void)state;
	assert_int_equal(RUN("convert", "-O", "vdi", "raw", "vdi"), EXIT_OK);
	assert_int_equal(RUN("create", "-q", "-f", "qcow2", "empty", "5M"), EXIT_OK);
	for (size_t others = 1; others <= 4; others++)
		for (size_t i = 0; i < N_OF(lines); i++) {
			size_t most = (others + 1) * (2 * PIPELINE_SLOT_BYTES + ITS_OWN) + ITS_OWN;

			sim_processors(0);
			assert_int_equal(RUN("create", "--force", "-q", "-f", "qcow2", "-b", "zlib",
					     "-F", "qcow2", "thin"),
					 EXIT_OK);
			sim_processors(others);
			sim_peak_restart();
			most += sim_peak_bytes();
			assert_int_equal(run(lines[i]), EXIT_OK);
			assert_row(sim_peak_bytes() <= most, i);
		}
}

/* The place is named, whichever processor met it, and the target is removed. */
static void bad_source(void **state)
{
	(void)state;
	sim_processors(3);
	sim_volume_bad("raw", 3 << 20, 1);
	assert_int_equal(RUN("convert", "-O", "qcow2", "raw", "t"), EXIT_ERROR);
	assert_string_equal(err.text, "efi-img: raw: 512 bytes at offset 3145728 of the disk "
				      "cannot be read: the device reports an error\n");
	assert_int_equal(sim_files(), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_once),
		cmocka_unit_test(stopped),
		cmocka_unit_test_setup_teardown(same_image, set_up, tear_down),
		cmocka_unit_test_setup_teardown(started_for_hard_work_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(started_for_many_sums, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_stops, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_stops_while_salvaging, set_up, tear_down),
		cmocka_unit_test_setup_teardown(read_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gone_where_others_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_stops_without_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(same_verdict, set_up, tear_down),
		cmocka_unit_test_setup_teardown(little_memory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(little_memory_later, set_up, tear_down),
		cmocka_unit_test_setup_teardown(memory_in_flight, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_source, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
