/* SPDX-License-Identifier: BSD-2-Clause */
/* Mistakes in the image "a", which a repair mends or says that it cannot. */
#include "operation.h"

#define COPIED (UINT64_C(1) << 63)
#define OFFSET UINT64_C(0x00fffffffffffe00)

static uint64_t get(const struct bytes *b, uint64_t at, size_t n)
{
	uint64_t value = 0;

	assert_true(at + n <= b->size);
	for (size_t i = 0; i < n; i++)
		value = value << 8 | b->at[at + i];
	return value;
}

static void put(const struct bytes *b, uint64_t at, size_t n, uint64_t value)
{
	assert_true(at + n <= b->size);
	for (size_t i = n; i-- > 0; value >>= 8)
		b->at[at + i] = (uint8_t)value;
}

static uint64_t cluster_bytes(const struct bytes *b)
{
	return UINT64_C(1) << get(b, 20, 4);
}

static uint64_t first_block(const struct bytes *b)
{
	return get(b, get(b, 48, 8), 8);
}

/* The place of entry `index` of the disk's first L2 table, which has data from its beginning on. */
static uint64_t l2_entry(const struct bytes *b, uint64_t index)
{
	return (get(b, get(b, 40, 8), 8) & OFFSET) + index * (get(b, 72, 8) & 16 ? 16 : 8);
}

/* What the snapshots refer to has a user less, and what they alone refer to none. */
void no_snapshots(const struct bytes *b)
{
	put(b, 60, 4, 0);
}

void low_refcounts(const struct bytes *b)
{
	for (uint64_t i = 0; i < cluster_bytes(b) / 4; i++)
		b->at[first_block(b) + i] &= 0x10;
}

void no_blocks(const struct bytes *b)
{
	memset(b->at + get(b, 48, 8), 0, cluster_bytes(b));
}

/* There can be no block there: refcounts are not known, and so neither what COPIED must be. */
void block_nowhere(const struct bytes *b)
{
	put(b, get(b, 48, 8), 8, first_block(b) + 512);
}

void block_twice(const struct bytes *b)
{
	put(b, get(b, 48, 8) + 8, 8, first_block(b));
}

void not_copied(const struct bytes *b)
{
	for (uint64_t i = 0; i < 9; i += 2)
		put(b, l2_entry(b, i), 8, get(b, l2_entry(b, i), 8) & ~COPIED);
	put(b, get(b, 40, 8), 8, get(b, get(b, 40, 8), 8) & ~COPIED);
	put(b, 72, 8, get(b, 72, 8) | 3);
}

/* Zeros with a reserved place, where none can be. */
void reserved_places(const struct bytes *b)
{
	for (uint64_t i = 1; i < 4; i++)
		put(b, l2_entry(b, i), 8, (get(b, l2_entry(b, i), 8) + 512) | 1);
}

void incomplete(const struct bytes *b)
{
	uint64_t entry = get(b, 64, 8);

	put(b, entry + 36, 4, 8);
	memmove(b->at + entry + 48, b->at + entry + 64, 8); /* id and name */
}

/* An entry refers to nowhere: whose data that was, nobody knows. */
void lost(const struct bytes *b)
{
	put(b, l2_entry(b, 1), 8, UINT64_C(1) << 40 | COPIED);
	block_twice(b);
}

/* Autoclear features that are not known here: they are gone before anything is written. */
void unknown_features(const struct bytes *b)
{
	put(b, 88, 8, get(b, 88, 8) | 0x70);
}

/* As QEMU leaves an image with lazy refcounts that was open when the power went. */
void dirty(const struct bytes *b)
{
	put(b, 72, 8, 1);
	low_refcounts(b);
}
