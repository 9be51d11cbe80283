/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How image targets mutate their input: half of the time as libFuzzer does, otherwise by setting a
 * field of either byte order to a value that tables could have. Bytes alone would take long to make
 * one cluster refer to another.
 */
#include "fuzz.h"

#include <stdlib.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed);

static unsigned state;

static unsigned draw(unsigned n)
{
	state = (unsigned)((uint64_t)state * 48271 % 2147483647);
	return state % n;
}

/* A field of a table: an offset with flags, a flag alone, a small number, or one near a limit. */
static uint64_t value(size_t n)
{
	uint64_t offset = (uint64_t)draw((unsigned)(n / 512 + 3)) * 512;

	switch (draw(8)) {
	case 0:
		return offset;
	case 1:
		return offset | (uint64_t)1 << 63;
	case 2:
		return offset | (uint64_t)1 << 62 | (uint64_t)draw(64) << 54;
	case 3:
		return offset | draw(4);
	case 4:
		return (uint64_t)1 << draw(64);
	case 5:
		return ((uint64_t)1 << draw(64)) - 1;
	case 6:
		return draw(16);
	default:
		return 0;
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned seed)
{
	static const size_t widths[] = { 8, 8, 8, 4, 4, 2, 1 };
	size_t width, at;
	uint64_t new;
	bool big;

	state = seed % 2147483646 + 1;
	if (n < 16 || draw(2) == 0)
		return LLVMFuzzerMutate(data, n, max);
	width = widths[draw(sizeof widths / sizeof *widths)];
	/* the header is small, and everything hangs on it */
	at = draw((unsigned)((draw(4) == 0 && n > 112 ? 112 : n) / width)) * width;
	new = value(n);
	if (draw(3) == 0)
		new /= 512; /* in sectors, as some formats count */
	big = draw(2) == 0;
	for (size_t i = 0; i < width; i++)
		data[at + (big ? width - 1 - i : i)] = (uint8_t)(new >> (8 * i));
	return n;
}
