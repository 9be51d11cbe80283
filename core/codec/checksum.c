/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * XXH64 by the copy of xxHash that zstd contains, under the prefix that zstd gives its names.
 */
#include "codec/checksum.h"

#define XXH_NAMESPACE ZSTD_
#include <common/xxhash.h>

uint64_t checksum(const void *bytes, size_t n, uint64_t seed)
{
	return XXH64(bytes, n, seed);
}
