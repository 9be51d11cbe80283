/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scan for zeros that every byte of a copy passes through: eight words at a time, one test for
 * all of them. It is faster than memory.
 */
#include "base/zero.h"

typedef uint64_t word __attribute__((aligned(1), may_alias));

/*
 * Words, not vectors: on real processors both are bound by memory, under emulation vectors take
 * longer.
 */
bool is_zero(const uint8_t *bytes, size_t n)
{
	uint8_t seen = 0;

	for (; n >= 64; n -= 64, bytes += 64) {
		const word *in = (const word *)bytes;

		if ((in[0] | in[1] | in[2] | in[3] | in[4] | in[5] | in[6] | in[7]) != 0)
			return false;
	}
	while (n-- > 0)
		seen |= *bytes++;
	return seen == 0;
}
