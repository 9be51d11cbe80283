/*
 * Going on with a capture or a restore that was interrupted: at every power cut, failure and moment of being stopped, what
 * is left is no image, and --resume makes it the one that it was to be, or says why not.
 */
#include "job/journal.h"
#include "job/outcome.h"
#include "machine.h"
#include "powercut.h"
#include "run.h"
#include "verdict.h"

enum { MIB = 1 << 20, DISK = 3 * MIB + 4096, CALLS_MAX = 20000 }; /* where ONLY leaves out most */

static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB };
static const uint64_t always = 10000000000, never = 1;
static uint8_t bytes[DISK];

static const struct sim_device machine[] = {
	{ "blk0:", { .path = (char *)"Pci(0x1)", .parent = DEVICE_NO_PARENT, .bus = "NVMe", .serial = (char *)"D", .size_bytes = DISK,
		     .block_bytes = 512, .medium = true, .flushes = true } },
	{ "blk1:", { .path = (char *)"Pci(0x2)", .parent = DEVICE_NO_PARENT, .bus = "NVMe", .serial = (char *)"E", .size_bytes = DISK,
		     .block_bytes = 512, .medium = true, .flushes = true } },
};

static const char *const capture[] = { "convert", "-O", "qcow2", "serial=D", "t", NULL };
static const char *const capture_packed[] = { "convert", "-c", "-O", "qcow2", "-o", "compression_type=zstd", "serial=D", "t", NULL };
static const char *const capture_raw[] = { "convert", "serial=D", "t", NULL };
static const char *const capture_split[] = { "convert", "--split=2M", "serial=D", "t", NULL };
static const char *const restore[] = { "convert", "-n", "-f", "raw", "source", "serial=E", "--erase=E", NULL };

static const struct row {
	const char *name;
	const char *const *words;
	const char *target, *journal;
} rows[] = {
	{ "capture", capture, "t", "t.resume" },
	{ "capture-packed", capture_packed, "t", "t.resume" },
	{ "capture-raw", capture_raw, "t", "t.resume" },
	{ "capture-split", capture_split, "t", "t.resume" },
	{ "restore", restore, "other", "source.resume" },
};

/* Noise, words and zeros, which begin and end anywhere. */
static int make_bytes(void **state)
{
	uint32_t seed = 1;

	(void)state;
	for (size_t i = 0; i < DISK; i++) {
		size_t what = i / 200000 % 3;
		uint32_t value = dice(&seed);

		bytes[i] = (uint8_t)(what == 0 ? value : what == 1 ? value & 3 : 0);
	}
	return 0;
}

/* Two disks, and an image of one. */
static void set_up_files(void)
{
	static uint8_t blank[DISK];

	sim_volume(&kind);
	sim_file_put("disk", bytes, DISK);
	sim_file_put("source", bytes, DISK);
	sim_file_put("other", blank, DISK);
	sim_machine(machine, 2);
	sim_machine_files(0, "disk", NULL);
	sim_machine_files(1, "other", NULL);
}

static int set_up(void **state)
{
	(void)state;
	set_up_files();
	sim_clock_step(always);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sim_machine(NULL, 0);
	sim_volume(&kind);
	sim_clock_step(1000000);
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}

static int run_with(const struct row *row, const char *option)
{
	const char *words[WORDS] = { row->words[0], option };

	for (size_t i = 1; row->words[i] != NULL; i++)
		words[i + 1] = row->words[i];
	return run(words);
}

static int go_on_with(const struct row *row)
{
	return run_with(row, "--resume");
}

/* It is all there. */
static void assert_whole(const struct row *row, const char *where)
{
	uint64_t n;

	if (row->words == restore) {
		if (memcmp(sim_file("other", &n), bytes, DISK) != 0)
			wrong("%s: the disk is not what it should be", where);
	} else {
		if (RUN("compare", "t", "serial=D") != EXIT_OK)
			wrong("%s: %s%s", where, out.text, err.text);
		if (row->words != capture_raw && row->words != capture_split && RUN("check", "t") != EXIT_OK)
			wrong("%s: %s%s", where, out.text, err.text);
	}
	if (sim_file(row->journal, &n) != NULL)
		wrong("%s: the journal is still there", where);
}

static bool begins_with_something(const char *name)
{
	static const uint8_t zeros[512];
	uint64_t n;
	const uint8_t *file = sim_file(name, &n);

	return file != NULL && n > 0 && memcmp(file, zeros, n < 512 ? (size_t)n : 512) != 0;
}

