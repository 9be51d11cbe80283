/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text in memory, doubled when it is full. After the first byte left out, nothing is added any
 * more.
 */
#include "base/out_memory.h"

#include <stdbool.h>

#include "base/memory.h"
#include "base/range.h"

enum { FIRST_BYTES = 4096 };

/* Makes room for `n` bytes. */
static bool grow(struct out_memory *to, size_t n)
{
	size_t capacity = to->capacity > 0 ? to->capacity : FIRST_BYTES;
	char *text;

	if (n <= to->capacity)
		return true;
	while (capacity < n)
		capacity *= 2; /* n <= to->most, which is far from SIZE_MAX */
	text = mem_alloc(capacity);
	if (text == NULL)
		return false;
	if (to->n > 0)
		memcpy(text, to->text, to->n);
	mem_free(to->text);
	to->text = text;
	to->capacity = capacity;
	return true;
}

static void take(struct out *out, const char *bytes, size_t n)
{
	struct out_memory *to = (struct out_memory *)out;
	size_t fits = to->left_out > 0 ? 0 : (size_t)min_u64(n, to->most - to->n);

	if (fits > 0 && !grow(to, to->n + fits))
		fits = 0;
	if (fits > 0)
		memcpy(to->text + to->n, bytes, fits);
	to->n += fits;
	to->left_out += n - fits;
	out->failed = to->left_out > 0;
}

void out_memory_init(struct out_memory *to, size_t most)
{
	*to = (struct out_memory){ .out.write = take, .most = most };
}

void out_memory_clear(struct out_memory *to)
{
	to->n = 0;
	to->left_out = 0;
	to->out.failed = false;
}

void out_memory_free(struct out_memory *to)
{
	mem_free(to->text);
	out_memory_init(to, to->most);
}
