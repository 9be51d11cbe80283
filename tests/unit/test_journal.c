/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Going on with a capture or a restore that was interrupted: at every power cut, failure and moment
 * of being stopped, what is left is no image, and --resume makes it the one that it was to be, or
 * says why not.
 */
#include "resume.h"

/* It begins as it is to begin. */
static bool has_beginning(const struct row *row)
{
	bool raw = row->words == capture_raw || row->words == capture_split ||
		   row->words == restore;
	const char *magic = row->words == capture_qed ? "QED" : "QFI\xfb";
	uint64_t n;
	const uint8_t *file = sim_file(row->target, &n);

	return file != NULL && n >= 512 &&
	       (raw ? memcmp(file, bytes, 512) == 0 : memcmp(file, magic, 4) == 0);
}

/* A file is not there, empty, or has the mark; a disk begins with zeros. */
static bool begins_with_something(const struct row *row)
{
	static const uint8_t zeros[512];
	uint8_t id[MARK_ID_BYTES];
	uint64_t n;
	const uint8_t *file = sim_file(row->target, &n);

	if (file == NULL || n == 0)
		return false;
	return n < 512 || (row->words == restore ? memcmp(file, zeros, 512) != 0
						 : !mark_parse(file, MARK_IMAGE, id));
}

/* And what has the mark is taken for no image, whatever else is there. */
static void assert_no_image(const struct row *row, const char *where)
{
	uint64_t n;
	const uint8_t *file = sim_file(row->target, &n);

	if (begins_with_something(row))
		wrong("%s: it begins like an image", where);
	if (row->words == restore || file == NULL || n == 0)
		return;
	if (RUN("compare", "-f", "raw", "t", "serial=D") == EXIT_OK ||
	    strstr(err.text, "t: this disk image is unfinished") == NULL)
		wrong("%s: it was opened: %s%s", where, out.text, err.text);
}

/* The copy is stopped by the `n`-th look, and continued. Returns whether it was stopped. */
static bool stop_at(const struct row *row, unsigned n, bool *has_journal)
{
	uint64_t size;
	char where[64];
	int code;

	set_up_files();
	sim_cancel(n);
	code = run(row->words);
	sim_cancel(0);
	snprintf(where, sizeof where, "%s, stop %u", row->name, n);
	if (code == 0)
		return false;
	if (code != OUTCOME_STOPPED || strstr(err.text, "efi-img: stopped\n") != NULL)
		wrong("%s: %d %s", where, code, err.text);
	/* what was copied once stays, however much later it is stopped */
	if (*has_journal && sim_file(row->journal, &size) == NULL)
		wrong("%s: nothing was kept: %s", where, err.text);
	*has_journal = sim_file(row->journal, &size) != NULL;
	if (*has_journal != (strstr(err.text, "--resume continues from there") != NULL))
		wrong("%s: %s", where, err.text);
	assert_no_image(row, where);
	if (go_on_with(row) != EXIT_OK)
		wrong("%s, then: %s", where, err.text);
	if (!*has_journal != (strstr(err.text, "there is no such journal") != NULL))
		wrong("%s: it should have begun: %s", where, err.text);
	assert_whole(row, where);
	return true;
}

/*
 * At each third moment, with SAMPLE=1 in the environment at each. `checkpoints`: one after each
 * piece, or none before it is stopped.
 */
static void stop_each(const struct row *row, bool checkpoints)
{
	bool has_journal = false;
	unsigned continued = 0, step = setting("SAMPLE", 3);

	sim_clock_step(checkpoints ? always : never);
	for (unsigned n = 1; n < CALLS_MAX; n += step) {
		if (!trying("journal/stop/%s/%d/%u", row->name, checkpoints, n))
			continue;
		if (!stop_at(row, n, &has_journal))
			break;
		continued += has_journal;
	}
	sim_clock_step(always);
	print_message("%s: %u gone on with\n", row->name, continued);
	assert_true(getenv("ONLY") != NULL || continued > 0);
}

/* Images whose blocks are longer than what is copied between two looks. */
static const struct row in_blocks[] = {
#define ROW(format) \
	{ \
		"capture-" format, \
			(const char *const[]){ "convert", "-O", format, "serial=D", "t", NULL }, \
			"t", "t.resume", true \
	}
	ROW("vpc"),
	ROW("vhdx"),
	ROW("vdi"),
	ROW("parallels"),
#undef ROW
};

static void every_stop(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		for (int checkpoints = 0; checkpoints < 2; checkpoints++)
			stop_each(&rows[i], checkpoints);
	for (size_t i = 0; i < N_OF(in_blocks); i++)
		for (int checkpoints = 0; checkpoints < 2; checkpoints++)
			stop_each(&in_blocks[i], checkpoints);
}

static void every_failure(void **state)
{
	static const enum status failures[] = { ST_IO, ST_NO_SPACE, ST_MEDIUM_CHANGED };
	unsigned tried = 0, step = setting("SAMPLE", 47);

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
				snprintf(where, sizeof where, "%s, kind %zu, failure %u",
					 rows[i].name, k, n);
				tried++;
				if (code == 0) {
					/* one that could not be removed was said to be left */
					sim_file_put(rows[i].journal, "", 0);
					continue;
				}
				assert_no_image(&rows[i], where);
				code = go_on_with(&rows[i]);
				/*
				 * One that could not even be removed has no journal, and is named.
				 */
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
	unsigned states, continued, foreign;
};

