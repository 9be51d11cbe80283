/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "contents.h"

/* A guest that writes to the image "a" and flushes now and then. */

/* The exit code; what it does follows from `seed`. */
int guest_run(unsigned n, uint32_t seed);

/* How many of its flushes were done when `cut` changes of the journal were begun. */
size_t guest_flushes(size_t cut);

/* Each byte is what it was at the last flush before the cut, or what was written to it since. */
void guest_assert(const struct disk *before, const struct disk *after, const struct disk *now,
		  size_t cut);
