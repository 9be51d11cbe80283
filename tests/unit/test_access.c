/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The access set: what may be changed, what cannot go together, and the platform that ends the
 * program rather than change anything else. tests/differential/test_access.py has the matrix of
 * commands, files and names.
 */
#include "unit.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine.h"
#include "run.h"
#include "base/text.h"
#include "storage/storage.h"
#include "tables.h"
#include "volume.h"

enum { MIB = 1 << 20, REFUSED = 12 };

static const struct sim_volume_kind kind = { .free_bytes = 64 * MIB };
static struct storage storage;

static int set_up(void **state)
{
	(void)state;
	sim_volume(&kind);
	sim_machine(NULL, 0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	sim_machine(NULL, 0);
	capture_free(&out);
	capture_free(&err);
	return sim_allocations() != 0;
}

/* ---- the permit ---- */

static void create(const char *name)
{
	struct error why;
	struct blk *file;

	if (platform_create(name, true, &file, &why) == ST_OK)
		blk_close(file);
}

static void open_for_writing(const char *name)
{
	struct error why;
	struct blk *file;

	if (platform_open(name, OPEN_WRITE, &file, &why) == ST_OK)
		blk_close(file);
}

static void remove_file(const char *name)
{
	struct error why;

	(void)platform_remove(name, &why);
}

/* Whether the program ends instead of doing it. */
static bool ends(void (*change)(const char *name), const char *name)
{
	pid_t child = fork();
	int status;

	if (child == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(1);
		signal(SIGABRT, SIG_DFL);
		change(name);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status);
}

static void only_what_is_in_the_set(void **state)
{
	void (*const changes[])(const char *) = { create, open_for_writing, remove_file };
	struct error why;

	(void)state;
	for (size_t i = 0; i < N_OF(changes); i++) {
		sim_file_put("read", "x", 1);
		sim_file_put("written", "x", 1);
		sim_file_put("written.001", "x", 1);
		sim_file_put("part.002", "x", 1);
		sim_file_put("nothing", "x", 1);
		assert_ok(storage_begin(&storage, NULL, &why));
		assert_ok(storage_use(&storage, ROLE_IMAGE, ACCESS_READ, "read", &why));
		assert_ok(storage_use(&storage, ROLE_MANIFEST, ACCESS_CREATE, "written", &why));
		assert_ok(storage_use_split(&storage, ROLE_TARGET, "part", &why));
		assert_row(ends(changes[i], "nothing") && ends(changes[i], "read") &&
				   ends(changes[i], "written.001"),
			   i);
		assert_row(!ends(changes[i], "written") && !ends(changes[i], "part.002"), i);
		storage_end(&storage);
	}
}

static void open_target(const char *name)
{
	const struct inventory *inventory;
	struct selection found;
	struct error why;
	struct blk *disk;

	if (storage_inventory(&storage, &inventory, &why) != ST_OK ||
	    selector_find(inventory, name, &found, &why) != ST_OK)
		_exit(1);
	if (platform_open_target(found.disk->device, &disk, &why) == ST_OK)
		blk_close(disk);
}

/* ---- disks ---- */

static struct sim_device machine[3];

/*
 * An MBR with a partition of nearly all of the disk, and another one in it, as isohybrid sticks
 * have them.
 */
static void make_machine(void)
{
	struct memory_blk *m = memory_blk_new(
		&(struct memory_blk_kind){ .size = 4 * MIB, .block_bytes = 512 });

	sim_mbr_record(m, 0, 0, 0x83, 64, 4000);
	sim_mbr_record(m, 0, 1, 0xef, 100, 200);
	sim_file_put("disk", m->bytes, 4 * MIB);
	blk_close(&m->blk);
	machine[0] = (struct sim_device){ "blk0:",
					  { .parent = DEVICE_NO_PARENT,
					    .bus = "USB",
					    .path = (char *)"Usb(0x1)",
					    .serial = (char *)"STICK01",
					    .size_bytes = 4 * MIB,
					    .block_bytes = 512,
					    .medium = true } };
	machine[1] = (struct sim_device){ "blk1:",
					  { .parent = 0,
					    .path = (char *)"Usb(0x1)/HD(1)",
					    .start_bytes = 64 * 512,
					    .size_bytes = 4000 * 512,
					    .block_bytes = 512,
					    .medium = true } };
	machine[2] = (struct sim_device){ "fs0: blk2:",
					  { .parent = 0,
					    .path = (char *)"Usb(0x1)/HD(2)",
					    .start_bytes = 100 * 512,
					    .size_bytes = 200 * 512,
					    .block_bytes = 512,
					    .medium = true } };
}

static void plug_in(void)
{
	sim_machine(machine, N_OF(machine));
	for (size_t i = 0; i < N_OF(machine); i++)
		sim_machine_files(i, "disk", i == 2 ? "fs0:" : NULL);
}

static void adversary_9_overlapping_partition(void **state)
{
	(void)state;
	make_machine();
	sim_file_put("source", "x", 1);
	for (unsigned i = 0; i < 2; i++) {
		machine[2].device.started_from = i == 0;
		machine[2].device.current = i == 1;
		plug_in();
		assert_int_equal(RUN("convert", "-n", "-f", "raw", "source", "serial=STICK01:1",
				     "--erase=STICK01:1"),
				 REFUSED);
		assert_non_null(strstr(err.text, i == 0 ? "efi-img was started from it"
							: "the shell's current volume is on it"));
		assert_int_equal(RUN("convert", "-n", "-f", "raw", "source", "serial=STICK01",
				     "--erase=STICK01"),
				 REFUSED);
	}
}

static void files_and_ranges(void **state)
{
	static const struct {
		const char *source, *option, *target, *erase;
		bool refused;
	} rows[] = {
		{ "serial=STICK01:2", NULL, "serial=STICK01:1", "--erase=STICK01:1", true },
		{ "path=Usb(0x1)/HD(2)", NULL, "blk1:", "--erase=STICK01:1", true },
		{ "fs0:source", NULL, "serial=STICK01:1", "--erase=STICK01:1",
		  true }, /* the file is in the range */
		{ "source", "--map=fs0:m", "serial=STICK01:1", "--erase=STICK01:1", true },
		{ "source", "--manifest=fs0:m", "serial=STICK01:1", "--erase=STICK01:1", true },
		{ "serial=STICK01:1", NULL, "fs0:new", NULL,
		  true }, /* it would be written into what is read */
		{ "source", NULL, "serial=STICK01:1", "--erase=STICK01:1", false },
	};

	(void)state;
	make_machine();
	sim_file_put("source", "x", 1);
	sim_file_put("fs0:source", "x", 1);
	plug_in();
	for (size_t i = 0; i < N_OF(rows); i++) {
		const char *words[WORDS] = { "convert", "-n",  "--no-table",   "--dry-run",
					     "-f",      "raw", rows[i].source, rows[i].target };
		size_t n = 8;

		if (rows[i].erase == NULL) {
			words[1] = "-p";
			words[2] = "-q";
		} else {
			words[n++] = rows[i].erase;
		}
		if (rows[i].option != NULL)
			words[n++] = rows[i].option;
		if (run(words) != (rows[i].refused ? REFUSED : 0))
			fail_msg("row %zu: %s%s", i, out.text, err.text);
	}
}

static void only_the_disk_that_is_the_target(void **state)
{
	const struct inventory *inventory;
	struct selection found;
	struct error why;

	(void)state;
	make_machine();
	plug_in();
	assert_ok(storage_begin(&storage, NULL, &why));
	assert_true(ends(open_target, "serial=STICK01"));
	assert_ok(storage_inventory(&storage, &inventory, &why));
	assert_ok(selector_find(inventory, "serial=STICK01", &found, &why));
	assert_ok(storage_use_target(&storage, "serial=STICK01", &found, found.disk->device, &why));
	assert_false(ends(open_target, "serial=STICK01"));
	storage_end(&storage);
}

/* However many names of disks a command has, files on them, and records beside them. */
static void the_machine_is_looked_at_once(void **state)
{
	(void)state;
	make_machine();
	sim_file_put("source", "x", 1);
	sim_file_put("fs0:source", "x", 1);
	plug_in();
	assert_int_equal(RUN("convert", "-O", "qcow2", "--manifest=m", "serial=STICK01:1", "new"),
			 0);
	assert_int_equal(sim_machine_looks(), 1);
	plug_in();
	assert_int_equal(RUN("compare", "serial=STICK01", "path=Usb(0x1)"), 0);
	assert_int_equal(sim_machine_looks(), 1);
	plug_in();
	assert_int_equal(RUN("convert", "-n", "--no-table", "-f", "raw", "--map=m2", "source",
			     "serial=STICK01:1", "--erase=STICK01:1"),
			 0);
	assert_int_equal(sim_machine_looks(), 1);
	plug_in();
	assert_int_equal(RUN("info", "source"), 0);
	assert_int_equal(sim_machine_looks(), 0);
}

/* ---- what the output is redirected to, known by the name of the file and its volume alone ---- */

static enum status add(struct access *access, enum access_role role, enum access_use use,
		       const char *name, bool any_directory)
{
	struct access_entry entry = { .role = role,
				      .use = use,
				      .name = text_copy(name),
				      .file = { .entry = text_copy(name),
						.any_directory = any_directory } };
	struct error why;

	return access_add(access, NULL, &entry, &why);
}

static void output_of_unknown_directory(void **state)
{
	static const struct {
		const char *name;
		enum access_use use;
		enum status st;
	} rows[] = {
		{ "1f:\\log.txt", ACCESS_CREATE, ST_REFUSED },
		{ "1f:\\dir\\log.txt", ACCESS_REMOVE, ST_REFUSED },
		{ "1f:\\dir\\log.txt", ACCESS_READ, ST_OK },
		{ "1f:\\other.txt", ACCESS_CREATE, ST_OK },
		{ "1f:\\dir\\mylog.txt", ACCESS_CREATE, ST_OK },
		{ "2f:\\log.txt", ACCESS_CREATE, ST_OK },
	};
	struct access access;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		access_begin(&access);
		assert_ok(add(&access, ROLE_OUTPUT, ACCESS_WRITE, "1f:\\log.txt", true));
		assert_row(add(&access, ROLE_TARGET, rows[i].use, rows[i].name, false) ==
				   rows[i].st,
			   i);
		access_end(&access);
	}
}

