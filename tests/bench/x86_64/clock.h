/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

/* A counter that runs at a constant rate; only ratios of its differences mean something. */
static inline uint64_t clock_ticks(void)
{
	return __builtin_ia32_rdtsc();
}
