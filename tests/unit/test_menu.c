/* SPDX-License-Identifier: BSD-2-Clause */
#include "menu.h"
#include "menu/run.h"
#include "base/words.h"

/* The menu, driven by keys through every path to its end; what is rare is in test_menu_rare.c. */

static const uint8_t *file_of(const char *name, uint64_t least)
{
	uint64_t n = 0;
	const uint8_t *bytes = sim_file(name, &n);

	assert_non_null(bytes);
	assert_true(n >= least);
	return bytes;
}

static bool is_blank(const char *name)
{
	const uint8_t *bytes = file_of(name, DISK);

	for (size_t i = 0; i < DISK; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

/*
 * What a restore to it may leave at any time: what was there, the whole image, or nothing that
 * begins with anything.
 */
static void check_target(void)
{
	static const uint8_t zeros[512];
	const uint8_t *bytes = file_of("sata", DISK);

	if (memcmp(bytes, zeros, sizeof zeros) != 0)
		assert_memory_equal(bytes + 300 * 512, source + 300 * 512, SOURCE - 340 * 512);
}

/* ---- the paths ---- */

static void test_leave(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("start", 24,
			       L "z" L "0" L "b" L "?" L "x"
				 "q" L "n" L "qy",
			       NULL),
			 MENU_LEAVE);
	assert_int_equal(drive("start-50-rows", 50, L "qy", NULL), MENU_LEAVE);
	tear_down();
}

static void test_power(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("tools", 24, "6" L "8" L "n" L "b" L "69y", NULL), MENU_POWER_OFF);
	assert_int_equal(drive(NULL, 24, "68y", NULL), MENU_REBOOT);
	assert_int_equal(drive(NULL, 24, "67y", NULL), MENU_SHELL);
	tear_down();
}

static void test_create(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("create", 24,
			       "4" L CR L "12x" CR L "\b\b\b3M" CR L "1" L "1" L CR L "n" CR L
			       "y" CR L "xy\3" L CR L "qy",
			       NULL),
			 MENU_LEAVE);
	MUST("check", "fs0:\\disk.qcow2", NULL);
	/* Once more: the name is taken; and by hand, one that is there. */
	assert_int_equal(drive("create-again", 24,
			       "4111111" L CR "1M" CR "12" L "1" L "b" L "\b"
			       "small.raw" CR L "n" CR L ESC L ESC L ESC ESC L ESC L ESC ESC L ESC L
			       "qy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
}

/* An existing file is replaced after a question, and only then; so is its manifest. */
static void test_replace(void **state)
{
	(void)state;
	set_up();
	sim_file_put("fs0:\\pc.qcow2", "", 0);
	sim_file_put("fs0:\\pc.qcow2.manifest", "", 0);
	assert_int_equal(drive("replace", 24,
			       "12" CR "11pc.qcow2" CR L ESC L "pc.qcow2" CR "y" CR L "y" CR L CR
			       "qy",
			       NULL),
			 MENU_LEAVE);
	MUST("hash", "--check=fs0:\\pc.qcow2.manifest", NULL);
	MUST("compare", "-f", "raw", "nvme", "fs0:\\pc.qcow2", NULL);
	tear_down();
}

/* For whom an image is, by how often its key is pressed. */
static const char *const image_for[] = { "qcow2", "qcow2", "vmdk", "vhdx", "vhd", "vdi", "raw" };

/* Presses the key that chooses the format, so that it is image_for[n]. */
static char *keys_for(size_t n, const char *before, const char *after)
{
	static char keys[64];

	snprintf(keys, sizeof keys, "%s%.*s%s", before, (int)n, "1111111", after);
	return keys;
}

static void test_create_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(image_for); i++) {
		char name[32];

		set_up();
		assert_int_equal(drive(NULL, 24,
				       keys_for(i, "4", CR "3M" CR "11" CR "y" CR CR "qy"), NULL),
				 MENU_LEAVE);
		snprintf(name, sizeof name, "fs0:\\disk.%s", image_for[i]);
		MUST("info", name, NULL);
		assert_non_null(strstr(out.text, "virtual size: 3 MiB"));
		tear_down();
	}
}

static void test_capture_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_OF(image_for); i++) {
		char name[32];

		set_up();
		assert_int_equal(drive(NULL, 24, keys_for(i, "12", CR "11" CR "y" CR CR "qy"),
				       NULL),
				 MENU_LEAVE);
		snprintf(name, sizeof name, "fs0:\\S4X9R12.%s", image_for[i]);
		MUST("compare", "-f", "raw", "nvme", name, NULL);
		tear_down();
	}
}

