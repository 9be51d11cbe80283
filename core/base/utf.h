/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Conversions between UTF-16 (code units in host order) and UTF-8. None fails: a lone surrogate or
 * a malformed sequence becomes U+FFFD, so that every name can be shown.
 */

/* Returns the bytes of UTF-8 that `n` units need, without a NUL. */
size_t utf8_length_of_utf16(const uint16_t *units, size_t n);

/* Converts `n` units, and adds a NUL; `to` has room for utf8_length_of_utf16() + 1 bytes. */
void utf8_from_utf16(char *to, const uint16_t *units, size_t n);

/* Returns the units of UTF-16 that `n` bytes need, without a NUL. */
size_t utf16_length_of_utf8(const char *bytes, size_t n);

/* Converts `n` bytes, and adds a NUL; `to` has room for utf16_length_of_utf8() + 1 units. */
void utf16_from_utf8(uint16_t *to, const char *bytes, size_t n);

/*
 * Returns the first character of the *n > 0 bytes at *bytes, and advances past it; past one byte if
 * the sequence is malformed.
 */
uint32_t utf8_next(const char **bytes, size_t *n);

/* Writes a character up to U+10FFFF as UTF-8, without a NUL; returns the number of bytes. */
size_t utf8_put(uint32_t c, char to[static 4]);

/* Returns the columns of a NUL-terminated UTF-8 string on a text screen: one per character. */
size_t utf8_columns(const char *s);
