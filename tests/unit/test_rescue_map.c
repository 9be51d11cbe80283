/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maps as ddrescue has them, and copies that keep one: whatever fails, and whenever the power goes,
 * the map never says of the target what it has not, and what was finished in it is not touched.
 */
#include "unit.h"

#include "base/memory.h"
#include "cli/command.h"
#include "cli/dispatch.h"
#include "machine.h"
#include "platform/devices.h"
#include "platform/files.h"
#include "powercut.h"
#include "record/outcome.h"
#include "record/rescue_map.h"
#include "volume.h"

/* As a command of its own does, which has no other files. */
static enum status open_map(struct rescue_map *map, const char *name, uint64_t size,
			    struct error *err)
{
	struct storage storage;
	enum status st = storage_begin(&storage, NULL, err);

	if (st == ST_OK)
		st = rescue_map_open(map, &storage, name, size, err);
	else
		*map = (struct rescue_map){ 0 };
	storage_end(&storage);
	return st;
}

enum { MIB = 1 << 20, DISK = MIB + MIB / 4, BAD = MIB + 65536 + 512 };

static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB };
static struct capture out, err_text;
static uint8_t source[DISK];

static const struct sim_device machine[] = {
	{ "blk0:",
	  { .path = (char *)"Pci(0x1)",
	    .parent = DEVICE_NO_PARENT,
	    .bus = "NVMe",
	    .serial = (char *)"D",
	    .size_bytes = DISK,
	    .block_bytes = 512,
	    .medium = true,
	    .flushes = true } },
};

static int run(const char *const *words)
{
	struct console console = { .out = &out.out, .err = &err_text.out, .progress_in_out = true };
	int argc = 0;

	while (words[argc] != NULL)
		argc++;
	capture_clear(&out);
	capture_clear(&err_text);
	return cli_run(&console, argc, (char **)(uintptr_t)words);
}

#define RUN(...) run((const char *const[]){ __VA_ARGS__, NULL })

static int set_up(void **state)
{
	(void)state;
	capture_init(&out);
	capture_init(&err_text);
	sim_volume(&kind);
	for (size_t i = 0; i < DISK; i++)
		source[i] = i / 70000 % 5 == 1 ? 0 : (uint8_t)(i * 13 + i / 512 + 1);
	sim_file_put("s", source, DISK);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sim_machine(NULL, 0);
	capture_free(&out);
	capture_free(&err_text);
	sim_volume(&kind);
	return sim_allocations() != 0;
}

static void put_map(const char *text)
{
	sim_file_put("m", text, strlen(text));
}

/*
 * The map as the next run would find it, in the words of its file, without the comments and the
 * numbers' zeros.
 */
static const char *map_text(uint64_t size)
{
	static char text[4096];
	struct rescue_map map;
	struct error err;

	capture_clear(&out);
	if (open_map(&map, "m", size, &err) != ST_OK)
		fail_msg("%s", err.text);
	for (size_t i = 0; i < map.all.n && i < 100; i++)
		out_printf(&out.out, "%ju-%ju%c ", map.all.range[i].offset / 512,
			   map.all.range[i].end / 512, (char)map.all.range[i].status);
	rescue_map_close(&map);
	snprintf(text, sizeof text, "%s", out.text);
	return text;
}

/* ---- the format ---- */

