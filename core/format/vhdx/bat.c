/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The block allocation table ([MS-VHDX] 2.5): an entry of 8 bytes for each block, with a state and
 * a place in the file, and after each chunk of them one for the sector bitmap of the chunk, which
 * only differencing images have. It is read and changed in sectors of 4 KiB, which is also what the
 * log replaces as one; a table of 513 MiB (64 TiB in blocks of 1 MiB) takes no more memory than
 * another.
 *
 * A block that is not present reads as zeros, or as what the parent has; the specification leaves
 * open what undefined and unmapped blocks have: zeros here, as in QEMU.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "format/vhdx/image.h"
#include "platform/person.h"

enum { PIECE_BYTES = 64 << 10 };

static struct vhdx_image *image_of(struct block_map *map)
{
	return (struct vhdx_image *)map->image;
}

uint64_t vhdx_entry_of(const struct vhdx_image *v, uint64_t block)
{
	return block + block / v->chunk_blocks;
}

uint64_t vhdx_bitmap_entry_of(const struct vhdx_image *v, uint64_t block)
{
	return (block / v->chunk_blocks + 1) * (v->chunk_blocks + 1) - 1;
}

bool vhdx_is_bitmap_entry(const struct vhdx_image *v, uint64_t entry)
{
	return entry % (v->chunk_blocks + 1) == v->chunk_blocks;
}

uint64_t vhdx_entries(uint64_t n_blocks, uint64_t chunk_blocks, bool has_parent)
{
	if (has_parent)
		return div_up(n_blocks, chunk_blocks) * (chunk_blocks + 1);
	return n_blocks > 0 ? n_blocks + (n_blocks - 1) / chunk_blocks : 0;
}

/* The sector in the cache that has the byte at `offset` of the file, and where in it that is. */
static enum status get_sector(struct vhdx_image *v, uint64_t offset, uint8_t **ret)
{
	enum status st = table_cache_get(&v->cache, round_down(offset, VHDX_SECTOR), ret);

	if (st == ST_OK)
		*ret += offset % VHDX_SECTOR;
	return st;
}

static enum status get_entry(struct vhdx_image *v, uint64_t entry, uint64_t *ret)
{
	uint8_t *bytes;
	enum status st = get_sector(v, v->bat.offset + 8 * entry, &bytes);

	if (st == ST_OK)
		*ret = bytes_from_le(bytes, 8);
	return st;
}

enum status vhdx_entry_set(struct vhdx_image *v, uint64_t entry, uint64_t value)
{
	uint64_t offset = v->bat.offset + 8 * entry;
	uint8_t *bytes;
	enum status st = get_sector(v, offset, &bytes);

	if (st != ST_OK)
		return st;
	bytes_to_le(bytes, 8, value);
	table_cache_change(&v->cache, round_down(offset, VHDX_SECTOR));
	return ST_OK;
}

enum status vhdx_bat_each(struct vhdx_image *v, vhdx_look *look, void *user, struct error *err)
{
	uint8_t *piece = io_alloc(PIECE_BYTES);
	enum status st = piece != NULL ? ST_OK : fail_no_memory(err);

	for (uint64_t at = 0; st == ST_OK && at < v->n_entries * 8; at += PIECE_BYTES) {
		size_t n = (size_t)min_u64(PIECE_BYTES, v->n_entries * 8 - at);

		st = platform_cancelled() ? ST_CANCELLED
					  : blk_read_padded(v->file, v->bat.offset + at, piece, n);
		if (st != ST_OK)
			error_set(err, "reading its BAT at 0x%jx: %s", v->bat.offset + at,
				  status_text(st));
		for (size_t i = 0; st == ST_OK && i < n; i += 8)
			st = look(user, (at + i) / 8, bytes_from_le(piece + i, 8), err);
	}
	io_free(piece, PIECE_BYTES);
	return st;
}

bool vhdx_take_place(uint8_t *used, uint64_t offset, uint64_t n)
{
	bool is_free = true;

	for (uint64_t i = offset / VHDX_MIB; i < (offset + n) / VHDX_MIB; i++) {
		is_free = is_free && (used[i / 8] >> i % 8 & 1) == 0;
		used[i / 8] |= (uint8_t)(1 << i % 8);
	}
	return is_free;
}

/* ---- reading ---- */

