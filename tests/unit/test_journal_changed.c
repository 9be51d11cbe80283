/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Going on with a capture or a restore where something is not as it was: what is refused, and what
 * is found and mended.
 */
#include "resume.h"
#include "tables.h"

static void change(const char *file, uint64_t at)
{
	uint64_t n;

	((uint8_t *)(uintptr_t)sim_file(file, &n))[at] ^= 1;
}

static void assert_refused(const char *const *words, int code, const char *said)
{
	if (run(words) != code || strstr(err.text, said) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", said, err.text);
}
#define REFUSED(code, said, ...) \
	assert_refused((const char *const[WORDS]){ __VA_ARGS__ }, code, said)

/* What is not the same any more is found wherever it is, and nothing is lost by that. */
static void changed(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const char *source = rows[i].words == restore ? "source" : "disk";

		interrupt(&rows[i]);
		change(source, 3 * MIB / 2);
		assert_int_equal(go_on_with(&rows[i]), OUTCOME_MISMATCH);
		assert_non_null(strstr(err.text, "one of them has changed"));
		change(source, 3 * MIB / 2);
		assert_int_equal(go_on_with(&rows[i]), EXIT_OK);
		assert_whole(&rows[i], rows[i].name);
	}
	interrupt(&rows[4]);
	change("other", 3 * MIB / 2);
	assert_int_equal(go_on_with(&rows[4]), OUTCOME_MISMATCH);
}

/* Every byte of what is there is compared: the last one of each piece, and those around it. */
static void last_bytes(void **state)
{
	static const struct {
		unsigned row;
		uint64_t begin;
	} cases[] = { { 2, 4096 }, { 4, MIB } }; /* before: kept back */

	(void)state;
	for (size_t i = 0; i < N_OF(cases); i++) {
		const struct row *row = &rows[cases[i].row];

		interrupt(row);
		for (uint64_t end = cases[i].begin + 4096; end <= 2 * MIB;
		     end += end % MIB < 65536 ? 4096 : 65536)
			for (uint64_t at = end - 1; at < end + 1 && at < 2 * MIB; at++) {
				change(row->target, at);
				if (go_on_with(row) != OUTCOME_MISMATCH)
					fail_msg("%s: byte %zu is not compared", row->name,
						 (size_t)at);
				change(row->target, at);
			}
		assert_int_equal(go_on_with(row), EXIT_OK);
		assert_whole(row, row->name);
	}
}

static void others(void **state)
{
	(void)state;
	interrupt(&rows[0]);
	REFUSED(12, "started with the disk serial=D, and this is serial=E", "convert", "--resume",
		"-O", "qcow2", "serial=E", "t");
	REFUSED(12, "the options -O qcow2, and this is -O qcow2 -c", "convert", "--resume", "-c",
		"-O", "qcow2", "serial=D", "t");
	REFUSED(1, "the second replaces it", "convert", "--resume", "--force", "-O", "qcow2",
		"serial=D", "t");
	REFUSED(1, "--resume continues it", "convert", "-O", "qcow2", "serial=D", "t");
	REFUSED(1, "option --resume: only a copy", "convert", "--resume", "source", "u");
	REFUSED(1, "option --resume: only a copy", "convert", "--resume", "-n", "serial=D",
		"source");
	REFUSED(1, "into an image of several files", "convert", "--resume", "-O", "qcow2", "-o",
		"data_file=d", "serial=D", "u");
	/* By another name of the disk it is the same one. */
	assert_int_equal(RUN("convert", "--resume", "-O", "qcow2", "path=Pci(0x1)", "t"), EXIT_OK);
	assert_whole(&rows[0], "by another name");
	sim_file_put("u.resume", "mine", 4);
	REFUSED(1, "the file is not a journal", "convert", "-O", "qcow2", "serial=D", "u");
}

