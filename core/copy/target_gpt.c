/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The GPT of a whole disk that is copied onto a larger one. A GPT has its backup in the last
 * sectors of the disk (UEFI 2.10, 5.3): on a larger disk that place is wrong, and firmware and
 * systems warn about it or repair it in their own ways. So the backup of a valid GPT is moved,
 * after the data is written and while the first sectors are still held back. A GPT that is invalid
 * already is copied unchanged.
 */
#include "copy/target_gpt.h"

#include "base/out.h"
#include "base/range.h"
#include "copy/target_run.h"
#include "disk/gpt_move.h"

/* Only a disk that is there as a whole, on a whole disk, has its GPT where it is looked for. */
static bool concerned(const struct target_plan *plan)
{
	const struct target_request *request = plan->request;
	uint64_t size = 0;

	for (size_t i = 0; i < request->n_sources; i++)
		size += request->source[i].link[0].image->size;
	return request->format->flat && plan->selection.part == NULL && request->first_byte == 0 &&
	       request->n_bytes == size;
}

static uint32_t lba_bytes_of(const struct target_plan *plan)
{
	return (uint32_t)max_u64(plan->selection.disk->device->block_bytes, 512);
}

/* What will be done, or was found to be done, with such a GPT. */
static void decide(const struct target_plan *plan, const struct gpt_state *state,
		   struct target_gpt *ret)
{
	const struct target_request *request = plan->request;
	uint32_t lba_bytes = lba_bytes_of(plan);
	bool larger = plan->size_bytes / lba_bytes > request->n_bytes / lba_bytes;
	struct out_buffer why;

	out_buffer_init(&why, ret->why, sizeof ret->why);
	ret->fate = GPT_FATE_NONE;
	if (state->fit == GPT_ODD) {
		ret->fate = GPT_FATE_ODD;
		out_text(&why.out, state->why);
	} else if (state->fit == GPT_WHOLE && larger) {
		ret->fate = request->gpt == GPT_KEEP ? GPT_FATE_KEPT : GPT_FATE_MOVED;
		out_printf(&why.out, "its backup is at LBA %ju, and the disk ends at LBA %ju",
			   request->n_bytes / lba_bytes - 1, plan->size_bytes / lba_bytes - 1);
	}
}

enum status target_gpt_plan(struct target_plan *plan, struct error *err)
{
	const struct target_request *request = plan->request;
	struct image *image = request->source[0].link[0].image;
	struct gpt_state state;
	enum status st;

	if (!concerned(plan))
		return ST_OK;
	if (request->n_sources > 1) {
		if (request->gpt == GPT_REFUSE)
			return fail(err, ST_INVALID,
				    "option --gpt=refuse: it needs a single source: the GPT of "
				    "concatenated sources is not known before the copy");
		plan->gpt.fate = GPT_FATE_UNKNOWN;
		return ST_OK;
	}
	st = gpt_examine(&image->blk, image->size, lba_bytes_of(plan), &state, err);
	if (st == ST_IO) { /* the copy will end there, unless it is to go on without */
		struct out_buffer why;

		state.fit = GPT_ODD;
		out_buffer_init(&why, state.why, sizeof state.why);
		out_text(&why.out, err->text);
	} else if (st != ST_OK) {
		struct error why = *err;

		return fail(err, st, "%s: %s", image->name, why.text);
	}
	decide(plan, &state, &plan->gpt);
	if (request->gpt != GPT_REFUSE || plan->gpt.fate == GPT_FATE_NONE)
		return ST_OK;
	return fail(err, ST_REFUSED, "%s: the GPT in %s does not fit it: %s; --gpt=%s",
		    request->name, image->name, plan->gpt.why,
		    plan->gpt.fate == GPT_FATE_ODD ? "keep would copy it as it is"
						   : "move would move the backup to the end");
}

enum status target_gpt_run(struct target_run *run, struct error *err)
{
	const struct target_plan *plan = run->plan;
	const struct target_request *request = plan->request;
	uint32_t lba_bytes = lba_bytes_of(plan);
	struct gpt_state state;
	struct error why;
	enum status st;

	run->gpt = plan->gpt;
	if (!concerned(plan) || request->gpt == GPT_KEEP)
		return ST_OK;
	run->gpt.fate = GPT_FATE_NONE;
	st = run->holds ? ST_OK : gpt_examine(run->disk, plan->size_bytes, lba_bytes, &state, &why);
	/* a copy that continues by its map has moved it already */
	if (st == ST_OK && !run->holds && state.fit == GPT_WHOLE)
		return ST_OK;
	if (st == ST_OK)
		st = gpt_examine(run->disk, min_u64(request->n_bytes, plan->size_bytes), lba_bytes,
				 &state, &why);
	if (st == ST_OK) {
		decide(plan, &state, &run->gpt);
		if (run->gpt.fate == GPT_FATE_MOVED)
			st = gpt_move(run->disk, request->n_bytes, lba_bytes, &why);
	}
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", request->name, why.text);
}
