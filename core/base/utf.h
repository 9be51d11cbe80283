/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * UTF-16 (code units in host order) and UTF-8. Nothing is refused: a lone surrogate or a malformed
 * sequence becomes U+FFFD, so that every name can be shown. Lengths are in units of the type.
 */

/* The bytes of UTF-8 that the `n` units need, without a NUL. */
size_t utf8_length_of_utf16(const uint16_t *units, size_t n);
/* Writes them and a NUL; `to` has room for utf8_length_of_utf16() + 1 bytes. */
void utf8_from_utf16(char *to, const uint16_t *units, size_t n);

/* The units of UTF-16 that the `n` bytes need, without a NUL; and the conversion, likewise. */
size_t utf16_length_of_utf8(const char *bytes, size_t n);
void utf16_from_utf8(uint16_t *to, const char *bytes, size_t n);

/*
 * Takes one character off the front of the `*n` > 0 bytes at *bytes; a malformed sequence is taken
 * a byte at a time.
 */
uint32_t utf8_next(const char **bytes, size_t *n);

/* The columns that a NUL-terminated UTF-8 string takes on a text screen, one per character. */
size_t utf8_columns(const char *s);
