/* SPDX-License-Identifier: BSD-2-Clause */
#include "codec/sha256.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"

const uint32_t sha256_constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
	0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
	0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
	0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
	0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
	0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
	0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
	0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
	0xc67178f2,
};

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

void sha256_blocks_plain(uint32_t state[static 8], const uint8_t *bytes, size_t n_blocks)
{
	for (; n_blocks > 0; n_blocks--, bytes += SHA256_BLOCK_BYTES) {
		uint32_t w[64], a = state[0], b = state[1], c = state[2], d = state[3];
		uint32_t e = state[4], f = state[5], g = state[6], h = state[7];

		for (size_t t = 0; t < 16; t++)
			w[t] = (uint32_t)bytes_from_be(bytes + 4 * t, 4);
		for (size_t t = 16; t < 64; t++) {
			uint32_t x = w[t - 15], y = w[t - 2];

			w[t] = (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10) + w[t - 7] +
			       (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + w[t - 16];
		}
		for (size_t t = 0; t < 64; t++) {
			uint32_t one = h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) +
				       ((e & f) ^ (~e & g)) + sha256_constants[t] + w[t];
			uint32_t two = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) +
				       ((a & b) ^ (a & c) ^ (b & c));

			h = g;
			g = f;
			f = e;
			e = d + one;
			d = c;
			c = b;
			b = a;
			a = one + two;
		}
		state[0] += a;
		state[1] += b;
		state[2] += c;
		state[3] += d;
		state[4] += e;
		state[5] += f;
		state[6] += g;
		state[7] += h;
	}
}

void sha256_begin(struct sha256 *sha)
{
	static const uint32_t initial[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};

	*sha = (struct sha256){ .blocks = sha256_blocks_fast() };
	memcpy(sha->state, initial, sizeof initial);
	if (sha->blocks == NULL)
		sha->blocks = sha256_blocks_plain;
}

void sha256_add(struct sha256 *sha, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;
	size_t used = (size_t)(sha->n % SHA256_BLOCK_BYTES), whole;

	sha->n += n;
	if (used > 0) {
		size_t more = (size_t)min_u64(SHA256_BLOCK_BYTES - used, n);

		memcpy(sha->block + used, from, more);
		from += more;
		n -= more;
		if (used + more < SHA256_BLOCK_BYTES)
			return;
		sha->blocks(sha->state, sha->block, 1);
	}
	whole = n / SHA256_BLOCK_BYTES;
	sha->blocks(sha->state, from, whole);
	memcpy(sha->block, from + whole * SHA256_BLOCK_BYTES, n % SHA256_BLOCK_BYTES);
}

void sha256_add_zeros(struct sha256 *sha, uint64_t n)
{
	static const uint8_t zeros[4096];

	for (size_t piece; n > 0; n -= piece) {
		piece = (size_t)min_u64(n, sizeof zeros);
		sha256_add(sha, zeros, piece);
	}
}

/* Section 5.1.1. */
void sha256_end(struct sha256 *sha, uint8_t ret[static SHA256_BYTES])
{
	static const uint8_t one[1] = { 0x80 };
	uint8_t bits[8];

	bytes_to_be(bits, 8, sha->n * 8);
	sha256_add(sha, one, 1);
	sha256_add_zeros(sha, (SHA256_BLOCK_BYTES + 56 - sha->n % SHA256_BLOCK_BYTES) %
				      SHA256_BLOCK_BYTES);
	sha256_add(sha, bits, sizeof bits);
	for (size_t i = 0; i < 8; i++)
		bytes_to_be(ret + 4 * i, 4, sha->state[i]);
}
