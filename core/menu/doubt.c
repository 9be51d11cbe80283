/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The question before a file that does not look like a disk goes onto a whole one: the command line
 * then has --no-table, which lifts the command's own refusal, so that a person has to type other
 * words than the usual ones first. Which files these are is decided in copy/target_contents.c
 * alone.
 */
#include "base/text.h"
#include "menu/flow.h"

bool doubt_concerns(const struct menu *m)
{
	return m->source.doubtful && m->other.whole;
}

enum way doubt_ask(struct menu *m)
{
	static const char word[] = "no table";
	char typed[16];
	struct page page = {
		.title = m->trail,
		.step = m->step,
		.heading = "Check this once more",
		.help = m->flow->help,
		.text = m->plan,
		.ask = "This is probably not a disk image. To write it anyway, type no table:",
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
