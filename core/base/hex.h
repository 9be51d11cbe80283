/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes as text: two lower-case hexadecimal digits each. */

/* Writes `n` bytes as text with a NUL behind it: 2 * n + 1 bytes. */
void hex_text(const uint8_t *bytes, size_t n, char *ret);

/* Reads exactly `n` bytes. False: it is longer or shorter, or has another character in it. */
bool hex_parse(const char *text, uint8_t *ret, size_t n);
