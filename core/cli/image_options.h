/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"
#include "format/chain.h"

/* Options about images: their formats, and the options of new ones. */

/*
 * Takes an option that names a format ("-f"): *ret_format, NULL if it was not given. Errors:
 * ST_UNSUPPORTED.
 */
enum status format_option(const struct arguments *, const char *option,
			  const struct image_format **ret_format, struct error *);

/*
 * Opens the disk in an image, with its backing files, in the format that `option` ("-f") names,
 * otherwise in the one that is detected. The caller closes *ret. Errors: those of
 * chain_open_disk().
 */
enum status open_disk(const struct console *, const struct arguments *, const char *option,
		      const char *name, struct chain *ret, struct error *);

/* Takes the lists of all options -o. Errors: those of create_values_parse(). */
enum status format_options(const struct arguments *, struct create_values *, struct error *);

/* Returns whether an option -o asks for an explanation of the format's options ("help"). */
bool format_options_want_help(const struct arguments *);

/*
 * Takes the options of a new image: defaults, the lists of -o, and the backing file: `backing` is
 * the letter of that option ("b"; NULL: the command has none), beside -F. The caller frees *ret, on
 * failure too.
 */
enum status new_image_options(const struct arguments *, const struct image_format *,
			      const char *backing, struct create_values *ret, struct error *);