static const struct {
	const char *text;
	uint64_t size;
	const char *map;
} map_files[] = {
	{ "0 ? 1\n0 1024 +\n", 1024, "0-2+ " },
	{ "# a comment\n\n0x00000000     ?               1\n#      pos        size  "
	  "status\n0x0 0x200 +\n0x200 0x200 -\n",
	  1024, "0-1+ 1-2- " },
	{ "0x400 * 2\r\n  0 512 ?\r\n512 512 *\r\n1024 512 /\r\n1536 512 +", 2048,
	  "0-1? 1-2* 2-3/ 3-4+ " },
	{ "0 -\n0 01000 -\n", 512, "0-1- " },
	{ "0 G 1\n0 0x7ffffffffffffe00 ?\n", 0x7ffffffffffffe00, "0-18014398509481983? " },
	{ "0 ? 1\n0 512 +\n512 512 +\n", 1024, "0-1+ 1-2+ " },
	{ "0 +\n", 0, "" },
	{ "0 + 1\n0 512 +\n# the end", 512, "0-1+ " },
	{ "0 + 1\n0 1024 +\n", 512, NULL },
	{ "0 + 1\n0 512 +\n", 1024, NULL },
	{ "0 + 1\n", 512, NULL },
	{ "", 512, NULL },
	{ "# nothing\n", 512, NULL },
	{ "0 + 1\n512 512 +\n", 1024, NULL },
	{ "0 + 1\n0 512 +\n0 512 +\n", 1024, NULL },
	{ "0 + 1\n0 512 +\n1024 512 +\n", 1536, NULL },
	{ "0 + 1\n0 0 +\n0 512 +\n", 512, NULL },
	{ "0 + 1\n0 100 +\n100 412 -\n", 512, NULL },
	{ "0 + 1\n0 512 x\n", 512, NULL },
	{ "0 + 1\n0 512 ++\n", 512, NULL },
	{ "0 + 1\n0 512\n", 512, NULL },
	{ "0 + 1\n0 512 + 3\n", 512, NULL },
	{ "0 + 1 1\n0 512 +\n", 512, NULL },
	{ "0 x 1\n0 512 +\n", 512, NULL },
	{ "0 + z\n0 512 +\n", 512, NULL },
	{ "+ 1\n0 512 +\n", 512, NULL },
	{ "0 + 1\n0 0x +\n", 512, NULL },
	{ "0 + 1\n0 08 +\n", 512, NULL },
	{ "0 + 1\n0 -512 +\n", 512, NULL },
	{ "0 + 1\n0 512k +\n", 512 << 10, NULL },
	{ "0 + 1\n0 0x1ffffffffffffffff +\n", 512, NULL },
	{ "0 + 1\n0 0xfffffffffffffe00 +\n", 512, NULL },
	{ "0 + 1\n0 0x7ffffffffffffe00 +\n0x7ffffffffffffe00 512 +\n", 512, NULL },
};

static void formats(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(map_files); i++) {
		struct rescue_map map = { .size = map_files[i].size };
		struct error err = { { 0 } };
		enum status st = rescue_map_parse(&map, "m", map_files[i].text,
						  strlen(map_files[i].text), &err);

		rescue_map_close(&map);
		assert_row((st == ST_OK) == (map_files[i].map != NULL) &&
				   (st == ST_OK) == (err.text[0] == '\0'),
			   i);
		if (map_files[i].map == NULL || map_files[i].size == 0)
			continue;
		put_map(map_files[i].text);
		assert_string_equal(map_text(map_files[i].size), map_files[i].map);
	}
}

