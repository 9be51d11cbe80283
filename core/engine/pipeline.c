/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The engine's loop. Slots are filled and finished in a ring, in the order of the disk; in between
 * they wait for the processors (workers.h). The boot processor prefers filling to finishing, so
 * that the other processors always have work, and finishes when the ring is full; while it waits
 * for the first slot it works itself.
 *
 * A processor that stops responding must not stop the copy: its slot is set aside until the end,
 * because the processor may still write to its buffers, and a copy of the slot takes its place.
 */
#include "engine/pipeline.h"

#include "base/range.h"

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

size_t pipeline_piece_bytes(size_t n_buffers, size_t unit_bytes)
{
	size_t piece = PIPELINE_SLOT_BYTES;

	while (piece * n_buffers > PIPELINE_SLOT_BYTES)
		piece /= 2;
	return (size_t)max_u64(piece, unit_bytes);
}

static enum status start_others(struct pipeline *line, enum effort effort)
{
	enum status st = ST_OK;

	workers_add(line->workers, worth[effort].others, PIPELINE_WORKERS_MAX);
	line->may_start = workers_count(line->workers) == 0 && effort != EFFORT_PACK;
	for (size_t i = 1; st == ST_OK && i < pipeline_processors(line); i++)
		st = unpacker_open(&line->unpacker[i], line->unit_bytes, line->parallel_reads);
	return st;
}

enum status pipeline_start(struct pipeline *line, uint64_t bytes, size_t unit_bytes,
			   bool parallel_reads, enum effort effort, struct error *err)
{
	enum status st;

	*line = (struct pipeline){ .may_start = bytes >= worth[EFFORT_PACK].bytes,
				   .unit_bytes = unit_bytes,
				   .parallel_reads = parallel_reads };
	st = workers_start(&line->workers, err);
	if (st != ST_OK)
		return st;
	st = unpacker_open(&line->unpacker[0], unit_bytes, parallel_reads);
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

/* A new slot; NULL: no memory. */
static struct slot *make_slot(struct pipeline *line)
{
	struct slot *slot = line->ops->create(line->user);

	if (slot != NULL)
		slot->work.run = line->ops->work;
	return slot;
}

/* Each processor has one, while one waits for it, and others are being read and written. */
static void make_slots(struct pipeline *line)
{
	size_t processors = pipeline_processors(line), wanted = processors > 1 ? 2 * processors : 1;

	while (line->n_slots < wanted) {
		struct slot *slot = make_slot(line);

		if (slot == NULL)
			break;
		line->slot[line->n_slots++] = slot;
	}
}

void pipeline_close(struct pipeline *line)
{
	workers_stop(line->workers);
	for (size_t i = 0; i <= PIPELINE_WORKERS_MAX; i++)
		unpacker_close(&line->unpacker[i]);
	for (size_t i = 0; i < line->n_slots; i++)
		line->ops->free(line->slot[i], line->user);
	while (line->abandoned != NULL) {
		struct slot *slot = line->abandoned;

		line->abandoned = slot->next;
		line->ops->free(slot, line->user);
	}
}

/* The slot that is to be filled next. NULL: all are filled. */
static struct slot *free_slot(const struct pipeline *line)
{
	return line->n < line->n_slots ? line->slot[(line->first + line->n) % line->n_slots] : NULL;
}

static struct slot *first_slot(const struct pipeline *line)
{
	return line->n > 0 ? line->slot[line->first] : NULL;
}

/* Hands the slot that was filled to the processors. ST_NO_MEMORY. */
static enum status submit(struct pipeline *line, struct slot *slot)
{
	if (slot->has_work && slot->expensive && line->may_start) {
		/* So far there was one slot, which is this one, so that others can follow it. */
		if (start_others(line, EFFORT_PACK) != ST_OK)
			return ST_NO_MEMORY;
		make_slots(line);
	}
	line->n++;
	if (slot->has_work)
		work_submit(line->workers, &slot->work);
	return ST_OK;
}

/*
 * Waits until the work on the first slot is done. Where its processor has stopped responding, the
 * first slot is a new one then, with a copy of what that was filled with, whose work was done here.
 * ST_NO_MEMORY.
 */
static enum status wait(struct pipeline *line)
{
	struct slot *slot = line->slot[line->first], *new;

	if (!slot->has_work || work_wait(line->workers, &slot->work))
		return ST_OK;
	new = make_slot(line);
	if (new == NULL)
		return ST_NO_MEMORY;
	slot->next = line->abandoned;
	line->abandoned = slot;
	line->slot[line->first] = new;
	new->has_work = true;
	if (line->ops->copy(new, slot) != ST_OK)
		return ST_NO_MEMORY;
	new->work.run(&new->work, 0);
	return ST_OK;
}

static enum status fill(struct pipeline *line, struct slot *slot, bool *ret_ended,
			struct error *err)
{
	bool filled = true;
	enum status st = line->ops->fill(line->user, slot, &filled, err);

	*ret_ended = !filled;
	if (st != ST_OK || !filled)
		return st;
	return submit(line, slot) == ST_OK ? ST_OK : fail_no_memory(err);
}

static enum status finish(struct pipeline *line, struct error *err)
{
	enum status st = wait(line);

	if (st != ST_OK)
		st = fail_no_memory(err);
	else
		st = line->ops->finish(line->user, first_slot(line), err);

	line->first = line->first + 1 < line->n_slots ? line->first + 1 : 0;
	line->n--;
	return st;
}

enum status pipeline_run(struct pipeline *line, const struct pipeline_ops *ops, void *user,
			 struct progress *progress, struct error *err)
{
	bool ended = false;
	enum status st = ST_OK;

	line->ops = ops;
	line->user = user;
	make_slots(line);
	if (line->n_slots == 0)
		return fail_no_memory(err);
	while (st == ST_OK && !(ended && line->n == 0)) {
		struct slot *slot = ended ? NULL : free_slot(line);

		if (progress_cancelled(progress)) {
			ops->cancelled(user, first_slot(line), err);
			return ST_CANCELLED;
		}
		st = slot != NULL ? fill(line, slot, &ended, err) : finish(line, err);
	}
	return st;
}
