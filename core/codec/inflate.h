/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * Decompresses raw deflate (RFC 1951) until `out_len` bytes are produced, and reads no input after
 * that. Slow, one bit at a time: for streams that libdeflate refuses because it does not see their
 * end. Accepts what zlib accepts, given all input and room for `out_len` bytes in one call.
 * ST_CORRUPT: the data is damaged or too short, and `out` is undefined.
 */
enum status inflate_prefix(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len);
