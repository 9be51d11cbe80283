/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "engine/progress.h"
#include "format/chain.h"

/* Merging an image into one that it builds on. */
struct commit_job {
	struct chain *chain;       /* loaded; the first image and the base are open for writing */
	size_t base;               /* its index, > 0 */
	bool keep;                 /* leave the first image as it is, instead of emptying it */
	struct progress *progress; /* started by the job, ended by the caller; NULL: silent */
};

/*
 * Copies the data of the images above the base into the base, which grows to the size of the
 * disk if it is shorter. The first image keeps everything until all of it is on the medium in the
 * base: whatever happens, its disk is as it was. Errors: those of reading and writing,
 * ST_UNSUPPORTED, ST_CANCELLED, with words that name the file.
 */
enum status commit_run(const struct commit_job *, struct error *);
