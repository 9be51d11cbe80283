/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The log of a session: two files with the same events, as text and as lines of JSON
 * (docs/SPEC.md). Events are collected in memory and written when a command has ended, so that a
 * disk with the log on it is not written to in the middle of a copy from it.
 */
#include "record/log.h"

#include "base/date.h"
#include "base/memory.h"
#include "base/text.h"
#include "blk/blk.h"
#include "platform/clock.h"
#include "platform/files.h"

enum { AT_ONCE_MAX = 1 << 20, NAME_MAX = 32, NUMBER_MAX = 1 << 20 };

static const char text_ending[] = ".log", events_ending[] = ".jsonl";

/* ---- Names ---- */

struct naming {
	char *folder;
	char stem[NAME_MAX]; /* "20261123-075039"; "": numbers alone */
};

/* "fs0:\efi-img\logs\20261123-075039.log"; NULL: no memory. */
static char *name_of(const struct naming *naming, unsigned number, const char *ending)
{
	char name[2 * NAME_MAX];
	struct out_buffer text;
	size_t n = text_length(naming->folder);
	char *ret;

	out_buffer_init(&text, name, sizeof name);
	if (naming->stem[0] == '\0')
		out_printf(&text.out, "%04u", number);
	else if (number == 1)
		out_text(&text.out, naming->stem);
	else
		out_printf(&text.out, "%s-%u", naming->stem, number);
	out_text(&text.out, ending);
	ret = mem_alloc(n + text.length + 1);
	if (ret != NULL) {
		memcpy(ret, naming->folder, n);
		memcpy(ret + n, name, text.length);
	}
	return ret;
}

static enum status is_there(const struct naming *naming, unsigned number, bool *ret,
			    struct error *err)
{
	const char *const ending[] = { text_ending, events_ending };
	struct place place;
	enum status st = ST_OK;

	*ret = false;
	for (size_t i = 0; st == ST_OK && !*ret && i < 2; i++) {
		char *name = name_of(naming, number, ending[i]);

		if (name == NULL)
			return fail_no_memory(err);
		st = platform_look(name, &place, err);
		*ret = st == ST_OK && place.exists;
		mem_free(name);
	}
	return st;
}

/* A number that is not there yet, in few looks: each is slow in a folder with many files. */
static enum status new_number(const struct naming *naming, unsigned *ret, struct error *err)
{
	unsigned taken = 0, nobodys = 1;
	bool there = false;
	enum status st;

	while ((st = is_there(naming, nobodys, &there, err)) == ST_OK && there) {
		taken = nobodys;
		nobodys *= 2;
		if (nobodys > NUMBER_MAX)
			return fail(err, ST_NO_SPACE, "%s: too many logs; remove old ones",
				    naming->folder);
	}
	while (st == ST_OK && nobodys - taken > 1) {
		unsigned middle = taken + (nobodys - taken) / 2;

		st = is_there(naming, middle, &there, err);
		*(there ? &taken : &nobodys) = middle;
	}
	*ret = nobodys;
	return st;
}

static void take_time(struct naming *naming)
{
	struct out_buffer text;
	uint32_t nanoseconds;
	int64_t seconds;
	struct date d;

	if (!platform_time(&seconds, &nanoseconds) || seconds < 0)
		return;
	d = date_of(seconds);
	out_buffer_init(&text, naming->stem, sizeof naming->stem);
	out_printf(&text.out, "%04d%02u%02u-%02u%02u%02u", d.year, d.month, d.day, d.hour, d.minute,
		   d.second);
}

/* ---- Files ---- */

static enum status make_file(struct storage *storage, char **name, struct error *err)
{
	struct blk *file;
	enum status st;

	if (*name == NULL)
		return fail_no_memory(err);
	st = storage_use(storage, ROLE_LOG, ACCESS_CREATE, *name, err);
	if (st == ST_OK)
		st = platform_create(*name, false, &file, err);
	if (st != ST_OK)
		return st;
	st = blk_flush(file);
	if (st != ST_OK)
		error_set(err, "%s: making it: %s", *name, status_text(st));
	blk_close(file);
	return st;
}

static void give_up(struct log *log)
{
	mem_free(log->text_name);
	mem_free(log->events_name);
	log->text_name = log->events_name = NULL;
}

enum status log_open(struct log *log, struct storage *storage, bool counted, struct error *err)
{
	struct naming naming = { .stem = "" };
	unsigned number;
	enum status st;

	*log = (struct log){ .text_name = NULL };
	out_memory_init(&log->text, AT_ONCE_MAX);
	out_memory_init(&log->events, AT_ONCE_MAX);
	st = platform_logs(&naming.folder, err);
	if (st != ST_OK)
		return st;
	if (!counted)
		take_time(&naming);
	st = new_number(&naming, &number, err);
	if (st == ST_OK) {
		log->text_name = name_of(&naming, number, text_ending);
		log->events_name = name_of(&naming, number, events_ending);
		st = make_file(storage, &log->text_name, err);
	}
	if (st == ST_OK)
		st = make_file(storage, &log->events_name, err);
	if (st != ST_OK)
		give_up(log);
	mem_free(naming.folder);
	return st;
}

void log_close(struct log *log)
{
	give_up(log);
	out_memory_free(&log->text);
	out_memory_free(&log->events);
}

static enum status append(const char *name, const struct out_memory *text, struct error *err)
{
	struct blk *file;
	enum status st;

	if (text->n == 0)
		return ST_OK;
	st = platform_open(name, OPEN_WRITE, &file, err);
	if (st != ST_OK)
		return st;
	st = blk_write(file, file->size, text->text, text->n);
	if (st == ST_OK)
		st = blk_flush(file);
	blk_close(file);
	return st == ST_OK ? ST_OK : fail(err, st, "%s: writing it: %s", name, status_text(st));
}

enum status log_write(struct log *log, struct error *err)
{
	uint64_t left_out = log->text.left_out;
	enum status st = ST_OK;

	if (log->text_name != NULL) {
		st = append(log->text_name, &log->text, err);
		if (st == ST_OK)
			st = append(log->events_name, &log->events, err);
	}
	out_memory_clear(&log->text);
	out_memory_clear(&log->events);
	if (left_out > 0)
		out_printf(&log->text.out, "\n(%ju more bytes are omitted)\n", left_out);
	if (st != ST_OK)
		give_up(log);
	return st;
}
