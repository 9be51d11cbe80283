/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/pipeline.h"

#include "base/check.h"

/*
 * From how many bytes on, and with how many other processors. Starting them takes the firmware 10
 * ms, and stopping them up to 100. Where there is only one other, it may be the one that the
 * devices of a virtual machine are made of: checksums then slow those down.
 */
static const struct {
	uint64_t bytes;
	size_t others;
} worth[] = { [EFFORT_LOOK] = { UINT64_MAX, 1 },
	      [EFFORT_SUM] = { 1 << 30, 2 },
	      [EFFORT_PACK] = { 4 << 20, 1 } };

static enum status start_others(struct pipeline *line, enum effort effort)
{
	enum status st = ST_OK;

	workers_add(line->workers, worth[effort].others, PIPELINE_WORKERS_MAX);
	line->may_start = workers_count(line->workers) == 0 && effort != EFFORT_PACK;
	for (size_t i = 1; st == ST_OK && i < pipeline_processors(line); i++)
		st = unpacker_open(&line->unpacker[i], line->cluster_bytes);
	return st;
}

enum status pipeline_start(struct pipeline *line, uint64_t bytes, size_t cluster_bytes,
			   bool parallel_reads, enum effort effort, struct error *err)
{
	enum status st;

	*line = (struct pipeline){ .may_start = bytes >= worth[EFFORT_PACK].bytes,
				   .cluster_bytes = cluster_bytes };
	st = workers_start(&line->workers, err);
	if (st != ST_OK)
		return st;
	st = unpacker_open(&line->unpacker[0], cluster_bytes);
	if (st == ST_OK && line->may_start && parallel_reads)
		effort = EFFORT_PACK; /* reading is their work too */
	if (st == ST_OK && bytes >= worth[effort].bytes)
		st = start_others(line, effort);
	return st == ST_OK ? ST_OK : fail_no_memory(err);
}

size_t pipeline_processors(const struct pipeline *line)
{
	return workers_count(line->workers) + 1;
}

/* Each processor has one, while one waits for it, and others are being read and written. */
static void make_slots(struct pipeline *line)
{
	size_t processors = pipeline_processors(line), wanted = processors > 1 ? 2 * processors : 1;

	while (line->n_slots < wanted) {
		struct slot *slot = line->ops->create(line->user);

		if (slot == NULL)
			break;
		line->slot[line->n_slots++] = slot;
	}
}

enum status pipeline_make_slots(struct pipeline *line, const struct slot_ops *ops, void *user,
				struct error *err)
{
	line->ops = ops;
	line->user = user;
	make_slots(line);
	return line->n_slots > 0 ? ST_OK : fail_no_memory(err);
}

void pipeline_close(struct pipeline *line)
{
	workers_stop(line->workers);
	for (size_t i = 0; i <= PIPELINE_WORKERS_MAX; i++)
		unpacker_close(&line->unpacker[i]);
	for (size_t i = 0; i < line->n_slots; i++)
		line->ops->free(line->slot[i], line->user);
	while (line->given_up != NULL) {
		struct slot *slot = line->given_up;

		line->given_up = slot->next;
		line->ops->free(slot, line->user);
	}
}

struct slot *pipeline_free_slot(const struct pipeline *line)
{
	return line->n < line->n_slots ? line->slot[(line->first + line->n) % line->n_slots] : NULL;
}

enum status pipeline_push(struct pipeline *line)
{
	struct slot *slot = line->slot[(line->first + line->n) % line->n_slots];

	CHECK(line->n < line->n_slots);
	if (slot->has_work && slot->is_hard && line->may_start) {
		/*
		 * So far there was one slot, which is this one, so that others can come behind it.
		 */
		if (start_others(line, EFFORT_PACK) != ST_OK)
			return ST_NO_MEMORY;
		make_slots(line);
	}
	line->n++;
	if (slot->has_work)
		work_submit(line->workers, &slot->work);
	return ST_OK;
}

struct slot *pipeline_first(const struct pipeline *line)
{
	return line->n > 0 ? line->slot[line->first] : NULL;
}

enum status pipeline_wait(struct pipeline *line)
{
	struct slot *slot = line->slot[line->first], *new;

	CHECK(line->n > 0);
	if (!slot->has_work || work_wait(line->workers, &slot->work))
		return ST_OK;
	new = line->ops->create(line->user);
	if (new == NULL)
		return ST_NO_MEMORY;
	slot->next = line->given_up;
	line->given_up = slot;
	line->slot[line->first] = new;
	new->has_work = true;
	if (line->ops->copy(new, slot) != ST_OK)
		return ST_NO_MEMORY;
	new->work.run(&new->work, 0);
	return ST_OK;
}

void pipeline_pop(struct pipeline *line)
{
	line->first = (line->first + 1) % line->n_slots;
	line->n--;
}
