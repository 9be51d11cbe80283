/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A bit for each granule of a disk. 64 KiB is the default cluster of qcow2, and the largest gap
 * that is cheaper to read than to skip: with it, the map of a disk of 1 TiB takes 2 MiB, however
 * its file systems are fragmented.
 */
#include "blk/used_map.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"

enum { BYTE_BITS = 8 };

static size_t map_bytes(const struct used_map *map)
{
	return (size_t)div_up(div_up(map->disk_bytes, USED_GRANULE), BYTE_BITS);
}

enum status used_map_open(struct used_map *map, uint64_t disk_bytes)
{
	*map = (struct used_map){ .disk_bytes = disk_bytes };
	if (disk_bytes > USED_MAP_DISK_MAX)
		return ST_TOO_LARGE;
	map->unused = mem_alloc(map_bytes(map)); /* zeros */
	return map->unused != NULL ? ST_OK : ST_NO_MEMORY;
}

void used_map_close(struct used_map *map)
{
	mem_free(map->unused);
	*map = (struct used_map){ 0 };
}

static bool bit_of(const struct used_map *map, uint64_t i)
{
	return (map->unused[i / BYTE_BITS] >> i % BYTE_BITS & 1) != 0;
}

void used_map_leave_out(struct used_map *map, uint64_t offset, uint64_t len)
{
	uint64_t last = (map->disk_bytes - 1) / USED_GRANULE;
	uint64_t end = min_u64((offset + len) / USED_GRANULE, last);

	CHECK(range_ok(offset, len, map->disk_bytes));
	for (uint64_t i = div_up(offset, USED_GRANULE); i < end; i++) {
		if (bit_of(map, i))
			continue;
		map->unused[i / BYTE_BITS] |= (uint8_t)(1 << i % BYTE_BITS);
		map->unused_bytes += USED_GRANULE;
	}
}

bool used_map_unused(const struct used_map *map, uint64_t offset, uint64_t *ret_length)
{
	uint64_t i = offset / USED_GRANULE, n = div_up(map->disk_bytes, USED_GRANULE);
	bool unused = bit_of(map, i);
	uint8_t same = unused ? UINT8_MAX : 0;

	CHECK(offset < map->disk_bytes);
	while (i < n && bit_of(map, i) == unused)
		i += i % BYTE_BITS == 0 && map->unused[i / BYTE_BITS] == same ? BYTE_BITS : 1;
	*ret_length = min_u64(i * USED_GRANULE, map->disk_bytes) - offset;
	return unused;
}

/* How many unused ranges of at least `least` bytes there are. */
static size_t count_unused(const struct used_map *map, uint64_t least)
{
	uint64_t length;
	size_t n = 0;

	for (uint64_t at = 0; at < map->disk_bytes; at += length)
		n += used_map_unused(map, at, &length) && length >= least;
	return n;
}

uint64_t used_map_least(const struct used_map *map, size_t n_most)
{
	uint64_t least = 1;

	while (count_unused(map, least) > n_most)
		least = max_u64(2 * least, USED_GRANULE);
	return least;
}
