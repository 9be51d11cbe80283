/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The cache of decompressed chunks. A chunk that is asked for as a whole is decompressed to where
 * it is wanted, and not kept: a copy comes by once. Of the others the longest unused go, until the
 * new one fits.
 *
 * No image decides how much memory that takes: a chunk has at most CHUNK_BYTES_MAX, which the
 * format checks when it opens the image. A chunk that cannot be decompressed is remembered, and so
 * is one that could not be read after some tries: a copy with --salvage asks for each of its
 * sectors, and would decompress all of it each time.
 */
#include "format/chunk_cache.h"

#include "base/check.h"
#include "base/memory.h"

void chunk_cache_free(struct chunk_cache *cache)
{
	for (size_t i = 0; i < CHUNK_CACHE_SLOTS; i++)
		mem_free(cache->slot[i].bytes);
	io_free(cache->packed, cache->packed_capacity);
	*cache = (struct chunk_cache){ 0 };
}

static void empty_slot(struct chunk_cache *cache, size_t i)
{
	mem_free(cache->slot[i].bytes);
	cache->slot[i].bytes = NULL;
	cache->slot[i].n = 0;
}

static size_t bytes_kept(const struct chunk_cache *cache)
{
	size_t n = 0;

	for (size_t i = 0; i < CHUNK_CACHE_SLOTS; i++)
		n += cache->slot[i].n;
	return n;
}

/* The longest unused of the slots that are full, or one that is empty if `empty` may be. */
static size_t choose_slot(const struct chunk_cache *cache, bool empty)
{
	size_t oldest = CHUNK_CACHE_SLOTS;

	for (size_t i = 0; i < CHUNK_CACHE_SLOTS; i++) {
		if (cache->slot[i].bytes == NULL && empty)
			return i;
		if (cache->slot[i].bytes != NULL &&
		    (oldest == CHUNK_CACHE_SLOTS ||
		     cache->slot[i].last_use < cache->slot[oldest].last_use))
			oldest = i;
	}
	CHECK(oldest < CHUNK_CACHE_SLOTS);
	return oldest;
}

/* A slot with room for a chunk. NULL: no memory. */
static uint8_t *take_slot(struct chunk_cache *cache, const struct chunk *chunk, size_t *ret)
{
	size_t i;

	while (bytes_kept(cache) > 0 && bytes_kept(cache) + chunk->bytes > CHUNK_CACHE_BYTES)
		empty_slot(cache, choose_slot(cache, false));
	i = choose_slot(cache, true);
	empty_slot(cache, i);
	cache->slot[i].bytes = mem_alloc(chunk->bytes);
	if (cache->slot[i].bytes == NULL)
		return NULL;
	cache->slot[i].n = chunk->bytes;
	cache->slot[i].index = chunk->index;
	cache->slot[i].last_use = ++cache->clock;
	*ret = i;
	return cache->slot[i].bytes;
}

static enum status unpack(struct chunk_cache *cache, struct blk *file, const struct chunk *chunk,
			  uint8_t *to)
{
	enum status st;

	if (cache->packed_capacity < chunk->packed_bytes) {
		io_free(cache->packed, cache->packed_capacity);
		cache->packed_capacity = chunk->packed_bytes;
		cache->packed = io_alloc(chunk->packed_bytes);
	}
	if (cache->packed == NULL) {
		cache->packed_capacity = 0;
		return ST_NO_MEMORY;
	}
	st = blk_read(file, chunk->offset, cache->packed, chunk->packed_bytes);
	return st == ST_OK ? codec_decompress(chunk->codec, cache->packed, chunk->packed_bytes, to,
					      chunk->bytes)
			   : st;
}

/* Decompresses a chunk, unless that was in vain often enough. */
static enum status try_unpack(struct chunk_cache *cache, struct blk *file,
			      const struct chunk *chunk, uint8_t *to)
{
	bool again = cache->failed.status != ST_OK && cache->failed.index == chunk->index;
	enum status st;

	if (again && cache->failed.n >= CHUNK_TRIES)
		return cache->failed.status;
	st = unpack(cache, file, chunk, to);
	if (st != ST_OK && st != ST_NO_MEMORY) {
		cache->failed.n = st == ST_CORRUPT ? CHUNK_TRIES : again ? cache->failed.n + 1 : 1;
		cache->failed.index = chunk->index;
		cache->failed.status = st;
	}
	return st;
}

enum status chunk_cache_read(struct chunk_cache *cache, struct blk *file, const struct chunk *chunk,
			     size_t skip, void *buf, size_t n)
{
	uint8_t *bytes;
	size_t slot;
	enum status st;

	CHECK(chunk->bytes <= CHUNK_BYTES_MAX && chunk->packed_bytes / 2 <= CHUNK_BYTES_MAX);
	if (chunk->packed_bytes == 0)
		return ST_CORRUPT;
	for (size_t i = 0; i < CHUNK_CACHE_SLOTS; i++)
		if (cache->slot[i].bytes != NULL && cache->slot[i].index == chunk->index) {
			cache->slot[i].last_use = ++cache->clock;
			memcpy(buf, cache->slot[i].bytes + skip, n);
			return ST_OK;
		}
	if (skip == 0 && n == chunk->bytes)
		return try_unpack(cache, file, chunk, buf);
	bytes = take_slot(cache, chunk, &slot);
	if (bytes == NULL)
		return ST_NO_MEMORY;
	st = try_unpack(cache, file, chunk, bytes);
	if (st != ST_OK) {
		empty_slot(cache, slot);
		return st;
	}
	memcpy(buf, bytes + skip, n);
	return ST_OK;
}
