#pragma once

#include <stdint.h>

#include "base/out.h"

/* The line "    (12.34/100%)" that commands show with -p, written over itself each time that it moved by 1 % or more. */
struct progress {
	struct out *out; /* NULL: silent */
	uint64_t total, done;
	uint32_t shown;  /* in hundredths of a percent, as all positions here */
};

/* Shows 0 %. `total`: what progress_advance() will add up to, in any unit. */
void progress_begin(struct progress *, struct out *, uint64_t total);
void progress_advance(struct progress *, uint64_t n);
void progress_end(struct progress *); /* leaves the line, wherever it stands */
