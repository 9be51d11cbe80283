/* SPDX-License-Identifier: BSD-2-Clause */
#include "unit.h"
#include "menu/result.h"
#include "sim.h"
#include "terminal.h"

/* The page of a running command: the field of cells, and what drawing costs the work. */

enum { MIB = 1 << 20, CELL = 4096 };

static struct cells cells;

static void test_cells(void **state)
{
	(void)state;
	cells_begin(&cells, 10 * CELL - 1, 100);
	assert_int_equal(cells.n, 10);
	assert_int_equal(cells.cell_bytes, CELL);
	cells_set(&cells, PART_ZERO, 0, (uint64_t)3 * CELL);
	cells_set(&cells, PART_DATA, 2 * CELL, 1);
	cells_set(&cells, PART_ZERO, 2 * CELL, 1); /* does not hide data */
	assert_int_equal(cells.state[1], PART_ZERO);
	assert_int_equal(cells.state[2], PART_DATA);
	assert_int_equal(cells.state[3], PART_TO_DO);
	cells_set(&cells, PART_UNREADABLE, 4 * CELL, 512);
	cells_set(&cells, PART_DATA, 4 * CELL, CELL);
	assert_int_equal(cells.state[4], PART_UNREADABLE);
	/* A cell is read back with its last byte, the last one with that of the disk. */
	cells_set(&cells, PART_DATA, 9 * CELL, CELL);
	cells_set(&cells, PART_READ_BACK, 0, 3 * CELL - 1);
	assert_int_equal(cells.state[2], PART_DATA);
	cells_set(&cells, PART_READ_BACK, 3 * CELL - 1, UINT64_MAX);
	assert_int_equal(cells.state[1], PART_ZERO);
	assert_int_equal(cells.state[2], PART_READ_BACK);
	assert_int_equal(cells.state[4], PART_UNREADABLE);
	assert_int_equal(cells.state[9], PART_READ_BACK);
	cells_set(&cells, PART_DATA, 10 * CELL, 1); /* outside */
	cells_set(&cells, PART_DATA, UINT64_MAX, UINT64_MAX);
}

/* As many cells as there are places, whatever the disk. */
static void test_sizes(void **state)
{
	static const uint64_t sizes[] = { 1, CELL, MIB, 1000003, UINT64_C(1) << 40, INT64_MAX };

	(void)state;
	for (size_t i = 0; i < N_OF(sizes); i++)
		for (size_t most = 1; most <= CELLS_MAX; most += 613) {
			cells_begin(&cells, sizes[i], most);
			assert_in_range(cells.n, 1, most);
			assert_true(cells.n * cells.cell_bytes >= sizes[i]);
			cells_set(&cells, PART_DATA, 0, sizes[i]);
			assert_int_equal(cells.state[cells.n - 1], PART_DATA);
		}
}

/* ---- cost ---- */

static struct terminal *under;
static uint64_t print_ns, printing_ns;
static unsigned prints;

static void slow_print(struct terminal *terminal, unsigned column, unsigned row, enum style style,
		       const char *text)
{
	(void)terminal;
	(void)column;
	(void)row;
	(void)style;
	(void)text;
	prints++;
	printing_ns += print_ns;
	sim_clock_pass(print_ns);
}

static void no_look(void *user)
{
	(void)user;
}

static struct ui ui;
static struct running running;

/* A copy of `seconds`, with a piece each millisecond; each print takes so long. */
static void copy(uint64_t ns, unsigned seconds)
{
	struct progress_event event = { .phase = "copying",
					.bytes = (uint64_t)seconds * 1000 * MIB,
					.total = (uint64_t)seconds * 2000 * MIB,
					.bytes_per_second = PROGRESS_UNKNOWN };
	struct terminal terminal;

	sim_clock_step(1000000);
	under = sim_terminal(24, "", no_look, NULL);
	terminal = *under;
	terminal.print = slow_print;
	screen_init(&ui.screen, &terminal);
	prints = 0;
	print_ns = ns;
	running_begin(&running, &ui, "Capture a disk", "a disk", "a file");
	running.events.progress(&running.events, false, &event);
	printing_ns = 0; /* the first picture is all of the screen */
	for (uint64_t i = 0; i < (uint64_t)seconds * 1000; i++)
		running.events.part(&running.events, i % 3 == 0 ? PART_ZERO : PART_DATA, i * MIB,
				    MIB);
}