/*
 * Takes the journal of the first row as it is: text with a NUL behind it, which the caller frees.
 */
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
		assert_int_equal(RUN("convert", "--force", "-O", "qcow2", "serial=D", "t"),
				 EXIT_OK);
		sim_file_put("t.resume", text, size);
		REFUSED(1, "this is not the unfinished image of the journal", "convert", "--resume",
			"-O", "qcow2", "serial=D", "t");
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
	static const struct {
		const char *field, *value;
		int code;
		const char *says;
	} fields[] = {
		{ "\"journal-version\": ", "\"1\"", 17,
		  "its field \"journal-version\" is invalid" },
		{ "\"journal-version\": ", "1", 1, "an older efi-img has written this journal" },
		{ "\"id\": ", "\"00\"", 17, "its field \"id\" is invalid" },
		{ "\"id\": ", "\"000102030405060708090a0b0c0d0e0f\"", 1,
		  "the unfinished image of another copy" },
		{ "\"journal-version\": ", "7", 1, "journals of version 7 are not supported" },
		{ "\"direction\": ", "\"upwards\"", 17, "its field \"direction\" is invalid" },
		{ "\"direction\": ", "\"to-disk\"", 12,
		  "started with a copy to the disk, and this is from the disk" },
		{ "\"disk\": ", "1", 17, "its field \"disk\" is invalid" },
		{ "\"virtual-size\": ", "\"3M\"", 17, "its field \"virtual-size\" is invalid" },
		{ "\"virtual-size\": ", "3145728", 12,
		  "the source had 3145728 bytes when the copy was started, and has 3149824 now" },
		{ "\"options\": ", "true", 17, "its field \"options\" is invalid" },
		{ "\"unused\": ", "0", 17, "its field \"unused\" is invalid" },
		{ "\"unused\": ", "\"00000000-1\"", 12,
		  "what is in use of the source has changed" },
		{ "\"done\": ", "3149825", 17, "its field \"done\" is invalid" },
		{ "\"done\": ", "-1", 17, "its field \"done\" is invalid" },
		{ "\"first\": ", "\"51\"", 17, "its field \"first\" is invalid" },
		{ "\"first\": ", "\"\xff\"", 17, "is invalid" },
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
		REFUSED(fields[i].code, fields[i].says, "convert", "--resume", "-O", "qcow2",
			"serial=D", "t");
	}
	sim_file_put("t.resume", text, size / 2);
	REFUSED(17, "it is not JSON", "convert", "--resume", "-O", "qcow2", "serial=D", "t");
	memset(long_one, ' ', sizeof long_one);
	memcpy(long_one, text, (size_t)size);
	sim_file_put("t.resume", long_one, sizeof long_one);
	REFUSED(1, "t.resume: 65537 bytes are too many", "convert", "--resume", "-O", "qcow2",
		"serial=D", "t");
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
	static const char *const words[] = {
		"convert", "-n", "image", "serial=E", "--erase=E", NULL
	};
	static const struct row row = { "restore-image", words, "other", "image.restore-d07c4eb6",
					false };
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
	assert_non_null(strstr(err.text, "one of them has changed"));
	change("other", AMONG_ZEROS);
	assert_int_equal(go_on_with(&row), EXIT_OK);
	assert_memory_equal(sim_file("other", &size), bytes, DISK);
	assert_null(sim_file("image.restore-d07c4eb6", &size));
}
/* What cannot be written down is said, and the copy is made. */
static void no_journal(void **state)
{
	static const struct sim_volume_kind read_only = { .free_bytes = 64 * MIB,
							  .read_only = true };
	struct sim_files files;

	(void)state;
	files = sim_files_keep();
	sim_files_restore(&read_only, &files);
	assert_int_equal(run(restore), EXIT_OK);
	assert_non_null(strstr(err.text, "without a journal"));
	REFUSED(OUTCOME_REFUSED, "t.resume: write-protected", "convert", "-O", "qcow2", "serial=D",
		"t");
	sim_files_drop(&files);
}

/*
 * Machines in which the target has no serial number: one with a device path, and one with nothing
 * but the name of the map.
 */
static void without_serial(const char *path)
{
	static struct sim_device devices[2];

	memcpy(devices, machine, sizeof devices);
	devices[1].device.serial = (char *)"";
	devices[1].device.path = (char *)(uintptr_t)path;
	sim_machine(devices, 2);
	sim_machine_files(0, "disk", NULL);
	sim_machine_files(1, "other", NULL);
}

static bool is_journal(const char *name)
{
	return strstr(name, ".resume") != NULL || strstr(name, ".restore-") != NULL;
}

static size_t journals(void)
{
	const char *name;
	size_t n = 0;

	for (size_t i = 0; (name = sim_file_name(i)) != NULL; i++)
		n += is_journal(name);
	return n;
}

