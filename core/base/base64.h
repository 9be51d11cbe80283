/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decodes base64 (RFC 4648, 4), with blanks and line feeds anywhere, into `to`, which has room for
 * 3 bytes for each 4 characters, and may be the text itself: *ret is how many bytes that are.
 * False: the text is no base64.
 */
bool base64_decode(const char *text, size_t n, uint8_t *to, size_t *ret);
