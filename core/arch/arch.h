/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Kernels: the few inner loops that some processors have instructions for. Each is a function from
 * memory to memory, written in plain C in generic/ and, where that gains something, once more in
 * the folder of an architecture. tests/unit/test_sha256.c compares the two.
 *
 * The build takes every kernel of generic/, and arch.c (which chooses) from core/arch/$(ARCH)/ or,
 * for an architecture without a folder, from generic/.
 */

enum { SHA256_BLOCK_BYTES = 64 };

/*
 * Adds `n_blocks` whole blocks at `bytes` to the eight words of a hash (FIPS 180-4, 6.2.2). `bytes`
 * may have any alignment; n_blocks may be 0.
 */
typedef void sha256_blocks(uint32_t state[static 8], const uint8_t *bytes, size_t n_blocks);

/* The fastest kernel that the processor which calls this can run. Never NULL. */
sha256_blocks *arch_sha256_blocks(void);

/* In plain C, for every processor. */
sha256_blocks sha256_blocks_generic;

/* The 64 constants of the rounds (FIPS 180-4, 4.2.2), on a boundary of 16 bytes. */
extern const uint32_t sha256_constants[64];
