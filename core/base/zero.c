#include "base/zero.h"

#include "base/memory.h"

bool is_zero(const uint8_t *bytes, size_t n)
{
	uint64_t seen = 0;

	for (; n >= 64; n -= 64, bytes += 64) {
		uint64_t words[8];

		memcpy(words, bytes, sizeof words);
		seen = words[0] | words[1] | words[2] | words[3] | words[4] | words[5] | words[6] | words[7];
		if (seen != 0)
			return false;
	}
	while (n-- > 0)
		seen |= *bytes++;
	return seen == 0;
}
