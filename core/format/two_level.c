/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables in two levels, as QED and qcow have them. The one idea is the order of writes: an L2 table
 * is on the medium before the L1 table refers to it, and what its entries refer to was flushed by
 * the caller before that. A new L2 table has a place that nothing refers to until then; one of
 * several pieces is zeroed there at once, because only the pieces with entries are in memory.
 *
 * Entries are aligned to their size within sectors of 512 bytes, so that each is written whole or
 * not at all; which of the entries of one commit are there after a power cut does not matter, for
 * no entry depends on another one of its level.
 */
#include "format/two_level.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/range.h"

enum { ENTRY_BYTES = 8 };

static uint64_t l2_bytes(const struct two_level *t)
{
	return t->l2_entries * ENTRY_BYTES;
}

enum status two_level_init(struct two_level *t)
{
	uint64_t piece = min_u64(l2_bytes(t), TWO_LEVEL_PIECE_BYTES);
	enum status st = table_cache_init(&t->l1, t->file, TWO_LEVEL_PIECE_BYTES);

	if (st == ST_OK)
		st = table_cache_init(&t->l2, t->file, (size_t)piece);
	t->l1.end = t->l1_offset + t->l1_entries * ENTRY_BYTES;
	return st;
}

void two_level_free(struct two_level *t)
{
	table_cache_free(&t->l1);
	table_cache_free(&t->l2);
}

void two_level_set_l1(struct two_level *t, uint64_t offset, uint64_t n)
{
	CHECK(t->l1.n_changed == 0);
	/* A piece at the old end may have more entries now. */
	table_cache_forget(&t->l1, 0);
	t->l1_offset = offset;
	t->l1_entries = n;
	t->l1.end = offset + n * ENTRY_BYTES;
}

void two_level_forget(struct two_level *t)
{
	table_cache_forget(&t->l1, 0);
	table_cache_forget(&t->l2, 0);
}

static uint64_t entry_at(const struct two_level *t, const uint8_t *at)
{
	return t->big_endian ? bytes_from_be(at, ENTRY_BYTES) : bytes_from_le(at, ENTRY_BYTES);
}

static void put_entry(const struct two_level *t, uint8_t *at, uint64_t entry)
{
	if (t->big_endian)
		bytes_to_be(at, ENTRY_BYTES, entry);
	else
		bytes_to_le(at, ENTRY_BYTES, entry);
}

/* An entry in memory: the piece that it is in, and the place in that. */
struct entry_place {
	uint64_t piece;
	size_t at;
};

static struct entry_place place_of(const struct table_cache *cache, uint64_t table, uint64_t index)
{
	uint64_t at = index * ENTRY_BYTES, inside = at % cache->table_bytes;

	return (struct entry_place){ .piece = table + at - inside, .at = (size_t)inside };
}

/* Finds the L1 entry for `index`: *ret_piece has it until other tables are asked for. */
static enum status get_l1(struct two_level *t, uint64_t index, struct entry_place *ret_place,
			  uint8_t **ret_piece)
{
	CHECK(index / t->l2_entries < t->l1_entries);
	*ret_place = place_of(&t->l1, t->l1_offset, index / t->l2_entries);
	return table_cache_get(&t->l1, ret_place->piece, ret_piece);
}

enum status two_level_get(struct two_level *t, uint64_t index, uint64_t *ret_entry,
			  uint64_t *ret_run)
{
	struct entry_place place;
	uint8_t *piece;
	uint64_t table;
	enum status st = get_l1(t, index, &place, &piece);

	if (st != ST_OK)
		return st;
	table = entry_at(t, piece + place.at);
	*ret_entry = 0;
	*ret_run = t->l2_entries - index % t->l2_entries;
	if (table == 0)
		return ST_OK;
	st = t->ops->check(t, table);
	if (st != ST_OK)
		return st;
	place = place_of(&t->l2, table, index % t->l2_entries);
	st = table_cache_get(&t->l2, place.piece, &piece);
	if (st == ST_OK)
		*ret_entry = entry_at(t, piece + place.at);
	*ret_run = 1;
	return st;
}

/* The piece of a new L2 table that `place` is in; all of the table is zeros. */
static enum status make_table(struct two_level *t, uint64_t index, uint64_t *ret_table,
			      struct entry_place *ret_place, uint8_t **ret_piece)
{
	enum status st = t->ops->allocate(t, ret_table);

	if (st != ST_OK)
		return st;
	*ret_place = place_of(&t->l2, *ret_table, index % t->l2_entries);
	if (l2_bytes(t) == t->l2.table_bytes)
		return table_cache_make(&t->l2, *ret_table, ret_piece);
	st = blk_write_zeros(t->file, *ret_table, l2_bytes(t));
	return st == ST_OK ? table_cache_get(&t->l2, ret_place->piece, ret_piece) : st;
}

enum status two_level_set(struct two_level *t, uint64_t index, uint64_t entry)
{
	struct entry_place l1_place, place;
	uint8_t *l1_piece, *piece;
	uint64_t old_table, table;
	enum status st = get_l1(t, index, &l1_place, &l1_piece);

	if (st != ST_OK)
		return st;
	CHECK(!two_level_is_full(t));
	old_table = table = entry_at(t, l1_piece + l1_place.at);
	if (old_table != 0) {
		st = t->ops->check(t, table);
		place = place_of(&t->l2, table, index % t->l2_entries);
		if (st == ST_OK)
			st = table_cache_get(&t->l2, place.piece, &piece);
	} else {
		st = make_table(t, index, &table, &place, &piece);
	}
	if (st != ST_OK)
		return st;
	put_entry(t, piece + place.at, entry);
	table_cache_change(&t->l2, place.piece);
	if (old_table == 0) {
		put_entry(t, l1_piece + l1_place.at, table);
		table_cache_change(&t->l1, l1_place.piece);
	}
	return ST_OK;
}

bool two_level_is_full(const struct two_level *t)
{
	return table_cache_is_full(&t->l1) || table_cache_is_full(&t->l2);
}

enum status two_level_commit(struct two_level *t)
{
	enum status st = table_cache_write(&t->l2);

	if (st == ST_OK && t->l1.n_changed > 0)
		st = blk_flush(t->file);
	return st == ST_OK ? table_cache_write(&t->l1) : st;
}
