#include "base/zero.h"

/* As in registers of SSE2, NEON and the like, which the compiler has for each processor. */
typedef uint64_t lanes __attribute__((vector_size(16), aligned(1), may_alias));

bool is_zero(const uint8_t *bytes, size_t n)
{
	uint8_t seen = 0;

	for (; n >= 64; n -= 64, bytes += 64) {
		const lanes *in = (const lanes *)bytes;
		uint64_t some __attribute__((vector_size(16))) = (in[0] | in[1]) | (in[2] | in[3]);

		if ((some[0] | some[1]) != 0)
			return false;
	}
	while (n-- > 0)
		seen |= *bytes++;
	return seen == 0;
}
