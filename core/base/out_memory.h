/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

#include "base/out.h"

/*
 * Text that is kept in memory, up to `most` bytes; what goes beyond is counted, and sets `failed`.
 */
struct out_memory {
	struct out out;
	char *text; /* not NUL-terminated; NULL while there is none */
	size_t n, capacity, most;
	uint64_t left_out; /* bytes, also for want of memory */
};

void out_memory_init(struct out_memory *, size_t most);
void out_memory_clear(struct out_memory *); /* keeps what it has allocated */
void out_memory_free(struct out_memory *);
