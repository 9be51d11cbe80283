/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A partition in an input. It begins with records of 8 bytes, "at" (5 bytes LE) and length (3 bytes
 * LE), of parts of the partition, which follow each other in the input; one of length 0 ends the
 * list. So an input of a few KiB is a file system of many MiB. An "at" of the last one that is not
 * zero asks that checksums are left as they are.
 */
struct sparse {
	uint8_t *data;
	size_t n;
};

struct sparse_part {
	uint64_t at, n;
	uint8_t *bytes;
};

/* Sets *ret to the part with that index, cut at the end of the input. False: there is none. */
bool sparse_part(const struct sparse *, size_t index, struct sparse_part *ret);

/* Where parts overlap, the last one counts; what none of them has is zeros. */
void sparse_get(const struct sparse *, uint64_t offset, void *buf, size_t len);

/* Changes the bytes that parts have, no others. */
void sparse_put(struct sparse *, uint64_t offset, const void *bytes, size_t len);

/* Whether checksums are to be put right. */
bool sparse_is_sealed(const struct sparse *);
