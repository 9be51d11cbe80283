/* SPDX-License-Identifier: BSD-2-Clause */
#include "menu.h"
#include "platform/stop.h"

/*
 * People who press keys at the wrong time, and disks that look alike: what stops a job, what ends a
 * result page, and which word confirms what.
 */

#define CTRL_C      "\3"
#define RESTORE     "2123" CR "3f77" CR /* of fs0:\pc.raw onto the SATA disk */
#define EARLY(keys) "\16" keys "\17"

static struct watch *watch;

static void look_now(void *user)
{
	(void)user;
	out_printf(&watch->text.out, "---- while it runs ----\n%s", sim_terminal_text());
}

/* The question is not answered for that long. */
static uint64_t silence;

static void look_and_wait(void *user)
{
	look_now(user);
	sim_clock_pass(silence);
}

/* The image is on that disk, what is written last included. */
static bool is_restored_to(const char *file)
{
	uint64_t n;
	const uint8_t *bytes = sim_file(file, &n);

	return memcmp(bytes + 512, "EFI PART", 8) == 0 &&
	       memcmp(bytes + 300 * 512, source + 300 * 512, SOURCE - 340 * 512) == 0;
}

static bool is_restored(void)
{
	return is_restored_to("sata");
}

static const char *pressed;
static void (*look_in)(void *);

static void press_from_now_on(unsigned at)
{
	if (at == 1)
		sim_press(1, pressed, look_in, NULL);
}

/*
 * Restores, with these keys while it runs, and looks at the screen where they say so. `name`: what
 * it is compared with. Returns whether all of it was copied; otherwise it was stopped, which exit
 * code 15 says.
 */
static bool restore(const char *name, const char *keys, void (*look_by)(void *))
{
	struct watch seen = { .act = press_from_now_on };
	bool whole;

	set_up();
	watch = &seen;
	pressed = keys;
	look_in = look_by;
	capture_init(&seen.text);
	assert_int_equal(menu_run(sim_terminal(24, "2123" CR "3f77" L CR L CR "qy", look, &seen)),
			 MENU_LEAVE);
	assert_int_equal(sim_terminal_keys(), 0);
	whole = is_restored();
	if (strstr(seen.text.text, whole ? " Done and verified " : " Stopped ") == NULL ||
	    *sim_pressed_left() != '\0')
		fail_msg("\"%s\" is left, %s", sim_pressed_left(), seen.text.text);
	if (name != NULL)
		compare(name, seen.text.text);
	capture_free(&seen.text);
	sim_press(0, "", NULL, NULL);
	tear_down();
	return whole;
}

/* ---- stopping ---- */

/* trial A3: Esc, and what a terminal makes of F1, F5, Delete and Alt-x. */
static void test_only_ctrl_c_asks(void **state)
{
	static const char *const keys[] = { "\33", "\33OP", "\33[15~", "\33[3~",    "\33x",
					    "q",   "y",     "\r",      " \33 \33 y" };

	(void)state;
	for (size_t i = 0; i < N_OF(keys); i++)
		assert_true(restore(NULL, keys[i], NULL));
}

static void test_stop(void **state)
{
	(void)state;
	assert_false(restore("stop-yes", CTRL_C " \7 y", look_now));
	assert_false(restore(NULL, CTRL_C " " CTRL_C, NULL));
	assert_false(restore(NULL, "x\33" CTRL_C "   Y", NULL));
	assert_false(restore(NULL, CTRL_C " n " CTRL_C " y", NULL));
}

static void test_do_not_stop(void **state)
{
	(void)state;
	assert_true(restore("stop-no", CTRL_C " \7 n \7", look_now));
	assert_true(restore(NULL, CTRL_C " \33", NULL));
	assert_true(restore(NULL, CTRL_C "y", NULL)); /* typed before there was a question */
	assert_true(restore(NULL, CTRL_C "y n y", NULL));
}

/* Nobody answers for ten seconds, or not before the end. */
static void test_no_answer(void **state)
{
	(void)state;
	silence = UINT64_C(11000000000);
	assert_true(restore("stop-unanswered", CTRL_C " \7 \7 y", look_and_wait));
	assert_true(restore(NULL, CTRL_C, NULL));
	silence = UINT64_C(9000000000);
	assert_false(restore(NULL, CTRL_C " \7 y", look_and_wait));
}

