/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "base/out.h"

/*
 * Writes text that comes from a disk, a file or a device so that it cannot act on the terminal:
 * control characters, characters that turn the direction of writing, and malformed UTF-8 become
 * '?'. What is longer than `max_columns` is cut and ends in "...".
 */
void out_printable(struct out *, const char *s, size_t max_columns);
