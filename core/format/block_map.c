/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading and writing disks that are stored in blocks; block_map.h tells the order of writes.
 *
 * A block that is written to for the first time gets room at once, but is not in the format's table
 * before all of it is written. Copies write a disk from its beginning to its end in pieces that are
 * smaller than a block: so one block at a time is "fresh", written up to a mark; after the
 * mark it still reads as before. When another block gets room, or at a flush, the rest is filled.
 * Each byte of a new block is written once, and no byte that was on the medium before shows
 * through, on file systems without holes either.
 */
#include "format/block_map.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "format/image.h"
#include "platform/person.h"

enum { FILL_BYTES = 1 << 20 };

static uint64_t left_in_block(const struct block_map *map, uint64_t offset, uint64_t len)
{
	return min_u64(len, map->block_bytes - offset % map->block_bytes);
}

static bool is_fresh(const struct block_map *map, uint64_t offset)
{
	return map->fresh.is && offset / map->block_bytes == map->fresh.index;
}

/*
 * A file may end inside its last block, but a block that would begin after the end is damage.
 * `inside` is where in its block the run begins.
 */
static enum status cut_at_end(const struct block_map *map, uint64_t inside, struct block_run *run)
{
	uint64_t first = run->offset - inside, n_begun;

	if (first >= map->file->size)
		return ST_CORRUPT;
	n_begun = div_up(map->file->size - first, map->block_bytes);
	run->length = min_u64(run->length, n_begun * map->block_bytes - inside);
	return ST_OK;
}

/* What is at `offset`, with the fresh block; ret->length is at most `len`. */
static enum status find(struct block_map *map, uint64_t offset, uint64_t len, struct block_run *ret)
{
	uint64_t inside = offset % map->block_bytes;
	enum status st;

	if (is_fresh(map, offset) && inside < map->fresh.filled) {
		*ret = (struct block_run){ .state = BLOCK_STORED,
					   .length = min_u64(len, map->fresh.filled - inside),
					   .offset = map->fresh.offset + inside };
		return ST_OK;
	}
	if (is_fresh(map, offset))
		len = left_in_block(map, offset, len);
	else if (map->fresh.is && offset / map->block_bytes < map->fresh.index)
		len = min_u64(len, map->fresh.index * map->block_bytes - offset);
	st = map->ops->find(map, offset, len, ret);
	if (st != ST_OK)
		return st;
	CHECK(ret->length > 0);
	ret->length = min_u64(ret->length, len);
	return ret->state == BLOCK_STORED ? cut_at_end(map, inside, ret) : ST_OK;
}

/* ---- reading ---- */

static enum status read_packed(struct block_map *map, uint64_t offset, const struct block_run *run,
			       void *buf, size_t len)
{
	uint64_t inside = offset % map->block_bytes;
	uint8_t *block;
	enum status st;

	if (inside == 0 && len == map->block_bytes)
		return map->ops->unpack(map, offset, run, buf);
	block = mem_alloc(map->block_bytes);
	if (block == NULL)
		return ST_NO_MEMORY;
	st = map->ops->unpack(map, offset - inside, run, block);
	if (st == ST_OK)
		memcpy(buf, block + inside, len);
	mem_free(block);
	return st;
}

static enum status read_run(struct block_map *map, uint64_t offset, const struct block_run *run,
			    void *buf, size_t len)
{
	switch (run->state) {
	case BLOCK_ABSENT:
		return image_read_backing(map->image, map->disk_offset + offset, buf, len);
	case BLOCK_ZERO:
		memset(buf, 0, len);
		return ST_OK;
	case BLOCK_STORED:
		return blk_read_padded(map->file, run->offset, buf, len);
	case BLOCK_PACKED:
		return read_packed(map, offset, run, buf, len);
	}
	return ST_CORRUPT;
}

enum status block_map_read(struct block_map *map, uint64_t offset, void *buf, size_t len)
{
	uint8_t *to = buf;
	enum status st = ST_OK;

	for (size_t n; st == ST_OK && len > 0; offset += n, to += n, len -= n) {
		struct block_run run;

		st = find(map, offset, len, &run);
		if (st != ST_OK)
			return st;
		n = (size_t)run.length;
		if (run.state == BLOCK_PACKED)
			n = (size_t)left_in_block(map, offset, len);
		st = read_run(map, offset, &run, to, n);
	}
	return st;
}

/* What lies in a hole of the file was never written. */
static enum status look_below(const struct block_map *map, struct extent *extent)
{
	struct extent below;
	enum status st;

	if (!map->sees_holes || !extent->data || extent->compressed)
		return ST_OK;
	if (extent->offset >= map->file->size) {
		extent->zero = true; /* past the end */
		return ST_OK;
	}
	st = blk_extent(map->file, extent->offset,
			min_u64(extent->length, map->file->size - extent->offset), &below);
	if (st != ST_OK)
		return st;
	extent->length = below.length;
	extent->zero = below.zero;
	return ST_OK;
}

