/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Which tenths of the way an event has passed. The end of a job is not a step: a job that succeeds
 * has reported 100 % before it.
 */
#include "cli/progress_steps.h"

enum { STEP = 10 };

bool progress_step_due(struct progress_steps *steps, const struct progress_event *event,
		       unsigned *ret_percent)
{
	unsigned percent = event->position / PROGRESS_ONE_PERCENT;

	if (event->is_end)
		return false;
	if (percent + STEP < steps->next)
		steps->next = 0;
	if (steps->next > percent)
		return false;
	*ret_percent = steps->next;
	steps->next += STEP;
	return true;
}
