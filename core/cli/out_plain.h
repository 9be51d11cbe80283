/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "base/out.h"

/*
 * Text for where a line cannot be written over (a log, a serial line that is kept): of the lines of
 * progress (engine/progress.h) the first one is passed on, and then one for each tenth of the way,
 * without bytes, speed and times:
 * "    (20.00/100%) copying". What is printed does not depend on how fast it goes then.
 */
struct out_plain {
	struct out out;
	struct out *to;
	/* who wants to know of each such line as well; NULL: nobody */
	void (*step)(void *user, unsigned percent, const char *phase);
	void *user;
	unsigned next; /* the percents at which the next one is due */
	bool over;     /* the last line was one that is written over */
	bool through;  /* this line is longer than any of progress, and passed on as it comes */
	size_t n;      /* held of this line */
	char text[96];
};

void out_plain_init(struct out_plain *, struct out *to);

/* Passes on what is held of a line that has not ended. */
void out_plain_end(struct out_plain *);