static void assert_no_image(const struct row *row, const char *where)
{
	if (begins_with_something(row->target))
		wrong("%s: it begins like an image", where);
}

/* ---- interrupted ---------------------------------------------------------------------------------------------------- */

static void every_stop(void **state)
{
	unsigned continued = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		for (unsigned n = 1; n < CALLS_MAX; n++) {
			bool has_journal;
			uint64_t size;
			char where[64];
			int code;

			if (!trying("journal/stop/%s/%u", rows[i].name, n))
				continue;
			set_up_files();
			sim_cancel(n);
			code = run(rows[i].words);
			sim_cancel(0);
			snprintf(where, sizeof where, "%s, stop %u", rows[i].name, n);
			if (code == 0)
				break;
			if (code != OUTCOME_STOPPED)
				wrong("%s: %d %s", where, code, err.text);
			assert_no_image(&rows[i], where);
			has_journal = sim_file(rows[i].journal, &size) != NULL;
			if (has_journal != (strstr(err.text, "--resume goes on from there") != NULL))
				wrong("%s: %s", where, err.text);
			continued += has_journal;
			if (go_on_with(&rows[i]) != EXIT_OK)
				wrong("%s, then: %s", where, err.text);
			if (!has_journal != (strstr(err.text, "there is no such journal") != NULL))
				wrong("%s: it should have begun: %s", where, err.text);
			assert_whole(&rows[i], where);
		}
	print_message("%u gone on with\n", continued);
	assert_true(getenv("ONLY") != NULL || continued > 20);
}

static void every_failure(void **state)
{
	static const enum status failures[] = { ST_IO, ST_NO_SPACE, ST_MEDIUM_CHANGED };
	unsigned tried = 0, step = setting("SAMPLE", 23);

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		for (size_t k = 0; k < 2; k++) {
			bool happened = true;

			for (unsigned n = 1 + (unsigned)i; happened && n < CALLS_MAX; n += step) {
				char where[64];
				int code;

				if (!trying("journal/failure/%s/%zu/%u", rows[i].name, k, n))
					continue;
				set_up_files();
				sim_volume_fail(k == 0 ? n : 0, failures[n % N_OF(failures)]);
				sim_fail_allocation(k == 1 ? n : 0);
				code = run(rows[i].words);
				happened = k == 0 ? sim_volume_failed() : sim_allocation_failed();
				sim_volume_fail(0, ST_OK);
				sim_fail_allocation(0);
				snprintf(where, sizeof where, "%s, kind %zu, failure %u", rows[i].name, k, n);
				tried++;
				if (code == 0) {
					sim_file_put(rows[i].journal, "", 0); /* one that could not be removed was said to be left */
					continue;
				}
				assert_no_image(&rows[i], where);
				code = go_on_with(&rows[i]);
				/* One that could not even be removed has no journal, and is named. */
				if (code == 1 && strstr(err.text, "exists already") != NULL)
					continue;
				if (code != EXIT_OK)
					wrong("%s, then: %s", where, err.text);
				assert_whole(&rows[i], where);
			}
		}
	print_message("%u failures\n", tried);
}

struct cuts {
	const struct row *row;
	unsigned states, continued;
};

static bool wanted(const struct powercut *cut, void *arg)
{
	const struct cuts *cuts = arg;

	return trying("journal/cut/%s/%s", cuts->row->name, cut->name);
}

/* It begins as it is to begin. */
static bool has_beginning(const struct row *row)
{
	bool raw = row->words == capture_raw || row->words == capture_split || row->words == restore;
	uint64_t n;
	const uint8_t *file = sim_file(row->target, &n);

	return file != NULL && n >= 512 && (raw ? memcmp(file, bytes, 512) == 0 : memcmp(file, "QFI\xfb", 4) == 0);
}

static void check_cut(const struct powercut *cut, void *arg)
{
	struct cuts *cuts = arg;

	cuts->states++;
	if (has_beginning(cuts->row) && cuts->row->words != restore && RUN("compare", "t", "serial=D") != EXIT_OK)
		wrong("%s: it begins like an image, and is none: %s%s", cut->name, out.text, err.text);
	sim_clock_step(never);
	if (go_on_with(cuts->row) == EXIT_OK) {
		cuts->continued += strstr(err.text, "there is no such journal") == NULL;
		assert_whole(cuts->row, cut->name);
	} else if (strstr(err.text, "exists already") == NULL) {
		wrong("%s: %s", cut->name, err.text);
	} else if (strstr(err.text, "there is no such journal") != NULL) { /* complete, or made a moment before its journal */
		if (run_with(cuts->row, "--force") != EXIT_OK)
			wrong("%s: %s", cut->name, err.text);
		assert_whole(cuts->row, cut->name);
	} else if (!has_beginning(cuts->row)) {
		wrong("%s: neither whole nor to be gone on with: %s", cut->name, err.text);
	}
	sim_clock_step(always);
}

