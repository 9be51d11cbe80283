/* SPDX-License-Identifier: BSD-2-Clause */
/* Command lines with a log: what is in it, whatever fails while it is kept. */
#include "unit.h"

#include "base/json.h"
#include "base/text.h"
#include "blk/blk.h"
#include "cli/progress_line.h"
#include "cli/progress_steps.h"
#include "cli/session.h"
#include "machine.h"
#include "run.h"
#include "volume.h"

enum { MIB = 1 << 20 };

static const struct sim_volume_kind roomy = { .free_bytes = 8 * MIB };
static const struct sim_device machine[] = {
	{ "blk0:",
	  { .path = (char *)"Pci(0x1)",
	    .parent = DEVICE_NO_PARENT,
	    .bus = "NVMe",
	    .serial = (char *)"D",
	    .size_bytes = MIB,
	    .block_bytes = 512,
	    .medium = true,
	    .flushes = true } },
};
static struct capture serial;

static void set_up(const struct sim_volume_kind *kind)
{
	capture_init(&out);
	capture_init(&err);
	capture_init(&serial);
	sim_volume(kind);
	sim_machine(NULL, 0);
	sim_time(1795420239, 5); /* 2026-11-23 07:50:39 */
}

static void tear_down(void)
{
	sim_volume_fail(0, ST_OK);
	sim_fail_allocation(0);
	sim_machine(NULL, 0);
	sim_volume(&roomy);
	capture_free(&out);
	capture_free(&err);
	capture_free(&serial);
	assert_int_equal(sim_allocations(), 0);
}

/*
 * Runs the command lines, each ending in NULL, until an empty one; the code of the last one, or -1.
 */
static int run_all(bool plain, const char *const words[][WORDS])
{
	const struct console console = {
		.out = &out.out, .err = &err.out, .json = &serial.out, .plain = plain
	};
	struct session *session;
	struct error why;
	int code = -1;

	if (session_open(&console, &session, &why) != ST_OK)
		return -1;
	for (size_t i = 0; words[i][0] != NULL; i++) {
		char *argv[WORDS];
		int argc = 0;

		for (; words[i][argc] != NULL; argc++)
			argv[argc] = (char *)(uintptr_t)words[i][argc];
		code = session_run(session, &console, argc, argv);
	}
	session_close(session);
	return code;
}

/* The file, NUL-terminated, until the next call. */
static const char *file(const char *name)
{
	static char text[64 << 10];
	uint64_t n = 0;
	const uint8_t *bytes = sim_file(name, &n);

	assert_non_null(bytes);
	assert_true(n < sizeof text);
	memcpy(text, bytes, n);
	text[n] = '\0';
	return text;
}

static void assert_lines_are_json(const char *text)
{
	struct json value, event;

	for (const char *end; *text != '\0'; text = end + 1) {
		end = strchr(text, '\n');
		assert_non_null(end);
		assert_true(json_read(text, (size_t)(end - text), &value) &&
			    json_member(value, "event", &event));
	}
}

