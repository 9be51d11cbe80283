/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/selector.h"

/* The word that a person types before a disk or a partition is written over. */

enum { CONFIRM_BYTES = 32 };

struct confirm_word {
	char text[CONFIRM_BYTES]; /* letters and digits */
	size_t n_serial; /* so many of them are the last characters of the disk's serial number; 0:
			    none */
};

/*
 * Makes the word for a disk or a partition of this machine. No other disk or partition in it has
 * the same one, in either case of its letters.
 */
struct confirm_word confirm_word(const struct inventory *, const struct selection *);
