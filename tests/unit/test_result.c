/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"

#include "copy/result_print.h"

/* The last line of a copy: whether it was verified, with what, what is missing, how much it was. */

#define SECONDS(n) (UINT64_C(1000000000) * (n))

static char *names[] = { (char *)"serial=X", (char *)"b.raw", (char *)"c.raw" };

static void test_lines(void **state)
{
	static const struct {
		struct result result;
		const char *line;
	} rows[] = {
		{ { "pc.qcow2", names, 1, RESULT_ALL, true, false, "", 250 << 20, 38 << 20, 0, 0,
		    SECONDS(12) + 5 },
		  "pc.qcow2: verified, identical to serial=X; 250 MiB of disk in 38 MiB of file, "
		  "12 s" },
		{ { "serial=Y", names, 1, RESULT_ALL, true, false, "", 250 << 20, 0, 0, 0, 0 },
		  "serial=Y: verified, identical to serial=X; 250 MiB of disk" },
		{ { "serial=Y", names, 1, RESULT_ALL, true, true, "", 512, 0, 0, 0, 0 },
		  "serial=Y: verified, identical to serial=X, with the backup of its GPT moved to "
		  "the end; 512 B of disk" },
		{ { "serial=Y", names, 1, RESULT_ALL, false, true, "--no-verify", 512, 0, 0, 0, 0 },
		  "serial=Y: not verified (--no-verify), the backup of its GPT moved to the end; "
		  "512 B of disk" },
		{ { "serial=Y", names, 3, RESULT_ALL, true, false, "", 512, 0, 0, 0,
		    SECONDS(1) - 1 },
		  "serial=Y: verified, identical to the 3 sources, one after another; 512 B of "
		  "disk" },
		{ { "serial=Y", names, 1, RESULT_PART, true, false, "", 512, 0, 0, 0, SECONDS(60) },
		  "serial=Y: verified, identical to the part copied from serial=X; 512 B of disk, "
		  "1 min 0 s" },
		{ { "m.raw", names, 1, RESULT_REST, true, false, "", 512, 512, 0, 0,
		    SECONDS(3599) },
		  "m.raw: verified, identical to what was missing of serial=X; 512 B of disk in "
		  "512 B of file, 59 min 59 s" },
		{ { "m.raw", names, 1, RESULT_ALL, true, false, "", 4096, 4096, 512, 1,
		    SECONDS(3600) },
		  "m.raw: verified, identical to serial=X except for 512 B in 1 place that could "
		  "not be read and are zeros; 4 KiB of disk in 4 KiB of file, 1 h 0 min" },
		{ { "m.raw", names, 1, RESULT_ALL, false, false, "--no-verify", 4096, 4096, 1, 1,
		    0 },
		  "m.raw: not verified (--no-verify), 1 B in 1 place could not be read and is "
		  "zeros; 4 KiB of disk in 4 KiB of file" },
		{ { "m.raw", names, 1, RESULT_ALL, false, false, "", 4096, 0, 4096, 7,
		    SECONDS(7265) },
		  "m.raw: not verified, 4 KiB in 7 places could not be read and are zeros; 4 KiB "
		  "of disk, 2 h 1 min" },
	};

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
