/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Options about how a command prints: -b and --output.
 */
#include "cli/output_options.h"

#include "base/text.h"

void page_option(const struct console *console, const struct arguments *arguments)
{
	if (arguments_has(arguments, "b") && console->page != NULL)
		console->page();
}

enum status output_style(const struct arguments *arguments, bool *ret_json, struct error *err)
{
	const char *style = arguments_has(arguments, "output")
				    ? arguments_value(arguments, "output")
				    : "human";

	*ret_json = text_equal(style, "json");
	if (!*ret_json && !text_equal(style, "human"))
		return fail(err, ST_INVALID, "option --output: \"%s\" is neither human nor json",
			    style);
	return ST_OK;
}