static void every_cut(void **state)
{
	struct powercut_plan plan = { .sample = setting("SAMPLE", 25) };
	unsigned continued = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct cuts cuts = { .row = &rows[i] };
		struct sim_files files;

		set_up_files();
		files = sim_files_keep();
		sim_files_restore(&kind, &files);
		assert_int_equal(run(rows[i].words), EXIT_OK);
		(void)powercut_each(&kind, &files, &plan, wanted, check_cut, &cuts);
		print_message("%s: %u states, %u gone on with\n", rows[i].name, cuts.states, cuts.continued);
		continued += cuts.continued;
		sim_files_drop(&files);
	}
	assert_true(getenv("ONLY") != NULL || continued > 100);
}

/* ---- refused -------------------------------------------------------------------------------------------------------- */

static void change(const char *file, uint64_t at)
{
	uint64_t n;

	((uint8_t *)(uintptr_t)sim_file(file, &n))[at] ^= 1;
}

/* Stops it when it has come about half way. */
static void interrupt(const struct row *row)
{
	for (unsigned n = 3;; n++) {
		set_up_files();
		sim_cancel(n);
		assert_int_equal(run(row->words), OUTCOME_STOPPED);
		sim_cancel(0);
		if (strstr(err.text, "has 2097152 of") != NULL)
			return;
	}
}

static void assert_refused(const char *const *words, int code, const char *said)
{
	if (run(words) != code || strstr(err.text, said) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", said, err.text);
}
#define REFUSED(code, said, ...) assert_refused((const char *const[WORDS]){ __VA_ARGS__ }, code, said)

/* What is not the same any more is found wherever it is, and nothing is lost by that. */
static void changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const char *source = rows[i].words == restore ? "source" : "disk";

		interrupt(&rows[i]);
		change(source, 3 * MIB / 2);
		assert_int_equal(go_on_with(&rows[i]), OUTCOME_MISMATCH);
		assert_non_null(strstr(err.text, "one of them was changed"));
		change(source, 3 * MIB / 2);
		assert_int_equal(go_on_with(&rows[i]), EXIT_OK);
		assert_whole(&rows[i], rows[i].name);
	}
	interrupt(&rows[4]);
	change("other", 3 * MIB / 2);
	assert_int_equal(go_on_with(&rows[4]), OUTCOME_MISMATCH);
}

static void others(void **state)
{
	(void)state;
	interrupt(&rows[0]);
	REFUSED(12, "begun with the disk serial=D, and this is serial=E", "convert", "--resume", "-O", "qcow2", "serial=E", "t");
	REFUSED(12, "the options -O qcow2, and this is -O qcow2 -c", "convert", "--resume", "-c", "-O", "qcow2", "serial=D", "t");
	REFUSED(1, "or replace it?", "convert", "--resume", "--force", "-O", "qcow2", "serial=D", "t");
	REFUSED(1, "--resume goes on with it", "convert", "-O", "qcow2", "serial=D", "t");
	REFUSED(1, "option --resume: it is for", "convert", "--resume", "source", "u");
	REFUSED(1, "option --resume: it is for", "convert", "--resume", "-n", "serial=D", "source");
	/* By another name of the disk it is the same one. */
	assert_int_equal(RUN("convert", "--resume", "-O", "qcow2", "path=Pci(0x1)", "t"), EXIT_OK);
	assert_whole(&rows[0], "by another name");
	sim_file_put("u.resume", "mine", 4);
	REFUSED(1, "it is something else", "convert", "-O", "qcow2", "serial=D", "u");
}

/* Takes the journal of the first row as it is: text with a NUL behind it, which the caller frees. */
static char *take_journal(uint64_t *ret_n)
{
	const uint8_t *bytes_of = sim_file("t.resume", ret_n);
	char *text = calloc(*ret_n + 1, 1);

	memcpy(text, bytes_of, *ret_n);
	return text;
}

