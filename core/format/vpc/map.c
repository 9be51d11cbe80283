/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where the blocks of a dynamic or differencing disk are: the BAT, the bitmaps of their sectors,
 * and room for new ones. format/block_map.c reads and writes; vpc.c has the order of writes.
 *
 * A block is stored where its bit says so, sector by sector. A sector whose bit is 0 is zeros in a
 * dynamic disk, and the parent's in a differencing one. What is written gets the bits of its whole
 * block: a block that is in the file already, but not all of its sectors, is filled in its place,
 * and its bitmap is written after the data.
 *
 * Room for new blocks is after the footer at the end. Before a block is written over that footer,
 * there is another one at the new end of the file, for several blocks at once if many are needed;
 * when the disk is flushed, it moves to where the blocks end. An image that is being created has no
 * footer at its end.
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/zero.h"
#include "format/vpc/vpc.h"

enum {
	/* of new blocks that the file is extended by at once */
	RESERVE_BYTES_MAX = 32 << 20,
};

static struct vpc_image *map_owner(const struct block_map *map)
{
	return (struct vpc_image *)map->image;
}

uint64_t vpc_bat_bytes(uint64_t n_blocks)
{
	return round_up(n_blocks * sizeof(be32), VPC_SECTOR);
}

void vpc_set_entry(struct vpc_image *v, uint64_t index, uint32_t entry)
{
	bytes_to_be(v->bat + index * sizeof(be32), sizeof(be32), entry);
	v->sector_changed[index * sizeof(be32) / VPC_SECTOR] = true;
}

/* ---- reading ---- */

/* The state of what the image has nothing of. */
static enum block_state absent(const struct vpc_image *v)
{
	return v->type == VPC_DIFFERENCING ? BLOCK_ABSENT : BLOCK_ZERO;
}

/* How many bits from `first` on, of n, are as that one is. */
static uint64_t bits_alike(const uint8_t *bits, uint64_t first, uint64_t n, bool *ret_set)
{
	bool set = (bits[first / 8] & 0x80 >> first % 8) != 0;
	uint64_t i = first + 1;

	while (i < n) {
		if (i % 8 == 0 && n - i >= 8 && bits[i / 8] == (set ? 0xff : 0))
			i += 8;
		else if (((bits[i / 8] & 0x80 >> i % 8) != 0) == set)
			i++;
		else
			break;
	}
	*ret_set = set;
	return i - first;
}

/* What is at `offset` in a block that has a place. */
static enum status find_in_block(struct vpc_image *v, uint64_t offset, struct block_run *ret)
{
	uint64_t index = offset / v->map.block_bytes, inside = offset % v->map.block_bytes, n;
	uint64_t at = vpc_block_at(vpc_entry(v, index));
	uint8_t *bits;
	bool set;
	enum status st;

	/* A block that is cut off has lost data, even if that is less than the disk needs of it. */
	if (vpc_meets_tables(v, at, vpc_block_used(v, index)) ||
	    !range_ok(at, vpc_block_used(v, index), vpc_blocks_end(v)))
		return ST_CORRUPT;
	st = table_cache_get(&v->bitmaps, at, &bits);
	if (st != ST_OK)
		return st;
	n = bits_alike(bits, inside / VPC_SECTOR, v->map.block_bytes / VPC_SECTOR, &set);
	*ret = (struct block_run){
		.state = set ? BLOCK_STORED : absent(v),
		.length = n * VPC_SECTOR - inside % VPC_SECTOR,
		.offset = at + v->bitmap_bytes + inside,
	};
	return ST_OK;
}

static enum status find(struct block_map *map, uint64_t offset, uint64_t len, struct block_run *ret)
{
	struct vpc_image *v = map_owner(map);
	uint64_t index = offset / map->block_bytes;
	uint64_t end = div_up(offset + len, map->block_bytes), i = index;

