/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The boards of the menu: screens that only lead to others. What can be done is a table here; how
 * it is done is in flows.c.
 */
#include "menu/menu.h"

#include "base/memory.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/start.h"
#include "menu/flow.h"
#include "platform/machine.h"
#include "platform/person.h"

/* An item of a board: leads to a flow, to another screen, or out of the menu. */
struct entry {
	const char *text, *detail;
	const struct flow *flow;
	enum way (*screen)(struct menu *);
	enum menu_end end;
};

enum { ENTRIES_MAX = 8 };

struct board {
	const char *title, *ask, *help;
	struct entry entry[ENTRIES_MAX]; /* ends with a NULL text */
};

static enum way leave(struct menu *m, const struct entry *entry)
{
	char question[96];
	struct out_buffer out;

	out_buffer_init(&out, question, sizeof question);
	out_printf(&out.out, "%s? y = yes, any other key = no", entry->text);
	if (!sure(&m->ui, question))
		return m->ui.gone ? WAY_QUIT : WAY_BACK;
	m->end = entry->end;
	return WAY_QUIT;
}

static enum way follow(struct menu *m, const struct entry *entry)
{
	if (entry->flow != NULL)
		return flow_run(m, entry->flow);
	return entry->screen != NULL ? entry->screen(m) : leave(m, entry);
}

/* What the machine is: its firmware, and whether that has Secure Boot on. */
static void print_machine(struct out *out)
{
	const char *secure_boot = secure_boot_text(platform_secure_boot());

	out_text(out, platform_firmware());
	if (secure_boot != NULL)
		out_printf(out, ", Secure Boot: %s", secure_boot);
}

/* Shows a board until the user goes back. `top`: there is no way back. */
static enum way board_run(struct menu *m, const struct board *board, bool top)
{
	struct item *item = mem_alloc(ENTRIES_MAX * sizeof *item);
	char program[64], machine[192];
	struct out_buffer name, head;
	struct list list = {
		.title = top ? program : board->title,
		.step = "",
		.head = top ? machine : "",
		.columns = "",
		.ask = board->ask,
		.empty = "",
		.help = board->help,
		.letters = "",
		.letters_help = "",
		.item = item,
		.mark = LIST_NONE,
		.first = top,
	};
	enum way way = item != NULL ? WAY_AGAIN : WAY_BACK;

	out_buffer_init(&head, machine, sizeof machine);
	print_machine(&head.out);
	out_buffer_init(&name, program, sizeof program);
	out_printf(&name.out, "efi-img %s", program_version);
	for (; item != NULL && board->entry[list.n].text != NULL; list.n++) {
		struct out_buffer out;

		out_buffer_init(&out, item[list.n].text, sizeof item[list.n].text);
		out_printf(&out.out, "%-29s %s", board->entry[list.n].text,
			   board->entry[list.n].detail);
	}
	while (way != WAY_QUIT && (top ? item != NULL : way != WAY_BACK)) {
		way = list_ask(&m->ui, &list);
		if (way == WAY_NEXT && follow(m, &board->entry[list.chosen]) == WAY_QUIT)
			way = WAY_QUIT;
	}
	mem_free(item);
	return way;
}

static enum way look(struct menu *m)
{
	static const struct board board = {
		.title = "Check, inspect, compare",
		.ask = "Choose a task",
		.help = "None of these tasks changes anything.",
		.entry = {
			{ .text = "Check an image",
			  .detail = "for errors",
			  .flow = &flow_check },
			{ .text = "Describe an image",
			  .detail = "its format, size and files",
			  .flow = &flow_info },
			{ .text = "Compare two images",
			  .detail = "do they have the same contents?",
			  .flow = &flow_compare },
			{ .text = "Compare an image with a disk",
			  .detail = "does the disk have the same contents?",
			  .flow = &flow_compare_disk },
			{ .text = "List the disks",
			  .detail = "with their partitions and contents",
			  .flow = &flow_list },
		},
	};

	return board_run(m, &board, false);
}

static enum way tools(struct menu *m)
{
	static const struct board board = {
		.title = "Tools",
		.ask = "Choose a task",
		.help = "",
		.entry = {
			{ .text = "Speed of a disk",
			  .detail = "how fast it can be read",
			  .flow = &flow_bench },
			{ .text = "SHA-256 of an image",
			  .detail = "of the disk in it",
			  .flow = &flow_hash },
			{ .text = "SHA-256 of a disk",
			  .detail = "of all its bytes",
			  .flow = &flow_hash_disk },
			{ .text = "Logs",
			  .detail = "of earlier commands",
			  .screen = show_log },
			{ .text = "UEFI shell",
			  .detail = "for all other commands: efi-img help",
			  .end = MENU_SHELL },
			{ .text = "Restart the machine",
			  .detail = "",
			  .end = MENU_REBOOT },
			{ .text = "Switch the machine off",
			  .detail = "",
			  .end = MENU_POWER_OFF },
		},
	};

	return board_run(m, &board, false);
}

static const struct board start = {
	.title = "",
	.ask = "Choose an action",
	.help = "efi-img copies disks into images and back, before any operating system. Each "
		"screen asks one question; the last one shows what will happen, and the command "
		"line that does the same in the UEFI shell or in a script.",
	.entry = {
		{ .text = "Create an image",
		  .detail = "a new, empty disk in a file",
		  .flow = &flow_create },
		{ .text = "Capture a disk",
		  .detail = "a disk or a partition into a file",
		  .flow = &flow_capture },
		{ .text = "Restore an image",
		  .detail = "onto a disk, whose data is lost",
		  .flow = &flow_restore },
		{ .text = "Clone a disk",
		  .detail = "onto another one, whose data is lost",
		  .flow = &flow_clone },
		{ .text = "Check, inspect, compare",
		  .detail = "errors, contents, differences",
		  .screen = look },
		{ .text = "Tools",
		  .detail = "speed, checksums, logs, shell, power",
		  .screen = tools },
	},
};

enum menu_end menu_run(struct terminal *terminal)
{
	struct menu *m = mem_alloc(sizeof *m);
	enum menu_end end = MENU_IMPOSSIBLE;

	if (m == NULL)
		return end;
	screen_init(&m->ui.screen, terminal);
	terminal->forget_keys(terminal, 0); /* keys of the boot menu */
	platform_cancel_ask(show_stop_question, &m->ui);
	m->end = MENU_LEAVE;
	if (board_run(m, &start, true) == WAY_QUIT && !m->ui.gone)
		end = m->end;
	platform_cancel_ask(NULL, NULL);
	mem_free(m);
	return end;
}
