/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "cli/options.h"

/*
 * Replaces each operand whose last part has a wildcard (* or ?) by the names of the files that
 * match it, sorted, letters of both cases alike. Neither the UEFI shell nor a script does that for
 * a program. An operand that is the name of a file stays as it is. Errors: those of
 * platform_list(); ST_NOT_FOUND, nothing matches; ST_NO_MEMORY.
 */
enum status wildcards_expand(struct arguments *, struct error *);
