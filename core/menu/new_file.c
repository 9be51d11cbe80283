/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The steps that ask for a new file: the directory, and the name in it. A free name is suggested.
 * An existing file is replaced only after a question that says what it is; then the command line
 * has --force, without which the command itself refuses.
 */
#include "base/memory.h"
#include "base/text.h"
#include "menu/flow_parts.h"
#include "platform/files.h"
#include "platform/path.h"
#include "record/unfinished.h"

/*
 * Returns whether a new file could be created there, by the command that will run, but for the
 * name.
 */
static bool place_possible(void *user, const char *candidate, char *why, size_t why_bytes)
{
	struct menu *m = user;

	return flow_possible_as(m, m->place.file, sizeof m->place.file, candidate, why, why_bytes);
}

enum way step_place(struct menu *m)
{
	flow_prepare(m, &m->place, "Choose a directory for the new image");
	m->place.possible = place_possible;
	m->place.place = true;
	return pick_file(&m->ui, &m->place);
}

static bool exists(const char *name)
{
	struct place place;
	struct error err;

	return platform_look(name, &place, &err) == ST_OK && place.exists;
}

/* The dot of the extension; NULL: there is none. */
static const char *last_dot(const char *name)
{
	const char *dot = NULL;

	for (; *name != '\0'; name++)
		if (*name == '.')
			dot = name;
	return dot;
}

/*
 * Suggests a free name: the name of the disk or of the image, or "disk", the extension of the
 * format, and a number if there is such a file.
 */
static void suggest_name(struct menu *m)
{
	const char *base = m->source.file[0] != '\0' ? path_leaf(m->source.file)
			   : text_find(m->source.name, '=') != NULL
				   ? text_find(m->source.name, '=') + 1
				   : "disk";
	const char *end = m->source.file[0] != '\0' ? last_dot(base) : NULL;
	const char *extension = m->flow->choice[0].value[m->value[0]].extension;
	char plain[48];
	size_t n = 0;

	for (; base[n] != '\0' && base + n != end && n + 1 < sizeof plain; n++) {
		char c = text_lower(base[n]);

		plain[n] = '-';
		if (text_is_digit(c) || (c >= 'a' && c <= 'z') || c == '_')
			plain[n] = base[n];
	}
	plain[n] = '\0';
	for (unsigned i = 1; i < 100; i++) {
		struct out_buffer out;

		out_buffer_init(&out, m->suggested, sizeof m->suggested);
		out_text(&out.out, plain);
		if (i > 1)
			out_printf(&out.out, "-%u", i);
		out_text(&out.out, extension);
		if (!path_join(m->place.file, m->place.directory, m->suggested) ||
		    !exists(m->place.file))
			return;
	}
}

/* Describes the file m->place.file, which exists: its size, and when it was last written. */
static void describe_file(struct menu *m, struct out *out)
{
	struct unfinished *unfinished = mem_alloc(sizeof *unfinished);
	struct file_list files;
	struct error ignored; /* then the file is not described */

	if (platform_list(m->place.directory, &files, &ignored) == ST_OK)
		for (size_t i = 0; i < files.n; i++)
			if (text_equal_nocase(files.entry[i].name, m->name))
				file_print(&files.entry[i], out);
	file_list_free(&files);
	if (unfinished != NULL && unfinished_look(m->place.file, unfinished)) {
		out_text(out, "\nIt is an unfinished image: ");
		unfinished_print(unfinished, out);
	}
	mem_free(unfinished);
}

/* Asks whether the existing file m->place.file is to be replaced. */
static enum way ask_replace(struct menu *m)
{
	char typed[8] = "";
	struct page page = {
		.title = m->trail,
		.step = m->step,
		.heading = "Replace the existing file?",
		.style = STYLE_LOUD,
		.help = m->flow->help,
		.text = m->plan,
		.ask = "Type y and Enter to replace it, Esc for another name:",
		.typed = typed,
		.capacity = sizeof typed,
	};
	struct out_buffer out;
	enum way way;

	out_buffer_init(&out, m->plan, sizeof m->plan);
	out_printf(&out.out, "%s exists already.\n\n  ", m->place.file);
	describe_file(m, &out.out);
	out_text(&out.out, "\n\nIf it is replaced, what is in it now is lost, also if the new "
			   "image is not completed. Nothing is written before the next screen.\n");
	do {
		typed[0] = '\0';
		way = page_ask(&m->ui, &page);
	} while (way == WAY_NEXT && !text_equal_nocase(typed, "y"));
	return way;
}

/* Takes the name that was typed. WAY_AGAIN: another one is needed, for the reason in m->why. */
static enum way take_name(struct menu *m)
{
	struct out_buffer out;
	enum way way;

	out_buffer_init(&out, m->why, sizeof m->why);
	if (text_find(m->name, '\\') != NULL || text_find(m->name, '/') != NULL) {
		out_text(&out.out, "The name must not contain \\ or /.");
		return WAY_AGAIN;
	}
	if (!path_join(m->place.file, m->place.directory, m->name)) {
		out_text(&out.out, "The name is too long.");
		return WAY_AGAIN;
	}
	m->replaces = exists(m->place.file);
	if (m->replaces) {
		way = ask_replace(m);
		if (way != WAY_NEXT)
			return way == WAY_BACK ? WAY_AGAIN : way;
	}
	flow_compose(m);
	return line_possible(&m->line, NULL, 0, m->place.file, m->why, sizeof m->why) ? WAY_NEXT
										      : WAY_AGAIN;
}

enum way step_name(struct menu *m)
{
	struct page page = {
		.title = m->trail,
		.step = m->step,
		.heading = "What should the new file be called?",
		.help = m->flow->help,
		.ask = "Name of the file",
		.suggested = m->suggested,
		.typed = m->name,
		.capacity = sizeof m->name,
		.text = m->plan,
	};
	enum way way;

	suggest_name(m);
	m->why[0] = '\0';
	do {
		struct out_buffer out;

		m->replaces = false;
		out_buffer_init(&out, m->plan, sizeof m->plan);
		out_printf(&out.out,
			   "The file is created in %s\n\nEnter alone takes the name in "
			   "brackets.\n",
			   m->place.directory);
		if (m->why[0] != '\0')
			out_printf(&out.out, "\n" PAGE_LOUD "%s\n", m->why);
		m->name[0] = '\0';
		way = page_ask(&m->ui, &page);
		if (way == WAY_NEXT)
			way = take_name(m);
	} while (way == WAY_AGAIN);
	return way;
}