static bool wanted(const struct powercut *cut, void *arg)
{
	const struct cuts *cuts = arg;

	return trying("journal/cut/%s/%s", cuts->row->name, cut->name);
}

/*
 * Neither whole nor to be resumed: so it has nothing yet, which is said, and --force begins anew.
 */
static void begin_anew(const struct row *row, const char *where)
{
	if (run_with(row, "--force") != EXIT_OK)
		wrong("%s: %s", where, err.text);
	assert_whole(row, where);
}

static void check_cut(const struct powercut *cut, void *arg)
{
	struct cuts *cuts = arg;
	struct error ignored;
	int code;

	cuts->states++;
	if (has_beginning(cuts->row) && cuts->row->words != restore &&
	    RUN("compare", "t", "serial=D") != EXIT_OK)
		wrong("%s: it begins like an image, and is none: %s%s", cut->name, out.text,
		      err.text);
	sim_clock_step(never);
	code = go_on_with(cuts->row);
	/* Old contents of the volume in the side file: the person removes it, as the words say. */
	if (code != EXIT_OK &&
	    strstr(err.text, "or one that a power cut left unfinished") != NULL) {
		cuts->foreign++;
		assert_ok(platform_remove(strstr(cuts->row->journal, "source") != NULL
						  ? "source.restore-d07c4eb6.new"
						  : "t.resume.new",
					  &ignored));
		code = go_on_with(cuts->row);
	}
	if (code == EXIT_OK) {
		cuts->continued += strstr(err.text, "there is no such journal") == NULL;
		assert_whole(cuts->row, cut->name);
	} else if (strstr(err.text, "there is no such journal") != NULL &&
		   strstr(err.text, "exists already") != NULL) {
		begin_anew(cuts->row, cut->name);
	} else if (strstr(err.text, "this is not the unfinished image of the journal") == NULL) {
		wrong("%s: %s", cut->name, err.text);
	} else if (!has_beginning(cuts->row)) {
		wrong("%s: neither whole nor to be gone on with: %s", cut->name, err.text);
	}
	sim_clock_step(always);
}

static void every_cut(void **state)
{
	struct powercut_plan plan = { .sample = setting("SAMPLE", 51) };
	unsigned continued = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct cuts cuts = { .row = &rows[i] };
		struct sim_files files;

		if (rows[i].many)
			continue;
		set_up_files();
		files = sim_files_keep();
		sim_files_restore(&kind, &files);
		assert_int_equal(run(rows[i].words), EXIT_OK);
		(void)powercut_each(&kind, &files, &plan, wanted, check_cut, &cuts);
		print_message("%s: %u states, %u gone on with, %u after a side file was removed\n",
			      rows[i].name, cuts.states, cuts.continued, cuts.foreign);
		continued += cuts.continued;
		sim_files_drop(&files);
	}
	assert_true(getenv("ONLY") != NULL || continued > 100);
}
/*
 * Going on fails at every call, and without memory, too: what was done stays, and can be gone on
 * with.
 */
static void going_on_fails(void **state)
{
	static const char *const says[] = { "reading the target at offset",
					    "the unfinished image cannot be repaired",
					    "cutting off the data past the checkpoint" };
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
				snprintf(where, sizeof where, "%s, kind %u, failure %u",
					 rows[i].name, k, n);
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
 * The medium is pulled out at any call and stays away. What begins like an image then is one, since
 * the beginning is written last of all, and nobody says of it that it has none; what could not be
 * removed is named.
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
			/*
			 * Once all is done, the size of the new files may still be asked for, to be
			 * told.
			 */
			if (code == EXIT_OK && strstr(err.text, "could not be removed") == NULL &&
			    strstr(out.text, " of file") != NULL)
				wrong("%s, call %u: %s", rows[i].name, n, err.text);
			named |= strstr(err.text, "and the incomplete file could not be removed") !=
				 NULL;
			if (code == EXIT_OK || !begins_with_something(&rows[i]))
				continue;
			begun++;
			unknown = strstr(err.text, "may or may not have been written") != NULL;
			if (rows[i].words == restore
				    ? !unknown || memcmp(sim_file("other", &size), bytes, DISK) != 0
				    : RUN("compare", "t", "serial=D") != EXIT_OK)
				wrong("%s, call %u: %s%s", rows[i].name, n, out.text, err.text);
		}
	/*
	 * At the last flush, and at reading back; and in the last look at a new image, of which all
	 * rows but the restore are: two reads, an open, two reads, and two more parts of the split
	 * one.
	 */
	assert_true(getenv("ONLY") != NULL ||
		    (named && begun == 2 * N_OF(rows) + 5 * (N_OF(rows) - 1) + 2));
}
int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_stop, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_failure, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(going_on_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(volume_gone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, make_bytes, NULL);
}