/* What is noted, in the words of the file, and read again. */
static void noted(void **state)
{
	struct rescue_map map;
	struct error err;
	uint64_t at = 0, end;

	(void)state;
	put_map("0 ? 1\n0 2048 +\n2048 2048 ?\n4096 1024 -\n5120 1024 +\n6144 2048 *\n");
	assert_ok(open_map(&map, "m", 8192, &err));
	assert_true(rescue_map_has_finished(&map, 1) && rescue_map_has_finished(&map, 8192) &&
		    rescue_map_todo(&map, &at, &end));
	assert_true(at == 2048 && end == 5120);
	at = 5120;
	assert_true(rescue_map_todo(&map, &at, &end) && at == 6144 && end == 8192);
	at = 8192;
	assert_false(rescue_map_todo(&map, &at, &end));
	rescue_map_bad(&map, 6656, 512);
	rescue_map_bad(&map, 2560, 512);
	rescue_map_bad(&map, 3072, 512);
	rescue_map_bad(&map, 2560, 512);
	map.done = 4608;
	capture_clear(&out);
	rescue_map_print(&map, &out.out);
	assert_string_equal(out.text,
			    "# Mapfile. Created by efi-img\n# current_pos  current_status  "
			    "current_pass\n0x00001200     *               1\n"
			    "#      pos        size  status\n0x00000000  0x00000A00  +\n0x00000A00 "
			    " 0x00000400  -\n0x00000E00  0x00000400  +\n"
			    "0x00001200  0x00000200  -\n0x00001400  0x00000400  +\n0x00001800  "
			    "0x00000200  *\n0x00001A00  0x00000200  -\n"
			    "0x00001C00  0x00000400  *\n");
	map.absent = 2048;
	assert_ok(rescue_map_save(&map, &err));
	rescue_map_close(&map);
	assert_string_equal(map_text(8192),
			    "0-4? 4-5+ 5-7- 7-9+ 9-10- 10-12+ 12-13* 13-14- 14-16* ");
	assert_int_equal(sim_files(), 2);
}

/* More than there is room for: what is noted then reaches further, never less far. */
static void many(void **state)
{
	enum { N = RESCUE_RANGES_MAX + 1000 };
	struct rescue_map map;
	struct error err;

	(void)state;
	assert_ok(open_map(&map, "m", (uint64_t)N * 1024, &err));
	for (uint64_t i = 0; i < N; i++)
		rescue_map_bad(&map, i * 1024, 512);
	assert_int_equal(map.bad.n, RESCUE_RANGES_MAX);
	assert_int_equal(map.bad.range[map.bad.n - 1].end, (uint64_t)(N - 1) * 1024 + 512);
	/* between them there is no room either: it will be read again */
	rescue_map_bad(&map, 600, 100);
	assert_int_equal(map.bad.n, RESCUE_RANGES_MAX);
	assert_true(map.bad.range[0].end == 512 && map.bad.range[1].offset == 1024);
	rescue_map_close(&map);
}

static void too_many(void **state)
{
	struct rescue_map map = { .size = 512 };
	struct capture text;
	struct error err;

	(void)state;
	capture_init(&text);
	out_text(&text.out, "0 + 1\n");
	for (uint64_t i = 0; i <= RESCUE_RANGES_MAX; i++)
		out_printf(&text.out, "%ju 512 +\n", i * 512);
	assert_int_equal(rescue_map_parse(&map, "m", text.text, text.n, &err), ST_TOO_LARGE);
	assert_string_equal(err.text, "m: it has more than 262144 ranges");
	rescue_map_close(&map);
	capture_free(&text);
}

/* ---- files ---- */

static void other_files(void **state)
{
	struct rescue_map map;
	struct error err;

	(void)state;
	sim_file_put("m.new", "something else", 14);
	assert_int_equal(open_map(&map, "m", 512, &err), ST_EXISTS);
	rescue_map_close(&map);
	sim_file_put("m.new", "\0\0\0", 3);
	assert_ok(open_map(&map, "m", 512, &err)); /* cut off before the first map was whole */
	map.done = 512;
	assert_ok(rescue_map_save(&map, &err));
	rescue_map_close(&map);
	assert_string_equal(map_text(512), "0-1+ ");
	sim_file_put("m", "\0\0\0", 3);
	assert_int_equal(open_map(&map, "m", 512, &err), ST_INVALID);
	rescue_map_close(&map);
	sim_file_put("m.new", "# Mapfile. Created by efi-img\n0 + 1\n0 512 -\n", 44);
	assert_string_equal(map_text(512), "0-1- ");
	/* Each failure of reading them is one, and not taken for a map that is missing. */
	for (unsigned k = 0; k < 2; k++)
		for (unsigned n = 1;; n++) {
			enum status st;
			bool happened;

			sim_fail_allocation(k == 0 ? n : 0);
			sim_volume_fail(k == 1 ? n : 0, ST_IO);
			st = open_map(&map, "m", 512, &err);
			happened = k == 0 ? sim_allocation_failed() : sim_volume_failed();
			sim_fail_allocation(0);
			sim_volume_fail(0, ST_OK);
			rescue_map_close(&map);
			assert_row(st == (!happened ? ST_OK : k == 0 ? ST_NO_MEMORY : ST_IO), n);
			if (!happened)
				break;
		}
	sim_file_put("m.new", "# Mapfile. Created by efi-img\n0 + 1\n0 1024 -\n", 45);
	assert_int_equal(open_map(&map, "m", 512, &err), ST_UNSUPPORTED);
	assert_string_equal(err.text, "m.new: the map is of a disk of 1024 bytes, and this one "
				      "has 512: it is the map of another disk, or of a "
				      "part of this one");
	rescue_map_close(&map);
}

