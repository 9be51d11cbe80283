/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What libdeflate and zstd want of <stdlib.h>: all memory that they ask for comes from the
 * platform.
 */

#include "base/memory.h"

#define malloc           mem_alloc
#define calloc(n, bytes) mem_alloc((n) * (bytes)) /* mem_alloc() zeroes; zstd only has n = 1 */
#define free             mem_free
