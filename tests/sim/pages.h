/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/*
 * Memory for the files, disks and buffers of a test. Freed memory stays mapped and is used again:
 * an enumeration runs the same small job a thousand times, and would spend most of its time getting
 * pages from the kernel. The sanitizer knows, as of malloc()'s memory, which bytes may not be
 * touched: those past the end, and those that are free. For one thread.
 */

enum { PAGES_LEAST = 64 << 10 }; /* of less, malloc() keeps the pages itself */

/* Returns `n` undefined bytes, aligned to pages. Never NULL. */
void *pages_new(size_t n);

/*
 * Makes `p`, of `n` bytes (NULL: 0), `to` bytes long; returns it, or other memory with the same
 * bytes, of which new ones are undefined.
 */
void *pages_resize(void *p, size_t n, size_t to);

/* Frees memory of `n` bytes. NULL is allowed. */
void pages_free(void *p, size_t n);