static void refused(void **state)
{
	(void)state;
	put_map("0 ? 1\n0 1048576 +\n1048576 262144 ?\n");
	assert_int_equal(RUN("convert", "--map=m", "s", "t"), EXIT_ERROR);
	assert_non_null(strstr(err_text.text, "with -n"));
	sim_file_put("t", source, DISK);
	assert_int_equal(RUN("convert", "-n", "--target-is-zero", "--map=m", "s", "t"), EXIT_ERROR);
	assert_int_equal(RUN("convert", "-n", "--map=m", "--manifest=x", "s", "t"), EXIT_ERROR);
	assert_int_equal(RUN("convert", "-n", "--map=s", "s", "t"), EXIT_ERROR);
	assert_int_equal(RUN("convert", "-n", "--map=m", "s", "s", "t"), EXIT_ERROR);
	assert_int_equal(RUN("convert", "--map=new", "s", "new"), EXIT_ERROR);
	assert_int_equal(RUN("convert", "--map=serial=D", "s", "new"), EXIT_ERROR);
	sim_file_put("m", "QFI\xfb", 4);
	assert_int_equal(RUN("convert", "-n", "--map=m", "s", "t"), EXIT_ERROR);
	assert_int_equal(sim_files(), 3);
}

/* ---- copies ---- */

/*
 * Without --salvage it ends at the first block; with it, it goes on; both note exactly what is bad.
 */
static void bad_blocks(void **state)
{
	uint64_t n;

	(void)state;
	sim_file_put("t", source, DISK);
	memset((uint8_t *)(uintptr_t)sim_file("t", &n), 0xee, DISK);
	sim_volume_bad("s", 1114112 + 700, 1);
	sim_volume_bad("s", 1114112 + 5000, 1000);
	assert_int_equal(RUN("convert", "-n", "--map=m", "-f", "raw", "s", "t"), EXIT_ERROR);
	assert_string_equal(err_text.text, "efi-img: s: 512 bytes at offset 1114624 of the disk "
					   "cannot be read: the device reports an error\n");
	assert_non_null(strstr(map_text(DISK), "2177-2178- 2178-2560? "));
	assert_int_equal(RUN("convert", "-n", "--salvage", "--map=m", "-f", "raw", "s", "t"),
			 OUTCOME_LOST);
	assert_string_equal(map_text(DISK), "0-2177+ 2177-2178- 2178-2185+ 2185-2188- 2188-2560+ ");
	assert_int_equal(memcmp(sim_file("t", &n), source, BAD), 0);
}

/* A new target that is removed again has nothing, but what is bad is known. */
static void removed_target(void **state)
{
	(void)state;
	sim_volume_bad("s", 1114112, 1);
	assert_int_equal(RUN("convert", "--map=m", "-f", "raw", "s", "t"), EXIT_ERROR);
	assert_string_equal(map_text(DISK), "0-2176? 2176-2177- 2177-2560? ");
	assert_int_equal(RUN("convert", "--salvage", "--map=m", "-O", "qcow2", "-f", "raw", "s",
			     "t"),
			 OUTCOME_LOST);
	assert_string_equal(map_text(DISK), "0-2176+ 2176-2177- 2177-2560+ ");
}