/* A journal that is older than an image of the same name does not cost that image. */
static void stale(void **state)
{
	uint64_t size;
	char *text;

	(void)state;
	interrupt(&rows[0]);
	text = take_journal(&size);
	for (unsigned k = 0; k < 2; k++) {
		if (k == 1) /* one of which nothing was done yet */
			memcpy(strstr(text, "\"done\": 2097152") + 8, "0      ", 7);
		assert_int_equal(RUN("convert", "--force", "-O", "qcow2", "serial=D", "t"), EXIT_OK);
		sim_file_put("t.resume", text, size);
		REFUSED(1, "exists already", "convert", "--resume", "-O", "qcow2", "serial=D", "t");
		assert_int_equal(RUN("compare", "t", "serial=D"), EXIT_OK);
	}
	free(text);
}

/* What is behind the name of a field is another text; the caller frees it. */
static char *with(const char *text, const char *field, const char *value)
{
	const char *at = strstr(text, field), *end;
	size_t n = strlen(text) + strlen(value) + 1;
	char *ret = calloc(n, 1);

	assert_non_null(at);
	at += strlen(field);
	end = at + strcspn(at, ",\n");
	snprintf(ret, n, "%.*s%s%s", (int)(at - text), text, value, end);
	return ret;
}

static void damaged(void **state)
{
	static const struct { const char *field, *value; int code; const char *says; } fields[] = {
		{ "\"journal-version\": ", "\"1\"", 17, "its field \"journal-version\" is not" },
		{ "\"journal-version\": ", "7", 1, "journals of version 7 are not known" },
		{ "\"direction\": ", "\"upwards\"", 17, "its field \"direction\" is not" },
		{ "\"direction\": ", "\"to-disk\"", 12, "begun with a copy to the disk, and this is from the disk" },
		{ "\"disk\": ", "1", 17, "its field \"disk\" is not" },
		{ "\"virtual-size\": ", "\"3M\"", 17, "its field \"virtual-size\" is not" },
		{ "\"virtual-size\": ", "3145728", 12, "begun with 3145728 bytes, and the source has 3149824 now" },
		{ "\"options\": ", "true", 17, "its field \"options\" is not" },
		{ "\"done\": ", "3149825", 17, "its field \"done\" is not" },
		{ "\"done\": ", "-1", 17, "its field \"done\" is not" },
		{ "\"first\": ", "\"51\"", 17, "its field \"first\" is not" },
		{ "\"first\": ", "\"\xff\"", 17, "is not what it should be" },
	};
	static char long_one[(1 << 16) + 1];
	uint64_t size;
	char *text;

	(void)state;
	interrupt(&rows[0]);
	text = take_journal(&size);
	for (size_t i = 0; i < N_OF(fields); i++) {
		char *other = with(text, fields[i].field, fields[i].value);

		sim_file_put("t.resume", other, strlen(other));
		free(other);
		REFUSED(fields[i].code, fields[i].says, "convert", "--resume", "-O", "qcow2", "serial=D", "t");
	}
	sim_file_put("t.resume", text, size / 2);
	REFUSED(17, "it is not JSON", "convert", "--resume", "-O", "qcow2", "serial=D", "t");
	memset(long_one, ' ', sizeof long_one);
	sim_file_put("t.resume", long_one, sizeof long_one);
	REFUSED(1, "t.resume: 65537 bytes are too many", "convert", "--resume", "-O", "qcow2", "serial=D", "t");
	sim_file_put("t.resume", text, size);
	free(text);
	assert_int_equal(go_on_with(&rows[0]), EXIT_OK);
	assert_whole(&rows[0], "mended");
}

/* What is to be gone on with is not there any more. */
static void no_target(void **state)
{
	struct error why;
	uint64_t n;

	(void)state;
	interrupt(&rows[0]);
	assert_ok(platform_remove("t", &why));
	REFUSED(1, "t: no such file", "convert", "--resume", "-O", "qcow2", "serial=D", "t");
	assert_null(sim_file("t", &n));
}

/* Zeros that the source does not even have as data are proven as well. */
static void zeros_of_an_image(void **state)
{
	static const char *const words[] = { "convert", "-n", "image", "serial=E", "--erase=E", NULL };
	static const struct row row = { "restore-image", words, "other", "image.resume" };
	enum { AMONG_ZEROS = 1100000 };
	const char *has;
	uint64_t size;

	(void)state;
	assert_int_equal(bytes[AMONG_ZEROS], 0);
	for (unsigned n = 3;; n++) {
		set_up_files();
		MUST("convert", "-f", "raw", "-O", "qcow2", "source", "image", NULL);
		sim_cancel(n);
		assert_int_equal(run(words), OUTCOME_STOPPED);
		sim_cancel(0);
		has = strstr(err.text, "serial=E has ");
		if (has != NULL && strtoul(has + 13, NULL, 10) > 3 * MIB / 2)
			break;
	}
	change("other", AMONG_ZEROS);
	assert_int_equal(go_on_with(&row), OUTCOME_MISMATCH);
	assert_non_null(strstr(err.text, "one of them was changed"));
	change("other", AMONG_ZEROS);
	assert_int_equal(go_on_with(&row), EXIT_OK);
	assert_memory_equal(sim_file("other", &size), bytes, DISK);
	assert_null(sim_file("image.resume", &size));
}

