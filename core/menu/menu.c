/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The boards of the menu: screens that only lead to others. What can be done is a table here; how
 * it is done is in flows.c.
 */
#include "menu/menu.h"

#include "base/memory.h"
#include "base/printable.h"
#include "base/text.h"
#include "base/version.h"
#include "cli/console.h"
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

enum {
	ENTRIES_MAX = 10, /* and the NULL at the end */
	MODEL_COLUMNS = 38
}; /* less than half of the screen, beside the program's name */

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

/* Writes the items of a board; of the first one, captures that can be continued are below them. */
static size_t write_items(struct menu *m, const struct board *board, bool top, struct item *item)
{
	size_t n = 0;

	for (; board->entry[n].text != NULL; n++) {
		struct out_buffer out;

		out_buffer_init(&out, item[n].text, sizeof item[n].text);
		out_printf(&out.out, "%-29s %s", board->entry[n].text, board->entry[n].detail);
		item[n].detail[0] = item[n].why[0] = '\0';
	}
	if (!top)
		return n;
	continued_find(m);
	for (size_t i = 0; i < m->n_continued; i++)
		continued_describe(m, i, &item[n + i]);
	return n + m->n_continued;
}

/* Shows a board once, and follows what is chosen. `list` keeps the mark. */
static enum way board_ask(struct menu *m, const struct board *board, bool top, struct list *list)
{
	size_t n;
	enum way way;

	list->n = write_items(m, board, top, list->item);
	n = list->n - (top ? m->n_continued : 0);
	if (n < list->n && list->item[n].why[0] == '\0')
		list->mark = (int)n;
	else if (list->mark >= (int)list->n)
		list->mark = LIST_NONE;
	way = list_ask(&m->ui, list);
	if (way != WAY_NEXT)
		return way;
	way = (size_t)list->chosen < n ? follow(m, &board->entry[list->chosen])
				       : continued_run(m, (size_t)list->chosen - n);
	if (way != WAY_QUIT && m->code == EXIT_OK &&
	    (m->flow == &flow_remove || m->flow == &flow_rename))
		return WAY_BACK; /* there is no image of that name any more */
	return way == WAY_QUIT ? WAY_QUIT : WAY_AGAIN;
}

/* Shows a board until the user goes back. `top`: there is no way back. */
static enum way board_run(struct menu *m, const struct board *board, bool top)
{
	struct item *item = mem_alloc((ENTRIES_MAX + CONTINUED_MAX) * sizeof *item);
	char program[64], model[4 * MODEL_COLUMNS + 1], machine[192];
	struct out_buffer name, head, right;
	struct list list = {
		.title = top ? program : board->title,
		.step = top ? model : "",
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
	out_buffer_init(&right, model, sizeof model);
	out_printable(&right.out, platform_model(), MODEL_COLUMNS);
	out_buffer_init(&name, program, sizeof program);
	out_printf(&name.out, "efi-img %s", program_version);
	while (way != WAY_QUIT && (top ? item != NULL : way != WAY_BACK))
		way = board_ask(m, board, top, &list);
	mem_free(item);
	return way;
}

/* Lets the person choose an image, damaged or not, and then what to do with it. */
static enum way work(struct menu *m)
{
	static const char title[] = "Work on an image";
	struct board board = {
		.title = m->source.brief,
		.ask = "Choose a task",
		.help = "A screen shows what will happen before anything is changed.",
		.entry = {
			{ .text = "Check",
			  .detail = "for errors, and repair them",
			  .flow = &flow_check },
			{ .text = "Describe",
			  .detail = "its format, size and files",
			  .flow = &flow_info },
			{ .text = "Compare with an image",
			  .detail = "do they have the same contents?",
			  .flow = &flow_compare },
			{ .text = "Compare with a disk",
			  .detail = "does the disk have the same contents?",
			  .flow = &flow_compare_disk },
			{ .text = "Convert",
			  .detail = "into a new image of another format",
			  .flow = &flow_convert },
			{ .text = "Resize",
			  .detail = "make the disk in it larger or smaller",
			  .flow = &flow_resize },
			{ .text = "Snapshots",
			  .detail = "list, take, revert to, delete",
			  .screen = show_snapshots },
			{ .text = "Rename",
			  .detail = "with all files that have its name",
			  .flow = &flow_rename },
			{ .text = "Delete",
			  .detail = "the image and all its files",
			  .flow = &flow_remove },
		},
	};
	enum way way;

	m->source.directory[0] = '\0';
	m->source.all = false;
	do {
		m->source.title = title;
		m->source.step = "";
		m->source.name[0] = '\0';
		m->source.ask = "Choose an image";
		m->source.help = board.help;
		m->source.possible = NULL;
		m->source.place = m->source.opens = false;
		m->source.images = true;
		way = pick_file(&m->ui, &m->source);
		if (way == WAY_NEXT)
			way = board_run(m, &board, false) == WAY_QUIT ? WAY_QUIT : WAY_AGAIN;
	} while (way == WAY_AGAIN);
	return way;
}

static enum way tools(struct menu *m)
{
	static const struct board board = {
		.title = "Tools",
		.ask = "Choose a task",
		.help = "",
		.entry = {
			{ .text = "List the disks",
			  .detail = "with their partitions and contents",
			  .flow = &flow_list },
			{ .text = "Speed of a disk",
			  .detail = "how fast it can be read",
			  .flow = &flow_bench },
			{ .text = "SHA-256 of an image",
			  .detail = "of the disk in it",
			  .flow = &flow_hash },
			{ .text = "SHA-256 of a disk",
			  .detail = "of all its bytes",
			  .flow = &flow_hash_disk },
			{ .text = "The rest of this stick",
			  .detail = "a volume for images in it",
			  .flow = &flow_stick },
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
		{ .text = "Capture a disk",
		  .detail = "a disk or a partition into an image",
		  .flow = &flow_capture },
		{ .text = "Restore an image",
		  .detail = "onto a disk, whose data is lost",
		  .flow = &flow_restore },
		{ .text = "Clone a disk",
		  .detail = "onto another one, whose data is lost",
		  .flow = &flow_clone },
		{ .text = "Create an empty image",
		  .detail = "for a virtual machine",
		  .flow = &flow_create },
		{ .text = "Work on an image",
		  .detail = "check, compare, convert, snapshots",
		  .screen = work },
		{ .text = "Tools",
		  .detail = "speed, checksums, logs, shell, power",
		  .screen = tools },
	},
};

enum menu_end menu_run(struct terminal *terminal)
{
	enum way way;
	struct menu *m = mem_alloc(sizeof *m);
	enum menu_end end = MENU_IMPOSSIBLE;

	if (m == NULL)
		return end;
	screen_init(&m->ui.screen, terminal);
	terminal->forget_keys(terminal, 0); /* keys of the boot menu */
	platform_cancel_ask(show_stop_question, &m->ui);
	m->end = MENU_LEAVE;
	way = stick_ask(m);
	if (way != WAY_QUIT)
		way = board_run(m, &start, true);
	if (way == WAY_QUIT && !m->ui.gone)
		end = m->end;
	platform_cancel_ask(NULL, NULL);
	mem_free(m);
	return end;
}
