/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The fingerprint of a disk: for each range the sum of the checksums of its blocks, each mixed with
 * its place. A sum does not depend on the order, so that all processors can add to it, and blocks
 * of zeros count nothing, so that holes are free. It finds accidents, not attackers: for those
 * there is SHA-256 (record/manifest).
 */
#include "engine/fingerprint.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/zero.h"
#include "codec/checksum.h"

enum { BLOCK_BYTES = 512, RANGES_MAX = 1 << 17 };

_Static_assert((int)OBSERVER_RESULTS == (int)FINGERPRINT_PARTS, "the parts are the results");

static void work(const struct observer *print, uint64_t piece, uint64_t offset,
		 const uint8_t *bytes, size_t n, uint64_t ret[static OBSERVER_RESULTS])
{
	fingerprint_part((const struct fingerprint *)print, piece, offset, bytes, n, ret);
}

static void take(struct observer *print, uint64_t offset, const uint8_t *bytes, uint64_t n,
		 const uint64_t result[static OBSERVER_RESULTS])
{
	(void)n;
	if (bytes != NULL)
		fingerprint_add((struct fingerprint *)print, offset, result);
}

static const struct observer_ops ops = { .work = work, .piece = take };

enum status fingerprint_open(struct fingerprint *print, uint64_t size, struct error *err)
{
	*print = (struct fingerprint){ .observer = { &ops },
				       .size = size,
				       .range_bytes = FINGERPRINT_PIECE_BYTES };
	while (div_up(size, print->range_bytes) > RANGES_MAX)
		print->range_bytes *= 2;
	/* one more, for the second part of the last piece, which counts nothing */
	print->n = (size_t)div_up(size, print->range_bytes) + 1;
	print->sum = mem_alloc(print->n * sizeof *print->sum);
	return print->sum != NULL ? ST_OK : fail_no_memory(err);
}

void fingerprint_close(struct fingerprint *print)
{
	mem_free(print->sum);
	*print = (struct fingerprint){ 0 };
}

void fingerprint_part(const struct fingerprint *print, uint64_t piece, uint64_t offset,
		      const uint8_t *bytes, size_t n, uint64_t part[static FINGERPRINT_PARTS])
{
	uint64_t first = piece / print->range_bytes;

	CHECK(offset % BLOCK_BYTES == 0 && n <= FINGERPRINT_PIECE_BYTES &&
	      offset - piece <= FINGERPRINT_PIECE_BYTES - n);
	for (size_t done = 0, block; done < n; done += block) {
		uint64_t at = offset + done;

		block = (size_t)min_u64(BLOCK_BYTES, n - done);
		if (!is_zero(bytes + done, block))
			part[at / print->range_bytes - first] += checksum(bytes + done, block, at);
	}
}

void fingerprint_add(struct fingerprint *print, uint64_t piece,
		     const uint64_t part[static FINGERPRINT_PARTS])
{
	size_t first = (size_t)(piece / print->range_bytes);

	for (size_t i = 0; i < FINGERPRINT_PARTS; i++)
		print->sum[first + i] += part[i];
}

bool fingerprint_same(const struct fingerprint *a, const struct fingerprint *b,
		      uint64_t *ret_offset, uint64_t *ret_n)
{
	CHECK(a->size == b->size);
	for (size_t i = 0; i < a->n; i++) {
		if (a->sum[i] == b->sum[i])
			continue;
		*ret_offset = i * a->range_bytes;
		*ret_n = min_u64(a->range_bytes, a->size - *ret_offset);
		return false;
	}
	return true;
}
