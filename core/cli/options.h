/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

/*
 * Command lines as getopt_long parses them: -f FMT, -fFMT, -qf FMT, --output=json, --output json,
 * --out=json where that is unambiguous; options and operands in any order; "--" ends the options. A
 * '-' before a digit begins a number. Options with the same letter or the same long form are
 * spellings of one option, that of the first of them.
 */

struct option {
	char letter;      /* 0: only the long form */
	const char *name; /* the long form without dashes; NULL: only the letter */
	/* the name of its value in help texts ("FMT"); NULL: it takes none */
	const char *value;
	const char *help; /* lines separated by '\n' */
};

/*
 * The help of options that have no effect, and of those that are another spelling of one before
 * them: their names are listed on a line, after all others.
 */
#define OPTION_IGNORED "accepted for compatibility; has no effect"
#define OPTION_SAME    "the same"

/* A row between options, which begins a section of the help. */
#define OPTION_SECTION(title) \
	{ \
		0, NULL, NULL, title \
	}

enum { OPTIONS_MAX = 48 };

/* A parsed command line. Texts point into argv. */
struct arguments {
	const struct option *options;
	/* by the index of the option: how often it was given, and its last value */
	struct {
		unsigned count;
		const char *value;
	} given[OPTIONS_MAX];
	/* all options in the order of the command line: their index, and their value or NULL */
	struct {
		size_t option;
		const char *value;
	} * values;
	size_t n_values;
	char **operands;
	size_t n_operands;
	bool owns_operands; /* their texts are freed with the arguments (cli/wildcards.h) */
	bool help;          /* -h or --help, which every command has without listing it */
};

/* Whether a row is the last one, { 0 }, and whether it begins a section. */
bool option_is_end(const struct option *);
bool option_is_section(const struct option *);

/*
 * Parses argv. `options` ends with { 0 }; NULL: none. So does `refused`, the options that other
 * programs have and the command does not: their `help` says why, or what to use. The caller frees
 * *ret after success. Errors: ST_INVALID, ST_NO_MEMORY.
 */
enum status arguments_parse(const struct option *options, const struct option *refused, int argc,
			    char **argv, struct arguments *ret, struct error *);
void arguments_free(struct arguments *);

/*
 * Returns whether an option was given, and its last value (NULL if it was not given).
 * `letter_or_name`: "f" or "output", which the command must have.
 */
bool arguments_has(const struct arguments *, const char *letter_or_name);
const char *arguments_value(const struct arguments *, const char *letter_or_name);
