/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "base/error.h"
#include "base/out.h"

/*
 * Command lines in the syntax of the UEFI shell (UEFI Shell 2.2, 3.3): blanks separate words,
 * double quotes enclose blanks and are removed, '^' makes the next character literal. For command
 * lines that no shell has split: load options and scripts.
 */
struct words {
	char **word;
	size_t n;
};

/*
 * Splits a line. The caller frees *ret with words_free(). Statuses: ST_INVALID (a quotation mark is
 * not closed), ST_NO_MEMORY; *ret is unchanged then.
 */
enum status words_split(const char *line, struct words *ret, struct error *);
void words_free(struct words *);

/* Prints words as a line that words_split() splits into the same words. */
void words_print(char *const *word, size_t n, struct out *);
