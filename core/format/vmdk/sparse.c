/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extents of grains with 32-bit tables: hosted sparse extents, compressed ones among them, and
 * those of ESX (COWD), which are only read.
 *
 * The directory is in memory, 4 bytes for each table; tables are in the cache that all extents of
 * the image share. Hosted extents have everything twice, for when a table is damaged: readers use
 * the first copy. An entry is set in both copies in the cache, and a commit writes those tables of
 * the extent that have changed, after the grains that they name were flushed (block_map.h).
 *
 * Compressed grains follow each other, each with its length before it. Where the next grain of the
 * table follows, its place bounds the length, which need not be read: the data itself says where it
 * ends, and a checksum whether it is whole.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"
#include "format/vmdk/image.h"

/* bytes of the file that a 32-bit number of sectors reaches */
#define FILE_BYTES_MAX ((UINT64_C(1) << 32) * VMDK_SECTOR)

static struct vmdk_extent *extent_of(struct block_map *map)
{
	return (struct vmdk_extent *)map;
}

static uint32_t marker_bytes(const struct vmdk_extent *extent)
{
	return (extent->sparse.flags & VMDK_FLAG_MARKERS) != 0 ? VMDK_GRAIN_MARKER_BYTES
							       : VMDK_BARE_MARKER_BYTES;
}

/* ---- tables ---- */

/*
 * The table that has the entry for a grain, and where it is in image->data; *ret is NULL where
 * there is none.
 */
static enum status get_table(struct vmdk_extent *extent, bool redundant, uint64_t index,
			     uint8_t **ret, uint64_t *ret_offset)
{
	const uint32_t *directory = redundant ? extent->redundant_directory : extent->directory;
	uint64_t table = index / extent->sparse.table_entries;

	*ret = vmdk_stream_table(extent, index);
	if (*ret != NULL || directory[table] == 0)
		return ST_OK;
	*ret_offset = vmdk_data_offset(extent) + (uint64_t)directory[table] * VMDK_SECTOR;
	return table_cache_get(&extent->vmdk->tables, *ret_offset, ret);
}

static uint32_t entry_in(const struct vmdk_extent *extent, const uint8_t *table, uint64_t index)
{
	return (uint32_t)bytes_from_le(table + index % extent->sparse.table_entries * 4, 4);
}

enum status vmdk_read_entry(struct vmdk_extent *extent, bool redundant, uint64_t index,
			    uint32_t *ret)
{
	uint64_t offset;
	uint8_t *table;
	enum status st = get_table(extent, redundant, index, &table, &offset);

	if (st == ST_OK)
		*ret = table != NULL ? entry_in(extent, table, index) : 0;
	return st;
}

enum status vmdk_entry_state(const struct vmdk_extent *extent, uint32_t entry,
			     struct block_run *ret)
{
	*ret = (struct block_run){ .state = BLOCK_ABSENT, .length = extent->sparse.grain_bytes };
	if (entry == 0)
		return ST_OK;
	if (entry == 1 && (extent->sparse.flags & VMDK_FLAG_ZEROED) != 0) {
		ret->state = BLOCK_ZERO;
		return ST_OK;
	}
	ret->state = extent->sparse.compressed ? BLOCK_PACKED : BLOCK_STORED;
	ret->offset = (uint64_t)entry * VMDK_SECTOR;
	return ret->offset < vmdk_file(extent)->size ? ST_OK : ST_CORRUPT;
}

/* ---- finding ---- */

/*
 * The length of the compressed data of the grain `index`, at most: up to the next grain that the
 * table has, or as its marker says.
 */
static enum status find_packed_bytes(const struct vmdk_extent *extent, const uint8_t *table,
				     uint64_t index, struct block_run *run)
{
	uint32_t n_marker = marker_bytes(extent), entries = extent->sparse.table_entries;
	uint64_t most = 2 * (uint64_t)extent->sparse.grain_bytes,
		 file_bytes = vmdk_file(extent)->size - run->offset;
	uint8_t marker[VMDK_GRAIN_MARKER_BYTES];
	enum status st;

	while (++index % entries != 0) {
		uint32_t entry = entry_in(extent, table, index);
		uint64_t distance = (uint64_t)entry * VMDK_SECTOR - run->offset;

		if (entry <= 1)
			continue;
		if (distance <= n_marker || distance > most || distance > file_bytes)
			break;
		run->offset += n_marker;
		run->packed_bytes = (uint32_t)(distance - n_marker);
		return ST_OK;
	}
	st = blk_read_padded(vmdk_file(extent), run->offset, marker, n_marker);
	if (st != ST_OK)
		return st;
	run->offset += n_marker;
	run->packed_bytes = (uint32_t)bytes_from_le(marker + n_marker - 4, 4);
	return run->packed_bytes > 0 && run->packed_bytes <= most ? ST_OK : ST_CORRUPT;
}

/* Whether the grain after `n` bytes of the run continues where it ends. */
static bool continues(const struct block_run *run, const struct block_run *next)
{
	return next->state == run->state &&
	       (run->state != BLOCK_STORED || next->offset == run->offset + run->length);
}

/* Adds the grains of the table that go on, up to `len` bytes from the first one's beginning. */
static void extend(const struct vmdk_extent *extent, const uint8_t *table, uint64_t index,
		   uint64_t len, struct block_run *run)
{
	while (++index % extent->sparse.table_entries != 0 && run->length < len) {
		struct block_run next;

		if (vmdk_entry_state(extent, entry_in(extent, table, index), &next) != ST_OK ||
		    !continues(run, &next))
			return;
		run->length += extent->sparse.grain_bytes;
	}
}

