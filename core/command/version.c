/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * version: which efi-img this is: what a report of a bug must name.
 */
#include "base/version.h"
#include "cli/command.h"
#include "cli/start.h"

static int run(const struct console *console, struct arguments *arguments)
{
	const char *secure_boot = secure_boot_text(platform_secure_boot());

	(void)arguments;
	out_printf(console->out,
		   "efi-img version %s (%s)\n"
		   "build %s\n"
		   "with libdeflate %s, zstd %s, bzip2 %s\n"
		   "Copyright (c) 2026 the efi-img authors; licence BSD-2-Clause\n",
		   program_version, program_processor, program_build, libdeflate_version,
		   zstd_version, bzip2_version);
	if (secure_boot != NULL)
		out_printf(console->out, "Secure Boot: %s\n", secure_boot);
	return EXIT_OK;
}

const struct command command_version = {
	.name = "version",
	.summary = "print version, processor and build of efi-img",
	.usage = "",
	.example = "version\n",
	.run = run,
};