static void no_memory(void **state)
{
	(void)state;
	make_machine();
	sim_file_put("source", "x", 1);
	plug_in();
	for (unsigned n = 1;; n++) {
		struct storage inner;
		struct error why;
		enum status st;
		bool failed;

		assert_ok(storage_begin(&storage, NULL, &why));
		assert_ok(storage_use(&storage, ROLE_LOG, ACCESS_CREATE, "log", &why));
		sim_fail_allocation(n);
		st = storage_begin(&inner, &storage, &why);
		if (st == ST_OK)
			st = storage_use_split(&inner, ROLE_TARGET, "new", &why);
		if (st == ST_OK)
			st = storage_use(&inner, ROLE_IMAGE, ACCESS_READ, "serial=STICK01:2", &why);
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
		assert_true(st == ST_OK || (failed && st == ST_NO_MEMORY));
		if (st == ST_OK && !failed) { /* the log of whoever runs it is known in there */
			assert_int_equal(storage_use(&inner, ROLE_TARGET, ACCESS_CREATE, "log",
						     &why),
					 ST_REFUSED);
			assert_non_null(strstr(why.text, "log (log)"));
		}
		storage_end(&inner);
		storage_end(&storage);
		if (!failed)
			break;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_what_is_in_the_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(adversary_9_overlapping_partition, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(files_and_ranges, set_up, tear_down),
		cmocka_unit_test_setup_teardown(only_the_disk_that_is_the_target, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_machine_is_looked_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(output_of_unknown_directory, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_memory, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
