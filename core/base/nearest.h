/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "base/error.h"

/*
 * Finds the name that a mistyped word was probably meant to be. Start with { 0 }, call
 * nearest_try() for each name, then nearest_say().
 *
 * `found` is the name that needs the fewest changes (a letter inserted, removed or replaced, or two
 * neighbours swapped), if these are at most a third of the word. Names may be longer than the word,
 * as those of abbreviated options are; of equal ones the shortest is found. For words of less than
 * 3 or more than 31 letters nothing is.
 */
struct nearest {
	const char *found;
	size_t changes, rest;
};

/* Compares a word of `n` bytes with one name. */
void nearest_try(struct nearest *, const char *word, size_t n, const char *name);

/* Appends "; did you mean --force?" to the error if a name was found; `dashes` precede the name. */
void nearest_say(const struct nearest *, const char *dashes, struct error *);