	if (vpc_entry(v, index) != VPC_NO_BLOCK)
		return find_in_block(v, offset, ret);
	while (i < end && vpc_entry(v, i) == VPC_NO_BLOCK)
		i++;
	*ret = (struct block_run){ .state = absent(v), .length = i * map->block_bytes - offset };
	return ST_OK;
}

/* ---- room ---- */

static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	return a < b + b_len && b < a + a_len;
}

uint64_t vpc_blocks_end(const struct vpc_image *v)
{
	bool footer = v->has_end && v->at_end == VPC_GOOD;

	return vpc_file(v)->size - (footer ? v->end_footer_bytes : 0);
}

bool vpc_meets_tables(const struct vpc_image *v, uint64_t offset, uint64_t len)
{
	return overlap(offset, len, 0, VPC_FOOTER_BYTES) ||
	       overlap(offset, len, v->header_at, sizeof v->header) ||
	       overlap(offset, len, v->bat_at, vpc_bat_bytes(v->n_blocks));
}

uint64_t vpc_used_end(const struct vpc_image *v)
{
	uint64_t bat_end = v->bat_at + vpc_bat_bytes(be32_get(v->header.n_entries));
	uint64_t end = max_u64(v->bat_at + vpc_bat_bytes(v->n_blocks),
			       min_u64(bat_end, vpc_file(v)->size));

	end = max_u64(end, v->header_at + sizeof v->header);

	for (size_t i = 0; v->type == VPC_DIFFERENCING && i < VPC_N_LOCATORS; i++) {
		const struct vpc_locator *locator = &v->header.locator[i];
		uint64_t space = be32_get(locator->space), at = be64_get(locator->offset);

		/* some programs count the space in sectors, others in bytes */
		space = max_u64(space < VPC_SECTOR ? space * VPC_SECTOR : space,
				be32_get(locator->bytes));
		if (bytes_from_be((const uint8_t *)locator->code, 4) != 0 &&
		    range_ok(at, space, vpc_file(v)->size))
			end = max_u64(end, at + space);
	}
	for (uint64_t i = 0; i < v->n_blocks; i++)
		if (vpc_entry(v, i) != VPC_NO_BLOCK)
			end = max_u64(end, vpc_block_at(vpc_entry(v, i)) + vpc_block_space(v));
	return round_up(end, VPC_SECTOR);
}

enum status vpc_check_entries(const struct vpc_image *v, struct error *err)
{
	for (uint64_t i = 0; i < v->n_blocks; i++) {
		uint32_t entry = vpc_entry(v, i);

		if (entry == VPC_NO_BLOCK)
			continue;
		if (!range_ok(vpc_block_at(entry), vpc_block_used(v, i), vpc_blocks_end(v)))
			return fail(err, ST_CORRUPT,
				    "BAT entry %ju points past the end of the file (offset %ju, "
				    "size %ju); the image can only be read",
				    i, vpc_block_at(entry), vpc_file(v)->size);
		if (vpc_meets_tables(v, vpc_block_at(entry), vpc_block_space(v)))
			return fail(err, ST_CORRUPT,
				    "BAT entry %ju points to the header or to the BAT itself "
				    "(offset %ju); the image can only be read",
				    i, vpc_block_at(entry));
	}
	return ST_OK;
}

enum status vpc_write_footer(struct vpc_image *v, uint64_t offset)
{
	return blk_write(vpc_file(v), offset, &v->footer, sizeof v->footer);
}

/* Makes room for a block at v->next: the file has a footer after it. */
static enum status make_room(struct vpc_image *v)
{
	uint64_t space = vpc_block_space(v), n = 2 * (uint64_t)v->n_reserved, at;
	enum status st;

	if (!v->has_end ||
	    (!v->end_due && v->footer_at > v->next && v->footer_at - v->next >= space))
		return ST_OK;
	n = max_u64(1, min_u64(n, RESERVE_BYTES_MAX / space));
	at = v->next + n * space;
	st = vpc_write_footer(v, at);
	if (st == ST_OK)
		st = blk_flush(vpc_file(v));
	if (st != ST_OK)
		return st;
	v->footer_at = at;
	v->end_due = false;
	v->n_reserved = (uint32_t)n;
	return ST_OK;
}

