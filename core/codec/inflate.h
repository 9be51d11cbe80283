/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/*
 * Raw deflate (RFC 1951), until `out_len` bytes are there: whatever comes after them in the input
 * is not looked at. A bit at a time and slow: for the streams that libdeflate, which wants to see
 * their end, does not take. Accepts what zlib accepts if that is given all input and room for
 * `out_len` bytes in one call. ST_CORRUPT: damaged, or too short.
 */
enum status inflate_prefix(const uint8_t *in, size_t in_len, uint8_t *out, size_t out_len);