static void it_is_in_the_log(void **state)
{
	static const char *const lines[][WORDS] = {
		{ "create", "-f", "qcow2", "a b", "1M" },
		{ "info", "none" },
		{ NULL },
	};

	(void)state;
	set_up(&roomy);
	assert_int_equal(run_all(false, lines), EXIT_ERROR);
	assert_string_equal(file("logs\\20261123-075039.jsonl"), serial.text);
	assert_lines_are_json(serial.text);
	assert_non_null(strstr(serial.text, "{\"schema\": 1,\"event\": \"session\",\"time\": "
					    "\"2026-11-23T07:50:39Z\",\"version\": \""));
	assert_non_null(strstr(serial.text, "\"log\": \"logs\\\\20261123-075039.log\"}\n"));
	assert_non_null(strstr(serial.text,
			       "\"number\": 1,\"command\": \"create\",\"line\": \"create -f "
			       "qcow2 \\\"a b\\\" 1M\",\"words\": [\"create\",\"-f\","));
	assert_non_null(
		strstr(serial.text,
		       "\"number\": 1,\"command\": \"create\",\"exit\": 0,\"message\": null,"));
	assert_non_null(strstr(serial.text,
			       "\"number\": 2,\"command\": \"info\",\"exit\": 1,\"message\": "
			       "\"none: no such file\",\"seconds\": 0,\"writes\": []}\n"));
	assert_non_null(strstr(file("logs\\20261123-075039.log"), "2026-11-23 07:50:39 UTC"));
	assert_non_null(strstr(file("logs\\20261123-075039.log"),
			       "---- 1: create -f qcow2 \"a b\" 1M\ntarget:  a b (a new file; "));
	assert_non_null(strstr(file("logs\\20261123-075039.log"),
			       "\nefi-img: none: no such file\n---- exit code 1 after 0 s\n"));
	assert_non_null(strstr(file("logs\\20261123-075039.log"), "\nFormatting 'a b', fmt=qcow2"));
	assert_non_null(strstr(out.text, "Formatting"));
	assert_null(strstr(out.text, "target:"));
	assert_string_equal(err.text, "efi-img: none: no such file\n");
	tear_down();
}

/* Each command that a session begins, as the code that runs it hears of it. */
struct begun {
	struct events events;
	struct capture text;
};

static void hear_of_it(struct events *events, int argc, char *const *argv)
{
	struct begun *begun = (struct begun *)events;

	/* nothing of it is printed yet */
	out_printf(&begun->text.out, "%d %s %s, %zu\n", argc, argv[0], argv[argc - 1], out.n);
}

static void a_command_begins(void **state)
{
	char *create[] = { (char *)"create", (char *)"a", (char *)"1M" };
	char *info[] = { (char *)"info", (char *)"none" };
	struct begun begun = { .events.begin = hear_of_it };
	const struct console console = { .out = &out.out,
					 .err = &err.out,
					 .events = &begun.events };
	struct session *session;
	struct error why;

	(void)state;
	set_up(&roomy);
	capture_init(&begun.text);
	assert_ok(session_open(&console, &session, &why));
	assert_int_equal(session_run(session, &console, 3, create), EXIT_OK);
	assert_int_equal(session_run(session, &console, 2, info), EXIT_ERROR);
	session_close(session);
	assert_non_null(strstr(begun.text.text, "3 create 1M, 0\n2 info none, "));
	capture_free(&begun.text);
	tear_down();
}

static void what_is_plain_is_the_same_each_time(void **state)
{
	static const char *const lines[][WORDS] = {
		{ "convert", "-p", "-f", "raw", "-O", "qcow2", "source", "serial=D", "--erase=D" },
		{ NULL },
	};
	static uint8_t bytes[MIB];
	static char log[2][64 << 10], events[2][64 << 10];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		set_up(&roomy);
		sim_time(1795420239 + (int64_t)i * 1000000, i);
		sim_clock_step(i * 700000000 + 1);
		memset(bytes, 1, sizeof bytes);
		sim_file_put("source", bytes, MIB / 2);
		memset(bytes, 2, sizeof bytes);
		sim_file_put("disk", bytes, sizeof bytes);
		sim_machine(machine, 1);
		sim_machine_files(0, "disk", NULL);
		if (run_all(true, lines) != EXIT_OK)
			fail_msg("%s", err.text);
		assert_lines_are_json(serial.text);
		strcpy(log[i], file("logs\\0001.log"));
		assert_null(strchr(out.text, '\r'));
		assert_null(strchr(log[i], '\r'));
		assert_non_null(strstr(log[i], "target:  serial=D (blk0: NVMe serial D"));
		assert_non_null(strstr(log[i], "\n    (0.00/100%) copying\n"));
		assert_non_null(strstr(log[i], "\n    (100.00/100%) verifying\n"));
		assert_null(strstr(log[i], "MB/s"));
		assert_non_null(
			strstr(serial.text, "\"percent\": 100,\"phase\": \"verifying\"}\n"));
		assert_non_null(strstr(serial.text,
				       "\"event\": \"plan\",\"time\": null,\"number\": 1,\"plan\": "
				       "{\"sources\": [{\"filename\": \"source\""));
		assert_null(strstr(serial.text, "\"device\": \"serial=D\",\"writes\": 0}"));
		assert_non_null(strstr(serial.text, "\"seconds\": null,\"writes\": [{\"device\": "
						    "\"serial=D\",\"writes\": "));
		strcpy(events[i], serial.text);
		tear_down();
	}
	assert_string_equal(log[0], log[1]);
	assert_string_equal(events[0], events[1]);
	sim_clock_step(1000000);
}

