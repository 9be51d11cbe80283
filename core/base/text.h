/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Strings: UTF-8, NUL-terminated. Only ASCII letters have a case here. */

size_t text_length(const char *s);
int text_compare(const char *a, const char *b);
bool text_equal(const char *a, const char *b);
bool text_equal_nocase(const char *a, const char *b);
bool text_starts_with(const char *s, const char *prefix);
char text_lower(char c);
bool text_is_digit(char c);

/* The first `c` in `s`, or NULL; `c` is not NUL. */
const char *text_find(const char *s, char c);

/* A copy of `s` (of its first `n` bytes); the caller frees it with mem_free(). NULL: no memory. */
char *text_copy(const char *s);
char *text_copy_n(const char *s, size_t n);

/*
 * Writes an unsigned decimal number that is all of `s`. False: anything else, or beyond 2^64 - 1.
 */
bool text_to_u64(const char *s, uint64_t *ret);
