/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SHA-256 with the instructions for it (Intel SDM, volume 2, SHA256RNDS2, SHA256MSG1, SHA256MSG2),
 * where CPUID says that the processor has them. They use the registers of SSE2 only, which firmware
 * has switched on.
 */
#include "codec/sha256.h"

#ifdef __x86_64__

#include <cpuid.h>

typedef unsigned vector __attribute__((vector_size(16), aligned(1), may_alias)); /* in memory */
typedef unsigned words4 __attribute__((vector_size(16)));
/* as the compiler's names of the instructions want them */
typedef int ints4 __attribute__((vector_size(16)));
typedef char bytes16 __attribute__((vector_size(16)));

/* Four words of the schedule from the sixteen in front of them. */
__attribute__((target("sha,ssse3,sse4.1"))) static words4 next_words(words4 a, words4 b, words4 c,
								     words4 d)
{
	words4 middle = __builtin_shufflevector(c, d, 1, 2, 3, 4);

	return (words4)
		__builtin_ia32_sha256msg2((ints4)((words4)__builtin_ia32_sha256msg1((ints4)a,
										    (ints4)b) +
						  middle),
					  (ints4)d);
}

__attribute__((target("sha,ssse3,sse4.1"))) static words4 two_rounds(words4 a, words4 b, words4 sum)
{
	return (words4)__builtin_ia32_sha256rnds2((ints4)a, (ints4)b, (ints4)sum);
}

__attribute__((target("sha,ssse3,sse4.1"))) static void blocks_x86(uint32_t state[static 8],
								   const uint8_t *bytes,
								   size_t n_blocks)
{
	const bytes16 swap = { 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12 };
	const vector *k = (const vector *)sha256_constants;
	words4 abcd = *(const vector *)state, efgh = *(const vector *)(state + 4);
	/* The instructions want (f e b a) and (h g d c), from the lowest word on. */
	words4 feba = __builtin_shufflevector(abcd, efgh, 5, 4, 1, 0),
	       hgdc = __builtin_shufflevector(abcd, efgh, 7, 6, 3, 2);

	for (; n_blocks > 0; n_blocks--, bytes += SHA256_BLOCK_BYTES) {
		words4 w[4], first = feba, second = hgdc;

		for (size_t i = 0; i < 4; i++)
			w[i] = (words4)__builtin_ia32_pshufb128((bytes16)((const vector *)bytes)[i],
								swap);
		for (size_t i = 0; i < 16; i++) {
			words4 sum = w[i % 4] + k[i];

			hgdc = two_rounds(hgdc, feba, sum);
			feba = two_rounds(feba, hgdc,
					  __builtin_shufflevector(sum, sum, 2, 3, 2, 3));
			if (i < 12)
				w[i % 4] = next_words(w[i % 4], w[(i + 1) % 4], w[(i + 2) % 4],
						      w[(i + 3) % 4]);
		}
		feba += first;
		hgdc += second;
	}
	*(vector *)state = __builtin_shufflevector(feba, hgdc, 3, 2, 7, 6);
	*(vector *)(state + 4) = __builtin_shufflevector(feba, hgdc, 1, 0, 5, 4);
}

sha256_blocks sha256_blocks_fast(void)
{
	unsigned a, b, c, d;

	/* SHA is bit 29 of leaf 7; SSSE3 and SSE4.1 are bits 9 and 19 of leaf 1. */
	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (b >> 29 & 1) == 0)
		return NULL;
	if (!__get_cpuid(1, &a, &b, &c, &d) || (c >> 9 & 1) == 0 || (c >> 19 & 1) == 0)
		return NULL;
	return blocks_x86;
}

#else

sha256_blocks sha256_blocks_fast(void)
{
	return NULL;
}

#endif
