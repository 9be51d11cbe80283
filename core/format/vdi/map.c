/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map of a VDI image: for each block of the disk its index in the data area, or that it is
 * zeros. At 4 bytes for a block, that is 64 MiB for a disk of 16 TiB, so pages of it are cached.
 *
 * A new block gets the lowest index that no entry has. The index after the highest one is in the
 * header as well ("blocks allocated"), for programs that take their next block from there: if it
 * lags behind, they write over a block that is in use. So vdi_commit() writes it before the map,
 * and has it flushed.
 */
#include "format/vdi/image.h"

#include "base/memory.h"
#include "base/range.h"

enum { ENTRIES_PER_PAGE = VDI_PAGE_BYTES / VDI_ENTRY_BYTES };

static struct vdi_image *vdi_of(struct block_map *map)
{
	return (struct vdi_image *)map->image;
}

/* The page that has the entry of a block. */
static uint64_t page_offset(const struct vdi_image *v, uint64_t block)
{
	return v->map_offset + block / ENTRIES_PER_PAGE * VDI_PAGE_BYTES;
}

static uint32_t entry_in(const uint8_t *page, uint64_t block)
{
	return (uint32_t)bytes_from_le(page + block % ENTRIES_PER_PAGE * VDI_ENTRY_BYTES,
				       VDI_ENTRY_BYTES);
}

enum status vdi_entry(struct vdi_image *v, uint64_t block, uint32_t *ret)
{
	uint8_t *page;
	enum status st = table_cache_get(&v->cache, page_offset(v, block), &page);

	if (st == ST_OK)
		*ret = entry_in(page, block);
	return st;
}

enum status vdi_set_entry(struct vdi_image *v, uint64_t block, uint32_t entry)
{
	uint8_t *page;
	enum status st = table_cache_get(&v->cache, page_offset(v, block), &page);

	if (st != ST_OK)
		return st;
	bytes_to_le(page + block % ENTRIES_PER_PAGE * VDI_ENTRY_BYTES, VDI_ENTRY_BYTES, entry);
	table_cache_change(&v->cache, page_offset(v, block));
	return ST_OK;
}

uint64_t vdi_place(const struct vdi_image *v, uint64_t index)
{
	return v->data_offset + index * v->image.cluster_bytes;
}

bool vdi_in_file(const struct vdi_image *v, uint64_t block, uint32_t entry)
{
	uint64_t begin = block * v->image.cluster_bytes,
		 n = v->image.size - min_u64(begin, v->image.size);

	return entry < v->n_blocks &&
	       range_ok(vdi_place(v, entry), min_u64(n, v->image.cluster_bytes), vdi_file(v)->size);
}

/* ---- looking up ---- */

/* Whether `next` continues what `entry` says, `n` blocks later. */
static bool continues(uint32_t entry, uint32_t next, uint64_t n)
{
	return entry >= VDI_ZERO ? next >= VDI_ZERO : next == entry + n;
}

static enum status vdi_find(struct block_map *map, uint64_t offset, uint64_t len,
			    struct block_run *ret)
{
	struct vdi_image *v = vdi_of(map);
	uint64_t block = offset / map->block_bytes, inside = offset % map->block_bytes,
		 n_wanted = div_up(inside + len, map->block_bytes), n = 1;
	uint32_t entry;
	uint8_t *page;
	enum status st = table_cache_get(&v->cache, page_offset(v, block), &page);

	if (st != ST_OK)
		return st;
	n_wanted = min_u64(n_wanted, ENTRIES_PER_PAGE - block % ENTRIES_PER_PAGE);
	entry = entry_in(page, block);
	if (entry < VDI_ZERO && !vdi_in_file(v, block, entry))
		return ST_CORRUPT;
	while (n < n_wanted && continues(entry, entry_in(page, block + n), n) &&
	       (entry >= VDI_ZERO || vdi_in_file(v, block + n, (uint32_t)(entry + n))))
		n++;
	*ret = (struct block_run){
		.state = entry >= VDI_ZERO ? BLOCK_ZERO : BLOCK_STORED,
		.length = n * map->block_bytes - inside,
		.offset = entry >= VDI_ZERO ? 0 : vdi_place(v, entry) + inside,
	};
	return ST_OK;
}

/* ---- allocating ---- */

static enum status vdi_allocate(struct block_map *map, uint64_t block, uint64_t *ret)
{
	struct vdi_image *v = vdi_of(map);

	(void)block;
	if (v->n_gaps > 0) {
		*ret = vdi_place(v, v->gap[--v->n_gaps]);
		return ST_OK;
	}
	if (v->end >= v->n_blocks)
		return ST_TOO_LARGE;
	*ret = vdi_place(v, v->end++);
	v->counts = false;
	return ST_OK;
}

static enum status vdi_set(struct block_map *map, uint64_t block, enum block_state state,
			   uint64_t offset)
{
	struct vdi_image *v = vdi_of(map);
	uint64_t index = (offset - v->data_offset) / map->block_bytes;

	return vdi_set_entry(v, block, state == BLOCK_ZERO ? VDI_ZERO : (uint32_t)index);
}

static enum status vdi_commit(struct block_map *map)
{
	struct vdi_image *v = vdi_of(map);
	enum status st = ST_OK;

	if (!v->counts) {
		v->header.n_allocated = le32_of((uint32_t)v->end);
		st = vdi_write_header(v);
		if (st == ST_OK)
			st = blk_flush(map->file);
		v->counts = st == ST_OK;
	}
	return st == ST_OK ? table_cache_write(&v->cache) : st;
}

static bool vdi_is_full(const struct block_map *map)
{
	return table_cache_is_full(&((const struct vdi_image *)map->image)->cache);
}

const struct block_ops vdi_block_ops = {
	.find = vdi_find,
	.allocate = vdi_allocate,
	.set = vdi_set,
	.commit = vdi_commit,
	.is_full = vdi_is_full,
};
