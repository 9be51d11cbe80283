/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Blocks of powers of two, from 64 KiB on, that are kept when they are freed. The oldest free block
 * of a size is used first, and N_RESTING of them are never used, so that whoever still writes to
 * freed memory is caught: the bytes past the end of a block, and those of a free block, are
 * poisoned for the address sanitizer, as malloc() does it.
 */
#include "pages.h"

#include <sanitizer/asan_interface.h>
#include <stdlib.h>
#include <string.h>

enum {
	PAGE_BYTES = 4096,
	N_CLASSES = 40,         /* powers of two, from that on */
	N_KEPT = 256,           /* of a class at most */
	KEPT_BYTES = 256 << 20, /* of all together */
	/* free blocks of a class that are not used again yet: whoever still uses them is caught */
	N_RESTING = 4,
};

/* What is free, the longest free first. */
static struct {
	void *block[N_KEPT];
	unsigned first, n;
} kept[N_CLASSES];
static size_t kept_bytes;

static unsigned class_of(size_t n)
{
	unsigned class = 0;

	while ((size_t)PAGES_LEAST << class < n)
		class ++;
	return class;
}

/* The first `n` bytes of a block may be used, the others not. */
static void *lend(void *block, size_t n, size_t capacity)
{
	ASAN_UNPOISON_MEMORY_REGION(block, n);
	ASAN_POISON_MEMORY_REGION((char *)block + n, capacity - n);
	return block;
}

void *pages_new(size_t n)
{
	unsigned class = class_of(n);
	size_t capacity = n < PAGES_LEAST ? n + (n == 0) : (size_t)PAGES_LEAST << class;
	void *block;

	if (n >= PAGES_LEAST && kept[class].n > N_RESTING) {
		block = kept[class].block[kept[class].first];
		kept[class].first = (kept[class].first + 1) % N_KEPT;
		kept[class].n--;
		kept_bytes -= capacity;
	} else if (posix_memalign(&block, PAGE_BYTES, capacity) != 0) {
		abort();
	}
	return lend(block, n, capacity);
}

void *pages_resize(void *p, size_t n, size_t to)
{
	void *new;

	if (p != NULL && n >= PAGES_LEAST && to >= PAGES_LEAST && class_of(n) == class_of(to)) {
		if (to < n)
			ASAN_POISON_MEMORY_REGION((char *)p + to, n - to);
		else
			ASAN_UNPOISON_MEMORY_REGION((char *)p + n, to - n);
		return p;
	}
	new = pages_new(to);
	if (p != NULL)
		memcpy(new, p, n < to ? n : to);
	pages_free(p, n);
	return new;
}

void pages_free(void *p, size_t n)
{
	unsigned class = class_of(n);
	size_t capacity = (size_t)PAGES_LEAST << class;

	if (p == NULL || n < PAGES_LEAST || kept[class].n == N_KEPT ||
	    kept_bytes + capacity > KEPT_BYTES) {
		free(p);
		return;
	}
	kept_bytes += capacity;
	kept[class].block[(kept[class].first + kept[class].n++) % N_KEPT] = lend(p, 0, capacity);
}
