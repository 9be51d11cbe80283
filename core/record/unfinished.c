/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What is known of an unfinished image: how much of it is copied, and the command that completes
 * it. The mark in the file decides that it is unfinished (storage/unfinished.h); the journal beside
 * it only explains, and only when it has the same id. So a journal that is left of another image of
 * that name explains nothing.
 */
#include "record/unfinished.h"

#include "base/memory.h"
#include "base/printable.h"
#include "base/size.h"
#include "base/text.h"
#include "platform/files.h"
#include "record/record.h"

static bool has_mark(const char *name, uint8_t id[static MARK_ID_BYTES])
{
	struct error ignored;
	struct blk *file;
	bool marked;

	if (platform_open(name, OPEN_READ, &file, &ignored) != ST_OK)
		return false;
	if (mark_read(file, MARK_IMAGE, &marked, id) != ST_OK)
		marked = false;
	blk_close(file);
	return marked;
}

/* The file itself counts, or where a power cut has left that incomplete, the side file. */
static enum status read_journal(const char *name, struct journal_text *ret, struct error *err)
{
	struct record record;
	bool side;
	size_t n = 0;
	char *text = NULL;
	enum status st = record_open(&record, name, journal_text_head, err);

	side = record.state != RECORD_WHOLE;
	if (st == ST_OK && record.state == RECORD_FOREIGN)
		st = fail(err, ST_EXISTS, "%s is no journal", name);
	if (st == ST_OK && side && record.side_state != RECORD_WHOLE)
		st = fail(err, ST_NOT_FOUND, "its journal %s does not exist", name);
	if (st == ST_OK)
		st = record_read(&record, side, JOURNAL_TEXT_BYTES_MAX, &text, &n, err);
	if (st == ST_OK)
		st = journal_text_parse(name, text, n, ret, err);
	mem_free(text);
	record_close(&record);
	return st;
}

bool unfinished_look(const char *name, struct unfinished *ret)
{
	const struct journal_facts capture = { .to_disk = false };
	uint8_t id[MARK_ID_BYTES];
	char *journal;
	enum status st;

	*ret = (struct unfinished){ .resumes = false };
	if (!has_mark(name, id))
		return false;
	journal = journal_name(&capture, name);
	if (journal == NULL)
		st = fail_no_memory(&ret->why);
	else
		st = read_journal(journal, &ret->journal, &ret->why);
	if (st == ST_OK && memcmp(id, ret->journal.id, sizeof id) != 0)
		st = fail(&ret->why, ST_NOT_FOUND, "%s is the journal of another copy", journal);
	mem_free(journal);
	ret->resumes = st == ST_OK;
	return true;
}

void unfinished_print(const struct unfinished *unfinished, struct out *out)
{
	if (!unfinished->resumes) {
		out_printf(out, "it cannot be completed: %s; delete it, and repeat the copy",
			   unfinished->why.text);
		return;
	}
	size_print(out, unfinished->journal.done);
	out_text(out, " of ");
	size_print(out, unfinished->journal.facts.size);
	out_text(out, " of ");
	out_printable(out, unfinished->journal.facts.disk, SIZE_MAX);
	out_text(out, " are copied");
}

static void print_word(struct out *out, const char *word)
{
	const char *quote = text_find(word, ' ') != NULL ? "\"" : "";

	out_printf(out, " %s", quote);
	out_printable(out, word, SIZE_MAX);
	out_text(out, quote);
}

void unfinished_print_command(const struct unfinished *unfinished, const char *name,
			      struct out *out)
{
	const char *options = unfinished->journal.facts.options;

	out_text(out,
		 options[0] != '\0' ? "efi-img convert --resume " : "efi-img convert --resume");
	out_printable(out, options, SIZE_MAX);
	print_word(out, unfinished->journal.facts.disk);
	print_word(out, name);
}
