/* SPDX-License-Identifier: BSD-2-Clause */
#include "sparse.h"

#include <string.h>

#include "base/bytes.h"
#include "base/range.h"

enum { RECORD_BYTES = 8, AT_BYTES = 5, LENGTH_BYTES = 3 };

/* Moves to the part after `part`, whose record is the one with that index. */
static bool next(const struct sparse *s, size_t index, struct sparse_part *part)
{
	const uint8_t *record = s->data + index * RECORD_BYTES;
	uint64_t used;

	part->bytes += part->n;
	used = (uint64_t)(part->bytes - s->data);
	if (used >= s->n)
		return false;
	part->at = bytes_from_le(record, AT_BYTES);
	part->n = min_u64(bytes_from_le(record + AT_BYTES, LENGTH_BYTES), s->n - used);
	return true;
}

static size_t begin(const struct sparse *s, struct sparse_part *part)
{
	size_t n = 0;

	while ((n + 1) * RECORD_BYTES <= s->n &&
	       bytes_from_le(s->data + n * RECORD_BYTES + AT_BYTES, LENGTH_BYTES) != 0)
		n++;
	*part = (struct sparse_part){ .bytes = s->data + min_u64((n + 1) * RECORD_BYTES, s->n) };
	return n;
}

bool sparse_part(const struct sparse *s, size_t index, struct sparse_part *ret)
{
	size_t n = begin(s, ret), i = 0;

	while (i < n && next(s, i, ret))
		if (i++ == index)
			return true;
	return false;
}

/* Copies what parts have of [offset, offset + len), to or from `bytes`. */
static void copy(const struct sparse *s, uint64_t offset, uint8_t *bytes, size_t len, bool put)
{
	struct sparse_part part;
	size_t n = begin(s, &part);

	for (size_t i = 0; i < n && next(s, i, &part); i++) {
		uint64_t from = max_u64(part.at, offset);
		uint64_t to = min_u64(part.at + part.n, offset + len);

		if (from >= to)
			continue;
		if (put)
			memcpy(part.bytes + (from - part.at), bytes + (from - offset),
			       (size_t)(to - from));
		else
			memcpy(bytes + (from - offset), part.bytes + (from - part.at),
			       (size_t)(to - from));
	}
}

void sparse_get(const struct sparse *s, uint64_t offset, void *buf, size_t len)
{
	memset(buf, 0, len);
	copy(s, offset, buf, len, false);
}

void sparse_put(struct sparse *s, uint64_t offset, const void *bytes, size_t len)
{
	copy(s, offset, (uint8_t *)(uintptr_t)bytes, len, true);
}

bool sparse_is_sealed(const struct sparse *s)
{
	struct sparse_part none;
	size_t n = begin(s, &none);

	return (n + 1) * RECORD_BYTES <= s->n &&
	       bytes_from_le(s->data + n * RECORD_BYTES, AT_BYTES) == 0;
}
