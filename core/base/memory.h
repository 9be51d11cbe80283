/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/* The functions that a freestanding compiler calls by itself. The platform supplies them. */
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/* ---- Allocation, also supplied by the platform; boot processor only ---- */

/*
 * Allocates `n` zeroed bytes, aligned for any type. The caller frees them with mem_free(). NULL: no
 * memory. n = 0 returns a pointer that must be freed as well.
 */
void *mem_alloc(size_t n);
void mem_free(void *); /* NULL is allowed */

/*
 * Allocates a buffer for transfers of every device: `n` > 0 bytes, page-aligned, contents
 * undefined. The caller frees it with io_free() and the same `n`. NULL: no memory.
 */
void *io_alloc(size_t n);
void io_free(void *, size_t n); /* NULL is allowed */
