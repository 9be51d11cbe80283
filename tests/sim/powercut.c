/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What a power cut leaves, from the journal of the simulated volume. Changes that a flush of their
 * file follows before the cut are on the medium. Of the others each may be there, missing, half
 * written (by whole sectors), or, if it made the file longer, there in length only. All states with
 * one such change are enumerated, and mixtures by seed, since all combinations would be too many.
 */
#include "powercut.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pages.h"

/* What becomes of the changes that were not flushed. */
enum loss { NOTHING_LOST, ALL_LOST, ONE_LOST, ONE_KEPT, ONE_TORN, ONE_STALE, MIXTURE, N_LOSSES };

static const char *const loss_names[N_LOSSES] = { "nothing", "all",   "lost",   "kept",
						  "torn",    "stale", "mixture" };

/* ---- files ---- */

static void *keep(const void *bytes, size_t n)
{
	return memcpy(pages_new(n + 1), bytes, n);
}

struct sim_files sim_files_keep(void)
{
	struct sim_files files = { 0 };
	const char *name;

	for (; (name = sim_file_name(files.n)) != NULL; files.n++) {
		uint64_t size;
		const uint8_t *bytes = sim_file(name, &size);

		strcpy(files.file[files.n].name, name);
		files.file[files.n].bytes = keep(bytes, size);
		files.file[files.n].size = size;
	}
	return files;
}

static struct sim_files copy(const struct sim_files *from)
{
	struct sim_files files = *from;

	for (size_t i = 0; i < files.n; i++)
		files.file[i].bytes = keep(files.file[i].bytes, files.file[i].size);
	return files;
}

void sim_files_drop(struct sim_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		pages_free(files->file[i].bytes, files->file[i].size + 1);
	*files = (struct sim_files){ 0 };
}

void sim_files_restore(const struct sim_volume_kind *kind, const struct sim_files *files)
{
	sim_volume(kind);
	for (size_t i = 0; i < files->n; i++)
		sim_file_put(files->file[i].name, files->file[i].bytes, files->file[i].size);
}

/* ---- changes ---- */

/* A torn write ends half-way, between two sectors: these are written whole or not at all. */
static uint64_t torn_end(const struct sim_change *change)
{
	uint64_t middle = (change->offset + change->n / 2) / 512 * 512;

	return middle > change->offset ? middle : change->offset;
}

/*
 * How much of a change arrives: all, nothing, the first half, or of a write that makes the file
 * longer only that, so that what was in these clusters of the volume before shows.
 */
enum arrival { WHOLE, LOST, TORN, STALE, N_ARRIVALS };

/*
 * What a dropped write would have filled is whatever the volume had there; a resize writes zeros.
 */
static void set_size(struct sim_files *files, size_t i, uint64_t size, int filler)
{
	uint64_t before = files->file[i].size;

	files->file[i].bytes = pages_resize(files->file[i].bytes, before + 1, size + 1);
	files->file[i].size = size;
	if (size > before)
		memset(files->file[i].bytes + before, filler, size - before);
}

static void apply(struct sim_files *files, const struct sim_change *change, enum arrival arrival)
{
	uint64_t end = arrival == TORN ? torn_end(change) : change->offset + change->n;
	size_t i = 0;

	if (arrival == LOST || change->kind == SIM_FLUSH)
		return;
	while (i < files->n && strcmp(files->file[i].name, change->file) != 0)
		i++;
	if (i == files->n)
		strcpy(files->file[files->n++].name, change->file);
	if (change->kind != SIM_WRITE)
		set_size(files, i, change->offset, 0);
	else if (end > files->file[i].size)
		set_size(files, i, end, 0xaa);
	if (change->kind == SIM_WRITE && arrival != STALE)
		memcpy(files->file[i].bytes + change->offset, change->bytes, end - change->offset);
}

/* Whether a change was on the medium for certain when the power went after `cut` of them. */
static bool is_flushed(const struct sim_change *journal, size_t i, size_t cut)
{
	for (size_t j = i + 1; j < cut; j++)
		if (journal[j].kind == SIM_FLUSH && strcmp(journal[j].file, journal[i].file) == 0)
			return true;
	return journal[i].kind == SIM_CREATE;
}

static uint32_t mix(uint32_t a, uint32_t b)
{
	a = (a ^ b) * 2654435761u;
	return a ^ a >> 15;
}

/*
 * What becomes of change `i`, which was not flushed; `which` is the one change that is meant, or
 * the seed.
 */
static enum arrival arrival_of(enum loss loss, size_t which, size_t i, size_t cut)
{
	switch (loss) {
	case ALL_LOST:
		return LOST;
	case ONE_LOST:
		return i == which ? LOST : WHOLE;
	case ONE_KEPT:
		return i == which ? WHOLE : LOST;
	case ONE_TORN:
		return i == which ? TORN : WHOLE;
	case ONE_STALE:
		return i == which ? STALE : WHOLE;
	case MIXTURE:
		return (enum arrival)(
			mix(mix(mix(1, (uint32_t)which), (uint32_t)cut), (uint32_t)i) % N_ARRIVALS);
	default:
		return WHOLE;
	}
}

