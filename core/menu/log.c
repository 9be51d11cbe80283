/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The logs of earlier runs, newest first: when, how it ended, and what was run. That is read from
 * the events of a log, its .jsonl file, as values; Enter shows its text, as much of the end as fits
 * into the memory of the menu.
 */
#include "base/json.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "blk/blk.h"
#include "menu/columns.h"
#include "menu/flow.h"
#include "platform/files.h"
#include "record/outcome.h"

enum { LOGS_MAX = 200, DATE = 16, RESULT = 12, EVENT_TEXT_BYTES = 256 };

static const char title[] = "Logs",
		  help[] = "Logs of the commands that were run from this menu or by a script.",
		  ending[] = ".jsonl";

/* Reads as much of the end of a file as fits, NUL-terminated. */
static enum status read_end(const char *name, char *text, size_t capacity, struct error *err)
{
	struct blk *blk;
	size_t n;
	enum status st = platform_open(name, OPEN_READ, &blk, err);

	if (st != ST_OK)
		return st;
	n = (size_t)min_u64(blk->size, capacity - 1);
	st = n > 0 ? blk_read(blk, blk->size - n, text, n) : ST_OK;
	text[n] = '\0';
	blk_close(blk);
	return st == ST_OK ? ST_OK : fail(err, st, "%s: reading it: %s", name, status_text(st));
}

/* ---- one log ---- */

static const char *result_word(uint64_t code)
{
	switch (code) {
	case OUTCOME_DONE:
		return "done";
	case OUTCOME_LOST:
		return "with losses";
	case OUTCOME_STOPPED:
		return "stopped";
	default:
		return "failed";
	}
}

/* Takes the line that was run, or how it ended, from an event. */
static void take_event(const char *text, size_t n, char line[static EVENT_TEXT_BYTES],
		       const char **result)
{
	struct json event, value;
	uint64_t code;
	char kind[16];

	if (!json_read(text, n, &event) || !json_member(event, "event", &value) ||
	    !json_text(value, kind, sizeof kind))
		return;
	if (text_equal(kind, "start") && json_member(event, "line", &value)) {
		if (!json_text(value, line, EVENT_TEXT_BYTES))
			line[0] = '\0';
		*result = "not finished";
	} else if (text_equal(kind, "result") && json_member(event, "exit", &value) &&
		   json_number(value, &code)) {
		*result = result_word(code);
	}
}

/* Describes a log by the last command in it. */
static void describe(struct menu *m, const char *file, const struct file_entry *entry,
		     struct item *item)
{
	char line[EVENT_TEXT_BYTES] = "", date[DATE + 1] = "";
	char *text = m->transcript.text;
	const char *result = "unreadable";
	struct error ignored;
	struct out_buffer out;

	if (read_end(file, text, sizeof m->transcript.text, &ignored) == ST_OK)
		while (*text != '\0') {
			const char *end = text_find(text, '\n');
			size_t n = end != NULL ? (size_t)(end - text) : text_length(text);

			take_event(text, n, line, &result);
			text += n + (end != NULL);
		}
	item->detail[0] = item->why[0] = '\0';
	out_buffer_init(&out, date, sizeof date);
	file_print_date(entry, &out.out);
	out_buffer_init(&out, item->text, sizeof item->text);
	column(&out.out, date, DATE);
	column(&out.out, result, RESULT);
	column(&out.out, line, SCREEN_TEXT_COLUMNS - DATE - RESULT - 9);
}

static enum way show_text(struct menu *m, const char *events)
{
	struct page page = { .title = title,
			     .step = "",
			     .heading = m->source.file,
			     .text = m->transcript.text,
			     .ask = "",
			     .help = help,
			     .bare = true };
	struct out_buffer out;
	struct error err;

	out_buffer_init(&out, m->source.file, sizeof m->source.file);
	out.out.write(&out.out, events, text_length(events) - (sizeof ending - 1));
	out_text(&out.out, ".log");
	if (read_end(m->source.file, m->transcript.text, sizeof m->transcript.text, &err) !=
	    ST_OK) {
		pick_failed(&m->ui, title, &err);
		return m->ui.gone ? WAY_QUIT : WAY_AGAIN;
	}
	return page_ask(&m->ui, &page) == WAY_QUIT ? WAY_QUIT : WAY_AGAIN;
}

/* ---- the list ---- */

/* Puts the logs to the front of the list, the last one first; returns their number. */
static size_t sort(struct file_list *files)
{
	size_t n = 0;

	for (size_t i = 0; i < files->n; i++) {
		struct file_entry entry = files->entry[i];
		size_t at = n;

		if (!file_ends_in(entry.name, ending))
			continue;
		files->entry[i] = files->entry[n];
		for (; at > 0 && file_compare(entry.name, files->entry[at - 1].name) > 0; at--)
			files->entry[at] = files->entry[at - 1];
		files->entry[at] = entry;
		n++;
	}
	return n < LOGS_MAX ? n : LOGS_MAX;
}

/* Asks once; `mark` is kept. */
static enum way ask_log(struct menu *m, const char *directory, const struct file_list *files,
			size_t n, struct item *item, int *mark)
{
	char file[PATH_BYTES];
	struct list list = {
		.title = title,
		.step = "",
		.head = "",
		.columns = "Written          Result       Command",
		.ask = "Choose a log",
		.help = help,
		.empty = "There are no logs.",
		.letters = "",
		.letters_help = "r look again  ",
		.item = item,
		.n = n,
		.mark = *mark < (int)n ? *mark : LIST_NONE,
	};
	enum way way;

	tell(&m->ui, "Looking at the logs ...");
	for (size_t i = 0; i < n; i++)
		if (path_join(file, directory, files->entry[i].name))
			describe(m, file, &files->entry[i], &item[i]);
	way = list_ask(&m->ui, &list);
	*mark = list.mark;
	if (way != WAY_NEXT || !path_join(file, directory, files->entry[list.chosen].name))
		return way;
	*mark = list.chosen;
	return show_text(m, file);
}

static enum way look_and_ask(struct menu *m, int *mark)
{
	struct file_list files = { 0 };
	struct item *item = NULL;
	struct error err;
	char *directory = NULL;
	size_t n = 0;
	enum way way = WAY_BACK;
	enum status st = platform_logs(&directory, &err);

	if (st == ST_OK)
		st = platform_list(directory, &files, &err);
	if (st == ST_OK) {
		n = sort(&files);
		item = mem_alloc((n + 1) * sizeof *item);
		st = item != NULL ? ST_OK : fail_no_memory(&err);
	}
	if (st == ST_OK)
		way = ask_log(m, directory, &files, n, item, mark);
	else
		pick_failed(&m->ui, title, &err);
	mem_free(item);
	file_list_free(&files);
	mem_free(directory);
	return way;
}

enum way show_log(struct menu *m)
{
	int mark = LIST_NONE;
	enum way way;

	do
		way = look_and_ask(m, &mark);
	while (way == WAY_AGAIN && !m->ui.gone);
	return way;
}
