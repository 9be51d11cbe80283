/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/selector.h"

/* The word that the user types before a disk or a partition is overwritten. */

enum { CONFIRM_BYTES = 32 };

struct confirm_word {
	char text[CONFIRM_BYTES]; /* letters and digits */
	size_t n_serial; /* the first n characters are the last n of the serial number; 0: none */
};

/*
 * Returns the word for a disk or a partition of the inventory. No other disk or partition in it has
 * the same word, whatever the case of letters.
 */
struct confirm_word confirm_word(const struct inventory *, const struct selection *);
