/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/*
 * Conversions between the firmware's UTF-16 and the program's UTF-8. The caller frees the copies
 * with mem_free(). NULL: no memory.
 */
CHAR16 *text16_from_utf8(const char *);
char *text16_to_utf8(const CHAR16 *);

/* Converts at most `n` units, up to a NUL. */
char *text16_to_utf8_n(const CHAR16 *, size_t n);

/* Returns the number of units before the NUL. */
size_t text16_length(const CHAR16 *);
