/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/out.h"

/*
 * The options of `create -o name=value,name=value`, and those of them that `amend` can change: each
 * format has a table of its own.
 */

enum create_option_type { OPTION_TEXT, OPTION_SIZE, OPTION_NUMBER, OPTION_BOOL, OPTION_CHOICE };

struct create_option {
	const char *name;
	enum create_option_type type;
	const char *help;
	/* the value when none is given, as `help` shows it; NULL: none */
	const char *default_text;
	/*
	 * OPTION_CHOICE: the values there are, ends with NULL; without a default the first one
	 * counts
	 */
	const char *const *choices;
	bool amendable; /* an existing image can get another value */
};

enum { CREATE_OPTIONS_MAX = 16 };

/*
 * What values are for: a new image has the defaults and all options; of one that is changed, only
 * what was given counts.
 */
enum options_purpose { OPTIONS_CREATE, OPTIONS_AMEND };

/* The values by the index of their option in the table. Owns the texts. */
struct create_values {
	const char *format; /* its name, for messages */
	enum options_purpose purpose;
	const struct create_option *table;
	struct create_value {
		char *text; /* as given, or the default; NULL: neither */
		/* OPTION_SIZE, OPTION_NUMBER; OPTION_CHOICE: the index of the choice */
		uint64_t number;
		bool on; /* OPTION_BOOL; a name without '=' is on */
	} value[CREATE_OPTIONS_MAX];
};

/* Sets the defaults, if they count, of a table, which ends with a NULL name. */
enum status create_values_init(const char *format, const struct create_option *table,
			       enum options_purpose, struct create_values *ret, struct error *);
void create_values_free(struct create_values *);

/*
 * Takes "name=value,name=value" apart; ",," stands for a comma inside a value, of repeated names
 * the last counts. Errors: ST_INVALID (an empty list, a comma at its start or end, an unknown name,
 * a value that is not of its option's type, one that cannot be changed), ST_NO_MEMORY.
 */
enum status create_values_parse(struct create_values *, const char *list, struct error *);

/* Sets one option by name, which is in the table. */
enum status create_values_set(struct create_values *, const char *name, const char *text,
			      struct error *);

/* The value of an option by name. Never NULL for a name in the table; NULL for others. */
const struct create_value *create_value(const struct create_values *, const char *name);

/*
 * Whether the list asks for the options to be explained: it is, or has as a member, "help" or "?".
 */
bool create_options_want_help(const char *list);

/* Writes the lines of `create -f FORMAT -o help`, or those of amend. */
void create_options_explain(const struct create_option *table, const char *format,
			    enum options_purpose, struct out *);

/* Writes " name=value" for every option that has a value, in the order of the table. */
void create_values_print(const struct create_values *, struct out *);
