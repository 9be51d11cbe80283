/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The log viewer: lists the logs of earlier runs, newest first, and shows the end of one, as much
 * as fits into the memory of the menu.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "blk/blk.h"
#include "menu/flow.h"
#include "platform/files.h"

static const char title[] = "Logs",
		  help[] = "Logs of the commands that were run from this menu or by a script.";

/* Finds the directory of the logs, without a separator at the end; unchanged if it is not known. */
static void begin(char directory[static PATH_BYTES])
{
	struct out_buffer out;
	struct error ignored;
	char *logs;

	if (platform_logs(&logs, &ignored) != ST_OK)
		return;
	out_buffer_init(&out, directory, PATH_BYTES);
	out_text(&out.out, logs);
	if (out.length > 0 && directory[out.length - 1] == '\\')
		directory[out.length - 1] = '\0';
	mem_free(logs);
}

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

enum way show_log(struct menu *m)
{
	struct pick *pick = &m->source;
	char logs[PATH_BYTES] = "";
	struct error err;
	enum way way;

	begin(logs);
	*pick = (struct pick){ .title = title,
			       .step = "",
			       .ask = "Choose a log",
			       .help = help,
			       .backwards = true,
			       .top = logs };
	memcpy(pick->directory, logs, sizeof logs);
	while ((way = pick_file(&m->ui, pick)) == WAY_NEXT) {
		struct page page = { .title = title,
				     .step = "",
				     .heading = pick->file,
				     .text = m->transcript.text,
				     .ask = "",
				     .help = help,
				     .bare = true };

		if (read_end(pick->file, m->transcript.text, sizeof m->transcript.text, &err) !=
		    ST_OK) {
			pick_failed(&m->ui, title, &err);
			continue;
		}
		way = page_ask(&m->ui, &page);
		if (way == WAY_QUIT)
			break;
	}
	return way;
}
