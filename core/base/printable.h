/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

#include "base/out.h"

/*
 * Writes text from a disk, a file or a device so that it cannot control the terminal: control
 * characters, those that change the direction of writing, and malformed UTF-8 become '?'. Text of
 * more than `max_columns` is cut, and ends in "...".
 */
void out_printable(struct out *, const char *s, size_t max_columns);
