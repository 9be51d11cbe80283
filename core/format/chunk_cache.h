/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "blk/blk.h"
#include "codec/codec.h"

/*
 * Reading disks that are compressed in chunks of any size: what was decompressed last is kept, so
 * that each chunk is decompressed once when a disk is read from its beginning to its end. For the
 * boot processor. (Chunks that are units, image.h, are decompressed by all processors, and come
 * here only where that does not fit.)
 */
enum {
	CHUNK_BYTES_MAX = 64 << 20, /* of a chunk: its decompressed and its compressed bytes */
	/* decompressed bytes that are kept, of as many chunks; a larger chunk is kept alone */
	CHUNK_CACHE_BYTES = 8 << 20,
	CHUNK_CACHE_SLOTS = 8,
	CHUNK_TRIES = 8, /* to read a chunk from a bad medium */
};

/* A chunk, and where it is. */
struct chunk {
	uint64_t index;      /* identifies it */
	size_t bytes;        /* > 0: decompressed, at most CHUNK_BYTES_MAX */
	uint64_t offset;     /* of the compressed bytes in the file */
	size_t packed_bytes; /* at most 2 * CHUNK_BYTES_MAX */
	struct codec *codec;
};

struct chunk_cache {
	struct {
		uint8_t *bytes; /* NULL: empty */
		size_t n;
		uint64_t index;
		uint64_t last_use;
	} slot[CHUNK_CACHE_SLOTS];
	uint64_t clock;
	uint8_t *packed; /* the compressed bytes of one chunk */
	size_t packed_capacity;
	/* The chunk that could not be read last time. */
	struct {
		enum status status; /* ST_OK: none */
		uint64_t index;
		unsigned n; /* so often; CHUNK_TRIES: it is not tried again */
	} failed;
};

/* A cache of zeros is empty. Frees all memory. */
void chunk_cache_free(struct chunk_cache *);

/*
 * Reads `n` > 0 bytes at `skip` of a chunk of the file. ST_CORRUPT: it cannot be decompressed;
 * ST_NO_MEMORY; those of reading.
 */
enum status chunk_cache_read(struct chunk_cache *, struct blk *file, const struct chunk *,
			     size_t skip, void *buf, size_t n);
