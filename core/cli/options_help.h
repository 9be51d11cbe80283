/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "cli/options.h"

/* What is printed of the options of a command; `options` ends with { 0 }; NULL: none. */

/*
 * Whether a row has a help of its own: a section, or an option that has an effect and is the first
 * of its spellings.
 */
bool option_is_explained(const struct option *options, const struct option *row);

/*
 * Prints the names of all others, in lines of at most 79 columns: "Other spellings: ..." and
 * "Accepted for compatibility, without effect: ...".
 */
void options_print_others(const struct option *options, struct out *);