static struct sim_files files_after(const struct sim_files *before,
				    const struct sim_change *journal, size_t cut, enum loss loss,
				    size_t which)
{
	struct sim_files files = copy(before);

	for (size_t i = 0; i < cut; i++)
		apply(&files, &journal[i],
		      is_flushed(journal, i, cut) ? WHOLE : arrival_of(loss, which, i, cut));
	return files;
}

/* A journal that outlives the volume it is of. */
static struct sim_change *keep_journal(size_t *ret_n)
{
	const struct sim_change *journal = sim_journal(ret_n);
	struct sim_change *kept = calloc(*ret_n + 1, sizeof *kept);

	for (size_t i = 0; i < *ret_n; i++) {
		kept[i] = journal[i];
		kept[i].file = strdup(journal[i].file);
		if (journal[i].bytes != NULL)
			kept[i].bytes = keep(journal[i].bytes, journal[i].n);
	}
	return kept;
}

static void free_journal(struct sim_change *journal, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(journal[i].file);
		pages_free(journal[i].bytes, journal[i].n + 1);
	}
	free(journal);
}

/* Whether there is such a state: what is certain to be there is not one that could be lost. */
static bool is_possible(const struct sim_change *journal, size_t cut, enum loss loss, size_t which)
{
	size_t n_open = 0;

	if (loss >= ONE_LOST && loss != MIXTURE)
		return journal[which].kind != SIM_FLUSH && !is_flushed(journal, which, cut);
	for (size_t i = 0; i < cut; i++)
		n_open += journal[i].kind != SIM_FLUSH && !is_flushed(journal, i, cut);
	return loss == NOTHING_LOST || n_open >= (loss == MIXTURE ? 2 : 1);
}

struct enumeration {
	const struct sim_volume_kind *kind;
	const struct sim_files *before;
	const struct sim_change *journal;
	bool (*wanted)(const struct powercut *, void *arg);
	void (*check)(const struct powercut *, void *arg);
	void *arg;
};

static void try(const struct enumeration *e, size_t cut, enum loss loss, size_t which)
{
	struct powercut state = { .cut = cut };
	struct sim_files files;

	snprintf(state.name, sizeof state.name, loss < ONE_LOST ? "cut%zu/%s" : "cut%zu/%s%zu", cut,
		 loss_names[loss], which);
	if (!is_possible(e->journal, cut, loss, which) || !e->wanted(&state, e->arg))
		return;
	files = files_after(e->before, e->journal, cut, loss, which);
	sim_files_restore(e->kind, &files);
	sim_files_drop(&files);
	e->check(&state, e->arg);
}

/* Whether a write continues the one before it. */
static bool continues(const struct sim_change *before, const struct sim_change *change)
{
	return before->kind == SIM_WRITE && change->kind == SIM_WRITE &&
	       change->offset == before->offset + before->n;
}

/* Whether change `i` of `n` is one of the pieces of something larger, and neither end of it. */
static bool is_amid(const struct sim_change *journal, size_t n, size_t i)
{
	return i > 0 && i + 1 < n && continues(&journal[i - 1], &journal[i]) &&
	       continues(&journal[i], &journal[i + 1]);
}

static bool is_left_out(const struct powercut_plan *plan, const struct sim_change *journal,
			size_t n, size_t i)
{
	enum { OF_MANY = 6 };

	return plan->sparse && is_amid(journal, n, i) &&
	       mix(plan->seed, (uint32_t)i) % OF_MANY != 0;
}

size_t powercut_each(const struct sim_volume_kind *kind, const struct sim_files *before,
		     const struct powercut_plan *plan,
		     bool (*wanted)(const struct powercut *, void *arg),
		     void (*check)(const struct powercut *, void *arg), void *arg)
{
	size_t n;
	struct sim_change *journal = keep_journal(&n);
	const struct enumeration e = { kind, before, journal, wanted, check, arg };

	for (size_t cut = 0; cut <= n; cut++) {
		if (mix(plan->seed, (uint32_t)cut) % plan->sample != 0 ||
		    is_left_out(plan, journal, n, cut))
			continue;
		for (enum loss loss = NOTHING_LOST; loss < MIXTURE && !plan->only_mixtures; loss++)
			for (size_t which = 0; which < (loss < ONE_LOST ? 1 : cut); which++)
				if (loss < ONE_LOST || !is_left_out(plan, journal, n, which))
					try(&e, cut, loss, which);
		for (unsigned i = 0; i < plan->n_seeds; i++)
			try(&e, cut, MIXTURE, plan->seed + i);
	}
	free_journal(journal, n);
	return n;
}
