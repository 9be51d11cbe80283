/* SPDX-License-Identifier: BSD-2-Clause */
#include "menu.h"
#include "menu/run.h"
#include "base/bytes.h"

/*
 * What is rare in the menu: keyboards, texts and names of other kinds, and what goes away
 * meanwhile.
 */

enum { LONG = 1010 };

#define BACKSPACES "\b\b\b\b\b\b\b\b\b\b"
#define TEN        "0123456789"

/* ---- screens and keys ---- */

/* More rows than a screen is kept of: what is below them stays free. */
static void test_many_rows(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("start-62-rows", 62, L "qy", NULL), MENU_LEAVE);
	tear_down();
}

/* Disks that are missing from the list, and why: one controller by its name, several by number. */
static void test_controllers_without_a_driver(void **state)
{
	static const struct idle_controller idle[] = {
		{ .vendor = 0x8086, .device = 0xa77f, .subclass = 4 },
		{ .vendor = 0x1000, .device = 0x0012, .subclass = 0 },
	};

	(void)state;
	set_up();
	sim_machine_idle(idle, 1);
	assert_int_equal(drive("no-driver", 24, "1" L ESC "qy", NULL), MENU_LEAVE);
	sim_machine_idle(idle, N_OF(idle));
	assert_int_equal(drive("no-drivers", 24, "1" L ESC "qy", NULL), MENU_LEAVE);
	sim_machine(NULL, 0);
	sim_machine_idle(idle, 1);
	assert_int_equal(drive("no-driver-no-disk", 24, "1" L ESC "qy", NULL), MENU_LEAVE);
	tear_down();
}

/* Terminals without drawing characters get ASCII, with which marks and bars stay what they are. */
static void test_ascii(void **state)
{
	static const enum drawing all[] = {
		DRAW_HORIZONTAL, DRAW_VERTICAL, DRAW_DOWN_RIGHT, DRAW_DOWN_LEFT, DRAW_UP_RIGHT,
		DRAW_UP_LEFT,    DRAW_GRID,     DRAW_FULL,       DRAW_LIGHT,     DRAW_POINTER,
	};

	(void)state;
	for (size_t i = 0; i < N_OF(all); i++)
		assert_in_range(drawing_in_ascii(all[i]), '!', '~');
	assert_int_not_equal(drawing_in_ascii(DRAW_FULL), drawing_in_ascii(DRAW_LIGHT));
	assert_int_not_equal(drawing_in_ascii(DRAW_FULL), drawing_in_ascii(DRAW_GRID));
	assert_int_equal(drawing_in_ascii('x'), 'x');
	assert_int_equal(drawing_in_ascii(0xe9), 0xe9);
}

/* Other terminals send a line feed for Enter, and DEL for Backspace. */
static void test_other_terminals(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("other-terminals", 24,
			       "4\n"
			       "12" L "\177" L "\177\177" L "1M\n" L "qy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
}

/* On the way up the page goes with the mark. */
static void test_mark_moves_the_page(void **state)
{
	(void)state;
	set_up();
	plug_in_many();
	assert_int_equal(drive("up", 24, "1n" L "\1\1\1\1\1\1\1\1\1" L "\1" L "\1\1" L "bqy", NULL),
			 MENU_LEAVE);
	tear_down();
}

/* What was chosen stays when the screen is made anew. */
static void test_options_once_more(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("options", 24, "41" L "r" L "bqy", NULL), MENU_LEAVE);
	tear_down();
}

/* ---- long texts ---- */

/* An image whose check has more to say than is kept: no cluster is counted. */
static void put_miscounted(const char *name)
{
	uint64_t n, table, block;
	uint8_t *bytes;

	MUST("convert", "-O", "qcow2", "-o", "cluster_size=512", "fs0:\\pc.raw", name, NULL);
	bytes = (uint8_t *)(uintptr_t)sim_file(name, &n);
	table = bytes_from_be(bytes + 48, 8);
	assert_true(table > 0 && table < n);
	for (size_t i = 0; i < 512 / 8 && (block = bytes_from_be(bytes + table + i * 8, 8)) > 0;
	     i++)
		memset(bytes + block, 0, 512);
}

/*
 * The line that was run stays, the middle goes, in whole lines; and how a text of several screens
 * is gone through.
 */
