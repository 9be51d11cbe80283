/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* SHA-256 (FIPS 180-4). */

enum { SHA256_BYTES = 32, SHA256_BLOCK_BYTES = 64, SHA256_TEXT_BYTES = 2 * SHA256_BYTES + 1 };

struct sha256 {
	uint32_t state[8];
	uint64_t n;                        /* bytes so far */
	uint8_t block[SHA256_BLOCK_BYTES]; /* those of them that fill no block yet */
	void (*blocks)(uint32_t state[static 8], const uint8_t *bytes, size_t n_blocks);
};

void sha256_begin(struct sha256 *);
void sha256_add(struct sha256 *, const void *bytes, size_t n);
void sha256_add_zeros(struct sha256 *, uint64_t n);

/* It is used up then. */
void sha256_end(struct sha256 *, uint8_t ret[static SHA256_BYTES]);

/*
 * Section 6.2.2, for whole blocks: in plain C, and with the instructions of x86 processors. NULL:
 * this one has none.
 */
typedef void (*sha256_blocks)(uint32_t state[static 8], const uint8_t *bytes, size_t n_blocks);
void sha256_blocks_plain(uint32_t state[static 8], const uint8_t *bytes, size_t n_blocks);
sha256_blocks sha256_blocks_fast(void);

/* Section 4.2.2. */
extern const uint32_t sha256_constants[64];
