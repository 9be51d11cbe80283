/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Captures that were interrupted, as the start page offers them to be continued. They are found by
 * their journals (record/journal_text.h), which lie beside the images, in the upper directories of
 * every volume. Whether one can be continued now is what its command line answers to --dry-run.
 *
 * A journal is a file like any other: its text gets into a command line only if it is printable,
 * and that command refuses whatever --resume cannot be for.
 */
#include "base/memory.h"
#include "base/text.h"
#include "menu/flow.h"
#include "record/unfinished.h"

enum { DEPTH = 3, DIRECTORIES_MAX = 64 };

struct search {
	struct menu *menu;
	size_t n_directories; /* of this volume, so far */
	struct unfinished unfinished;
};

bool is_printable(const char *text)
{
	while (*text >= ' ' && *text < 0x7f)
		text++;
	return *text == '\0';
}

/* Takes the image of a journal, unless that is known, or cannot be continued. */
static void take_image(struct search *search, const char *file)
{
	struct menu *m = search->menu;
	const struct journal_facts *facts = &search->unfinished.journal.facts;
	struct continued *continued = &m->continued[m->n_continued];
	struct out_buffer out;

	for (size_t i = 0; i < m->n_continued; i++)
		if (text_equal(m->continued[i].file, file))
			return;
	if (m->n_continued == CONTINUED_MAX || !unfinished_look(file, &search->unfinished) ||
	    !search->unfinished.resumes || !is_printable(facts->options) ||
	    !is_printable(facts->disk))
		return;
	out_buffer_init(&out, continued->file, sizeof continued->file);
	out_text(&out.out, file);
	out_buffer_init(&out, continued->disk, sizeof continued->disk);
	out_text(&out.out, facts->disk);
	out_buffer_init(&out, continued->options, sizeof continued->options);
	out_text(&out.out, facts->options);
	continued->percent = (unsigned)(search->unfinished.journal.done / (facts->size / 100 + 1));
	m->n_continued++;
}

/* Cuts the ending off the name of the journal of a capture. False: it is none. */
static bool cut_ending(char *name)
{
	static const char *const endings[] = { ".resume", ".resume.new" };
	size_t n = text_length(name);

	for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
		size_t n_ending = text_length(endings[i]);

		if (n > n_ending && text_equal_nocase(name + n - n_ending, endings[i])) {
			name[n - n_ending] = '\0';
			return true;
		}
	}
	return false;
}

/* Looks for journals in a directory, and below it. What cannot be listed has none. */
static void search_in(struct search *search, const char *directory, unsigned depth)
{
	struct file_list files;
	struct error ignored;
	char name[PATH_BYTES];
	bool listed = platform_list(directory, &files, &ignored) == ST_OK;

	search->n_directories++;
	for (size_t i = 0; listed && i < files.n; i++) {
		const struct file_entry *entry = &files.entry[i];

		if (!path_join(name, directory, entry->name))
			continue;
		if (!entry->directory && cut_ending(name))
			take_image(search, name);
		else if (entry->directory && depth > 1 && search->n_directories < DIRECTORIES_MAX)
			search_in(search, name, depth - 1);
	}
	file_list_free(&files);
}

void continued_find(struct menu *m)
{
	struct search *search = mem_alloc(sizeof *search);
	struct inventory inventory;
	struct error ignored; /* then there is nothing to continue */
	char root[PATH_BYTES];

	m->n_continued = 0;
	tell(&m->ui, "Looking for unfinished captures ...");
	if (search != NULL && inventory_read(&inventory, &ignored) == ST_OK) {
		search->menu = m;
		for (size_t i = 0; i < inventory.devices.n; i++)
			if (volume_root(&inventory.devices.device[i], root)) {
				search->n_directories = 0;
				search_in(search, root, DEPTH);
			}
		inventory_free(&inventory);
	}
	mem_free(search);
}

/* Sets what is chosen, as the steps of a capture would have. False: the disk is not there. */
static bool choose(struct menu *m, const struct continued *continued)
{
	struct out_buffer out;

	m->source.file[0] = '\0';
	out_buffer_init(&out, m->place.file, sizeof m->place.file);
	out_text(&out.out, continued->file);
	m->continues = continued;
	m->flow = &flow_continue;
	memset(m->value, 0, sizeof m->value);
	return pick_named_disk(&m->source, continued->disk);
}

void continued_describe(struct menu *m, size_t index, struct item *item)
{
	const struct continued *continued = &m->continued[index];
	const char *value = text_find(continued->disk, '=');
	struct out_buffer out;

	out_buffer_init(&out, item->text, sizeof item->text);
	out_printf(&out.out, "Continue the capture of %s: %u %%",
		   value != NULL ? value + 1 : continued->disk, continued->percent);
	out_buffer_init(&out, item->detail, sizeof item->detail);
	out_printf(&out.out, "into %s", continued->file);
	out_buffer_init(&out, item->why, sizeof item->why);
	if (!choose(m, continued)) {
		out_text(&out.out, "the disk is not connected");
		return;
	}
	flow_continue.compose(m, &m->line);
	(void)line_possible(&m->line, NULL, 0, continued->file, item->why, sizeof item->why);
}

enum way continued_run(struct menu *m, size_t index)
{
	(void)choose(m, &m->continued[index]); /* a disk that is gone by now is refused */
	return flow_run(m, &flow_continue);
}
