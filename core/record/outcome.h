/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "base/status.h"

/*
 * How a job with a disk on either side ended, as scripts see it: each kind of end that is to be
 * handled in its own way has a code of its own.
 */
enum outcome {
	OUTCOME_DONE = 0,
	OUTCOME_FAILED = 1,
	OUTCOME_LOST = 10,
	OUTCOME_MISMATCH = 11,
	OUTCOME_REFUSED = 12,
	OUTCOME_NO_SPACE = 13,
	OUTCOME_MEDIUM_GONE = 14,
	OUTCOME_STOPPED = 15,
	OUTCOME_SECTOR_SIZE = 16,
	OUTCOME_BAD_INPUT = 17,
	OUTCOME_DEVICE_ERROR = 18,
};

enum outcome outcome_of(enum status);

/* The table of all of them. */
void outcome_print_all(struct out *);
