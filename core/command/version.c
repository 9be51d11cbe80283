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
	out_text(console->out, "efi-img version " EFI_IMG_VERSION "\n"
			       "Copyright (c) 2026 the efi-img authors; licence BSD-2-Clause\n");
	return EXIT_OK;
}

const struct command command_version = {
	.name = "version",
	.summary = "print the version of efi-img",
	.usage = "",
	.example = "version\n",
	.run = run,
};