static void test_capture(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("capture", 24,
			       "1" L "5" L "2" L "2" L CR L "1" L "1" L CR L "y" CR L CR L "21" L
			       "bbqy",
			       NULL),
			 MENU_LEAVE);
	MUST("compare", "-f", "raw", "nvme", "fs0:\\S4X9R12.qcow2", NULL);
	tear_down();
}

static void test_capture_partition(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("capture-partition", 24,
			       "1p" L "4" L "111111" L CR "11" L CR L "y" CR L CR "qy", NULL),
			 MENU_LEAVE);
	assert_memory_equal(file_of("fs0:\\S4X9R12-2.raw", 512 * 1500), source + 501 * 512,
			    512 * 1500);
	tear_down();
}

static void test_restore(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("restore", 24,
			       "2" L "1" L "1" L "b" L "2" L "1" L "4" L "3" L CR L "WRONG" CR L
			       "r12" CR L "?" L "x" ESC L ESC ESC ESC ESC ESC "qy",
			       NULL),
			 MENU_LEAVE);
	assert_true(is_blank("sata"));
	assert_int_equal(drive("restore-done", 24,
			       "212"
			       "3" CR "cc3f77" L CR L "3F77" CR L CR "qy",
			       NULL),
			 MENU_LEAVE);
	assert_false(is_blank("sata"));
	check_target();
	MUST("compare", "-f", "raw", "-F", "raw", "fs0:\\pc.raw", "fs0:\\pc.raw", NULL);
	tear_down();
}

/* A capture that is stopped when a part of it is on the stick. */
static void capture_half(void)
{
	unsigned n = 0;

	do {
		sim_cancel(++n);
		(void)RUN("convert", "-O", "raw", "serial=S4X9R12", "fs0:\\half.raw");
		sim_cancel(0);
	} while (strstr(err.text, "--resume continues from there") == NULL);
}

/*
 * An unfinished image cannot be chosen to be restored, and can be to be described; journals, logs
 * and programs are no images. What has lost its journal is refused when it is opened.
 */