/*
 * A name of the map is another disk's after the next boot: no journal is promised, before anything
 * is copied, nor kept.
 */
static void no_name_that_lasts(void **state)
{
	(void)state;
	without_serial("");
	for (unsigned n = 1;; n++) {
		sim_cancel(n);
		if (RUN("convert", "-n", "--no-table", "-f", "raw", "source", "blk1:") == EXIT_OK)
			break;
		sim_cancel(0);
		assert_null(strstr(err.text, "--resume"));
		assert_int_equal(journals(), 0);
		assert_true(strstr(err.text, "(serial=, guid=, path=); without a journal") !=
				    NULL ||
			    sim_file("other", &(uint64_t){ 0 })[DISK - 1] == 0);
	}
	sim_cancel(0);
	assert_non_null(strstr(err.text, "blk1: this disk has no lasting name (serial=, guid=, "
					 "path=); without a journal"));
	REFUSED(1, "option --resume: blk1: this disk has no lasting name", "convert", "-n",
		"--no-table", "-f", "raw", "--resume", "source", "blk1:");
}

/*
 * Restores onto the disk by its path, with the --erase= that the plan asks for; stopped at the
 * `stop`-th look.
 */
static int restore_by_path(const char *resume, unsigned stop)
{
	const char *words[WORDS] = { "convert", "-n",     "--no-table",    "-f",
				     "raw",     "source", "path=Pci(0x2)", resume };
	const char *add;
	char erase[600];
	int code;

	sim_cancel(0);
	if (RUN("convert", "-n", "--dry-run", "--no-table", "-f", "raw", "source",
		"path=Pci(0x2)") != EXIT_OK) {
		add = strstr(err.text, "--erase=");
		assert_non_null(add);
		snprintf(erase, sizeof erase, "%.*s", (int)strcspn(add, "\n"), add);
		words[resume != NULL ? 8 : 7] = erase;
	}
	sim_cancel(stop);
	code = run(words);
	sim_cancel(0);
	return code;
}

/*
 * The GUID of the GPT that a restore replaces is gone once it has begun: the journal knows the disk
 * by its path.
 */
static void guid_of_the_target(void **state)
{
	static const struct sim_part parts[] = { { sim_linux, 40, 500, "old" } };
	struct memory_blk *disk = memory_blk_new(
		&(struct memory_blk_kind){ .size = DISK, .block_bytes = 512 });
	uint64_t size;

	(void)state;
	sim_gpt(disk, parts, 1);
	for (unsigned n = 3;; n++) {
		set_up_files();
		sim_file_put("other", disk->bytes, DISK);
		without_serial("Pci(0x2)");
		assert_int_equal(restore_by_path(NULL, n), OUTCOME_STOPPED);
		if (strstr(err.text, "has 2097152 of") != NULL)
			break;
	}
	assert_int_equal(journals(), 1);
	if (restore_by_path("--resume", 0) != EXIT_OK)
		fail_msg("%s", err.text);
	assert_null(strstr(err.text, "there is no such journal"));
	assert_memory_equal(sim_file("other", &size), bytes, DISK);
	assert_int_equal(journals(), 0);
	blk_close(&disk->blk);
}

/* What cannot be written is said before the copy, and then nothing is promised, nor kept. */
static void full_volume(void **state)
{
	static const struct sim_volume_kind full = { .free_bytes = 3 * DISK + 512 };
	struct sim_files files;

	(void)state;
	files = sim_files_keep();
	for (unsigned n = 1; n < CALLS_MAX; n++) {
		int code;

		sim_files_restore(&full, &files);
		sim_cancel(n);
		code = run(restore);
		sim_cancel(0);
		assert_true(code == EXIT_OK ||
			    (code == OUTCOME_STOPPED && strstr(err.text, "--resume") == NULL));
		assert_int_equal(journals(), 0);
		if (code == EXIT_OK)
			break;
	}
	assert_non_null(strstr(err.text, "without a journal, the copy cannot be resumed"));
	sim_files_drop(&files);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(changed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(last_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(stale, set_up, tear_down),
		cmocka_unit_test_setup_teardown(damaged, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(zeros_of_an_image, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_journal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_name_that_lasts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(guid_of_the_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(full_volume, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, make_bytes, NULL);
}