static void a_plan_that_is_refused(void **state)
{
	static const char *const lines[][WORDS] = { { "dd", "if=source", "of=serial=D" },
						    { NULL } };
	static const uint8_t bytes[MIB] = { [510] = 0x55, 0xaa };

	(void)state;
	set_up(&roomy);
	sim_file_put("source", bytes, sizeof bytes);
	sim_file_put("disk", bytes, sizeof bytes);
	sim_machine(machine, 1);
	sim_machine_files(0, "disk", NULL);
	assert_int_equal(run_all(false, lines), 12);
	assert_lines_are_json(serial.text);
	assert_non_null(strstr(serial.text, "\"exit-code\": 12,\"refused\": \""));
	assert_non_null(
		strstr(serial.text, "\"command\": \"dd\",\"exit\": 12,\"message\": \"serial=D"));
	assert_non_null(strstr(serial.text, "\"device\": \"serial=D\",\"writes\": 0}"));
	assert_non_null(strstr(file("logs\\20261123-075039.log"), "Refused: "));
	tear_down();
}

static void names_do_not_collide(void **state)
{
	static const char *const lines[][WORDS] = { { "version" }, { NULL } };
	static const char *const names[] = { "logs\\20261123-075039.log",
					     "logs\\20261123-075039-2.log",
					     "logs\\20261123-075039-3.log" };
	static const char *const numbers[] = { "logs\\0001.log", "logs\\0002.log", "logs\\0003.log",
					       "logs\\0004.log", "logs\\0005.log" };

	(void)state;
	set_up(&roomy);
	for (size_t i = 0; i < N_OF(names); i++) {
		uint64_t n;

		assert_null(sim_file(names[i], &n));
		assert_int_equal(run_all(false, lines), EXIT_OK);
		assert_non_null(sim_file(names[i], &n));
	}
	tear_down();
	set_up(&roomy);
	sim_time(0, 0); /* no clock */
	for (size_t i = 0; i < N_OF(numbers); i++) {
		assert_int_equal(run_all(i % 2 == 0, lines), EXIT_OK);
		assert_non_null(strstr(file(numbers[i]), "efi-img version"));
		assert_null(strstr(file(numbers[i]), "UTC"));
	}
	assert_non_null(strstr(serial.text, "\"event\": \"start\",\"time\": null,"));
	sim_file_put("logs\\0006.jsonl", "x", 1); /* half a log */
	assert_int_equal(run_all(true, lines), EXIT_OK);
	assert_string_equal(file("logs\\0006.jsonl"), "x");
	assert_non_null(file("logs\\0007.log"));
	tear_down();
}

/* Where the firmware does not say what there is, commands that need no disk go on. */
static void nobody_knows_the_machine(void **state)
{
	static const char *const lines[][WORDS] = { { "create", "a", "64k" },
						    { "list" },
						    { NULL } };
	uint64_t n;

	(void)state;
	set_up(&roomy);
	sim_machine_unknown(ST_IO);
	assert_int_equal(run_all(false, lines), EXIT_ERROR);
	assert_non_null(sim_file("a", &n));
	assert_string_equal(err.text, "efi-img: the devices: the device reports an error\n");
	assert_non_null(strstr(file("logs\\20261123-075039.log"),
			       "efi-img: the devices: the device reports an error\n"));
	tear_down();
}

