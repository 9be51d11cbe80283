/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 (FIPS 180-4): cuts what is added into blocks of 64 bytes, hands whole blocks straight
 * from the caller's buffer to the kernel of core/arch/, and keeps a rest until it is filled up. At
 * the end the message is padded: a bit 1, zeros, and its length in bits in the last 8 bytes of a
 * block (5.1.1).
 */
#include "codec/sha256.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"

void sha256_begin(struct sha256 *sha)
{
	static const uint32_t initial[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
		0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};

	*sha = (struct sha256){ .blocks = arch_sha256_blocks() };
	memcpy(sha->state, initial, sizeof initial);
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
	static const uint8_t zeros[1024];

	for (size_t piece; n > 0; n -= piece) {
		piece = (size_t)min_u64(n, sizeof zeros);
		sha256_add(sha, zeros, piece);
	}
}

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
