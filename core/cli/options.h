/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Command lines as getopt_long reads them: -f FMT, -fFMT, -qf FMT, --output=json, --output json,
 * --out=json where that is unambiguous; options and operands in any order; "--" ends the options. A
 * '-' before a digit is that of a number. Options with the same letter or the same long form are
 * spellings of one, that of the first of them.
 */

struct option {
	char letter;      /* 0: only the long form */
	const char *name; /* the long form without dashes; NULL: only the letter */
	/* the name of its value in help texts ("FMT"); NULL: it takes none */
	const char *value;
	const char *help; /* may have several lines, separated by '\n' */
};

enum { OPTIONS_MAX = 40 };

/* A command line taken apart. Texts point into argv. */
struct arguments {
	const struct option *options;
	/* By the option's index: how often it was given, and its last value. */
	struct {
		unsigned count;
		const char *value;
	} given[OPTIONS_MAX];
	/*
	 * All values of options that may be repeated, in order, with their options' indices; and
	 * the operands.
	 */
	struct {
		size_t option;
		const char *value;
	} * values;
	size_t n_values;
	char **operands;
	size_t n_operands;
	bool help; /* -h or --help was given; every command has it without listing it */
};

/*
 * `options` ends with an element whose letter is 0 and whose name is NULL; NULL: none. So does
 * `refused`, which are those with a long form that other programs have: their `help` says why there
 * is no such option here. Frees nothing of argv. Errors: ST_INVALID, ST_NO_MEMORY.
 */
enum status arguments_parse(const struct option *options, const struct option *refused, int argc,
			    char **argv, struct arguments *ret, struct error *);
void arguments_free(struct arguments *);

/*
 * Whether, and with which value (the last one, NULL if never), an option was given.
 * `letter_or_name`: "f" or "output".
 */
bool arguments_has(const struct arguments *, const char *letter_or_name);
const char *arguments_value(const struct arguments *, const char *letter_or_name);
