/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The question before a file that does not look like a disk, or not like all of one, goes onto a
 * disk: the command line then has --no-table or --truncated, which lifts the command's own refusal,
 * so that a person has to type other words than the usual ones first. Which files these are is
 * decided in copy/target_contents.c alone.
 */
#include "base/text.h"
#include "menu/flow.h"

static const struct {
	const char *option, *word, *ask;
} doubts[] = {
	[DOUBT_NONE] = { "", "", "" },
	[DOUBT_NO_TABLE] = { "--no-table", "no table",
			     "This is probably not a disk image. To write it anyway, type no "
			     "table:" },
	[DOUBT_TRUNCATED] = { "--truncated", "truncated",
			      "The end of it is probably missing. To write it anyway, type "
			      "truncated:" },
};

bool doubt_concerns(const struct menu *m)
{
	return m->source.doubt == DOUBT_TRUNCATED ||
	       (m->source.doubt == DOUBT_NO_TABLE && m->other.whole);
}

const char *doubt_option(const struct menu *m)
{
	return doubts[m->source.doubt].option;
}

enum way doubt_ask(struct menu *m)
{
	const char *word = doubts[m->source.doubt].word;
	char typed[16];
	struct page page = {
		.title = m->trail,
		.step = m->step,
		.heading = "Check this once more",
		.help = m->flow->help,
		.text = m->plan,
		.ask = doubts[m->source.doubt].ask,
		.typed = typed,
		.capacity = sizeof typed,
	};
	enum way way;

	do {
		typed[0] = '\0';
		way = page_ask(&m->ui, &page);
	} while (way == WAY_NEXT && !text_equal_nocase(typed, word));
	return way;
}
