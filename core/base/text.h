/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* NUL-terminated UTF-8 strings. Functions that ignore case do so for ASCII letters. */

size_t text_length(const char *s);
int text_compare(const char *a, const char *b);
bool text_equal(const char *a, const char *b);
bool text_equal_nocase(const char *a, const char *b);
bool text_starts_with(const char *s, const char *prefix);
bool text_starts_with_nocase(const char *s, const char *prefix);
char text_lower(char c);
bool text_is_digit(char c);

/* Returns the value of a hexadecimal digit in either case; -1: it is none. */
int text_hex_digit(char c);

/* Returns the first `c` in `s`, or NULL. `c` is not NUL. */
const char *text_find(const char *s, char c);

/* Copy `s`, or its first `n` bytes. The caller frees with mem_free(). NULL: no memory. */
char *text_copy(const char *s);
char *text_copy_n(const char *s, size_t n);

/* Parses an unsigned decimal number, all of `s`. False: it is none, or above 2^64 - 1. */
bool text_to_u64(const char *s, uint64_t *ret);
