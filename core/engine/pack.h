/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/image.h"

/* What it takes to store units in their compressed form. */
struct pack {
	struct image *image;
	struct codec *codec; /* NULL: not opened */
	uint8_t *packed;
};

/*
 * Whether an image, loaded for writing, can have such units. ST_UNSUPPORTED, with words that
 * name the file.
 */
enum status pack_possible(const struct image *, struct error *);

/* ST_NO_MEMORY. Closed on failure too. */
enum status pack_open(struct pack *, struct image *);
void pack_close(struct pack *);

/*
 * Stores the unit of the disk that begins at `offset`: as it is if it does not get smaller.
 * `bytes` is a whole unit, with zeros behind the first `n` bytes where the disk ends in it.
 */
enum status pack_write(struct pack *, uint64_t offset, const uint8_t *bytes, size_t n);
