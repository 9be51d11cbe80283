/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * memcpy(), memmove(), memset() and memcmp() (base/memory.h) in plain C, for processors that have
 * none in assembler.
 *
 * They move words to aligned addresses, four at a time while they can. What is read from may lie
 * beside a word's boundary: the compiler knows how the processor reads that.
 *
 * The Makefile builds this file with -fno-tree-loop-distribute-patterns: otherwise gcc recognises
 * loops as the functions that they are in, and replaces them by calls of themselves.
 */
#include "base/memory.h"

#include <stdbool.h>
#include <stdint.h>

enum { WORD_BYTES = sizeof(size_t), WORDS = 4, STEP_BYTES = WORDS * WORD_BYTES };

typedef size_t __attribute__((may_alias)) word;
struct __attribute__((packed, may_alias)) loose_word {
	size_t value;
};

static size_t read_word(const uint8_t *from)
{
	return ((const struct loose_word *)from)->value;
}

/* Whether both lie the same way beside boundaries of words. */
static bool is_level(const uint8_t *a, const uint8_t *b)
{
	return ((uintptr_t)a - (uintptr_t)b) % WORD_BYTES == 0;
}

static void copy_ascending(uint8_t *to, const uint8_t *from, size_t n)
{
	for (; n > 0 && (uintptr_t)to % WORD_BYTES != 0; n--)
		*to++ = *from++;
	for (; n >= STEP_BYTES && is_level(to, from); n -= STEP_BYTES) {
		size_t a = ((const word *)from)[0], b = ((const word *)from)[1],
		       c = ((const word *)from)[2], d = ((const word *)from)[3];

		((word *)to)[0] = a;
		((word *)to)[1] = b;
		((word *)to)[2] = c;
		((word *)to)[3] = d;
		to += STEP_BYTES;
		from += STEP_BYTES;
	}
	for (; n >= WORD_BYTES; n -= WORD_BYTES) {
		*(word *)to = read_word(from);
		to += WORD_BYTES;
		from += WORD_BYTES;
	}
	while (n-- > 0)
		*to++ = *from++;
}

/* The same from the end on; `to` and `from` are the ends. */
static void copy_descending(uint8_t *to, const uint8_t *from, size_t n)
{
	for (; n > 0 && (uintptr_t)to % WORD_BYTES != 0; n--)
		*--to = *--from;
	for (; n >= STEP_BYTES && is_level(to, from); n -= STEP_BYTES) {
		to -= STEP_BYTES;
		from -= STEP_BYTES;
		size_t a = ((const word *)from)[0], b = ((const word *)from)[1],
		       c = ((const word *)from)[2], d = ((const word *)from)[3];

		((word *)to)[3] = d;
		((word *)to)[2] = c;
		((word *)to)[1] = b;
		((word *)to)[0] = a;
	}
	for (; n >= WORD_BYTES; n -= WORD_BYTES) {
		to -= WORD_BYTES;
		from -= WORD_BYTES;
		*(word *)to = read_word(from);
	}
	while (n-- > 0)
		*--to = *--from;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
	copy_ascending(to, from, n);
	return to;
}

/*
 * Ascending order would overwrite bytes before they are read where `to` begins within the n bytes
 * at `from`, which is where to - from, without sign, is below n.
 */
void *memmove(void *to, const void *from, size_t n)
{
	if ((uintptr_t)to - (uintptr_t)from >= n)
		copy_ascending(to, from, n);
	else
		copy_descending((uint8_t *)to + n, (const uint8_t *)from + n, n);
	return to;
}

void *memset(void *to, int byte, size_t n)
{
	uint8_t *at = to;
	size_t words = (uint8_t)byte * (SIZE_MAX / UINT8_MAX); /* the byte in each byte */

	for (; n > 0 && (uintptr_t)at % WORD_BYTES != 0; n--)
		*at++ = (uint8_t)byte;
	for (; n >= STEP_BYTES; n -= STEP_BYTES) {
		((word *)at)[0] = words;
		((word *)at)[1] = words;
		((word *)at)[2] = words;
		((word *)at)[3] = words;
		at += STEP_BYTES;
	}
	while (n-- > 0)
		*at++ = (uint8_t)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *one = a, *other = b;

	for (; n >= WORD_BYTES && read_word(one) == read_word(other); n -= WORD_BYTES) {
		one += WORD_BYTES;
		other += WORD_BYTES;
	}
	for (; n > 0; n--, one++, other++)
		if (*one != *other)
			return *one - *other;
	return 0;
}
