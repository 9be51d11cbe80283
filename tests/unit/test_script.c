/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Scripts: mistakes are found before anything is run, and a script stops at the first command that
 * fails.
 */
#include "unit.h"

#include "cli/script.h"
#include "platform/smbios.h"
#include "run.h"
#include "volume.h"

#define HEAD "#efi-img job 1\n"

static const struct sim_volume_kind roomy = { .free_bytes = 8 << 20 };

static void set_up(void)
{
	capture_init(&out);
	capture_init(&err);
	sim_volume(&roomy);
	sim_time(0, 0);
	(void)sim_told();
	platform_end(ENDING_UNSAID);
}

static void tear_down(void)
{
	sim_volume_fail(0, ST_OK);
	sim_fail_allocation(0);
	sim_cancel(0);
	sim_volume(&roomy);
	capture_free(&out);
	capture_free(&err);
	assert_int_equal(sim_allocations(), 0);
}

static void put(const char *text)
{
	sim_file_put("job", text, strlen(text));
}

static bool is_file(const char *name)
{
	uint64_t n;

	return sim_file(name, &n) != NULL;
}

/* Each in its line, after a command that would leave a file behind. */
static void a_mistake_in_each_place(void **state)
{
	static const struct {
		const char *job, *words;
	} rows[] = {
		{ "", "job, line 1: a script begins with the line \"#efi-img job 1\"" },
		{ "create made 1M\n", "job, line 1: a script begins" },
		{ "#efi-img job 2\ncreate made 1M\n",
		  "job, line 1: \"#efi-img job 2\": this efi-img runs scripts of version 1 only" },
		{ "#efi-img job 11\ncreate made 1M\n", "job, line 1: \"#efi-img job 11\"" },
		{ "\n" HEAD "create made 1M\n", "job, line 1: a script begins" },
		{ HEAD "# nothing\n\n", "job: the script has no commands" },
		{ HEAD "create made 1M\n\n# c\nconvrt a b\n",
		  "job, line 5: there is no command \"convrt\"" },
		{ HEAD "create made 1M\ncreate --nothing b 1M",
		  "job, line 3: unknown option --nothing" },
		{ HEAD "create made 1M\ncreate -f", "job, line 3: option -f needs a value (FMT)" },
		{ HEAD "create made 1M\ncreate \"a b 1M\n",
		  "job, line 3: a quotation mark in the command line is not closed" },
		{ HEAD "create made 1M\r\n  efi-img  \r\n",
		  "job, line 3: there is no command \"efi-img\"" },
		{ HEAD "create made 1M\nrun other",
		  "job, line 3: a script cannot run another script" },
		{ HEAD "create made 1M\nefi-img run other",
		  "job, line 3: a script cannot run another script" },
		{ HEAD "create made 1M\n--plain version",
		  "job, line 3: there is no command \"--plain\"" },
		{ HEAD "create made 1M\non-success",
		  "job, line 3: on-success needs one of poweroff, reboot, shell, wait" },
		{ HEAD "create made 1M\non-success halt", "job, line 3: on-success needs one of" },
		{ HEAD "create made 1M\non-failure poweroff now",
		  "job, line 3: on-failure needs one of" },
		{ HEAD "on-failure wait\ncreate made 1M\non-failure wait",
		  "job, line 4: on-failure is given twice" },
		{ HEAD "create made 1M\nexit-code 3", "job, line 3: exit-code takes no value" },
		{ HEAD "create made 1M\n\1", "job, line 3: there is no command" },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		set_up();
		put(rows[i].job);
		assert_int_equal(RUN("run", "job"), EXIT_ERROR);
		if (strstr(out.text, rows[i].words) == NULL)
			fail_msg("row %zu: %s%s", i, out.text, err.text);
		assert_non_null(strstr(out.text, "Nothing was run."));
		assert_row(!is_file("made"), i);
		assert_row(is_file("logs\\0001.log"), i);
		assert_int_equal(RUN("run", "--check", "job"), EXIT_ERROR);
		if (strstr(err.text, rows[i].words) == NULL)
			fail_msg("row %zu: %s", i, err.text);
		tear_down();
	}
}

static void the_first_failure_ends_it(void **state)
{
	uint64_t n;

	(void)state;
	set_up();
	put(HEAD "on-success poweroff\ncreate one 64k\n# none\ninfo none\ncreate two "
		 "64k\nexit-code\non-failure reboot\n");
	assert_int_equal(RUN("run", "job"), EXIT_ERROR);
	assert_true(is_file("one") && !is_file("two"));
	assert_non_null(
		strstr(out.text, "The script has stopped at line 5 of job, with exit code 1.\n"));
	assert_int_equal(sim_ending(), ENDING_REBOOT);
	assert_int_equal(sim_told(), 1);
	assert_non_null(strstr((const char *)sim_file("logs\\0001.jsonl", &n),
			       "\"event\": \"end\",\"time\": null,\"exit\": 1,\"line\": "
			       "5,\"message\": null}\n"));
	put(HEAD "create one 64k --force\ncreate two 64k\ncompare one two\ncreate 3 128k\ncompare "
		 "one 3 -s");
	assert_int_equal(RUN("run", "job"), 1); /* "different", as any other code, is no success */
	assert_int_equal(sim_ending(), ENDING_UNSAID);
	assert_int_equal(sim_told(), -1);
	tear_down();
}

