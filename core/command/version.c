/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * version: which efi-img this is.
 */
#include "base/version.h"
#include "cli/command.h"

static int run(const struct console *console, struct arguments *arguments)
{
	(void)arguments;
	out_printf(console->out,
		   "efi-img version %s (libdeflate %s, zstd %s, bzip2 %s)\n"
		   "Copyright (c) 2026 the efi-img authors; licence BSD-2-Clause\n",
		   program_version, libdeflate_version, zstd_version, bzip2_version);
	return EXIT_OK;
}

const struct command command_version = {
	.name = "version",
	.summary = "print the version of efi-img",
	.usage = "",
	.example = "version\n",
	.run = run,
};
