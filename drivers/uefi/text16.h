/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/*
 * The firmware's strings are UTF-16, ours UTF-8. The copies are freed with mem_free(). NULL: no
 * memory.
 */
CHAR16 *text16_from_utf8(const char *);
char *text16_to_utf8(const CHAR16 *);

/* Of at most `n` units, ending at a NUL before that. */
char *text16_to_utf8_n(const CHAR16 *, size_t n);

size_t text16_length(const CHAR16 *);