enum status vpc_trim(struct vpc_image *v)
{
	struct blk *file = vpc_file(v);
	enum status st;

	v->n_reserved = 0;
	if (!v->has_end || (!v->end_due && v->footer_at <= v->next))
		return ST_OK;
	st = vpc_write_footer(v, v->next);
	if (st == ST_OK)
		st = blk_flush(file);
	if (st == ST_OK)
		st = blk_resize(file, v->next + sizeof v->footer, PREALLOC_OFF);
	if (st == ST_OK)
		st = blk_flush(file);
	if (st == ST_OK)
		v->footer_at = v->next;
	v->end_due = v->end_due && st != ST_OK;
	return st;
}

/* ---- writing ---- */

static enum status write_ones(struct vpc_image *v, uint64_t at)
{
	uint8_t *ones = io_alloc(v->bitmap_bytes);
	enum status st;

	if (ones == NULL)
		return ST_NO_MEMORY;
	memset(ones, 0xff, v->bitmap_bytes);
	st = blk_write(vpc_file(v), at, ones, v->bitmap_bytes);
	io_free(ones, v->bitmap_bytes);
	return st;
}

static enum status allocate(struct block_map *map, uint64_t index, uint64_t *ret)
{
	struct vpc_image *v = map_owner(map);
	uint32_t entry = vpc_entry(v, index);
	enum status st;

	if (entry != VPC_NO_BLOCK) {
		*ret = vpc_block_at(entry) + v->bitmap_bytes;
		return ST_OK;
	}
	if (v->next / VPC_SECTOR >= VPC_NO_BLOCK)
		return ST_TOO_LARGE;
	st = make_room(v);
	if (st == ST_OK)
		st = write_ones(v, v->next);
	if (st != ST_OK)
		return st;
	*ret = v->next + v->bitmap_bytes;
	v->next += vpc_block_space(v);
	return ST_OK;
}

static enum status set(struct block_map *map, uint64_t index, enum block_state state,
		       uint64_t offset)
{
	struct vpc_image *v = map_owner(map);
	uint64_t at = offset - v->bitmap_bytes;
	uint8_t *bits;
	enum status st;

	CHECK(state == BLOCK_STORED);
	if (vpc_entry(v, index) == VPC_NO_BLOCK) {
		vpc_set_entry(v, index, (uint32_t)(at / VPC_SECTOR));
		return ST_OK;
	}
	st = table_cache_get(&v->bitmaps, at, &bits);
	if (st != ST_OK)
		return st;
	memset(bits, 0xff, v->bitmap_bytes);
	table_cache_change(&v->bitmaps, at);
	return ST_OK;
}

enum status vpc_write_bat(struct vpc_image *v)
{
	size_t n = (size_t)(vpc_bat_bytes(v->n_blocks) / VPC_SECTOR);
	enum status st = ST_OK;

	for (size_t i = 0, end; st == ST_OK && i < n; i = end) {
		for (end = i; end < n && v->sector_changed[end];)
			end++;
		if (end > i)
			st = blk_write(vpc_file(v), v->bat_at + i * VPC_SECTOR,
				       v->bat + i * VPC_SECTOR, (end - i) * VPC_SECTOR);
		for (size_t j = i; st == ST_OK && j < end; j++)
			v->sector_changed[j] = false;
		end = end > i ? end : i + 1;
	}
	return st;
}

static enum status commit(struct block_map *map)
{
	struct vpc_image *v = map_owner(map);
	enum status st = table_cache_write(&v->bitmaps);

	return st == ST_OK ? vpc_write_bat(v) : st;
}

static bool is_full(const struct block_map *map)
{
	return table_cache_is_full(&map_owner(map)->bitmaps);
}

const struct block_ops vpc_block_ops = {
	.find = find,
	.allocate = allocate,
	.set = set,
	.commit = commit,
	.is_full = is_full,
};
