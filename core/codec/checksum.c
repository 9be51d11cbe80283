/* SPDX-License-Identifier: BSD-2-Clause */
/* XXH64 by xxHash, which zstd brings along under names of its own. */
#include "codec/checksum.h"

#define XXH_NAMESPACE ZSTD_
#include <common/xxhash.h>

uint64_t checksum(const void *bytes, size_t n, uint64_t seed)
{
	return XXH64(bytes, n, seed);
}