/* A block that can be read when it is tried again is not lost, and costs nothing. */
static void transient(void **state)
{
	uint64_t size;

	(void)state;
	for (unsigned n = 1; n < 12; n++) {
		int code;

		sim_volume_fail(n, ST_IO);
		code = RUN("convert", "--force", "-f", "raw", "s", "t");
		if (sim_volume_failed() && code == EXIT_OK)
			assert_memory_equal(sim_file("t", &size), source, DISK);
		sim_volume_fail(0, ST_OK);
	}
}

/*
 * What the map says of the target must be so. Of the file beside the map a power cut may leave what
 * cannot be told from somebody else's: then the map is not lost when that is removed.
 */
static void check_truth(const char *where, const char *name)
{
	uint64_t n, m;
	const uint8_t *target = sim_file(name, &n);
	struct rescue_map map;
	struct error err = { { 0 } };
	enum status st;

	st = open_map(&map, "m", DISK, &err);
	if (st == ST_EXISTS) {
		rescue_map_close(&map);
		assert_ok(platform_remove("m.new", &err));
		st = open_map(&map, "m", DISK, &err);
	}
	if (st != ST_OK)
		fail_msg("%s: %s", where, err.text);
	for (size_t i = 0; i < map.all.n; i++) {
		const struct rescue_range *range = &map.all.range[i];

		if (range->status == RESCUE_FINISHED &&
		    (target == NULL || range->end > n ||
		     memcmp(target + range->offset, sim_file("s", &m) + range->offset,
			    range->end - range->offset) != 0))
			fail_msg("%s: %ju to %ju are said to be there, and are not", where,
				 range->offset, range->end);
		if (range->status == RESCUE_BAD && (range->offset > BAD || range->end < BAD + 512))
			fail_msg("%s: %ju to %ju are said to be bad", where, range->offset,
				 range->end);
	}
	rescue_map_close(&map);
}

static const char *const to_file[] = { "convert", "-n", "--salvage", "--map=m", "-f",
				       "raw",     "s",  "t",         NULL };
static const char *const to_disk[] = { "convert",  "--no-table", "-n",  "--salvage",
				       "--map=m",  "-f",         "raw", "s",
				       "serial=D", "--erase=D",  NULL };
static const char *const to_disk_strict[] = { "convert",   "--no-table", "-n", "--map=m",
					      "-f",        "raw",        "s",  "serial=D",
					      "--erase=D", NULL };

static const struct row {
	const char *name;
	const char *const *words;
	const char *map; /* before; NULL: none */
	int code;
} rows[] = {
	{ "a file, begun", to_file,
	  "0 ? 1\n0 524288 +\n524288 589824 ?\n1114112 4096 -\n1118208 192512 +\n", OUTCOME_LOST },
	{ "a disk, new", to_disk, NULL, OUTCOME_LOST },
	{ "a disk, new, strictly", to_disk_strict, NULL, OUTCOME_DEVICE_ERROR },
	{ "a disk, its beginning missing", to_disk,
	  "0 ? 1\n0 1048576 ?\n1048576 65536 +\n1114112 196608 ?\n", OUTCOME_LOST },
	{ "a disk, begun", to_disk, "0 ? 1\n0 1048576 +\n1048576 262144 ?\n", OUTCOME_LOST },
};

static struct sim_files set_up_row(const struct row *row)
{
	static uint8_t target[DISK];