/* Going on fails at every call, and without memory, too: what was done stays, and can be gone on with. */
static void going_on_fails(void **state)
{
	static const char *const says[] = { "reading what it has at offset", "cannot be made an image again", "cutting off what came last" };
	bool said[N_OF(says)] = { false };
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct sim_files files;

		if (!trying_any("journal/going-on"))
			return;
		interrupt(&rows[i]);
		files = sim_files_keep();
		for (unsigned k = 0; k < 2; k++) {
			bool happened = true;

			for (unsigned n = 1; happened && n < CALLS_MAX; n++) {
				char where[64];
				int code;

				if (!trying("journal/going-on/%s/%u/%u", rows[i].name, k, n))
					continue;
				sim_files_restore(&kind, &files);
				sim_volume_fail(k == 0 ? n : 0, ST_IO);
				sim_fail_allocation(k == 1 ? n : 0);
				code = go_on_with(&rows[i]);
				happened = k == 0 ? sim_volume_failed() : sim_allocation_failed();
				sim_volume_fail(0, ST_OK);
				sim_fail_allocation(0);
				snprintf(where, sizeof where, "%s, kind %u, failure %u", rows[i].name, k, n);
				for (size_t j = 0; j < N_OF(says); j++)
					said[j] |= strstr(err.text, says[j]) != NULL;
				tried++;
				if (code == EXIT_OK)
					continue;
				assert_no_image(&rows[i], where);
				if (n % 8 != 0)
					continue;
				if (go_on_with(&rows[i]) != EXIT_OK)
					wrong("%s, then: %s", where, err.text);
				assert_whole(&rows[i], where);
			}
		}
		sim_files_drop(&files);
	}
	print_message("%u failures of going on\n", tried);
	for (size_t j = 0; getenv("ONLY") == NULL && j < N_OF(says); j++)
		assert_row(said[j], j);
}

/*
 * The medium is pulled out at any call and stays away. What begins like an image then is one, since the beginning is
 * written last of all, and nobody says of it that it has none; what could not be removed is named.
 */
static void volume_gone(void **state)
{
	bool named = false;
	unsigned begun = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		for (unsigned n = 1; n < CALLS_MAX; n++) {
			bool unknown;
			uint64_t size;
			int code;

			if (!trying("journal/gone/%s/%u", rows[i].name, n))
				continue;
			set_up_files();
			sim_volume_leave(n, ST_MEDIUM_CHANGED);
			code = run(rows[i].words);
			if (!sim_volume_failed())
				break;
			sim_volume_fail(0, ST_OK);
			if (code == EXIT_OK && strstr(err.text, "could not be removed") == NULL)
				wrong("%s, call %u: %s", rows[i].name, n, err.text);
			named |= strstr(err.text, "and the incomplete file could not be removed") != NULL;
			if (code == EXIT_OK || !begins_with_something(rows[i].target))
				continue;
			begun++;
			unknown = strstr(err.text, "written last, is not known") != NULL;
			if (rows[i].words == restore ? !unknown || memcmp(sim_file("other", &size), bytes, DISK) != 0
						     : RUN("compare", "t", "serial=D") != EXIT_OK)
				wrong("%s, call %u: %s%s", rows[i].name, n, out.text, err.text);
		}
	assert_true(getenv("ONLY") != NULL || (named && begun == 2 * N_OF(rows))); /* the last flush, and reading back */
}

/* What cannot be written down is said, and the copy is made. */
static void no_journal(void **state)
{
	static const struct sim_volume_kind read_only = { .free_bytes = 64 * MIB, .read_only = true };
	struct sim_files files;

	(void)state;
	files = sim_files_keep();
	sim_files_restore(&read_only, &files);
	assert_int_equal(run(restore), EXIT_OK);
	assert_non_null(strstr(err.text, "without a journal"));
	REFUSED(OUTCOME_REFUSED, "t.resume: write-protected", "convert", "-O", "qcow2", "serial=D", "t");
	sim_files_drop(&files);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_stop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stale, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(zeros_of_an_image, set_up, tear_down),
		cmocka_unit_test_setup_teardown(going_on_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(volume_gone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_journal, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, make_bytes, NULL);
}