static void test_drawing_is_rare(void **state)
{
	(void)state;
	copy(0, 20);
	/* five times a second; a few prints each: time, cells */
	assert_in_range(prints, 20, 20 * 5 * 6 + 100);
	/* 9600 baud: tens of milliseconds for each print */
	copy(20000000, 200);
	assert_true(printing_ns < UINT64_C(200000000000) / 40);
	assert_true(prints > 100);
}

/* ---- the result ---- */

static struct menu menu;

static void test_headings(void **state)
{
	static const struct {
		const struct flow *flow;
		int code;
		const char *words;
		enum style style;
	} rows[] = {
		{ &flow_capture, 0, "Done", STYLE_GOOD },
		{ &flow_capture, 10, "Done, but not all of it could be read", STYLE_LOUD },
		{ &flow_capture, 15, "Stopped", STYLE_LOUD },
		{ &flow_restore, 12, "Not done", STYLE_BAD },
		{ &flow_restore, 1, "Not done", STYLE_BAD },
		{ &flow_check, 0, "The image has no errors", STYLE_GOOD },
		{ &flow_check, 2, "The image is damaged", STYLE_BAD },
		{ &flow_check, 3, "The data is whole; some space is lost", STYLE_LOUD },
		{ &flow_check, 1, "Not done", STYLE_BAD },
		{ &flow_compare, 1, "The contents differ", STYLE_LOUD },
		{ &flow_list, 0, "Result", STYLE_PLAIN },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char text[64];
		struct out_buffer heading;

		menu.flow = rows[i].flow;
		out_buffer_init(&heading, text, sizeof text);
		assert_int_equal(result_heading(&menu, rows[i].code, &heading.out), rows[i].style);
		assert_string_equal(text, rows[i].words);
	}
}

/* What was lost is said with its size, and what the command said follows. */
static void test_lost(void **state)
{
	char text[1024];
	struct out_buffer out;

	(void)state;
	menu = (struct menu){ .flow = &flow_clone,
			      .source.brief = "SSD 980 (S4)",
			      .other.brief = "WDC (3F77)",
			      .line.text = "convert x",
			      .transcript.text = "> head\n\nsaid",
			      .transcript.head = 8,
			      .running = { .n = 1,
					   .unreadable_bytes = 1536,
					   .phase[0] = { .name = "copying",
							 .end_ns = UINT64_C(100000000000),
							 .event.bytes = (uint64_t)1000 * MIB } } };
	out_buffer_init(&out, text, sizeof text);
	result_text(&menu, 10, "a.log", &out.out);
	assert_string_equal(text, "SSD 980 (S4) is on WDC (3F77).\n"
				  "0.977 GiB copied in 1:40, 10 MB/s.\n"
				  "\1"
				  "1.5 KiB could not be read; zeros are in their place:\n\n"
				  "said\nSame as:  efi-img convert x\nExit code 10, log a.log\n");
	out_buffer_init(&out, text, sizeof text);
	result_text(&menu, 12, "", &out.out);
	assert_string_equal(text, "said\nSame as:  efi-img convert x\nExit code 12\n");
}

static void test_times(void **state)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} rows[] = { { 0, "0:00" }, { 232, "3:52" }, { 3599, "59:59" }, { 3832, "1:03:52" } };
	char text[32];
	struct out_buffer buffer;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		out_buffer_init(&buffer, text, sizeof text);
		print_duration(&buffer.out, rows[i].seconds);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_drawing_is_rare),
		cmocka_unit_test(test_headings),
		cmocka_unit_test(test_lost),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
