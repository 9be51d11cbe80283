/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/*
 * The four functions that a freestanding compiler may call by itself; the platform supplies them.
 */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* ---- Allocation: supplied by the platform, too ---- */

/*
 * `n` zeroed bytes, aligned for any type. NULL: none left. n = 0 gives a pointer that can be freed.
 */
void *mem_alloc(size_t n);
void mem_free(void *); /* NULL is allowed */

/* `n` > 0 bytes, page-aligned, contents undefined: a buffer that every device can transfer from. */
void *io_alloc(size_t n);
void io_free(void *, size_t n); /* with the same `n`; NULL is allowed */
