/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/out.h"

/*
 * The line that commands show with -p, written over itself: what qemu-img shows,
 * "    (12.34/100%)", and then the phase, how much of it is done, how fast, the time that is left,
 * and how many places could not be read. It is written each time that it moved by 1 %, and each
 * second, whether it moved or not. It has less than 80 columns.
 */
enum { PROGRESS_MARKS = 8 };

struct progress {
	struct out *out;      /* set by its owner; NULL: silent */
	uint64_t total, done; /* of all phases */
	const char *phase;    /* NULL: no more is known than `done` */
	uint64_t phase_total, phase_done;
	uint64_t lost;  /* places, anybody may set it */
	uint64_t moved; /* `done` without what was skipped */
	struct {
		uint64_t ns, moved;
		/*
	 * of the last seconds of the phase; the latest is number n_marks - 1, modulo PROGRESS_MARKS
	 */
	} mark[PROGRESS_MARKS];
	size_t n_marks;
	uint32_t shown; /* in hundredths of a percent, as all positions here */
	uint64_t shown_ns;
	size_t width; /* columns of the line as it stands */
	bool begun;
};

/* In all of them, NULL is a silent one. */

/* `total`: what all phases will add up to, in any unit. Shows nothing yet. */
void progress_begin(struct progress *, uint64_t total);

/*
 * A phase begins: "copying", at most 9 columns, static. `bytes`: what it will add up to; 0: nothing
 * that could be counted, and nothing about how much and how fast is said. NULL, with 0: what is
 * done is no bytes. Shows it.
 */
void progress_phase(struct progress *, const char *phase, uint64_t bytes);

/* So much has been done, that is, the device has accepted it. */
void progress_advance(struct progress *, uint64_t n);

/* So much need not be done: it says nothing about how fast it goes. */
void progress_skip(struct progress *, uint64_t n);

/*
 * Whether the person asked to stop. Shows the line if a second has passed. Cheap enough to be asked
 * once per transfer.
 */
bool progress_cancelled(struct progress *);

/* Leaves the line, wherever it stands. Nothing if it has not begun, or was left already. */
void progress_end(struct progress *);
