/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What libdeflate and zstd want of <string.h>: the platform has the four functions. By these names
 * a freestanding compiler knows them, too, and makes one load of a copy of a few bytes, on which
 * both libraries rely: without, deflate takes twice as long.
 */

#include "base/memory.h"

#define memcpy  __builtin_memcpy
#define memmove __builtin_memmove
#define memset  __builtin_memset
#define memcmp  __builtin_memcmp
