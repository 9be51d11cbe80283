/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Maps of used and unused bytes, for all kinds of file systems.
 *
 * Each kind tells where its clusters are, and loads the bits of a piece of them at a time from its
 * tables (kinds.h). So memory does not depend on the size of a file system, and a map costs the
 * tables twice: all pieces are loaded once when the map is opened, which checks them, and again as
 * the extents are asked for. The checks are made both times. A piece that fails the second time,
 * because the disk does, is used: nothing is left out of a copy that was not proved to be unused.
 */
#include "base/bytes.h"
#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "fs/kinds.h"
#include "platform/person.h"

static void fill(uint8_t *bits, uint64_t first, uint64_t n, int byte)
{
	for (; n > 0; first++, n--) {
		uint8_t bit = (uint8_t)(1 << first % 8);

		if (first % 8 == 0 && n >= 8) {
			memset(bits + first / 8, byte, (size_t)(n / 8));
			first += round_down(n, 8);
			n %= 8;
			if (n == 0)
				return;
		}
		bits[first / 8] = (uint8_t)((bits[first / 8] & ~bit) | (byte & bit));
	}
}

void fs_bits_set(uint8_t *bits, uint64_t first, uint64_t n)
{
	fill(bits, first, n, 0xff);
}

void fs_bits_clear(uint8_t *bits, uint64_t first, uint64_t n)
{
	fill(bits, first, n, 0);
}

static bool bit_is_set(const uint8_t *bits, uint64_t i)
{
	return (bits[i / 8] >> i % 8 & 1) != 0;
}

uint32_t fs_bits_count(const uint8_t *bits, uint32_t n)
{
	uint32_t n_set = 0;

	for (uint32_t i = 0; i < n / 8; i++)
		for (uint32_t byte = bits[i]; byte != 0; byte &= byte - 1)
			n_set++;
	for (uint32_t i = n - n % 8; i < n; i++)
		n_set += bit_is_set(bits, i);
	return n_set;
}

/* Returns how many bits from `i` on are like that one, up to `n`. */
static uint32_t run_length(const uint8_t *bits, uint32_t i, uint32_t n)
{
	uint32_t from = i;
	bool set = bit_is_set(bits, i);
	uint8_t same = set ? 0xff : 0;

	while (i < n && (i % 8 != 0 || n - i < 8) && bit_is_set(bits, i) == set)
		i++;
	if (i % 8 != 0 || i == n)
		return i - from;
	while (n - i >= 8 && bits[i / 8] == same)
		i += 8;
	while (i < n && bit_is_set(bits, i) == set)
		i++;
	return i - from;
}

static enum status load(struct fs_map *map, uint64_t first, struct error *why)
{
	uint32_t n = (uint32_t)min_u64(map->piece_units, map->n_units - first);
	enum status st;

	memset(map->bits, 0, FS_PIECE_BYTES);
	st = map->load(map, first, n, map->bits, why);
	if (st != ST_OK)
		fs_bits_set(map->bits, 0, n);
	map->first = first;
	map->n_loaded = n;
	return st;
}

static enum status load_all(struct fs_map *map, struct error *why)
{
	enum status st = ST_OK;

	for (uint64_t first = 0; st == ST_OK && first < map->n_units; first += map->n_loaded) {
		if (platform_cancelled())
			return fail(why, ST_CANCELLED, "%s", status_text(ST_CANCELLED));
		st = load(map, first, why);
		map->n_unused += map->n_loaded - fs_bits_count(map->bits, map->n_loaded);
	}
	if (st == ST_OK && map->check != NULL)
		st = map->check(map, map->n_unused, why);
	return st;
}

/* What a kind says fits into the blk. */
static enum status begin(struct fs_map *map, struct error *why)
{
	uint64_t bytes;

	if (!mul_ok(map->n_units, UINT64_C(1) << map->shift, &bytes) ||
	    !range_ok(map->start, bytes, map->blk->size))
		return fail(why, ST_UNSUPPORTED, "it is larger than the space it is in");
	if (map->piece_units == 0)
		map->piece_units = FS_PIECE_UNITS;
	CHECK(map->piece_units <= FS_PIECE_UNITS);
	map->bits = io_alloc(FS_PIECE_BYTES);
	if (map->bits == NULL)
		return ST_NO_MEMORY;
	return load_all(map, why);
}

enum status fs_map_reason(enum status st, struct error *why)
{
	switch (st) {
	case ST_OK:
	case ST_UNSUPPORTED:
	case ST_CANCELLED:
		return st;
	case ST_NO_MEMORY:
		return fail_no_memory(why);
	case ST_CORRUPT:
		return fail(why, ST_UNSUPPORTED, "its tables are damaged: run its checker");
	default:
		return fail(why, ST_UNSUPPORTED, "its tables cannot be read (%s)", status_text(st));
	}
}

enum status fs_map_make(const struct fs_view *view, const struct fs_kind *kind, struct fs *fs,
			struct fs_map **ret, struct error *why)
{
	struct fs_map *map = mem_alloc(sizeof *map);
	enum status st;

	*ret = NULL;
	if (map == NULL)
		return fail_no_memory(why);
	map->blk = view->blk;
	map->fs = fs;
	st = kind->open(view, map, why);
	if (st == ST_OK)
		st = begin(map, why);
	if (st != ST_OK) {
		fs_map_close(map);
		return fs_map_reason(st, why);
	}
	map->fs = NULL;
	*ret = map;
	return ST_OK;
}

static void used_until(uint64_t end, struct fs_extent *ret)
{
	ret->length = end - ret->offset;
	ret->used = true;
}

void fs_map_extent(struct fs_map *map, uint64_t offset, struct fs_extent *ret)
{
	uint64_t unit = offset < map->start ? 0 : (offset - map->start) >> map->shift;
	struct error why;
	uint32_t i;

	CHECK(offset < map->blk->size);
	ret->offset = offset;
	if (offset < map->start) {
		used_until(map->start, ret);
		return;
	}
	if (unit >= map->n_units) {
		used_until(map->blk->size, ret);
		return;
	}
	if (unit < map->first || unit - map->first >= map->n_loaded)
		(void)load(map, unit - unit % map->piece_units, &why); /* then all are used */
	i = (uint32_t)(unit - map->first);
	ret->used = bit_is_set(map->bits, i);
	unit += run_length(map->bits, i, map->n_loaded);
	ret->length = map->start + (unit << map->shift) - offset;
}

uint64_t fs_map_unused(const struct fs_map *map)
{
	return map->n_unused << map->shift;
}

void fs_map_close(struct fs_map *map)
{
	if (map == NULL)
		return;
	if (map->close != NULL)
		map->close(map);
	mem_free(map->kind_data);
	io_free(map->bits, FS_PIECE_BYTES);
	mem_free(map);
}
