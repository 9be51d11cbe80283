/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/used_map.h"
#include "engine/disk_map.h"
#include "engine/progress.h"
#include "format/chain.h"

/* The sources of a copy as one disk: concatenated, from `first_byte` of that disk on. */
struct source_disk {
	const struct chain *source; /* loaded */
	size_t n_sources;
	uint64_t first_byte;
	/*
	 * What none of the first so many images of a source has, and the next one decides, is
	 * SOURCE_SKIP. 0: nothing is.
	 */
	size_t keep_depth;
	/* what is unused in this map is SOURCE_SKIP, and zeros; NULL: nothing is */
	const struct used_map *used;
	bool seeks_zeros; /* false: zeros are SOURCE_DATA */
	bool salvages;    /* where a map cannot be read is SOURCE_DATA; false: an error */
	struct progress *progress;
	/* What was looked at last, so that a long range is not looked up for each piece of it. */
	uint64_t offset;
	uint64_t length; /* 0: nothing yet */
	struct disk_range range;
};

/* What a copy does with a range. */
enum source_disk_kind { SOURCE_SKIP, SOURCE_ZERO, SOURCE_DATA };

/* The size of the disk that the sources make together. ST_TOO_LARGE. */
enum status source_disk_size(const struct chain *source, size_t n_sources, uint64_t *ret_bytes,
			     struct error *);

/* The source that has the byte at `*offset`, which becomes the offset in its disk. */
struct image *source_disk_image(const struct source_disk *, uint64_t *offset);

/*
 * What lies at `offset`, within one source: ret->length > 0 bytes, at most `len`, which lie at
 * *ret_at of its disk. Errors: those of disk_map_at(), with words.
 */
enum status source_disk_look(struct source_disk *, uint64_t offset, uint64_t len, uint64_t *ret_at,
			     struct disk_range *ret, enum source_disk_kind *ret_kind,
			     struct error *);
