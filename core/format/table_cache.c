/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache of tables: L2 tables, refcount blocks, tables and clusters of bitmaps. A table that was
 * changed stays until commit.c has it written, whatever else is needed meanwhile: so the order of
 * writes is decided in one place, and never by which table happens to be used last. When few
 * unchanged slots are left, table_cache_is_full() says so, and the caller commits before its next
 * operation.
 *
 * A table that cannot be read is tried a few times, and then its failure is remembered: everything
 * that needs the table would otherwise wait for the same bad sectors again.
 */
#include "format/table_cache.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"

enum status table_cache_init(struct table_cache *cache, struct blk *file, size_t table_bytes)
{
	uint64_t n = TABLE_CACHE_BYTES / table_bytes;

	*cache = (struct table_cache){
		.file = file,
		.table_bytes = table_bytes,
		.end = UINT64_MAX,
		.n_slots = (size_t)min_u64(max_u64(n, TABLE_CACHE_SLOTS_MIN),
					   TABLE_CACHE_SLOTS_MAX),
	};
	cache->slot = mem_alloc(cache->n_slots * sizeof *cache->slot);
	return cache->slot != NULL ? ST_OK : ST_NO_MEMORY;
}

void table_cache_free(struct table_cache *cache)
{
	for (size_t i = 0; cache->slot != NULL && i < cache->n_slots; i++)
		io_free(cache->slot[i].bytes, cache->table_bytes);
	mem_free(cache->slot);
	*cache = (struct table_cache){ 0 };
}

/*
 * The slot that has the table, or else the one to be used for it: the longest unused without
 * changes.
 */
static size_t find_slot(const struct table_cache *cache, uint64_t offset)
{
	size_t oldest = cache->n_slots;

	if (cache->slot[cache->recent].offset == offset)
		return cache->recent;
	for (size_t i = 0; i < cache->n_slots; i++) {
		if (cache->slot[i].offset == offset)
			return i;
		if (!cache->slot[i].changed &&
		    (oldest == cache->n_slots ||
		     cache->slot[i].last_use < cache->slot[oldest].last_use))
			oldest = i;
	}
	CHECK(oldest < cache->n_slots);
	return oldest;
}

/* Finds a slot and gives it memory. */
static enum status take_slot(struct table_cache *cache, uint64_t offset, size_t *ret)
{
	size_t i = find_slot(cache, offset);

	CHECK(offset != 0 && offset < cache->end);
	if (cache->slot[i].bytes == NULL)
		cache->slot[i].bytes = io_alloc(cache->table_bytes);
	if (cache->slot[i].bytes == NULL)
		return ST_NO_MEMORY;
	cache->slot[i].last_use = ++cache->clock;
	cache->recent = i;
	*ret = i;
	return ST_OK;
}

/* How much of the table at `offset` is in the file. */
static size_t stored_bytes(const struct table_cache *cache, uint64_t offset)
{
	return (size_t)min_u64(cache->table_bytes, cache->end - offset);
}

/* Reads a table, unless that was in vain often enough. */
static enum status read_table(struct table_cache *cache, uint64_t offset, uint8_t *bytes)
{
	size_t stored = stored_bytes(cache, offset);
	enum status st;

	if (cache->failed.offset == offset && cache->failed.n == TABLE_CACHE_TRIES)
		return cache->failed.status;
	st = blk_read_padded(cache->file, offset, bytes, stored);
	memset(bytes + stored, 0, cache->table_bytes - stored);
	if (st != ST_OK) {
		cache->failed.n = cache->failed.offset == offset ? cache->failed.n + 1 : 1;
		cache->failed.offset = offset;
		cache->failed.status = st;
	}
	return st;
}

enum status table_cache_get(struct table_cache *cache, uint64_t offset, uint8_t **ret)
{
	size_t i;
	enum status st = take_slot(cache, offset, &i);

	if (st != ST_OK)
		return st;
	if (cache->slot[i].offset != offset) {
		cache->slot[i].offset = 0;
		st = read_table(cache, offset, cache->slot[i].bytes);
		if (st != ST_OK)
			return st;
		cache->slot[i].offset = offset;
	}
	*ret = cache->slot[i].bytes;
	return ST_OK;
}

enum status table_cache_make(struct table_cache *cache, uint64_t offset, uint8_t **ret)
{
	size_t i;
	enum status st = take_slot(cache, offset, &i);

	if (st != ST_OK)
		return st;
	memset(cache->slot[i].bytes, 0, cache->table_bytes);
	cache->slot[i].offset = offset;
	table_cache_change(cache, offset);
	*ret = cache->slot[i].bytes;
	return ST_OK;
}

void table_cache_change(struct table_cache *cache, uint64_t offset)
{
	size_t i = find_slot(cache, offset);

	CHECK(cache->slot[i].offset == offset);
	cache->n_changed += !cache->slot[i].changed;
	cache->slot[i].changed = true;
}

void table_cache_forget(struct table_cache *cache, uint64_t offset)
{
	for (size_t i = 0; i < cache->n_slots; i++)
		if (cache->slot[i].changed || cache->slot[i].offset >= offset) {
			cache->slot[i].changed = false;
			cache->slot[i].offset = 0;
		}
	cache->n_changed = 0;
}

bool table_cache_is_full(const struct table_cache *cache)
{
	return cache->n_slots - cache->n_changed <= TABLE_CACHE_CLEAN_MIN;
}

/* The changed table with the lowest offset from `offset` on; n_slots: none. */
static size_t next_changed(const struct table_cache *cache, uint64_t offset)
{
	size_t best = cache->n_slots;

	for (size_t i = 0; i < cache->n_slots; i++)
		if (cache->slot[i].changed && cache->slot[i].offset >= offset &&
		    (best == cache->n_slots || cache->slot[i].offset < cache->slot[best].offset))
			best = i;
	return best;
}

enum status table_cache_write_range(struct table_cache *cache, uint64_t begin, uint64_t end)
{
	size_t i;

	while (cache->n_changed > 0 && (i = next_changed(cache, begin)) < cache->n_slots &&
	       cache->slot[i].offset < end) {
		enum status st = blk_write(cache->file, cache->slot[i].offset, cache->slot[i].bytes,
					   stored_bytes(cache, cache->slot[i].offset));

		if (st != ST_OK)
			return st;
		begin = cache->slot[i].offset;
		cache->slot[i].changed = false;
		cache->n_changed--;
	}
	return ST_OK;
}

enum status table_cache_write(struct table_cache *cache)
{
	return table_cache_write_range(cache, 0, UINT64_MAX);
}