/* Whether `next` continues where the extent `before` ends. */
static bool continues(const struct extent *before, const struct block_run *next)
{
	if (next->state == BLOCK_STORED)
		return before->has_offset && next->offset == before->offset + before->length;
	return before->allocated == (next->state == BLOCK_ZERO);
}

enum status block_map_extent(struct block_map *map, uint64_t offset, uint64_t len,
			     struct extent *ret)
{
	struct block_run run;
	enum status st = find(map, offset, len, &run);
	bool stored, packed;

	if (st != ST_OK)
		return st;
	stored = run.state == BLOCK_STORED;
	packed = run.state == BLOCK_PACKED;
	*ret = (struct extent){
		.length = run.length,
		.allocated = run.state != BLOCK_ABSENT,
		.zero = run.state == BLOCK_ZERO,
		.data = stored || packed,
		.compressed = packed,
		.has_offset = stored, /* what is compressed is not the bytes of the disk */
		.offset = stored || packed ? run.offset : 0,
		.packed_bytes = run.packed_bytes,
	};
	if (packed)
		ret->length = left_in_block(map, offset, len);
	while (!packed && ret->length < len) {
		st = find(map, offset + ret->length, len - ret->length, &run);
		if (st != ST_OK)
			break; /* what comes before can be read; who asks for the rest is told */
		if (run.state == BLOCK_PACKED || stored != (run.state == BLOCK_STORED) ||
		    !continues(ret, &run))
			break;
		ret->length += run.length;
	}
	st = look_below(map, ret);
	if (ret->data)
		ret->offset += map->data_offset;
	return st;
}

/* ---- writing ---- */

/*
 * Zeros in a block that is new. What a file gets longer by reads as zeros, and the file system
 * knows best how to make them: a hole, where it has holes.
 */
static enum status put_zeros(struct blk *file, uint64_t offset, uint64_t n)
{
	if (offset >= file->size && file->ops->resize != NULL)
		return blk_resize(file, offset + n, PREALLOC_OFF);
	return blk_write_zeros(file, offset, n);
}

/* Writes what is read there now into the fresh block, from its mark up to `end`. */
static enum status fill(struct block_map *map, uint64_t end)
{
	uint64_t start = map->fresh.index * map->block_bytes;
	size_t piece = (size_t)min_u64(FILL_BYTES, map->block_bytes);
	uint8_t *buf = NULL;
	enum status st = ST_OK;

	for (uint64_t n; st == ST_OK && map->fresh.filled < end; map->fresh.filled += n) {
		uint64_t offset = start + map->fresh.filled;
		struct block_run run = { .state = BLOCK_ZERO };

		n = end - map->fresh.filled;
		if (offset < map->size) {
			n = min_u64(n, map->size - offset);
			st = find(map, offset, n, &run);
			if (st != ST_OK)
				break;
			n = run.state == BLOCK_PACKED ? n : run.length;
		}
		if (run.state == BLOCK_ABSENT && map->image->backing == NULL)
			run.state = BLOCK_ZERO;
		if (run.state == BLOCK_ZERO) {
			st = put_zeros(map->file, map->fresh.offset + map->fresh.filled, n);
		} else {
			n = min_u64(n, piece);
			buf = buf != NULL ? buf : io_alloc(piece);
			st = buf != NULL ? read_run(map, offset, &run, buf, (size_t)n)
					 : ST_NO_MEMORY;
			if (st == ST_OK)
				st = blk_write(map->file, map->fresh.offset + map->fresh.filled,
					       buf, (size_t)n);
		}
		if (st != ST_OK)
			break;
	}
	io_free(buf, piece);
	return st;
}

/*
 * Everything that was set so far is on the medium. A flush that failed may have lost data that a
 * table would refer to: then no table is written any more.
 */
static enum status commit(struct block_map *map)
{
	enum status st = map->failed;

	if (st == ST_OK)
		st = blk_flush(map->file);
	if (st == ST_OK && map->changed) {
		st = map->ops->commit(map);
		if (st == ST_OK)
			st = blk_flush(map->file);
		map->changed = st != ST_OK;
	}
	map->failed = st;
	return st;
}

/* The table takes another change. */
static enum status make_room(struct block_map *map)
{
	return map->ops->is_full != NULL && map->ops->is_full(map) ? commit(map) : ST_OK;
}

static enum status set(struct block_map *map, uint64_t index, enum block_state state,
		       uint64_t offset)
{
	enum status st = make_room(map);

	if (st == ST_OK)
		st = map->ops->set(map, index, state, offset);
	map->changed = map->changed || st == ST_OK;
	return st;
}

/* The fresh block, if there is one, is whole and in the table. */
static enum status finish_fresh(struct block_map *map)
{
	enum status st = map->fresh.is ? fill(map, map->block_bytes) : ST_OK;