	sim_volume(&kind);
	sim_machine(machine, 1);
	sim_machine_files(0, "t", NULL);
	sim_file_put("s", source, DISK);
	memset(target, 0xee, sizeof target);
	if (row->map != NULL) {
		struct rescue_map map = { .size = DISK };
		struct error err;

		assert_ok(rescue_map_parse(&map, "m", row->map, strlen(row->map), &err));
		for (size_t i = 0; i < map.all.n; i++)
			if (map.all.range[i].status == RESCUE_FINISHED)
				memcpy(target + map.all.range[i].offset,
				       source + map.all.range[i].offset,
				       map.all.range[i].end - map.all.range[i].offset);
		rescue_map_close(&map);
		put_map(row->map);
	}
	sim_file_put("t", target, DISK);
	sim_volume_bad("s", BAD, 512);
	return sim_files_keep();
}

static bool every_state(const struct powercut *cut, void *arg)
{
	(void)cut;
	(void)arg;
	return true;
}

static void check_cut(const struct powercut *cut, void *arg)
{
	(void)arg;
	check_truth(cut->name, "t");
}

static void every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		static const struct powercut_plan plan = { .n_seeds = 2, .sample = 1 };
		struct sim_files files = set_up_row(&rows[i]);
		int code = run(rows[i].words);

		if (code != rows[i].code)
			fail_msg("%s: %d: %s", rows[i].name, code, err_text.text);
		check_truth(rows[i].name, "t");
		if (code == OUTCOME_LOST)
			assert_string_equal(map_text(DISK), "0-2177+ 2177-2178- 2178-2560+ ");
		print_message("%s: %zu changes\n", rows[i].name,
			      powercut_each(&kind, &files, &plan, every_state, check_cut, NULL));
		sim_files_drop(&files);
	}
}

static void every_failure(void **state)
{
	static const enum status failures[] = { ST_IO, ST_NO_SPACE, ST_MEDIUM_CHANGED };
	unsigned tried = 0;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++)
		/* no memory, being stopped, failures of the volume in turns */
		for (size_t k = 0; k < 3; k++)
			for (unsigned n = 1;; n++) {
				struct sim_files files = set_up_row(&rows[i]);
				char where[100];
				bool happened;
				int code;

				sim_files_drop(&files);
				sim_fail_allocation(k == 0 ? n : 0);
				sim_cancel(k == 1 ? n : 0);
				sim_volume_fail(k == 2 ? n : 0, failures[(n + i) % N_OF(failures)]);
				code = run(rows[i].words);
				happened = k == 0   ? sim_allocation_failed()
					   : k == 1 ? code == OUTCOME_STOPPED || code == EXIT_ERROR
						    : sim_volume_failed();
				sim_fail_allocation(0);
				sim_cancel(0);
				sim_volume_fail(0, ST_OK);
				snprintf(where, sizeof where, "%s, kind %zu, failure %u",
					 rows[i].name, k, n);
				check_truth(where, "t");
				if (k == 1 && strstr(err_text.text, "writing it") != NULL)
					fail_msg("%s: no map: %s", where, err_text.text);
				if (code == EXIT_OK)
					fail_msg("%s: it should not have gone well: %s", where,
						 err_text.text);
				/* Afterwards it can be gone on with. */
				if (happened && n % 4 == 1 && rows[i].words != to_disk_strict &&
				    run(rows[i].words) != OUTCOME_LOST)
					fail_msg("%s: then: %s", where, err_text.text);
				if (happened && n % 4 == 1 && rows[i].words != to_disk_strict)
					assert_string_equal(map_text(DISK),
							    "0-2177+ 2177-2178- 2178-2560+ ");
				check_truth(where, "t");
				tried++;
				if (!happened)
					break;
			}
	print_message("%u failures\n", tried);
	assert_true(tried > 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(formats, set_up, tear_down),
		cmocka_unit_test_setup_teardown(noted, set_up, tear_down),
		cmocka_unit_test_setup_teardown(many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(too_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(bad_blocks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(removed_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(transient, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_cut, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_failure, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
