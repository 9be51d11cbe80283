/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The question of the first page: should the rest of the stick become a volume for images? It is
 * asked until somebody has answered it. Yes makes the volume, and then there is no room to ask
 * about. No is kept as a file beside the logs with the text of the plan that was refused: it names
 * the stick and the size, so that a stick that has grown, or a copy of it, is asked about again.
 * Where the file cannot be written, the question comes again at the next start. Leaving the menu at
 * the question is no answer.
 */
#include "base/memory.h"
#include "base/text.h"
#include "blk/out_file.h"
#include "menu/flow.h"
#include "platform/files.h"
#include "storage/storage.h"

static const char answer[] = "no-volume.txt";

/* Whether efi-img was started from a removable disk whose rest could be a volume: m->plan. */
static bool stick_has_room(struct menu *m)
{
	struct inventory inventory;
	struct error ignored; /* then it is not asked for */
	bool ret = false;

	tell(&m->ui, "Looking at the disks ...");
	if (inventory_read(&inventory, &ignored) == ST_OK)
		for (size_t i = 0; i < inventory.n; i++)
			ret = ret || (inventory.disk[i].started_from &&
				      inventory.disk[i].device->removable);
	inventory_free(&inventory);
	if (!ret)
		return false;
	flow_stick.compose(m, &m->line);
	return line_possible(&m->line, m->plan, PLAN_BYTES, "", m->why, sizeof m->why);
}

/* The name of the file with the answer; NULL: there is no place for it. */
static char *answer_name(void)
{
	struct error ignored;
	char *folder, *ret;

	if (platform_logs(&folder, &ignored) != ST_OK)
		return NULL;
	ret = out_new("%s%s", folder, answer);
	mem_free(folder);
	return ret;
}

static bool was_refused(const char *plan)
{
	size_t n = text_length(plan);
	char *name = answer_name(), *text = NULL;
	struct error ignored; /* then it was not */
	struct blk *file;
	bool ret = false;

	if (name != NULL && platform_open(name, OPEN_READ, &file, &ignored) == ST_OK) {
		if (file->size == n)
			text = mem_alloc(n);
		ret = text != NULL && blk_read(file, 0, text, n) == ST_OK &&
		      memcmp(text, plan, n) == 0;
		blk_close(file);
	}
	mem_free(text);
	mem_free(name);
	return ret;
}

static void keep_refusal(const char *plan)
{
	char *name = answer_name();
	struct storage storage;
	struct error ignored; /* then it is asked again */
	struct out_file text;
	struct blk *file;
	bool begun = storage_begin(&storage, NULL, &ignored) == ST_OK;

	if (begun && name != NULL &&
	    storage_use(&storage, ROLE_LOG, ACCESS_CREATE, name, &ignored) == ST_OK &&
	    platform_create(name, true, &file, &ignored) == ST_OK) {
		out_file_begin(&text, file);
		out_text(&text.out, plan);
		(void)out_file_end(&text); /* a file that is not complete is no answer */
		blk_close(file);
	}
	storage_end(&storage);
	mem_free(name);
}

enum way stick_ask(struct menu *m)
{
	enum way way = WAY_BACK;
	char *plan;

	if (!stick_has_room(m))
		return way;
	plan = text_copy(m->plan);
	if (plan != NULL && !was_refused(plan)) {
		way = flow_run(m, &flow_stick);
		if (way == WAY_BACK && m->code == NOT_RUN)
			keep_refusal(plan);
	}
	mem_free(plan);
	return way;
}
