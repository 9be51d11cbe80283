/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>

/*
 * Memory for the files, disks and buffers of a test. What is freed stays mapped for those who come
 * next: an enumeration runs the same small job a thousand times, and would spend most of its time
 * in getting pages from the kernel. As of malloc()'s, the sanitizer knows which bytes are nobody's:
 * those behind the end, and those of memory that was freed. For one thread.
 */

/* `n` bytes of anything, aligned to pages. Never NULL. */
void *pages_new(size_t n);

/* `p` of `n` bytes (NULL: 0) with `to` bytes, perhaps elsewhere; what both have stays. */
void *pages_resize(void *p, size_t n, size_t to);

/* `n`: as it was asked for. NULL: does nothing. */
void pages_free(void *p, size_t n);
