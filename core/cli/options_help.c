/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which options are explained one by one, and which are only named: those that qemu-img has, and
 * that would make a long list longer without telling anybody what to do.
 */
#include "cli/options_help.h"

#include "base/text.h"

enum { COLUMNS = 79 };

static bool same_letter(const struct option *a, const struct option *b)
{
	return a->letter != 0 && a->letter == b->letter;
}

/* Whether an option before `row` has its letter or its name. */
static bool is_spelling(const struct option *options, const struct option *row, bool *ret_letter)
{
	for (; options != row; options++) {
		*ret_letter = same_letter(options, row);
		if (*ret_letter || (options->name != NULL && row->name != NULL &&
				    text_equal(options->name, row->name)))
			return true;
	}
	return false;
}

static bool is_ignored(const struct option *row)
{
	return text_equal(row->help, OPTION_IGNORED);
}

bool option_is_explained(const struct option *options, const struct option *row)
{
	bool ignored;

	return option_is_section(row) || !(is_ignored(row) || is_spelling(options, row, &ignored));
}

/* Adds a word to a line that begins with `title`. */
static void add(struct out *out, const char *title, size_t *column, char letter, const char *name)
{
	size_t n = letter != 0 ? 2 : 2 + text_length(name);

	if (*column == 0) {
		*column = text_length(title);
		out_printf(out, "\n%s", title);
	} else {
		++*column;
		out_text(out, ",");
	}
	if (*column + 1 + n + 1 > COLUMNS) {
		*column = 1;
		out_text(out, "\n ");
	}
	if (letter != 0)
		out_printf(out, " -%c", letter);
	else
		out_printf(out, " --%s", name);
	*column += 1 + n;
}

void options_print_others(const struct option *options, struct out *out)
{
	static const char *const titles[] = { "Other spellings:",
					      "Accepted for compatibility, without effect:" };

	for (int ignored = 0; ignored < 2; ignored++) {
		size_t column = 0;

		for (const struct option *o = options; o != NULL && !option_is_end(o); o++) {
			bool letter = false, spelling = is_spelling(options, o, &letter);

			if (option_is_section(o) || is_ignored(o) != ignored || spelling == ignored)
				continue; /* of an option without effect, one spelling is enough */
			add(out, titles[ignored], &column, (char)(letter ? 0 : o->letter), o->name);
		}
		if (column > 0)
			out_text(out, "\n");
	}
}
