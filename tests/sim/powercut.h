/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "volume.h"

/* The files of a volume, kept to begin again with them; and what a power cut makes of them. */
struct sim_files {
	size_t n;
	struct {
		char name[32];
		uint8_t *bytes;
		uint64_t size;
	} file[SIM_FILES_MAX];
};

struct sim_files sim_files_keep(void);
void sim_files_drop(struct sim_files *);

/* Makes a volume of that kind with these files, and nothing in its journal. */
void sim_files_restore(const struct sim_volume_kind *, const struct sim_files *);

/* One state that a power cut leaves. */
struct powercut {
	size_t cut;    /* changes of the journal that were begun */
	char name[40]; /* "cut12/torn3": after 12 of them, of which the fourth is torn */
};

/* How many states there are to be. */
struct powercut_plan {
	unsigned seed, n_seeds; /* for each cut, so many mixtures of what is lost */
	bool only_mixtures;
	unsigned sample; /* only one of so many cuts; 1: each */
	/* Of the writes in the middle of a large block, only some are cut or lost. */
	bool sparse;
};

/*
 * The power goes after each change of the journal, which began with the files `before`. Of what was
 * not flushed then, nothing is lost, all, each change alone, all but each, the second half of each,
 * or of each write all but that the file is longer: stale contents of the volume show there; or, by
 * seed, each change comes to its own end. Calls `check` for every such state that `wanted` does not
 * leave out, with the volume as it is found then. Returns how many changes there are.
 */
size_t powercut_each(const struct sim_volume_kind *, const struct sim_files *before,
		     const struct powercut_plan *,
		     bool (*wanted)(const struct powercut *, void *arg),
		     void (*check)(const struct powercut *, void *arg), void *arg);
