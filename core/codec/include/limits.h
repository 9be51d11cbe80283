/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

/*
 * What libdeflate and zstd want of <limits.h>: the compiler's own would go on to include that of a
 * C library.
 */

#define CHAR_BIT __CHAR_BIT__
#define INT_MAX  __INT_MAX__
#define UINT_MAX (2 * (unsigned)__INT_MAX__ + 1)
