/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "copy/result_print.h"

/* The last line of a copy: whether it was verified, with what, what is missing, how much it was. */

#define SECONDS(n) (UINT64_C(1000000000) * (n))

static char *names[] = { (char *)"serial=X", (char *)"b.raw", (char *)"c.raw" };

static const struct {
	struct result result;
	const char *line;
} rows[] = {
	{ { .target = "pc.qcow2",
	    .source = names,
	    .n_sources = 1,
	    .scope = RESULT_ALL,
	    .verified = true,
	    .why_not = "",
	    .disk_bytes = 250 << 20,
	    .file_bytes = 38 << 20,
	    .nanoseconds = SECONDS(12) + 5 },
	  "pc.qcow2: verified, identical to serial=X; 250 MiB of disk in 38 MiB of file, "
	  "12 s" },
	{ { .target = "serial=Y",
	    .source = names,
	    .n_sources = 1,
	    .scope = RESULT_ALL,
	    .verified = true,
	    .why_not = "",
	    .disk_bytes = 250 << 20 },
	  "serial=Y: verified, identical to serial=X; 250 MiB of disk" },
	{ { .target = "serial=Y",
	    .source = names,
	    .n_sources = 1,
	    .scope = RESULT_ALL,
	    .verified = true,
	    .gpt_moved = true,
	    .why_not = "",
	    .disk_bytes = 512 },
	  "serial=Y: verified, identical to serial=X, with the backup of its GPT moved to "
	  "the end; 512 B of disk" },
	{ { .target = "serial=Y",
	    .source = names,
	    .n_sources = 1,
	    .scope = RESULT_ALL,
	    .gpt_moved = true,
	    .why_not = "--no-verify",
	    .disk_bytes = 512 },
	  "serial=Y: not verified (--no-verify), the backup of its GPT moved to the end; "
	  "512 B of disk" },
	{ { .target = "serial=Y",
	    .source = names,
	    .n_sources = 1,
	    .scope = RESULT_ALL,
	    .verified = true,
	    .why_not = "",
	    .disk_bytes = 8 << 20,
	    .left_off_bytes = 2 << 20 },
	  "serial=Y: verified, identical to serial=X without the 2 MiB of zeros at its "
	  "end, for which there is no room; 8 MiB of disk" },
	{ { .target = "serial=Y",
	    .source = names,
	    .n_sources = 1,
	    .scope = RESULT_ALL,
	    .why_not = "--no-verify",
	    .disk_bytes = 8 << 20,
	    .left_off_bytes = 2 << 20 },
	  "serial=Y: not verified (--no-verify), without the 2 MiB of zeros at its end, "
	  "for which there is no room; 8 MiB of disk" },
	{ { .target = "serial=Y",
	    .source = names,
	    .n_sources = 3,
	    .scope = RESULT_ALL,
	    .verified = true,
	    .why_not = "",
	    .disk_bytes = 512,
	    .nanoseconds = SECONDS(1) - 1 },
	  "serial=Y: verified, identical to the 3 sources, one after another; 512 B of "
	  "disk" },
	{ { .target = "serial=Y",
	    .source = names,
	    .n_sources = 1,
	    .scope = RESULT_PART,
	    .verified = true,
	    .why_not = "",
	    .disk_bytes = 512,
	    .nanoseconds = SECONDS(60) },
	  "serial=Y: verified, identical to the part copied from serial=X; 512 B of disk, "
	  "1 min 0 s" },
	{ { .target = "m.raw",
	    .source = names,
	    .n_sources = 1,
	    .scope = RESULT_REST,
	    .verified = true,
	    .why_not = "",
	    .disk_bytes = 512,
	    .file_bytes = 512,
	    .nanoseconds = SECONDS(3599) },
	  "m.raw: verified, identical to what was missing of serial=X; 512 B of disk in "
	  "512 B of file, 59 min 59 s" },
	{ { .target = "m.raw",
	    .source = names,
	    .n_sources = 1,
	    .scope = RESULT_ALL,
	    .verified = true,
	    .why_not = "",
	    .disk_bytes = 4096,
	    .file_bytes = 4096,
	    .lost_bytes = 512,
	    .n_lost = 1,
	    .nanoseconds = SECONDS(3600) },
	  "m.raw: verified, identical to serial=X except for 512 B in 1 place that could "
	  "not be read and are zeros; 4 KiB of disk in 4 KiB of file, 1 h 0 min" },
	{ { .target = "m.raw",
	    .source = names,
	    .n_sources = 1,
	    .scope = RESULT_ALL,
	    .why_not = "--no-verify",
	    .disk_bytes = 4096,
	    .file_bytes = 4096,
	    .lost_bytes = 1,
	    .n_lost = 1 },
	  "m.raw: not verified (--no-verify), 1 B in 1 place could not be read and is "
	  "zeros; 4 KiB of disk in 4 KiB of file" },
	{ { .target = "m.raw",
	    .source = names,
	    .n_sources = 1,
	    .scope = RESULT_ALL,
	    .why_not = "",
	    .disk_bytes = 4096,
	    .lost_bytes = 4096,
	    .n_lost = 7,
	    .nanoseconds = SECONDS(7265) },
	  "m.raw: not verified, 4 KiB in 7 places could not be read and are zeros; 4 KiB "
	  "of disk, 2 h 1 min" },
};

static void test_lines(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct out_buffer out;
		char text[512], line[512];

		out_buffer_init(&out, text, sizeof text);
		result_print(&rows[i].result, &out.out);
		snprintf(line, sizeof line, "efi-img: %s\n", rows[i].line);
		assert_string_equal(text, line);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_lines) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
