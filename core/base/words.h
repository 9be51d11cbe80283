/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/out.h"

/*
 * Splits a command line into words as the UEFI shell does (UEFI Shell 2.2, 3.3): blanks separate,
 * double quotes hold together and vanish, '^' takes the next character as it is. For where no shell
 * has done it: load options of a boot entry.
 */
struct words {
	char **word;
	size_t n;
};

/* Errors: ST_INVALID (a quote that is not closed), ST_NO_MEMORY. */
enum status words_split(const char *line, struct words *ret, struct error *);
void words_free(struct words *);

/* Writes words as a line that words_split() makes them of. */
void words_print(char *const *word, size_t n, struct out *);
