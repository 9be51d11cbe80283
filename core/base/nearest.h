/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "base/error.h"

/*
 * Finds what a mistyped word was probably meant to be: `found` is the name that takes the fewest
 * changes - a letter more, less, another one, or two neighbours exchanged - if these are at most a
 * third of the word. Names may go on behind what was typed, as those of abbreviated options do;
 * among equals it is the one that goes on least. Words of less than three letters, or more than 31,
 * are near to nothing. Begin with { 0 }, and try each name that there is; `found` stays NULL if
 * none is near.
 */
struct nearest {
	const char *found;
	size_t changes, rest;
};

/* `word` has `n` bytes. */
void nearest_try(struct nearest *, const char *word, size_t n, const char *name);

/*
 * Adds to the error what was found: "; did you mean --force?", with `dashes` before the name.
 * Nothing if none is near.
 */
void nearest_say(const struct nearest *, const char *dashes, struct error *);
