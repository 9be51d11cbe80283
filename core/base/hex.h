/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes as text, two lower-case hexadecimal digits each. */

/* Writes `n` bytes as text of 2 * n characters and a NUL. */
void hex_text(const uint8_t *bytes, size_t n, char *ret);

/* Parses a text of exactly `n` bytes. False: it has another length, or another character. */
bool hex_parse(const char *text, uint8_t *ret, size_t n);