/* It is switched off when it is done if that is wanted, unless a key is pressed within 10 s. */
static void test_switch_off(void **state)
{
	static const struct {
		const char *name, *running, *then;
		enum menu_end end;
	} rows[] = {
		{ "switch-off", "  o \7", "\6\6\6" L "\6\6\6\6\6\6\6", MENU_POWER_OFF },
		{ "switch-off-no", "  o", "\6x" L CR L "qy", MENU_LEAVE },
		{ NULL, "  oo", CR "qy", MENU_LEAVE },
		{ NULL, "  O", CR "qy", MENU_LEAVE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct watch seen = { .act = press_from_now_on };
		char keys[64];

		set_up();
		watch = &seen;
		capture_init(&seen.text);
		snprintf(keys, sizeof keys, "2123" CR "3f77" L CR "%s", rows[i].then);
		pressed = rows[i].running;
		look_in = look_now;
		assert_int_equal(menu_run(sim_terminal(24, keys, look, &seen)), rows[i].end);
		assert_int_equal(sim_terminal_keys(), 0);
		assert_true(is_restored());
		if (rows[i].name != NULL)
			compare(rows[i].name, seen.text.text);
		capture_free(&seen.text);
		sim_press(0, "", NULL, NULL);
		tear_down();
	}
}

/* What can be done next: the same once more, or switch off, after a question. */
static void test_after_the_result(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("after-result", 24, RESTORE L "xoxa" L ESC "qn" L "qy", NULL),
			 MENU_LEAVE);
	assert_true(is_restored());
	tear_down();
	set_up();
	assert_int_equal(drive(NULL, 24, RESTORE "oy", NULL), MENU_POWER_OFF);
	tear_down();
}

/* While the end of an image is searched for data, which shows on no page, it is asked as well. */
static void test_stop_looking(void **state)
{
	static uint8_t large[2 * DISK];
	struct watch seen = { .looks = 0 };

	(void)state;
	set_up();
	memcpy(large, source, SOURCE);
	sim_file_put("fs0:\\large.raw", large, sizeof large);
	watch = &seen;
	capture_init(&seen.text);
	sim_press(1, CTRL_C "\7 y", look_now, NULL);
	assert_int_equal(menu_run(sim_terminal(24, "212" L "bqy", look, &seen)), MENU_LEAVE);
	assert_string_equal(sim_pressed_left(), "");
	compare("stop-looking", seen.text.text);
	capture_free(&seen.text);
	sim_press(0, "", NULL, NULL);
	tear_down();
}

/* ---- keys that come too early ---- */

/* After a run: none of them leads away from the result, nor does any other key than Enter
 * afterwards. */
static void test_result_stays(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("result-stays", 24,
			       RESTORE EARLY(CR "\33" CTRL_C "x" CR "n") L "x\33\6" CTRL_C
									   "y \b" L CR L "qy",
			       NULL),
			 MENU_LEAVE);
	assert_true(is_restored());
	tear_down();
}

/* While the disks were looked at: a number would choose one. Before the plan: what was typed would
 * confirm it. */
static void test_screens_that_took_long(void **state)
{
	(void)state;
	set_up();
	assert_int_equal(drive("typed-early", 24,
			       EARLY("x") "21"
					  "2" EARLY("3" CR CR) L "3" CR EARLY("3f77" CR)
						  L ESC ESC ESC ESC ESC "qy",
			       NULL),
			 MENU_LEAVE);
	assert_false(is_restored());
	tear_down();
}

/* ---- disks that look alike ---- */

/* Two virtio disks without serial numbers, two namespaces of one NVMe disk, two USB bridges of one
 * make, and the stick. */