static void all_of_it_is_done(void **state)
{
	static const char *const endings[] = { "", "on-success shell", "on-success wait\n",
					       "on-success reboot", "on-success poweroff\r\n#x" };
	static const enum ending wanted[] = { ENDING_UNSAID, ENDING_SHELL, ENDING_WAIT,
					      ENDING_REBOOT, ENDING_POWER_OFF };
	char job[256];

	(void)state;
	for (size_t i = 0; i < N_OF(endings); i++) {
		set_up();
		snprintf(job, sizeof job,
			 "\xef\xbb\xbf" HEAD
			 "  create \"a b\" 64k \r\n\tefi-img create b 64k\nexit-code\n%s",
			 endings[i]);
		put(job);
		assert_int_equal(RUN("run", "--check", "job"), EXIT_OK);
		assert_string_equal(out.text, "job: 2 commands, no mistakes\n");
		assert_false(is_file("b"));
		assert_int_equal(RUN("run", "job"), EXIT_OK);
		assert_true(is_file("a b") && is_file("b"));
		assert_int_equal(sim_ending(), wanted[i]);
		assert_int_equal(sim_told(), 0);
		assert_non_null(strstr(out.text, "\n> create \"a b\" 64k\n"));
		assert_non_null(strstr(out.text, "\nThe script is done.\n"));
		tear_down();
	}
}

/* Also in a job with a mistake, and wherever it stands: nobody may be there. */
static void its_ending_holds_for_a_mistake(void **state)
{
	(void)state;
	set_up();
	put(HEAD "exit-code\nconvrt\non-failure poweroff\n");
	assert_int_equal(RUN("run", "job"), EXIT_ERROR);
	assert_int_equal(sim_ending(), ENDING_POWER_OFF);
	assert_int_equal(sim_told(), 1);
	tear_down();
}

static void it_is_stopped(void **state)
{
	(void)state;
	set_up();
	sim_file_put("a", "\1", 1);
	sim_file_put("b", "\1", 1);
	put(HEAD "compare a b\non-failure poweroff\non-success poweroff\n");
	sim_cancel(1);
	assert_int_equal(RUN("run", "job"), 4);
	/* whoever stopped it is there, and wants to see */
	assert_int_equal(sim_ending(), ENDING_UNSAID);
	tear_down();
}

static void what_the_shells_editor_writes(void **state)
{
	static const uint16_t units[] = { 0xfeff, '#', 'e', 'f', 'i',  '-',  'i',  'm', 'g', ' ',
					  'j',    'o', 'b', ' ', '1',  '\r', '\n', 'c', 'r', 'e',
					  'a',    't', 'e', ' ', 0xe4, ' ',  '6',  '4', 'k' };

	bool failed = true;

	(void)state;
	for (unsigned n = 1; failed; n++) {
		int code;

		set_up();
		sim_file_put("job", units, sizeof units);
		sim_fail_allocation(n);
		code = RUN("run", "job");
		failed = sim_allocation_failed();
		assert_row(is_file("\xc3\xa4") == (code == EXIT_OK) && (failed || code == EXIT_OK),
			   n);
		assert_row(code == EXIT_OK || strstr(err.text, "not enough memory") != NULL ||
				   strstr(out.text, "not enough memory") != NULL,
			   n);
		tear_down();
	}
}

static void no_job_at_all(void **state)
{
	static char large[SCRIPT_BYTES_MAX + 1];

	(void)state;
	set_up();
	assert_int_equal(RUN("run"), EXIT_ERROR);
	assert_int_equal(RUN("run", "a", "b"), EXIT_ERROR);
	assert_int_equal(RUN("run", "none"), EXIT_ERROR);
	assert_string_equal(err.text, "efi-img: none: no such file\n");
	memset(large, '#', sizeof large);
	sim_file_put("job", large, sizeof large);
	assert_int_equal(RUN("run", "job"), EXIT_ERROR);
	assert_non_null(strstr(err.text, "job: 65537 bytes are too many"));
	assert_int_equal(sim_files(), 1);
	tear_down();
}

/* Whatever fails: a job that says that it is done has done all of it. */
static void failures(void **state)
{
	bool failed = true, memory = true;

	(void)state;
	for (unsigned n = 1; failed || memory; n = failed ? n + 1 : 1) {
		if (!failed)
			memory = false;
		set_up();
		put(HEAD "create one 64k\ncreate two 64k\nexit-code\n");
		if (memory)
			sim_fail_allocation(n);
		else
			sim_volume_fail(n, ST_IO);
		if (RUN("run", "job") == EXIT_OK) {
			assert_true(is_file("one") && is_file("two"));
			assert_int_equal(sim_told(), 0);
			assert_non_null(strstr(out.text, "The script is done."));
		} else {
			assert_null(strstr(out.text, "The script is done."));
			assert_true(sim_told() != 0);
		}
		failed = memory ? sim_allocation_failed() : sim_volume_failed();
		tear_down();
	}
}

