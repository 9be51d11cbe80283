#include "format/qcow2/cache.h"

#include "base/check.h"
#include "base/range.h"

enum status qcow2_cache_init(struct qcow2_cache *cache, struct blk *file, size_t table_bytes)
{
	uint64_t n = QCOW2_CACHE_BYTES / table_bytes;

	*cache = (struct qcow2_cache){
		.file = file,
		.table_bytes = table_bytes,
		.n_slots = (size_t)min_u64(max_u64(n, QCOW2_CACHE_SLOTS_MIN), QCOW2_CACHE_SLOTS_MAX),
	};
	cache->slot = mem_alloc(cache->n_slots * sizeof *cache->slot);
	return cache->slot != NULL ? ST_OK : ST_NO_MEMORY;
}

void qcow2_cache_free(struct qcow2_cache *cache)
{
	for (size_t i = 0; cache->slot != NULL && i < cache->n_slots; i++)
		io_free(cache->slot[i].bytes, cache->table_bytes);
	mem_free(cache->slot);
	*cache = (struct qcow2_cache){ 0 };
}

/* The slot that has the table, or else the one to be used for it. */
static size_t find_slot(const struct qcow2_cache *cache, uint64_t offset)
{
	size_t oldest = 0;

	for (size_t i = 0; i < cache->n_slots; i++) {
		if (cache->slot[i].offset == offset)
			return i;
		if (cache->slot[i].last_use < cache->slot[oldest].last_use)
			oldest = i;
	}
	return oldest;
}

enum status qcow2_cache_get(struct qcow2_cache *cache, uint64_t offset, uint8_t **ret)
{
	size_t i = find_slot(cache, offset);

	CHECK(offset != 0);
	if (cache->slot[i].offset != offset) {
		enum status st;

		if (cache->slot[i].bytes == NULL)
			cache->slot[i].bytes = io_alloc(cache->table_bytes);
		if (cache->slot[i].bytes == NULL)
			return ST_NO_MEMORY;
		cache->slot[i].offset = 0;
		st = blk_read_padded(cache->file, offset, cache->slot[i].bytes, cache->table_bytes);
		if (st != ST_OK)
			return st;
		cache->slot[i].offset = offset;
	}
	cache->slot[i].last_use = ++cache->clock;
	*ret = cache->slot[i].bytes;
	return ST_OK;
}
