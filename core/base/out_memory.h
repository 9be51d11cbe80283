/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdint.h>

#include "base/out.h"

/* A sink into memory that grows up to `most` bytes. Bytes beyond are counted, and set `failed`. */
struct out_memory {
	struct out out;
	char *text; /* not NUL-terminated; NULL while empty */
	size_t n, capacity, most;
	uint64_t left_out; /* bytes that did not fit, or for which there was no memory */
};

void out_memory_init(struct out_memory *, size_t most);

/* Empties it, and keeps its memory. */
void out_memory_clear(struct out_memory *);

void out_memory_free(struct out_memory *);
