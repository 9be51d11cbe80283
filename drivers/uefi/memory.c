/* SPDX-License-Identifier: BSD-2-Clause */
#include <efi.h>

#include "base/memory.h"

#include "base/range.h"
#include "firmware.h"

/*
 * These loops are memcpy and memset; gcc must not recognise them and put a call of the function
 * into itself.
 */
#ifndef __clang__
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

enum { POOL_ALIGN = 16, PAGE_BYTES = 4096 };

/* A word at any address: the compiler takes the widest load that the machine allows. */
typedef uint64_t __attribute__((aligned(1), may_alias)) word;

enum { WORD = sizeof(word), STEP = 4 * WORD }; /* the loops are unrolled by four words */

/* Reads each word before it writes one, from front to back. */
static void copy_forwards(uint8_t *t, const uint8_t *f, size_t n)
{
	for (; n >= STEP; n -= STEP, t += STEP, f += STEP) {
		uint64_t a = ((const word *)f)[0], b = ((const word *)f)[1];
		uint64_t c = ((const word *)f)[2], d = ((const word *)f)[3];

		((word *)t)[0] = a;
		((word *)t)[1] = b;
		((word *)t)[2] = c;
		((word *)t)[3] = d;
	}
	for (; n >= WORD; n -= WORD, t += WORD, f += WORD)
		*(word *)t = *(const word *)f;
	while (n-- > 0)
		*t++ = *f++;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	copy_forwards(to, from, n);
	return to;
}

void *memmove(void *to, const void *from, size_t n)
{
	uint8_t *t = to;
	const uint8_t *f = from;

	/*
	 * Forwards would overwrite what is still to be read if the target begins inside the source.
	 */
	if ((uintptr_t)t - (uintptr_t)f >= n) {
		copy_forwards(t, f, n);
		return to;
	}
	for (; n >= WORD; n -= WORD)
		*(word *)(t + n - WORD) = *(const word *)(f + n - WORD);
	while (n-- > 0)
		t[n] = f[n];
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	uint8_t *t = to;
	uint64_t pattern = (uint8_t)byte * 0x0101010101010101u;

	for (; n >= STEP; n -= STEP, t += STEP) {
		((word *)t)[0] = pattern;
		((word *)t)[1] = pattern;
		((word *)t)[2] = pattern;
		((word *)t)[3] = pattern;
	}
	for (; n >= WORD; n -= WORD, t += WORD)
		*(word *)t = pattern;
	while (n-- > 0)
		*t++ = (uint8_t)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a, *q = b;

	while (n >= WORD && *(const word *)p == *(const word *)q) {
		n -= WORD;
		p += WORD;
		q += WORD;
	}
	for (; n > 0; n--, p++, q++)
		if (*p != *q)
			return *p - *q;
	return 0;
}

/*
 * The firmware's pool is aligned to 8 (UEFI 2.10, 7.2), C's types want 16: the pool's own address
 * is kept in front of ours.
 */
void *mem_alloc(size_t n)
{
	void *pool = NULL;
	uint64_t total;
	uintptr_t ours;
	EFI_STATUS efi;

	if (!add_ok(n, POOL_ALIGN + sizeof pool, &total) || total > SIZE_MAX)
		return NULL;
	efi = firmware.services->AllocatePool(EfiLoaderData, (UINTN)total, &pool);
	if (efi != EFI_SUCCESS)
		return NULL;
	ours = ((uintptr_t)pool + sizeof pool + POOL_ALIGN - 1) & ~(uintptr_t)(POOL_ALIGN - 1);
	((void **)ours)[-1] = pool;
	return memset((void *)ours, 0, n);
}

void mem_free(void *p)
{
	if (p != NULL)
		firmware_free(((void **)p)[-1]);
}

void *io_alloc(size_t n)
{
	EFI_PHYSICAL_ADDRESS address = 0;
	UINTN pages = (UINTN)div_up(n, PAGE_BYTES);
	EFI_STATUS efi = firmware.services->AllocatePages(AllocateAnyPages, EfiLoaderData, pages,
							  &address);

	return efi == EFI_SUCCESS ? (void *)(uintptr_t)address : NULL;
}

void io_free(void *p, size_t n)
{
	/*
	 * It can only fail for pages that were not allocated, and there is nothing better to do
	 * then than to keep them.
	 */
	if (p != NULL)
		(void)firmware.services->FreePages((uintptr_t)p, (UINTN)div_up(n, PAGE_BYTES));
}