/*
 * Numbers that are looked at by doubling: where all of those are taken, there is no log, which is
 * said.
 */
static void no_number_is_left(void **state)
{
	static const char *const lines[][WORDS] = { { "version" }, { NULL } };
	size_t n = 0;

	(void)state;
	set_up(&roomy);
	sim_time(0, 0);
	for (unsigned number = 1; number <= 1 << 20; number *= 2, n++) {
		char name[32];

		snprintf(name, sizeof name, "logs\\%04u.log", number);
		sim_file_put(name, "x", 1);
	}
	assert_int_equal(run_all(false, lines), EXIT_OK);
	assert_string_equal(err.text,
			    "efi-img: there is no log: logs\\: too many logs; remove old ones\n");
	assert_int_equal(sim_files(), n);
	tear_down();
}

/* So that a disk with the log on it can be copied by a command. */
static void it_is_not_written_meanwhile(void **state)
{
	static const char *const lines[][WORDS] = {
		{ "convert", "-p", "-f", "raw", "-O", "qcow2", "source", "copy" }, { NULL }
	};
	static uint8_t bytes[MIB];
	const struct sim_change *change;
	size_t n, first = 0, last = 0, log = 0;

	(void)state;
	set_up(&roomy);
	memset(bytes, 1, sizeof bytes);
	sim_file_put("source", bytes, sizeof bytes);
	assert_int_equal(run_all(false, lines), EXIT_OK);
	change = sim_journal(&n);
	for (size_t i = 0; i < n; i++) {
		if (strcmp(change[i].file, "copy") != 0)
			continue;
		first = first == 0 ? i : first;
		last = i;
	}
	for (size_t i = 0; i < n; i++) {
		log += text_starts_with(change[i].file, "logs\\");
		assert_true(i <= first || i >= last || !text_starts_with(change[i].file, "logs\\"));
	}
	assert_true(log > 4 && first > 4 && last > first && last + 2 < n);
	tear_down();
}

/* Whatever happens to the log, commands do what they do, and it is said. */
static void nothing_depends_on_the_log(void **state)
{
	static const char *const lines[][WORDS] = { { "version" }, { NULL } };
	struct sim_volume_kind kind = { .free_bytes = 8 * MIB, .read_only = true };
	unsigned n = 0;
	bool failed;

	(void)state;
	set_up(&kind);
	assert_int_equal(run_all(false, lines), EXIT_OK);
	assert_non_null(strstr(err.text, "efi-img: there is no log: logs: "));
	assert_non_null(strstr(serial.text, "\"log\": null}"));
	assert_non_null(strstr(serial.text, "\"exit\": 0"));
	tear_down();
	kind = (struct sim_volume_kind){ .free_bytes = 512 };
	set_up(&kind);
	assert_int_equal(run_all(false, lines), EXIT_OK);
	assert_non_null(strstr(err.text, "efi-img: from here on there is no log: "
					 "logs\\20261123-075039.jsonl: writing it: "));
	tear_down();
	do {
		set_up(&roomy);
		n++;
		sim_volume_fail(n, n % 2 ? ST_IO : ST_NO_SPACE);
		assert_int_equal(run_all(false, lines), EXIT_OK);
		if (sim_volume_failed() && strstr(err.text, "there is no log: ") == NULL)
			/* the last one, after which there is nobody to be told */
			assert_non_null(strstr(serial.text, "\"exit\": 0"));
		failed = sim_volume_failed();
		tear_down();
	} while (failed);
	assert_true(n > 8);
}

static void memory_runs_out(void **state)
{
	static const char *const lines[][WORDS] = {
		{ "version" }, { "dd", "if=source", "of=serial=D", "--erase=D" }, { NULL }
	};
	static const uint8_t bytes[4096];
	bool failed;

	(void)state;
	for (unsigned n = 1;; n++) {
		set_up(&roomy);
		sim_file_put("source", bytes, sizeof bytes);
		sim_file_put("disk", bytes, sizeof bytes);
		sim_machine(machine, 1);
		sim_machine_files(0, "disk", NULL);
		sim_fail_allocation(n);
		(void)run_all(n % 2, lines);
		failed = sim_allocation_failed();
		assert_lines_are_json(serial.text);
		tear_down();
		if (!failed)
			break;
	}
}

