/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "engine/progress.h"

/*
 * Progress for where a line cannot be written over (a log, a serial line that is kept, JSON): one
 * step at 0 % and at each tenth of the way. Which steps there are depends on the job alone, not on
 * how fast it runs.
 */
struct progress_steps {
	unsigned next; /* the percents of the next step; begins with 0 */
};

/*
 * Returns whether a step is due by this event, and which. Call it until it returns false: an event
 * that skips several tenths makes a step for each of them. A position that is more than a step
 * before the last one begins another job.
 */
bool progress_step_due(struct progress_steps *, const struct progress_event *,
		       unsigned *ret_percent);
