/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"

/* SHA-256 (FIPS 180-4) of bytes that come in pieces. */

enum { SHA256_BYTES = 32, SHA256_TEXT_BYTES = 2 * SHA256_BYTES + 1 };

struct sha256 {
	uint32_t state[8];
	uint64_t n;                        /* bytes added so far; at most 2^61 - 1 */
	uint8_t block[SHA256_BLOCK_BYTES]; /* the last n % SHA256_BLOCK_BYTES of them */
	sha256_blocks *blocks;
};

/* Starts a hash of no bytes. A struct sha256 owns nothing: it may be copied and forgotten. */
void sha256_begin(struct sha256 *);

/* Adds `n` bytes. */
void sha256_add(struct sha256 *, const void *bytes, size_t n);

/* Adds `n` zero bytes. */
void sha256_add_zeros(struct sha256 *, uint64_t n);

/* Returns the hash of all bytes added. sha256_begin() comes before the next use. */
void sha256_end(struct sha256 *, uint8_t ret[static SHA256_BYTES]);
