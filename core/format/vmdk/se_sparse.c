/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Extents of the type SESPARSE, which ESXi 5.5 and later use for snapshots; only read. There is no
 * public specification: the layout is what readers of other programs agree on. Grains have 4 KiB,
 * tables have 4096 entries of 64 bits. The upper four bits of an entry say what the grain is, and
 * everything that is not known is refused.
 */
#include "base/bytes.h"
#include "base/range.h"
#include "format/vmdk/image.h"

enum { ENTRY_BYTES = 8 };
enum { ENTRY_NONE, ENTRY_UNMAPPED, ENTRY_ZERO, ENTRY_STORED };

static enum status entry_state(const struct vmdk_extent *extent, uint64_t entry,
			       struct block_run *ret)
{
	uint64_t number = (entry >> 48 & 0xfff) | (entry & UINT64_C(0xffffffffffff)) << 12;
	uint64_t grain_bytes = extent->sparse.grain_bytes, place;

	*ret = (struct block_run){ .state = BLOCK_ABSENT, .length = grain_bytes };
	switch (entry >> 60) {
	case ENTRY_NONE:
		return entry == 0 ? ST_OK : ST_CORRUPT;
	case ENTRY_UNMAPPED:
	case ENTRY_ZERO:
		ret->state = BLOCK_ZERO;
		return ST_OK;
	case ENTRY_STORED:
		ret->state = BLOCK_STORED;
		return mul_ok(number, grain_bytes, &place) &&
				       add_ok(place, extent->sparse.grains, &ret->offset) &&
				       ret->offset < vmdk_file(extent)->size
			       ? ST_OK
			       : ST_CORRUPT;
	default:
		return ST_CORRUPT;
	}
}

static enum status se_sparse_find(struct block_map *map, uint64_t offset, uint64_t len,
				  struct block_run *ret)
{
	struct vmdk_extent *extent = (struct vmdk_extent *)map;
	const struct vmdk_sparse *sparse = &extent->sparse;
	uint64_t index = offset / map->block_bytes, inside = offset % map->block_bytes, entry = 0;
	uint32_t table = extent->directory[index / sparse->table_entries];
	uint8_t *bytes;
	enum status st;

	(void)len;
	if (table != 0) {
		st = table_cache_get(&extent->vmdk->tables,
				     vmdk_data_offset(extent) + sparse->tables +
					     (uint64_t)(table - 1) * sparse->table_bytes,
				     &bytes);
		if (st != ST_OK)
			return st;
		entry = bytes_from_le(bytes + index % sparse->table_entries * ENTRY_BYTES,
				      ENTRY_BYTES);
	}
	st = entry_state(extent, entry, ret);
	ret->length -= inside;
	ret->offset += inside;
	return st;
}

const struct block_ops vmdk_se_sparse_ops = { .find = se_sparse_find };