static void test_long_text(void **state)
{
	(void)state;
	set_up();
	put_miscounted("fs0:\\bad.qcow2");
	assert_int_equal(drive("long-text", 24,
			       "5121" L "n" L "\2" L "\1\1" L "\3" L "\3" L "\1\5" L
			       " \4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4\4" L "n" L "n" L CR
			       "bqy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
}

/*
 * Below a long text something is typed: then letters are letters, and the end of a long line shows.
 */
static void test_long_name(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("long-name", 24,
			       "4" CR "1M" CR "11" TEN TEN TEN TEN TEN "n" L TEN L "\b" L "?" L
			       "x" BACKSPACES L BACKSPACES "q" L ESC ESC ESC ESC ESC "qy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
}

/*
 * Firmware may have such long paths of devices that a plan with one is longer than the screen: the
 * warning is on the screen when the word for it is asked for, and the rest can be scrolled to.
 */
static void test_long_device(void **state)
{
#define NODE "VenHw(e61d73b9-a384-4acc-aeab-82e828f3628b,6d00000001000000)/"
	static char path[] = NODE NODE NODE NODE NODE;
	static struct sim_device devices[2];

	(void)state;
	set_up();
	devices[0] = machine[0];
	devices[1] = machine[2];
	devices[1].device.path = path;
	devices[1].device.model = devices[1].device.serial = NULL;
	sim_machine(devices, N_OF(devices));
	sim_machine_files(0, "stick", "fs0:");
	sim_machine_files(1, "sata", NULL);
	assert_int_equal(drive("long-device", 24, "21223" L "\3" L ESC ESC ESC ESC "qy", NULL),
			 MENU_LEAVE);
	tear_down();
}

/* What no shell could be given is refused, and not run in part. */
static void test_long_line(void **state)
{
	static const char words[] = "the command line is longer than 4096 characters";
	static char name[LONG + 1];
	static struct ui ui;
	static struct transcript transcript;
	static struct running running;
	static struct line line;
	struct watch watch = { .looks = 0 };
	char why[128], log[64] = "x";

	(void)state;
	set_up();
	memset(name, 'x', LONG);
	line_begin(&line, "create");
	for (size_t i = 0; i < 4; i++)
		line_word(&line, name);
	assert_false(line.out.out.failed);
	line_word(&line, name);
	screen_init(&ui.screen, sim_terminal(24, "", look, &watch));
	running_begin(&running, &ui, "TITLE", "", "");
	assert_int_equal(line_run(&ui, &transcript, &running, &line, log, sizeof log), EXIT_ERROR);
	assert_non_null(strstr(transcript.text, words));
	assert_string_equal(log, "");
	line_begin(&line, "create");
	line_part(&line, name, name);
	assert_false(line_possible(&line, NULL, 0, "", why, sizeof why));
	assert_string_equal(why, words);
	tear_down();
}

/* ---- names ---- */

static void test_names(void **state)
{
	(void)state;
	set_up();
	sim_file_put("fs0:\\disk.qcow2", "x", 1);
	assert_int_equal(drive("names", 24,
			       "4" CR "1M" CR "11" L "a\\" CR L "a/b" CR L CR L ESC
			       "new" CR L ESC ESC ESC ESC ESC "qy",
			       NULL),
			 MENU_LEAVE);
	assert_int_equal(sim_files(), 7);
	tear_down();
}

/*
 * Directories may lie so deep that a name in them is longer than anything that is worth being
 * typed.
 */
static void test_long_paths(void **state)
{
	static char name[LONG + 64];

	(void)state;
	set_up();
	memset(name, 'd', LONG);
	memcpy(name, "fs0:\\", 5);
	strcpy(name + LONG, "\\image-with-a-name.raw");
	sim_file_put(name, "x", 1);
	assert_int_equal(drive("long-paths", 24,
			       "511" L "1" L "x" L "b"
			       "bbbqy",
			       NULL),
			 MENU_LEAVE);
	assert_int_equal(drive("long-new-path", 24,
			       "4" CR "1M" CR "12"
			       "1" L TEN TEN CR L ESC ESC ESC ESC ESC ESC ESC "qy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
}

/* ---- machines ---- */

/* A card that is write-protected with a volume on it, and a disk that nothing tells from others. */
static void test_protected(void **state)
{
	struct sim_device devices[] = { machine[0], machine[1], machine[2], machine[3] };

	(void)state;
	set_up();
	devices[0].device.read_only = devices[0].device.volume.read_only = true;
	devices[1].device.read_only = true;
	devices[2].device.path = devices[2].device.serial = NULL;
	devices[2].names = "";
	sim_machine(devices, N_OF(devices));
	sim_machine_files(0, "stick", "fs0:");
	sim_machine_files(1, "nvme", NULL);
	sim_machine_files(2, "sata", NULL);
	assert_int_equal(drive("protected", 24,
			       "1" L "3" L "b"
			       "2" L "12" L "bbqy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
}

/* What a drive says of itself, and a disk with the same table beside it, are known in the list. */
static void test_notes(void **state)
{
	struct sim_device devices[] = { machine[0], machine[1], machine[2], machine[3] };
	uint64_t n, n_other;
	const uint8_t *disk;
	uint8_t *other;

	(void)state;
	set_up();
	devices[1].device.drive.nvme_warning = 4;
	sim_machine(devices, N_OF(devices));
	sim_machine_files(0, "stick", "fs0:");
	sim_machine_files(1, "nvme", NULL);
	sim_machine_files(2, "sata", NULL);
	disk = sim_file("nvme", &n);
	other = (uint8_t *)(uintptr_t)sim_file("sata", &n_other);
	memcpy(other, disk, n < n_other ? n : n_other);
	assert_int_equal(drive("notes", 40, "1" L "bqy", NULL), MENU_LEAVE);
	tear_down();
}

/* What a disk has is said in a line, so that it is known again. */
static void test_contents(void **state)
{
	uint64_t n;
	uint8_t *disk;

	(void)state;
	set_up();
	disk = (uint8_t *)(uintptr_t)sim_file("nvme", &n);
	memcpy(disk + 40 * 512 + 3, "NTFS    ", 8);
	memset(disk + 501 * 512 + 1024, 0, 256);
	disk[501 * 512 + 1064] = 1;
	memcpy(disk + 501 * 512 + 1080, "\x53\xef", 2);
	memcpy(disk + 501 * 512 + 1144, "my disk", 8);
	assert_int_equal(drive("contents", 24, "1" L "p" L "bqy", NULL), MENU_LEAVE);
	tear_down();
}

static void pull_stick(unsigned at)
{
	if (at == 1)
		sim_volume_leave(1, ST_NO_MEDIUM);
}

static void test_stick_gone(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("stick-gone", 24, "5" L "1" L "x" L "bqy", pull_stick), MENU_LEAVE);
	tear_down();
}

/* ---- logs ---- */

static void remove_log(unsigned at)
{
	struct error ignored;

	if (at == 1)
		assert_ok(platform_remove("logs\\0001.log", &ignored));
}

/* The last one comes first. */
static void test_logs(void **state)
{
	static const char events[] = "{\n{\"event\": \"start\", \"line\": \"check a.qcow2\"}\n";

	(void)state;
	set_up();
	sim_file_put("logs\\0000.log", "It ended well.\n", 15);
	sim_file_put("logs\\0000.jsonl", events, sizeof events - 1);
	assert_int_equal(drive("logs", 24,
			       "61" CR "b"
			       "66" L "1" L "x" L "2"
			       "qn" L "qy",
			       remove_log),
			 MENU_LEAVE);
	tear_down();
}

/* Where there can be none, the reason is shown. */
static void test_no_place_for_logs(void **state)
{
	static const struct sim_volume_kind read_only = { .free_bytes = 64 * MIB,
							  .read_only = true };

	(void)state;
	set_up();
	sim_volume(&read_only);
	sim_machine_files(0, NULL, "fs0:");
	sim_machine_files(1, NULL, NULL);
	sim_machine_files(2, NULL, NULL);
	sim_machine_files(3, NULL, NULL);
	assert_int_equal(drive("logs-elsewhere", 24, "66" L "xbqy", NULL), MENU_LEAVE);
	tear_down();
}

/* ---- memory ---- */

static char seen[2][4096];
static unsigned fails;
static bool failed;

static void fail_then_keep(unsigned at)
{
	if (at == 1) {
		sim_fail_allocation(fails);
	} else {
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
		snprintf(seen[fails > 0], sizeof seen[0], "%s", sim_terminal_text());
	}
}

/* A list is as it should be, or it is said why there is none; behind each of them, `keys` go on. */
static void list_without_memory(const char *keys)
{
	unsigned told = 0;

	for (fails = 0; fails < 2 || failed; fails++) {
		set_up();
		assert_int_equal(drive(NULL, 24, keys, fail_then_keep), MENU_LEAVE);
		if (strstr(seen[fails > 0], "not enough memory") != NULL)
			told = fails;
		else if (strcmp(seen[fails > 0], seen[0]) != 0)
			fail_msg("allocation %u: %s", fails, seen[1]);
		tear_down();
	}
	/* after the list itself only its items are described; the last round has not failed */
	assert_in_range(told, 1, fails - 2);
}

static void test_lists_without_memory(void **state)
{
	(void)state;
	list_without_memory(L "1" L "xbqy");
	list_without_memory("6" L "4" L "xbbqy");
	list_without_memory("5" L "1" L "xbbqy");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many_rows),
		cmocka_unit_test(test_controllers_without_a_driver),
		cmocka_unit_test(test_ascii),
		cmocka_unit_test(test_other_terminals),
		cmocka_unit_test(test_mark_moves_the_page),
		cmocka_unit_test(test_options_once_more),
		cmocka_unit_test(test_long_text),
		cmocka_unit_test(test_long_name),
		cmocka_unit_test(test_long_device),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_long_paths),
		cmocka_unit_test(test_protected),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_contents),
		cmocka_unit_test(test_stick_gone),
		cmocka_unit_test(test_logs),
		cmocka_unit_test(test_no_place_for_logs),
		cmocka_unit_test(test_lists_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
