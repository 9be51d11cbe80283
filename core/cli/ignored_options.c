/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Options of qemu-img about caches and speed: there is no cache to choose and nothing to share the
 * disks with, but a wrong value is an error as it is there.
 */
#include "cli/ignored_options.h"

#include "base/size.h"
#include "base/text.h"

enum status rate_option(const struct arguments *arguments, struct error *err)
{
	uint64_t rate;

	return arguments_has(arguments, "r")
		       ? size_parse(arguments_value(arguments, "r"), "option -r", &rate, err)
		       : ST_OK;
}

enum status cache_option(const struct arguments *arguments, const char *option, struct error *err)
{
	static const char *const modes[] = { "writeback",    "none",       "off",
					     "writethrough", "directsync", "unsafe" };
	const char *mode = arguments_has(arguments, option + 1)
				   ? arguments_value(arguments, option + 1)
				   : modes[0];

	for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++)
		if (text_equal(mode, modes[i]))
			return ST_OK;
	return fail(err, ST_INVALID,
		    "option %s: \"%s\" is not a cache mode; the modes are none (or off), "
		    "writeback, writethrough, directsync, unsafe",
		    option, mode);
}