/* Which steps a log has of the events, whatever they skip. */
static void steps_of_events(void **state)
{
	static const struct {
		struct progress_event event[5];
		size_t n;
		const char *text;
	} rows[] = {
		{ { { .position = 0 },
		    { .position = 300 },
		    { .position = 1234 },
		    { .position = 10000 } },
		  4,
		  "    (0.00/100%)\n    (10.00/100%)\n    (20.00/100%)\n    (30.00/100%)\n    "
		  "(40.00/100%)\n    (50.00/100%)\n    (60.00/100%)\n"
		  "    (70.00/100%)\n    (80.00/100%)\n    (90.00/100%)\n    "
		  "(100.00/100%)\n" },
		{ { { .phase = "copying", .bytes = 1 << 30 },
		    { .position = 50,
		      .phase = "copying",
		      .bytes = 1 << 30,
		      .bytes_per_second = 3000000 },
		    { .position = 1000, .phase = "verifying" },
		    { .phase = "copying" } },
		  4,
		  "    (0.00/100%) copying\n    (10.00/100%) verifying\n    (0.00/100%) "
		  "copying\n" },
		{ { { .position = 2000, .phase = "a" }, { .phase = "b" } },
		  2,
		  "    (0.00/100%) a\n    (10.00/100%) a\n    (20.00/100%) a\n    (0.00/100%) "
		  "b\n" },
		{ { { .position = 999 }, { .position = 999, .is_end = true }, { .position = 0 } },
		  3,
		  "    (0.00/100%)\n" },
		{ { { .position = 10000, .is_end = true } }, 1, "" },
	};
	struct capture capture;

	(void)state;
	capture_init(&capture);
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct progress_steps steps = { 0 };

		capture_clear(&capture);
		for (size_t k = 0; k < rows[i].n; k++) {
			const struct progress_event *event = &rows[i].event[k];
			unsigned percent;

			while (progress_step_due(&steps, event, &percent))
				progress_print_step(&capture.out, percent, event->phase);
		}
		if (strcmp(capture.text != NULL ? capture.text : "", rows[i].text) != 0)
			fail_msg("row %zu: \"%s\"", i, capture.text);
	}
	capture_free(&capture);
}

static void plain_before_the_command(void **state)
{
	static const uint8_t bytes[100 << 10] = { 1 };

	(void)state;
	set_up(&roomy);
	sim_file_put("a", bytes, sizeof bytes);
	sim_clock_step(2000000000);
	assert_int_equal(RUN("--plain", "convert", "-p", "a", "b"), EXIT_OK);
	sim_clock_step(1000000);
	assert_null(strchr(out.text, '\r'));
	assert_true(strncmp(out.text, "    (0.00/100%) copying\n    (10.00/100%) copying\n", 40) ==
		    0);
	assert_int_equal(RUN("--plain", "convrt"), EXIT_ERROR);
	assert_int_equal(RUN("--plain"), EXIT_ERROR);
	sim_fail_allocation(1);
	assert_int_equal(RUN("--plain", "version"), EXIT_ERROR);
	tear_down();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_in_the_log),
		cmocka_unit_test(a_command_begins),
		cmocka_unit_test(what_is_plain_is_the_same_each_time),
		cmocka_unit_test(a_plan_that_is_refused),
		cmocka_unit_test(names_do_not_collide),
		cmocka_unit_test(no_number_is_left),
		cmocka_unit_test(nobody_knows_the_machine),
		cmocka_unit_test(it_is_not_written_meanwhile),
		cmocka_unit_test(nothing_depends_on_the_log),
		cmocka_unit_test(memory_runs_out),
		cmocka_unit_test(steps_of_events),
		cmocka_unit_test(plain_before_the_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
