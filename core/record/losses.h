/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/warnings.h"
#include "engine/observer.h"
#include "engine/progress.h"

enum { LOSSES_MAX = 100 }; /* that are listed one by one */

/* The ranges that a copy could not read, and that are zeros in its target. */
struct losses {
	struct observer observer;
	/* in the order in which they were met, adjoining ones as one; the last place: the latest */
	struct lost_range range[LOSSES_MAX + 1];
	uint64_t n;                /* all that there were */
	uint64_t bytes;            /* of all of them */
	struct progress *progress; /* shows `n`; NULL: nothing does */
};

void losses_begin(struct losses *, struct progress *);

/* Warns of what is lost, once for each range and once in all; not at all if nothing is. */
void losses_warn(const struct losses *, struct warnings *, const char *target);