static void test_unfinished(void **state)
{
	static const char *const beside[] = {
		"pc.raw.restore-0123abcd",
		"PC.RAW.RESTORE-0123ABCD.NEW",
		"half.raw.resume.new",
		"a.log",
		"a.jsonl",
		"efi-img.efi",
		"README.TXT",
		"capture.nsh",
		"pc.raw.sha256",
		"pc.raw.restore-x",
	};
	struct error why;

	(void)state;
	set_up();
	capture_half();
	for (size_t i = 0; i < N_OF(beside); i++) {
		char name[64];

		snprintf(name, sizeof name, "fs0:\\%s", beside[i]);
		sim_file_put(name, "", 0);
	}
	assert_int_equal(drive("unfinished", 24,
			       "21" L "a" L "a" L "2" L "b"
			       "b"
			       "51" L "2" L "2" L CR "bbbqy",
			       NULL),
			 MENU_LEAVE);
	assert_ok(platform_remove("fs0:\\half.raw.resume", &why));
	assert_ok(platform_remove("fs0:\\half.raw.resume.new", &why));
	assert_int_equal(drive("unfinished-alone", 24,
			       "21" L "2" L "x"
			       "qy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
}

/* An unfinished capture is offered first, in whatever directory; not if its disk is gone. */
static void test_continue(void **state)
{
	(void)state;
	set_up();
	capture_half();
	assert_int_equal(drive("continue", 24, L CR L CR L "y" CR L CR L "qy", NULL), MENU_LEAVE);
	MUST("compare", "-f", "raw", "-F", "raw", "nvme", "fs0:\\half.raw", NULL);
	MUST("hash", "--check=fs0:\\half.raw.manifest", NULL);
	tear_down();
	set_up();
	capture_half();
	plug_in(1);
	assert_int_equal(drive("continue-gone", 24, L "7" L "qy", NULL), MENU_LEAVE);
	tear_down();
}

/* A capture that was to replace an image, and is continued, has a manifest of its own. */
static void test_continue_replacing(void **state)
{
	uint64_t size;
	unsigned n = 0;

	(void)state;
	set_up();
	MUST("capture", "--format=raw", "serial=S4X9R12", "fs0:\\half.raw");
	do {
		sim_cancel(++n);
		(void)RUN("capture", "--format=raw", "--force", "serial=S4X9R12", "fs0:\\half.raw");
		sim_cancel(0);
	} while (strstr(err.text, "--resume continues from there") == NULL);
	assert_null(sim_file("fs0:\\half.raw.manifest", &size));
	assert_int_equal(drive(NULL, 24, L CR L CR L "y" CR L CR L "qy", NULL), MENU_LEAVE);
	MUST("compare", "-f", "raw", "-F", "raw", "nvme", "fs0:\\half.raw", NULL);
	MUST("hash", "--check=fs0:\\half.raw.manifest", NULL);
	tear_down();
}

/*
 * A stick with space that nothing uses: the first page asks, before anything else, until it is
 * answered. The answer is about this stick as it is.
 */
static void test_stick(void **state)
{
	static const struct sim_part part = { sim_esp, 40, 500, "EFI system" };
	static const struct sim_volume_kind large = { .free_bytes = 128 * MIB };
	static struct sim_device stick;
	struct memory_blk *disk = memory_blk_new(
		&(struct memory_blk_kind){ .size = 80 * MIB, .block_bytes = 512 });

	(void)state;
	set_up();
	sim_gpt(disk, &part, 1);
	sim_volume(&large);
	sim_file_put("stick", disk->bytes, 80 * MIB);
	blk_close(&disk->blk);
	stick = machine[0];
	stick.device.size_bytes = 80 * MIB;
	sim_machine(&stick, 1);
	sim_machine_files(0, "stick", "fs0:");
	assert_int_equal(drive("stick-no", 24, L ESC "qy", NULL), MENU_LEAVE);
	sim_file_put("logs\\no-volume.txt", "of another stick", 16);
	assert_int_equal(drive("stick-other", 24, L ESC "qy", NULL), MENU_LEAVE);
	assert_int_equal(drive("stick", 24, L "65" L "y" CR L CR "bqy", NULL), MENU_LEAVE);
	assert_int_equal(drive(NULL, 24, "qy", NULL), MENU_LEAVE);
	tear_down();
}

static void test_clone(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("clone", 24,
			       "3" L "2" L "2"
			       "3" L CR L "3f77" CR L CR "qy",
			       NULL),
			 MENU_LEAVE);
	assert_memory_equal(file_of("sata", DISK), source, DISK);
	assert_memory_equal(file_of("nvme", DISK), source, DISK);
	tear_down();
}

static void test_look(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("look", 24,
			       "5" L "12" L "1" L CR L "2" L CR "3" L "12" L CR "4" L "2" L CR "b" L
			       "bbqy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
	set_up();
	assert_int_equal(drive("look-tools", 24,
			       "6"
			       "312" L CR "42" L CR "22" L CR "6" L "1" L "b"
			       "b" L "1" L CR "bqy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
}

/* ---- lists ---- */

static void test_no_disks(void **state)
{
	(void)state;
	set_up();
	sim_machine(NULL, 0);
	assert_int_equal(drive("empty", 24,
			       "1" L "1" L "\r" L "\2" L "r" L "b"
			       "2" L "1bqy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
}

static void test_arrows(void **state)
{
	(void)state;
	set_up();
	/* As keys, and as what a serial line makes of them; ESC alone, and what is cut off. */
	assert_int_equal(drive("arrows", 24,
			       "\2" L "\2\2" L "\033[A" L "\033OB" L "\033\6" L "\033[\6" L
			       "\033[5~" L "\1\1\1\1\1\1\1" L "\r" L "bqy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
}

static void test_forty(void **state)
{
	(void)state;
	set_up();
	plug_in_many();
	assert_int_equal(drive("forty", 24,
			       "1" L "n" L "\4" L "\3" L "nnn" L "n" L "41" L CR L "0" CR L
			       "999999" L "\b\b\b\b\b"
			       "3x" L CR L "b"
			       "4\b"
			       "40" CR L "b"
			       "\2\2\2\2\2\2\2\2\2\2" L "\1" L CR L "bbqy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
}

/* ---- what goes wrong ---- */

static void pull_sata(unsigned at)
{
	if (at == 1)
		plug_in(2);
}

static void test_gone_between_steps(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("gone", 24, "212" L "3" CR L "x" L "bbbqy", pull_sata), MENU_LEAVE);
	assert_true(is_blank("sata"));
	tear_down();
}

static void test_gone_before_the_start(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("gone-late", 24, "2123" CR L "3f77" CR L CR "qy", pull_sata),
			 MENU_LEAVE);
	assert_true(is_blank("sata"));
	tear_down();
}

static void remove_image(unsigned at)
{
	struct error ignored;

	if (at == 1)
		assert_ok(platform_remove("fs0:\\pc.raw", &ignored));
}

static void test_file_gone(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("file-gone", 24, "21" L "2" L "x" L "bbqy", remove_image),
			 MENU_LEAVE);
	tear_down();
}

static void test_keyboard_gone(void **state)
{
	static const char keys[] = "2123" CR "3f77" CR CR;

	(void)state;
	for (size_t n = 0; n < sizeof keys; n++) {
		char some[sizeof keys];

		set_up();
		snprintf(some, sizeof some, "%.*s", (int)n, keys);
		assert_int_equal(drive(NULL, 24, some, NULL), MENU_IMPOSSIBLE);
		assert_int_equal(is_blank("sata"), n < sizeof keys - 2);
		tear_down();
	}
}

/* Each 23rd of the allocations fails, with SAMPLE=1 in the environment each of them. */
static void without_memory(const char *keys, unsigned first)
{
	unsigned n = first, step = setting("SAMPLE", 23);
	bool failed = true;

	for (; failed; n += step) {
		struct watch watch = { .looks = 0 };

		set_up();
		sim_fail_allocation(n);
		(void)menu_run(sim_terminal(24, keys, look, &watch));
		failed = sim_allocation_failed();
		sim_fail_allocation(0);
		check_target();
		assert_memory_equal(file_of("nvme", DISK), source, DISK);
		tear_down();
	}
	print_message("%u allocations\n", n - step);
	assert_true(n > 100);
}

static void test_no_memory(void **state)
{
	(void)state;
	without_memory("2123" CR "3f77" CR CR "qy", 1);
	without_memory("12" CR "11" CR "y" CR CR "qy", 2);
	without_memory("3223" CR "3f77" CR CR "qy", 3);
	without_memory("4" CR "1M" CR "11" CR "y" CR CR "qy", 4);
	without_memory("512"
		       "1" CR "bbb61" CR "bqy",
		       5);
}

/* ---- its parts ---- */

/* What is run is what is shown, taken apart as the shell would. */
static void test_lines(void **state)
{
	static const char *const words[] = {
		"fs0:\\a.qcow2", "fs0:\\my disk.raw", "a^b", "a\"b c", "", "--erase=X Y"
	};
	static struct line line;
	struct words split;
	struct error error;

	(void)state;
	line_begin(&line, "convert");
	line_option(&line, "-O qcow2");
	for (size_t i = 0; i < N_OF(words) - 1; i++)
		line_word(&line, words[i]);
	line_part(&line, "--erase=", "X Y");
	assert_ok(words_split(line.text, &split, &error));
	assert_int_equal(split.n, 3 + N_OF(words));
	assert_string_equal(split.word[2], "qcow2");
	for (size_t i = 0; i < N_OF(words); i++)
		assert_string_equal(split.word[3 + i], words[i]);
	words_free(&split);
}

static void count_printed(unsigned at)
{
	if (at == 2 && sim_terminal_printed() > 150)
		fail_msg("%zu cells were printed for one key", sim_terminal_printed());
}

static void test_only_what_changes_is_printed(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive(NULL, 24, L "\2" L "qy", count_printed), MENU_LEAVE);
	tear_down();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_leave),
		cmocka_unit_test(test_power),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_replace),
		cmocka_unit_test(test_capture),
		cmocka_unit_test(test_capture_partition),
		cmocka_unit_test(test_create_for),
		cmocka_unit_test(test_capture_for),
		cmocka_unit_test(test_restore),
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_continue),
		cmocka_unit_test(test_continue_replacing),
		cmocka_unit_test(test_stick),
		cmocka_unit_test(test_clone),
		cmocka_unit_test(test_look),
		cmocka_unit_test(test_no_disks),
		cmocka_unit_test(test_arrows),
		cmocka_unit_test(test_forty),
		cmocka_unit_test(test_gone_between_steps),
		cmocka_unit_test(test_gone_before_the_start),
		cmocka_unit_test(test_file_gone),
		cmocka_unit_test(test_keyboard_gone),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_only_what_changes_is_printed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