static void oem_strings(void **state)
{
	/* Type, length, handle, and what the structure has; strings. */
	static const uint8_t table[] = "\x00\x06\x00\x00\x01\x00"
				       "a=vendor\0\0"
				       "\x7e\x04\x01\x00\0\0"
				       "\x0b\x05\x02\x00\x02"
				       "a=one\0b=two\0a=\0xa=\0\0"
				       "\x0b\x05\x03\x00\x01"
				       "a=#3\0\0"
				       "\x7f\x04\x04\x00\0\0"
				       "\x0b\x05\x05\x00\x01"
				       "a=behind the end\0\0";
	struct capture text;

	(void)state;
	capture_init(&text);
	assert_true(smbios_strings(table, sizeof table - 1, "a=", &text.out));
	assert_string_equal(text.text, "one\n\n#3\n");
	assert_false(smbios_strings(table, sizeof table - 1, "c=", &text.out));
	/* wherever it is cut off, nothing is read behind it */
	for (size_t n = 0; n < sizeof table; n++) {
		uint8_t *cut = test_malloc(n);

		memcpy(cut, table, n);
		(void)smbios_strings(cut, n, "a=", &text.out);
		for (size_t i = 1; i < n; i += 2) { /* and whatever is wrong in it */
			cut[i] ^= 0xff;
			(void)smbios_strings(cut, n, "a=", &text.out);
			cut[i] ^= 0xff;
		}
		test_free(cut);
	}
	capture_free(&text);
}

/* A structure before that of the firmware; of this, byte 13h is what counts. */
static void what_smbios_calls_virtual(void **state)
{
	static const uint8_t before[] = { 1, 4, 0, 0, 'a', 0, 0 };
	uint8_t table[sizeof before + 0x18 + 2] = { 0 }, *firmware = table + sizeof before;

	(void)state;
	memcpy(table, before, sizeof before);
	firmware[1] = 0x18;
	firmware[0x13] = 0xef;
	assert_false(smbios_is_virtual(table, sizeof table));
	firmware[0x13] = 0x10;
	assert_true(smbios_is_virtual(table, sizeof table));
	for (size_t n = 0; n <= sizeof before + 0x18; n++) { /* cut off */
		uint8_t *cut = test_malloc(n);

		memcpy(cut, table, n);
		assert_false(smbios_is_virtual(cut, n));
		test_free(cut);
	}
	firmware[1] = 0x13; /* an old one, without that byte */
	assert_false(smbios_is_virtual(table, sizeof table));
	firmware[1] = 0x18;
	table[0] = 127; /* the end of the table */
	assert_false(smbios_is_virtual(table, sizeof table));
}

/* What is found in the first `n` bytes of a table: a copy, so that nothing past them is read. */
static void assert_model(const uint8_t *table, size_t n, const char *most, bool exactly)
{
	uint8_t *cut = test_malloc(n);

	memcpy(cut, table, n);
	capture_init(&out);
	smbios_model(cut, n, &out.out);
	if (exactly)
		assert_string_equal(out.text, most);
	else
		assert_true(out.n <= strlen(most));
	capture_free(&out);
	test_free(cut);
}

static void what_smbios_calls_the_machine(void **state)
{
	static const struct {
		const char *first, *second, *model;
		uint8_t maker, product; /* the numbers of the strings */
	} rows[] = {
		{ "LENOVO", "11T3S0", "LENOVO 11T3S0", 1, 2 },
		{ "11T3S0", "LENOVO", "LENOVO 11T3S0", 2, 1 },
		{ "To Be Filled By O.E.M.", "B450", "B450", 1, 2 },
		{ "System manufacturer", "System Product Name", "", 1, 2 },
		{ "LENOVO", "11T3S0", "LENOVO", 1, 0 },
		{ "LENOVO", "11T3S0", "11T3S0", 3, 2 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint8_t table[64] = { 1, 6, 0, 0, rows[i].maker, rows[i].product };
		size_t first = strlen(rows[i].first) + 1, n = 6 + first;

		memcpy(table + 6, rows[i].first, first);
		memcpy(table + n, rows[i].second, strlen(rows[i].second));
		n += strlen(rows[i].second) + 2;
		assert_model(table, n, rows[i].model, true);
		for (size_t most = 0; most < n; most++)
			assert_model(table, most, rows[i].model, false);
		table[1] = 5; /* too short for the number of the product */
		assert_model(table, n, "", true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_smbios_calls_the_machine),
		cmocka_unit_test(a_mistake_in_each_place),
		cmocka_unit_test(the_first_failure_ends_it),
		cmocka_unit_test(all_of_it_is_done),
		cmocka_unit_test(its_ending_holds_for_a_mistake),
		cmocka_unit_test(it_is_stopped),
		cmocka_unit_test(what_the_shells_editor_writes),
		cmocka_unit_test(no_job_at_all),
		cmocka_unit_test(failures),
		cmocka_unit_test(oem_strings),
		cmocka_unit_test(what_smbios_calls_virtual),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
