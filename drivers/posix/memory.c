/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory from the C library. Buffers of devices are aligned to pages, as they are in firmware. */
#include <stdlib.h>

#include "base/memory.h"

enum { PAGE_BYTES = 4096 };

void *mem_alloc(size_t n)
{
	return calloc(n > 0 ? n : 1, 1);
}

void mem_free(void *p)
{
	free(p);
}

void *io_alloc(size_t n)
{
	size_t pages = n / PAGE_BYTES + (n % PAGE_BYTES != 0);

	return aligned_alloc(PAGE_BYTES, pages * PAGE_BYTES);
}

void io_free(void *p, size_t n)
{
	(void)n;
	free(p);
}
