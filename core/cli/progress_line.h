/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "engine/progress.h"

/*
 * The line that -p shows, written over itself: qemu-img's "    (12.34/100%)", then the phase, how
 * much of it is done, the speed, the time left, and the number of unreadable ranges. It has less
 * than 80 columns.
 */
struct progress_line {
	struct progress_sink sink;
	struct out *out; /* the owner's */
	size_t width;    /* columns of the line as it stands; 0: there is none */
};

void progress_line_init(struct progress_line *, struct out *);

/*
 * Prints one step as a line of its own, "    (20.00/100%) copying": without bytes, speed and time,
 * so that the output is the same each time. `phase` NULL: unnamed.
 */
void progress_print_step(struct out *, unsigned percent, const char *phase);