static void plug_in_twins(void)
{
	static const struct {
		const char *names, *path, *bus, *model, *serial, *file;
	} disks[] = {
		{ "fs0: blk0:", "PciRoot(0x0)/Pci(0x1,0x0)/USB(0x0,0x0)", "USB", "SanDisk Ultra",
		  "4C530001", "stick" },
		{ "blk1:", "PciRoot(0x0)/Pci(0xA,0x0)", "virtio", "", "", "nvme" },
		{ "blk2:", "PciRoot(0x0)/Pci(0xB,0x0)", "virtio", "", "", "sata" },
		{ "blk3:", "PciRoot(0x0)/Pci(0x2,0x0)/NVMe(0x1,00-00-00-00-00-00-00-00)", "NVMe",
		  "Samsung SSD 980", "S4X9NG0R12", "kioxia" },
		{ "blk4:", "PciRoot(0x0)/Pci(0x2,0x0)/NVMe(0x2,00-00-00-00-00-00-00-00)", "NVMe",
		  "Samsung SSD 980", "S4X9NG0R12", "twin" },
		{ "blk5:", "PciRoot(0x0)/Pci(0x1,0x0)/USB(0x2,0x0)", "USB", "ASM1153E",
		  "123456789299", "usb2" },
		{ "blk6:", "PciRoot(0x0)/Pci(0x1,0x0)/USB(0x3,0x0)", "USB", "ASM1153E",
		  "123456789299", "usb3" },
		{ "blk7:", "PciRoot(0x0)/Pci(0x1F,0x2)/Sata(0x1,0xFFFF,0x0)", "SATA",
		  "WDC WD10EZEX", "WD-WCC3F77", "wdc" },
	};
	static struct sim_device devices[N_OF(disks)];
	static const uint8_t zeros[DISK];

	for (size_t i = 0; i < N_OF(disks); i++) {
		devices[i] = machine[i == 0 ? 0 : 1];
		devices[i].names = disks[i].names;
		devices[i].device.path = (char *)(uintptr_t)disks[i].path;
		devices[i].device.bus = disks[i].bus;
		devices[i].device.model = (char *)(uintptr_t)disks[i].model;
		devices[i].device.serial = (char *)(uintptr_t)disks[i].serial;
	}
	sim_machine(devices, N_OF(disks));
	for (size_t i = 0; i < N_OF(disks); i++) {
		if (i > 2)
			sim_file_put(disks[i].file, zeros, DISK);
		sim_machine_files(i, disks[i].file, i == 0 ? "fs0:" : NULL);
	}
}

/* trial A4: the word of one disk starts nothing on another one. */
static void test_twins(void **state)
{
	static const struct {
		const char *number, *word, *file;
	} rows[] = {
		{ "2", "DISK2", "nvme" }, { "3", "DISK3", "sata" }, { "4", "DISK4", "kioxia" },
		{ "5", "DISK5", "twin" }, { "6", "DISK6", "usb2" }, { "7", "DISK7", "usb3" },
		{ "8", "3F77", "wdc" },
	};

	(void)state;
	set_up();
	plug_in_twins();
	assert_int_equal(drive("twins", 24, "212" L "3" CR L "disk2" CR L ESC ESC ESC ESC ESC "qy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
	for (size_t i = 0; i < N_OF(rows); i++) {
		char keys[256], *end = keys;

		set_up();
		plug_in_twins();
		end += sprintf(end, "212%s" CR, rows[i].number);
		for (size_t k = 0; k < N_OF(rows); k++)
			if (k != i)
				end += sprintf(end, "%s" CR, rows[k].word);
		sprintf(end, "0R12" CR "9299" CR "0x0)" CR "-00)" CR "%s" CR CR "qy", rows[i].word);
		assert_int_equal(drive(NULL, 24, keys, NULL), MENU_LEAVE);
		assert_true(is_restored_to(rows[i].file));
		tear_down();
	}
}

/* A partition has a word of its own, which says its number. */
static void test_partition(void **state)
{
	static struct sim_device devices[2];

	(void)state;
	set_up();
	devices[0] = machine[0];
	devices[1] = machine[1];
	sim_file_put("fs0:\\part.raw", source + 501 * 512, 512);
	sim_machine(devices, N_OF(devices));
	sim_machine_files(0, "stick", "fs0:");
	sim_machine_files(1, "nvme", NULL);
	assert_int_equal(drive("confirm-partition", 24,
			       "21"
			       "2"
			       "p" L "4" CR L "9r12" CR L "9R12P1" CR L "9r12p2" CR L CR "qy",
			       NULL),
			 MENU_LEAVE);
	tear_down();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_ctrl_c_asks),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_do_not_stop),
		cmocka_unit_test(test_no_answer),
		cmocka_unit_test(test_switch_off),
		cmocka_unit_test(test_after_the_result),
		cmocka_unit_test(test_stop_looking),
		cmocka_unit_test(test_result_stays),
		cmocka_unit_test(test_screens_that_took_long),
		cmocka_unit_test(test_twins),
		cmocka_unit_test(test_partition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
