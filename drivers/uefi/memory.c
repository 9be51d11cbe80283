/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory from the firmware (UEFI 2.10, 7.2): small blocks from its pool, buffers for devices as
 * whole pages, which satisfies the IoAlign of every Block I/O.
 *
 * Everything is EfiLoaderData. What a program forgets to free is lost until the next boot, so that
 * every owner frees. memcpy() and its kind are in drivers/arch/.
 */
#include <efi.h>

#include "base/memory.h"

#include "base/range.h"
#include "firmware.h"

enum { POOL_ALIGN = 16, PAGE_BYTES = 4096 };

/*
 * The pool aligns to 8 bytes (UEFI 2.10, 7.2), C's types need 16. The address that the pool
 * returned is kept in the bytes before ours, for mem_free().
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
	/* Fails only for pages that were not allocated; then they stay allocated. */
	if (p != NULL)
		(void)firmware.services->FreePages((uintptr_t)p, (UINTN)div_up(n, PAGE_BYTES));
}