/* Whether `n` bytes that an entry is about are in the file. */
static bool is_stored(const struct vhdx_image *v, uint64_t entry, uint64_t n)
{
	uint64_t offset = entry & VHDX_BAT_OFFSET;

	return offset >= VHDX_MIB && range_ok(offset, n, v->file->size);
}

/*
 * A block of which the sector bitmap says, sector by sector, what is in the file and what in the
 * parent. `ret` is for the whole block, at first.
 */
static enum status find_partly(struct vhdx_image *v, uint64_t offset, uint64_t len,
			       struct block_run *ret)
{
	uint64_t chunk = v->chunk_blocks * v->block_bytes, sector = v->sector_bytes, n = 0, entry;
	uint64_t first = offset % chunk / sector;
	bool here = false;
	enum status st = get_entry(v, vhdx_bitmap_entry_of(v, offset / v->block_bytes), &entry);

	if (st != ST_OK)
		return st;
	if ((entry & VHDX_BAT_STATE) != VHDX_PRESENT || !is_stored(v, entry, VHDX_BITMAP_BYTES))
		return ST_CORRUPT;
	for (; n == 0 || n * sector < len + offset % sector; n++) {
		uint64_t bit = first + n;
		uint8_t *byte;
		bool is;

		if (bit * sector >= chunk)
			break;
		st = get_sector(v, (entry & VHDX_BAT_OFFSET) + bit / 8, &byte);
		if (st != ST_OK)
			return st;
		is = (*byte >> bit % 8 & 1) != 0;
		if (n > 0 && is != here)
			break;
		here = is;
	}
	ret->state = here ? BLOCK_STORED : BLOCK_ABSENT;
	ret->length = min_u64(ret->length, n * sector - offset % sector);
	return ST_OK;
}

static enum status find(struct block_map *map, uint64_t offset, uint64_t len, struct block_run *ret)
{
	struct vhdx_image *v = image_of(map);
	uint64_t block = offset / v->block_bytes, inside = offset % v->block_bytes, entry;
	enum status st = get_entry(v, vhdx_entry_of(v, block), &entry);

	if (st != ST_OK)
		return st;
	*ret = (struct block_run){ .length = v->block_bytes - inside };
	switch (entry & VHDX_BAT_STATE) {
	case VHDX_NOT_PRESENT:
		ret->state = BLOCK_ABSENT;
		return ST_OK;
	case VHDX_UNDEFINED:
	case VHDX_ZERO:
	case VHDX_UNMAPPED:
	case VHDX_UNMAPPED_DRAFT:
		ret->state = BLOCK_ZERO;
		return ST_OK;
	case VHDX_PARTLY_PRESENT:
	case VHDX_PRESENT:
		break;
	default:
		return ST_CORRUPT;
	}
	if (!is_stored(v, entry, v->block_bytes))
		return ST_CORRUPT;
	ret->state = BLOCK_STORED;
	ret->offset = (entry & VHDX_BAT_OFFSET) + inside;
	if ((entry & VHDX_BAT_STATE) == VHDX_PRESENT)
		return ST_OK;
	return v->has_parent ? find_partly(v, offset, min_u64(len, ret->length), ret) : ST_CORRUPT;
}

/* ---- writing ---- */

static enum status allocate(struct block_map *map, uint64_t index, uint64_t *ret)
{
	struct vhdx_image *v = image_of(map);

	(void)index;
	if (v->end > VHDX_FILE_MAX - v->block_bytes)
		return ST_TOO_LARGE;
	*ret = v->end;
	v->end += v->block_bytes;
	return ST_OK;
}

static enum status set(struct block_map *map, uint64_t index, enum block_state state,
		       uint64_t offset)
{
	struct vhdx_image *v = image_of(map);
	uint64_t value = state == BLOCK_STORED ? offset | VHDX_PRESENT : VHDX_ZERO;

	return vhdx_entry_set(v, vhdx_entry_of(v, index), value);
}

static enum status commit(struct block_map *map)
{
	return vhdx_log_commit(image_of(map));
}

static bool is_full(const struct block_map *map)
{
	const struct vhdx_image *v = (const struct vhdx_image *)map->image;

	return v->cache.n_changed >= vhdx_log_capacity(v) || table_cache_is_full(&v->cache);
}

const struct block_ops vhdx_block_ops = {
	.find = find,
	.allocate = allocate,
	.set = set,
	.commit = commit,
	.is_full = is_full,
};
