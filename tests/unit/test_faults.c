/*
 * Commands that only read, where something goes wrong: every allocation, every call to the volume, every moment at which
 * the person stops them.
 */
#include "unit.h"

#include "command/command.h"
#include "volume.h"

static struct capture out, err;

static int run(const char *const *words)
{
	struct console console = { .out = &out.out, .err = &err.out };
	char *argv[12];
	int argc = 0;

	for (; words[argc] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc];
	capture_clear(&out);
	capture_clear(&err);
	return command_run(&console, argc, argv);
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

/* a.raw and same.qcow2 have the same in them, long.qcow2 has more zeros, other.raw another byte at 60000. */
static int set_up(void **state)
{
	static const struct sim_volume_kind kind = { .free_bytes = 16 << 20 };
	static uint8_t bytes[100 << 10];

	(void)state;
	capture_init(&out);
	capture_init(&err);
	sim_volume(&kind);
	sim_file_put("a.raw", bytes, sizeof bytes);
	bytes[60000] = 1;
	sim_file_put("other.raw", bytes, sizeof bytes);
	bytes[60000] = 0;
	assert_int_equal(RUN("create", "-q", "-f", "qcow2", "-o", "cluster_size=512,preallocation=full", "same.qcow2", "100k"),
			 EXIT_OK);
	assert_int_equal(RUN("create", "-q", "-f", "qcow2", "-b", "same.qcow2", "-F", "qcow2", "long.qcow2", "5M"), EXIT_OK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	capture_free(&out);
	capture_free(&err);
	return 0;
}

enum victim { ALLOCATION, CALL, CANCEL, N_VICTIMS };

static void arm(enum victim victim, unsigned n)
{
	sim_fail_allocation(victim == ALLOCATION ? n : 0);
	sim_volume_fail(victim == CALL ? n : 0, ST_IO);
	sim_cancel(victim == CANCEL ? n : 0);
}

enum { N_CODES = 5 };

/* `compare` has codes for kinds of failures; a command line that cannot be taken apart has the same code everywhere. */
static bool is_failure(const char *command, int code)
{
	bool misused = code == EXIT_ERROR && strstr(err.text, "Try 'efi-img help ") != NULL;

	if (strncmp(err.text, "efi-img: ", 9) != 0)
		return false;
	return strcmp(command, "compare") == 0 ? misused || (code >= 2 && code < N_CODES) : code == EXIT_ERROR;
}

/* How often a command ended in which exit code while one thing after the other failed; at the end, `out` is of a good run. */
static void fail_each(const char *const *words, int expected, unsigned count[N_CODES])
{
	for (enum victim victim = ALLOCATION; victim < N_VICTIMS; victim++)
		for (unsigned n = 1;; n++) {
			int code;

			arm(victim, n);
			code = run(words);
			arm(N_VICTIMS, 0);
			if (sim_allocations() != 0)
				fail_msg("%s, failure %u of kind %d: %zu allocations left", words[0], n, victim, sim_allocations());
			if (code == expected && err.n == 0)
				break;
			if (!is_failure(words[0], code) || strstr(out.text, "identical") != NULL)
				fail_msg("%s, failure %u of kind %d: code %d, it said: %s%s", words[0], n, victim, code, out.text, err.text);
			count[code]++;
		}
}

static void compare(void **state)
{
	unsigned count[N_CODES] = { 0 };

	(void)state;
	fail_each((const char *const[]){ "compare", "a.raw", "same.qcow2", NULL }, EXIT_OK, count);
	assert_string_equal(out.text, "Images are identical.\n");
	fail_each((const char *const[]){ "compare", "long.qcow2", "a.raw", NULL }, EXIT_OK, count);
	assert_string_equal(out.text, "Warning: Image size mismatch!\nImages are identical.\n");
	fail_each((const char *const[]){ "compare", "same.qcow2", "other.raw", NULL }, EXIT_ERROR, count);
	assert_string_equal(out.text, "Content mismatch at offset 59904!\n");
	print_message("%u failures to open, %u of the status, %u to read\n", count[2], count[3], count[4]);
	assert_true(count[2] > 50 && count[3] >= 3 && count[4] >= 12);
}

static void measure(void **state)
{
	unsigned count[N_CODES] = { 0 };

	(void)state;
	fail_each((const char *const[]){ "measure", "-O", "qcow2", "-o", "cluster_size=512", "long.qcow2", NULL }, EXIT_OK,
		  count);
	assert_non_null(strstr(out.text, "bitmaps size: 0\n"));
	fail_each((const char *const[]){ "measure", "--output=json", "-O", "qcow2", "a.raw", NULL }, EXIT_OK, count);
	assert_int_equal(RUN("snapshot", "-c", "s", "same.qcow2"), EXIT_OK);
	fail_each((const char *const[]){ "measure", "-l", "snapshot.id=1,snapshot.name=s", "-O", "qcow2", "same.qcow2", NULL }, EXIT_OK, count);
	fail_each((const char *const[]){ "measure", "-O", "qcow2", "-o", "backing_file=b", "--size", "1G", NULL }, EXIT_OK,
		  count);
	assert_string_equal(out.text, "required size: 393216\nfully allocated size: 1074135040\n");
	print_message("%u failures\n", count[EXIT_ERROR]);
	assert_true(count[EXIT_ERROR] > 50);
}

static void others(void **state)
{
	unsigned count[N_CODES] = { 0 };

	(void)state;
	fail_each((const char *const[]){ "map", "--output=json", "long.qcow2", NULL }, EXIT_OK, count);
	fail_each((const char *const[]){ "info", "--backing-chain", "long.qcow2", NULL }, EXIT_OK, count);
	print_message("%u failures\n", count[EXIT_ERROR]);
	assert_true(count[EXIT_ERROR] > 40);
}

static void compare_names_the_file(void **state)
{
	(void)state;
	sim_cancel(1);
	assert_int_equal(RUN("compare", "a.raw", "other.raw"), 4);
	sim_cancel(0);
	assert_string_equal(err.text, "efi-img: stopped at offset 0; what is in front of it is the same\n");
	assert_int_equal(RUN("compare", "a.raw", "none.raw"), 2);
	assert_non_null(strstr(err.text, "none.raw"));
	sim_volume_fail(5, ST_IO); /* both are opened and probed; then read, in transfers of 64 KiB */
	assert_int_equal(RUN("compare", "a.raw", "other.raw"), 4);
	assert_string_equal(err.text, "efi-img: a.raw: reading 102400 bytes at offset 0: the device reports an error\n");
	sim_volume_fail(7, ST_IO);
	assert_int_equal(RUN("compare", "a.raw", "other.raw"), 4);
	assert_string_equal(err.text, "efi-img: other.raw: reading 102400 bytes at offset 0: the device reports an error\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(compare, set_up, tear_down),
		cmocka_unit_test_setup_teardown(compare_names_the_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(measure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
