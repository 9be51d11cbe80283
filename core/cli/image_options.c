/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Options about images. -o lists are taken in the order of the command line, so that the last value
 * of an option counts, and before the options that have letters of their own (-b, -F), which win.
 */
#include "cli/image_options.h"

#include "base/text.h"

enum status format_option(const struct arguments *arguments, const char *option,
			  const struct image_format **ret_format, struct error *err)
{
	const char *letter = option + 1;

	*ret_format = NULL;
	if (!arguments_has(arguments, letter))
		return ST_OK;
	return image_format_get(arguments_value(arguments, letter), option, ret_format, err);
}

enum status open_disk(const struct console *console, const struct arguments *arguments,
		      const char *option, const char *name, struct chain *ret, struct error *err)
{
	const struct image_format *format;
	enum status st = format_option(arguments, option, &format, err);

	return st == ST_OK ? chain_open_disk(console->storage, name, format, ret, err) : st;
}

static bool is_list(const struct arguments *arguments, size_t i)
{
	return arguments->options[arguments->values[i].option].letter == 'o';
}

enum status format_options(const struct arguments *arguments, struct create_values *values,
			   struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < arguments->n_values; i++)
		if (is_list(arguments, i))
			st = create_values_parse(values, arguments->values[i].value, err);
	return st;
}

bool format_options_want_help(const struct arguments *arguments)
{
	for (size_t i = 0; i < arguments->n_values; i++)
		if (is_list(arguments, i) && create_options_want_help(arguments->values[i].value))
			return true;
	return false;
}

enum status new_image_options(const struct arguments *arguments, const struct image_format *format,
			      const char *backing, struct create_values *ret, struct error *err)
{
	const struct {
		const char *letter, *name;
	} own[] = { { backing, "backing_file" }, { "F", "backing_fmt" } };
	enum status st = image_format_check_new(format, err);

	*ret = (struct create_values){ 0 };
	if (st == ST_OK)
		st = create_values_init(format->name, format->create.options, OPTIONS_CREATE, ret,
					err);
	if (st == ST_OK)
		st = format_options(arguments, ret, err);
	for (size_t i = 0; st == ST_OK && backing != NULL && i < sizeof own / sizeof own[0]; i++) {
		if (!arguments_has(arguments, own[i].letter))
			continue;
		if (!format->create.backing)
			return fail(err, ST_UNSUPPORTED,
				    "option -%s: images of format %s have no backing file",
				    own[i].letter, format->name);
		st = create_values_set(ret, own[i].name, arguments_value(arguments, own[i].letter),
				       err);
	}
	return st;
}