	if (st == ST_OK && map->fresh.is)
		st = set(map, map->fresh.index, BLOCK_STORED, map->fresh.offset);
	if (st == ST_OK)
		map->fresh.is = false;
	return st;
}

/* Bytes of one block that has no place, or is the fresh one. */
static enum status write_fresh(struct block_map *map, uint64_t offset, const void *buf, size_t len)
{
	uint64_t index = offset / map->block_bytes, inside = offset % map->block_bytes, place;
	enum status st = ST_OK;

	if (!is_fresh(map, offset)) {
		st = finish_fresh(map);
		if (st == ST_OK)
			st = map->ops->allocate(map, index, &place);
		if (st != ST_OK)
			return st;
		map->fresh.is = true;
		map->fresh.index = index;
		map->fresh.offset = place;
		map->fresh.filled = 0;
	}
	if (map->fresh.filled < inside)
		st = fill(map, inside);
	if (st == ST_OK)
		st = blk_write(map->file, map->fresh.offset + inside, buf, len);
	if (st == ST_OK)
		map->fresh.filled = max_u64(map->fresh.filled, inside + len);
	return st;
}

enum status block_map_write(struct block_map *map, uint64_t offset, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	enum status st = map->failed;

	for (size_t n; st == ST_OK && len > 0; offset += n, from += n, len -= n) {
		struct block_run run;

		st = find(map, offset, left_in_block(map, offset, len), &run);
		if (st != ST_OK)
			return st;
		if (run.state == BLOCK_STORED) {
			n = (size_t)run.length;
			st = blk_write(map->file, run.offset, from, n);
		} else {
			n = (size_t)left_in_block(map, offset, len);
			st = write_fresh(map, offset, from, n);
		}
	}
	return st;
}

enum status block_map_write_packed(struct block_map *map, uint64_t offset, const void *packed,
				   uint32_t n)
{
	uint64_t index = offset / map->block_bytes, place;
	enum status st = map->failed;

	if (st == ST_OK)
		st = finish_fresh(map);
	if (st == ST_OK)
		st = map->ops->allocate_packed(map, index, n, &place);
	if (st == ST_OK)
		st = blk_write(map->file, place, packed, n);
	if (st == ST_OK)
		st = make_room(map);
	if (st == ST_OK)
		st = map->ops->set_packed(map, index, place, n);
	map->changed = map->changed || st == ST_OK;
	return st;
}

/* ---- zeros ---- */

static enum status write_zeros(struct block_map *map, uint64_t offset, uint64_t len)
{
	size_t piece = (size_t)min_u64(len, FILL_BYTES);
	uint8_t *zeros = io_alloc(piece);
	enum status st = zeros != NULL ? ST_OK : ST_NO_MEMORY;

	if (zeros != NULL)
		memset(zeros, 0, piece);
	for (size_t n; st == ST_OK && len > 0; offset += n, len -= n) {
		n = (size_t)min_u64(len, piece);
		st = platform_cancelled() ? ST_CANCELLED : block_map_write(map, offset, zeros, n);
	}
	io_free(zeros, piece);
	return st;
}

/* Makes the part of one block zeros that `run` is of. */
static enum status zero_run(struct block_map *map, uint64_t offset, const struct block_run *run)
{
	uint64_t block = map->block_bytes, end = offset + run->length;
	bool whole = offset % block == 0 && (end % block == 0 || end == map->size);

	if (run->state == BLOCK_ZERO)
		return ST_OK;
	if (run->state == BLOCK_STORED)
		return blk_write_zeros(map->file, run->offset, run->length);
	if (whole && map->zero_state && !is_fresh(map, offset))
		return set(map, offset / block, BLOCK_ZERO, 0);
	return write_zeros(map, offset, run->length);
}

static enum status zero(struct block_map *map, uint64_t offset, uint64_t len, bool store)
{
	enum status st = map->failed;

	for (uint64_t n; st == ST_OK && len > 0; offset += n, len -= n) {
		struct block_run run;

		st = find(map, offset, len, &run);
		if (st != ST_OK)
			return st;
		if (run.state == BLOCK_PACKED || (run.state == BLOCK_ABSENT && store) ||
		    (run.state == BLOCK_ABSENT && map->image->backing != NULL))
			run.length = left_in_block(map, offset, len);
		n = run.length;
		if (run.state != BLOCK_ABSENT || store || map->image->backing != NULL)
			st = zero_run(map, offset, &run);
	}
	return st;
}

enum status block_map_zero(struct block_map *map, uint64_t offset, uint64_t len)
{
	return zero(map, offset, len, false);
}

enum status block_map_store_zeros(struct block_map *map, uint64_t offset, uint64_t len)
{
	return zero(map, offset, len, true);
}

enum status block_map_flush(struct block_map *map)
{
	enum status st = map->failed;

	if (st == ST_OK)
		st = finish_fresh(map);
	return st == ST_OK ? commit(map) : st;
}

void block_map_forget(struct block_map *map)
{
	map->fresh.is = false;
	map->changed = false;
}
