/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The snapshots of an image as a list: one is chosen to be reverted to or deleted, or a new one is
 * taken. The list is read anew after each change; the changes are command lines as all others.
 */
#include "base/date.h"
#include "base/memory.h"
#include "base/printable.h"
#include "base/text.h"
#include "format/image.h"
#include "menu/columns.h"
#include "menu/flow_parts.h"
#include "platform/clock.h"

enum { ID = 4, NAME = 40 };

static void describe(const struct image *image, size_t index, struct item *item)
{
	const struct snapshot *snapshot = &image->snapshots[index];
	struct date d = date_of((int64_t)snapshot->date_seconds +
				platform_utc_offset(snapshot->date_seconds));
	struct out_buffer out;

	item->detail[0] = '\0';
	out_buffer_init(&out, item->text, sizeof item->text);
	column(&out.out, snapshot->id, ID);
	column(&out.out, snapshot->name, NAME);
	out_printf(&out.out, "%04d-%02u-%02u %02u:%02u", d.year, d.month, d.day, d.hour, d.minute);
	out_buffer_init(&out, item->why, sizeof item->why);
	if (!is_printable(snapshot->id) || !is_printable(snapshot->name) ||
	    text_length(snapshot->name) >= NAME_BYTES || text_length(snapshot->id) >= SIZE_BYTES)
		out_text(&out.out, "its name has characters that cannot be typed");
	for (size_t i = 0; i < index; i++)
		if (text_equal(image->snapshots[i].name, snapshot->name))
			out_text(&out.out, "an earlier snapshot has the same name");
}

static void take(struct menu *m, const struct snapshot *snapshot)
{
	struct out_buffer out;

	out_buffer_init(&out, m->snapshot.id, sizeof m->snapshot.id);
	out_text(&out.out, snapshot->id);
	out_buffer_init(&out, m->snapshot.name, sizeof m->snapshot.name);
	out_text(&out.out, snapshot->name);
}

static enum way ask_snapshot(struct menu *m, const struct image *image, struct item *item)
{
	struct list list = {
		.title = m->source.brief,
		.step = "",
		.head = "",
		.columns = "ID   Name                                     Taken",
		.ask = "Choose a snapshot, or take one",
		.empty = "The image has no snapshots. Press t to take one.",
		.help = "A snapshot keeps the disk in an image as it was at one time, inside the "
			"image.",
		.letters = "t",
		.letters_help = "t take one  ",
		.item = item,
		.n = image->n_snapshots,
		.mark = LIST_NONE,
	};
	struct out_buffer out;
	enum way way;

	for (size_t i = 0; i < image->n_snapshots; i++)
		describe(image, i, &item[i]);
	way = list_ask(&m->ui, &list);
	if (way == WAY_NEXT)
		take(m, &image->snapshots[list.chosen]);
	out_buffer_init(&out, m->suggested, sizeof m->suggested);
	out_printf(&out.out, "snapshot-%zu", image->n_snapshots + 1);
	return way;
}

/* Reads the list, and asks once. */
static enum way look_and_ask(struct menu *m)
{
	struct storage storage;
	struct image *image = NULL;
	struct item *item = NULL;
	struct error err;
	enum way way = WAY_BACK;
	enum status st = storage_begin(&storage, NULL, &err);

	if (st == ST_OK)
		st = image_open(&storage, m->source.file, NULL, &image, &err);
	if (st == ST_OK && image->format->snapshots.load == NULL)
		st = fail(&err, ST_UNSUPPORTED, "%s: images of format %s have no snapshots",
			  m->source.file, image->format->name);
	if (st == ST_OK) {
		item = mem_alloc((image->n_snapshots + 1) * sizeof *item);
		if (item == NULL)
			st = fail_no_memory(&err);
	}
	if (st == ST_OK)
		way = ask_snapshot(m, image, item);
	else
		pick_failed(&m->ui, m->source.brief, &err);
	mem_free(item);
	image_close(image);
	storage_end(&storage);
	return way;
}

/* Asks what to do with the snapshot that was chosen. */
static enum way ask_what(struct menu *m)
{
	struct item item[] = { { .text = "Revert the disk to it" }, { .text = "Delete it" } };
	struct list list = {
		.title = m->source.brief,
		.step = "",
		.head = "",
		.columns = "",
		.ask = m->snapshot.name,
		.empty = "",
		.help = "",
		.letters = "",
		.letters_help = "",
		.item = item,
		.n = sizeof item / sizeof item[0],
		.mark = LIST_NONE,
	};
	enum way way;

	do
		way = list_ask(&m->ui, &list);
	while (way == WAY_AGAIN);
	if (way != WAY_NEXT)
		return way;
	return flow_run(m, list.chosen == 0 ? &flow_snapshot_revert : &flow_snapshot_delete);
}

enum way show_snapshots(struct menu *m)
{
	enum way way;

	do {
		way = look_and_ask(m);
		if (way == WAY_KEY || way == WAY_NEXT) {
			way = way == WAY_KEY ? flow_run(m, &flow_snapshot_take) : ask_what(m);
			way = way == WAY_QUIT ? WAY_QUIT : WAY_AGAIN;
		}
	} while (way == WAY_AGAIN && !m->ui.gone);
	return way;
}
