/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 with the instructions made for it (Arm Architecture Reference Manual, C7.2: SHA256H,
 * SHA256H2, SHA256SU0, SHA256SU1), through the compiler's functions for them (Arm C Language
 * Extensions). This file alone is compiled for a processor that has them (efi/processors.mk). The
 * twin in plain C is core/arch/generic/sha256.c.
 *
 * The instructions keep the eight words of the state in two registers, in the order of memory: abcd
 * and efgh. SHA256H and SHA256H2 do four rounds: each takes both registers and the four sums w + k,
 * and makes one of the registers anew.
 *
 * Four words of the message schedule are in each element of w. The words 16 to 63 are made four at
 * a time, over the four oldest:
 *     w[t] = s1(w[t-2]) + w[t-7] + s0(w[t-15]) + w[t-16]
 * SHA256SU0 adds s0, SHA256SU1 the rest.
 */
#include <arm_neon.h>

#include "arch/arch.h"

sha256_blocks sha256_blocks_sha2;

struct hash {
	uint32x4_t abcd, efgh;
};

/* The rounds t to t + 3, with their words of the schedule. */
static inline struct hash four_rounds(struct hash hash, size_t t, uint32x4_t words)
{
	uint32x4_t sums = vaddq_u32(words, vld1q_u32(sha256_constants + t));

	return (struct hash){
		.abcd = vsha256hq_u32(hash.abcd, hash.efgh, sums),
		.efgh = vsha256h2q_u32(hash.efgh, hash.abcd, sums),
	};
}

/* The four words after those of d; a has the oldest. */
static inline uint32x4_t next_words(uint32x4_t a, uint32x4_t b, uint32x4_t c, uint32x4_t d)
{
	return vsha256su1q_u32(vsha256su0q_u32(a, b), c, d);
}

/* The words of the block are big-endian (FIPS 180-4, 5.2.1). */
static inline uint32x4_t four_words(const uint8_t *bytes)
{
	return vreinterpretq_u32_u8(vrev32q_u8(vld1q_u8(bytes)));
}

static struct hash one_block(struct hash hash, const uint8_t *bytes)
{
	uint32x4_t w0 = four_words(bytes), w1 = four_words(bytes + 16);
	uint32x4_t w2 = four_words(bytes + 32), w3 = four_words(bytes + 48);
	size_t t;

	for (t = 0; t < 48; t += 16) {
		hash = four_rounds(hash, t, w0);
		w0 = next_words(w0, w1, w2, w3);
		hash = four_rounds(hash, t + 4, w1);
		w1 = next_words(w1, w2, w3, w0);
		hash = four_rounds(hash, t + 8, w2);
		w2 = next_words(w2, w3, w0, w1);
		hash = four_rounds(hash, t + 12, w3);
		w3 = next_words(w3, w0, w1, w2);
	}
	hash = four_rounds(hash, t, w0);
	hash = four_rounds(hash, t + 4, w1);
	hash = four_rounds(hash, t + 8, w2);
	return four_rounds(hash, t + 12, w3);
}

void sha256_blocks_sha2(uint32_t state[static 8], const uint8_t *bytes, size_t n_blocks)
{
	struct hash hash = { vld1q_u32(state), vld1q_u32(state + 4) };

	for (; n_blocks > 0; n_blocks--, bytes += SHA256_BLOCK_BYTES) {
		struct hash before = hash;

		hash = one_block(hash, bytes);
		hash.abcd = vaddq_u32(hash.abcd, before.abcd);
		hash.efgh = vaddq_u32(hash.efgh, before.efgh);
	}
	vst1q_u32(state, hash.abcd);
	vst1q_u32(state + 4, hash.efgh);
}
