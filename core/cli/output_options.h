/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/command.h"

/* Options about how a command prints. */

/* The option -b of commands that print much: the UEFI shell waits after each screenful. */
#define OPTION_PAGE \
	{ \
		'b', "page", NULL, "in the UEFI shell: wait for a key after each screenful" \
	}
void page_option(const struct console *, const struct arguments *);

/* Takes the option --output=human|json: *ret_json. Errors: ST_INVALID. */
enum status output_style(const struct arguments *, bool *ret_json, struct error *);
