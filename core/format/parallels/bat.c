/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BAT of a Parallels image: for each cluster of the disk its place in the file, in clusters (of
 * old images, in sectors), or 0 for zeros. Pages of it are cached. New clusters are appended after
 * the last one.
 */
#include "format/parallels/image.h"

#include "base/memory.h"
#include "base/range.h"

enum { ENTRIES_PER_PAGE = PARALLELS_PAGE_BYTES / PARALLELS_ENTRY_BYTES };

static struct parallels_image *parallels_of(struct block_map *map)
{
	return (struct parallels_image *)map->image;
}

static uint64_t page_offset(uint64_t cluster)
{
	return PARALLELS_HEADER_BYTES + cluster / ENTRIES_PER_PAGE * PARALLELS_PAGE_BYTES;
}

static uint32_t entry_in(const uint8_t *page, uint64_t cluster)
{
	return (uint32_t)bytes_from_le(page + cluster % ENTRIES_PER_PAGE * PARALLELS_ENTRY_BYTES,
				       PARALLELS_ENTRY_BYTES);
}

enum status parallels_prepare(struct parallels_image *p)
{
	table_cache_free(&p->cache);
	p->map = (struct block_map){
		.ops = &parallels_block_ops,
		.file = parallels_file(p),
		.image = &p->image,
		.size = p->image.size,
		.block_bytes = (uint32_t)p->cluster_bytes,
	};
	if (table_cache_init(&p->cache, parallels_file(p), PARALLELS_PAGE_BYTES) != ST_OK)
		return ST_NO_MEMORY;
	p->cache.end = p->bat_end;
	return ST_OK;
}

enum status parallels_entry(struct parallels_image *p, uint64_t cluster, uint32_t *ret)
{
	uint8_t *page;
	enum status st = table_cache_get(&p->cache, page_offset(cluster), &page);

	if (st == ST_OK)
		*ret = entry_in(page, cluster);
	return st;
}

enum status parallels_set_entry(struct parallels_image *p, uint64_t cluster, uint32_t entry)
{
	uint8_t *page;
	enum status st = table_cache_get(&p->cache, page_offset(cluster), &page);

	if (st != ST_OK)
		return st;
	bytes_to_le(page + cluster % ENTRIES_PER_PAGE * PARALLELS_ENTRY_BYTES,
		    PARALLELS_ENTRY_BYTES, entry);
	table_cache_change(&p->cache, page_offset(cluster));
	return ST_OK;
}

uint64_t parallels_grid(const struct parallels_image *p)
{
	return p->entry_bytes == p->cluster_bytes ? 0 : p->data_start % p->cluster_bytes;
}

bool parallels_begins_outside(const struct parallels_image *p)
{
	return p->data_start > round_up(parallels_file(p)->size, p->cluster_bytes);
}

uint64_t parallels_place_from(const struct parallels_image *p, uint64_t from)
{
	return round_up(from - parallels_grid(p), p->cluster_bytes) + parallels_grid(p);
}

uint64_t parallels_needed(const struct parallels_image *p, uint64_t cluster)
{
	uint64_t begin = cluster * p->cluster_bytes;

	return min_u64(p->image.size - min_u64(begin, p->image.size), p->cluster_bytes);
}

/* Whether the file has the cluster that an entry other than 0 leads to. */
static bool in_file(const struct parallels_image *p, uint64_t cluster, uint64_t entry)
{
	uint64_t place = entry * p->entry_bytes;

	return place >= p->bat_end &&
	       range_ok(place, parallels_needed(p, cluster), parallels_file(p)->size);
}

static enum status parallels_find(struct block_map *map, uint64_t offset, uint64_t len,
				  struct block_run *ret)
{
	struct parallels_image *p = parallels_of(map);
	uint64_t cluster = offset / p->cluster_bytes, inside = offset % p->cluster_bytes,
		 n_wanted = div_up(inside + len, p->cluster_bytes), n = 1, entry;
	const uint64_t step = p->cluster_bytes / p->entry_bytes;
	uint8_t *page;
	enum status st = table_cache_get(&p->cache, page_offset(cluster), &page);

	if (st != ST_OK)
		return st;
	n_wanted = min_u64(n_wanted, ENTRIES_PER_PAGE - cluster % ENTRIES_PER_PAGE);
	entry = entry_in(page, cluster);
	if (entry != 0 && !in_file(p, cluster, entry))
		return ST_CORRUPT;
	while (n < n_wanted && entry_in(page, cluster + n) == (entry != 0 ? entry + n * step : 0) &&
	       (entry == 0 || in_file(p, cluster + n, entry + n * step)))
		n++;
	*ret = (struct block_run){
		.state = entry != 0 ? BLOCK_STORED : BLOCK_ABSENT,
		.length = n * p->cluster_bytes - inside,
		.offset = entry != 0 ? entry * p->entry_bytes + inside : 0,
	};
	return ST_OK;
}

static enum status parallels_allocate(struct block_map *map, uint64_t cluster, uint64_t *ret)
{
	struct parallels_image *p = parallels_of(map);

	(void)cluster;
	if (p->end / p->entry_bytes > UINT32_MAX)
		return ST_TOO_LARGE;
	*ret = p->end;
	p->end += p->cluster_bytes;
	return ST_OK;
}

static enum status parallels_set(struct block_map *map, uint64_t cluster, enum block_state state,
				 uint64_t offset)
{
	struct parallels_image *p = parallels_of(map);

	(void)state; /* there is no ZERO */
	return parallels_set_entry(p, cluster, (uint32_t)(offset / p->entry_bytes));
}

static enum status parallels_commit(struct block_map *map)
{
	return table_cache_write(&parallels_of(map)->cache);
}

static bool parallels_is_full(const struct block_map *map)
{
	return table_cache_is_full(&((const struct parallels_image *)map->image)->cache);
}

const struct block_ops parallels_block_ops = {
	.find = parallels_find,
	.allocate = parallels_allocate,
	.set = parallels_set,
	.commit = parallels_commit,
	.is_full = parallels_is_full,
};