/* Grains without tables, from `index` on, up to `len` bytes. */
static uint64_t absent_bytes(const struct vmdk_extent *extent, uint64_t index, uint64_t len)
{
	uint32_t entries = extent->sparse.table_entries;
	uint64_t table = index / entries, grain = extent->sparse.grain_bytes;
	uint64_t bytes = (entries - index % entries) * grain;

	while (bytes < len && ++table < extent->sparse.n_tables && extent->directory[table] == 0 &&
	       vmdk_stream_table(extent, table * entries) == NULL)
		bytes += entries * grain;
	return bytes;
}

static enum status sparse_find(struct block_map *map, uint64_t offset, uint64_t len,
			       struct block_run *ret)
{
	struct vmdk_extent *extent = extent_of(map);
	uint64_t index = offset / map->block_bytes, inside = offset % map->block_bytes, at;
	uint8_t *table;
	enum status st = get_table(extent, false, index, &table, &at);

	if (st != ST_OK)
		return st;
	st = vmdk_entry_state(extent, table != NULL ? entry_in(extent, table, index) : 0, ret);
	if (table == NULL)
		ret->length = absent_bytes(extent, index, inside + len);
	else if (st == ST_OK && ret->state == BLOCK_PACKED)
		st = find_packed_bytes(extent, table, index, ret);
	else if (st == ST_OK)
		extend(extent, table, index, inside + len, ret);
	if (st != ST_OK)
		return st;
	ret->length -= inside;
	if (ret->state == BLOCK_STORED)
		ret->offset += inside;
	return ST_OK;
}

/* ---- decompressing ---- */

/*
 * The last grain of a disk may have been compressed as a whole, past the end of the disk, or only
 * up to there: both kinds of writers exist.
 */
static enum status sparse_unpack(struct block_map *map, uint64_t offset,
				 const struct block_run *run, void *ret)
{
	struct vmdk_image *v = extent_of(map)->vmdk;
	size_t rest = (size_t)min_u64(map->block_bytes, map->size - offset);
	uint8_t *to = ret;
	enum status st = blk_read_padded(map->file, run->offset, v->packed, run->packed_bytes);

	if (st != ST_OK)
		return st;
	st = codec_decompress(v->codec, v->packed, run->packed_bytes, to, map->block_bytes);
	if (st == ST_OK || rest == map->block_bytes)
		return st;
	memset(to + rest, 0, map->block_bytes - rest);
	return codec_decompress(v->codec, v->packed, run->packed_bytes, to, rest);
}

/* ---- writing ---- */

/* A new grain goes to the end of the file. */
static enum status sparse_allocate(struct block_map *map, uint64_t index, uint64_t *ret)
{
	struct vmdk_extent *extent = extent_of(map);

	(void)index;
	if (extent->next + map->block_bytes > FILE_BYTES_MAX)
		return ST_TOO_LARGE;
	*ret = extent->next;
	extent->next += map->block_bytes;
	return ST_OK;
}

enum status vmdk_set_entry(struct vmdk_extent *extent, uint64_t index, uint32_t entry)
{
	struct table_cache *tables = &extent->vmdk->tables;
	uint8_t *table[2] = { NULL, NULL };
	uint64_t at[2] = { 0 };
	size_t n = extent->redundant_directory != NULL ? 2 : 1;
	enum status st = ST_OK;

	/* Both are in memory before either is changed. */
	for (size_t i = 0; st == ST_OK && i < n; i++) {
		st = get_table(extent, i == 1, index, &table[i], &at[i]);
		if (st == ST_OK && table[i] == NULL)
			st = ST_CORRUPT;
	}
	for (size_t i = 0; st == ST_OK && i < n; i++) {
		bytes_to_le(table[i] + index % extent->sparse.table_entries * 4, 4, entry);
		table_cache_change(tables, at[i]);
	}
	return st;
}

static enum status sparse_set(struct block_map *map, uint64_t index, enum block_state state,
			      uint64_t offset)
{
	return vmdk_set_entry(extent_of(map), index,
			      state == BLOCK_ZERO ? 1 : (uint32_t)(offset / VMDK_SECTOR));
}

static bool sparse_is_full(const struct block_map *map)
{
	const struct vmdk_extent *extent = (const struct vmdk_extent *)map;

	return table_cache_is_full(&extent->vmdk->tables);
}

/*
 * Writes the tables of this extent. If the cache is full of those of others, too, these are written
 * as well, after the grains that they name.
 */
static enum status sparse_commit(struct block_map *map)
{
	struct vmdk_extent *extent = extent_of(map);
	struct vmdk_image *v = extent->vmdk;
	uint64_t begin = vmdk_data_offset(extent);
	enum status st = ST_OK;

	if (!table_cache_is_full(&v->tables))
		return table_cache_write_range(&v->tables, begin, begin + VMDK_FILE_SPAN);
	for (size_t i = 0; st == ST_OK && i < v->n_extents; i++)
		if (v->extent[i].changed)
			st = blk_flush(vmdk_file(&v->extent[i]));
	return st == ST_OK ? table_cache_write(&v->tables) : st;
}

const struct block_ops vmdk_sparse_ops = {
	.find = sparse_find,
	.unpack = sparse_unpack,
	.allocate = sparse_allocate,
	.set = sparse_set,
	.commit = sparse_commit,
	.is_full = sparse_is_full,
};
