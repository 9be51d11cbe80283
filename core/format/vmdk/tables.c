/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where grain tables lie. A damaged directory can name as a table what is a grain, another table or
 * the header. It can still be read, but to write such a table would destroy what lies there, and
 * each entry is written to both copies. So an extent is only changed, and repaired, if every table
 * of both directories has its own place in the metadata.
 *
 * Memory: a bit for each sector of the metadata, 512 KiB for 16 TiB with grains of 64 KiB.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/vmdk/image.h"

enum { BITMAP_BYTES_MAX = 64 << 20 };

struct places {
	uint8_t *taken; /* a bit for each sector of the metadata */
	uint64_t n;
};

/* Whether these sectors of the metadata are taken for the first time; if so, they are now. */
static bool take(const struct places *places, uint64_t sector, uint64_t n)
{
	if (!range_ok(sector, n, places->n))
		return false;
	for (uint64_t i = sector; i < sector + n; i++)
		if ((places->taken[i / 8] >> i % 8 & 1) != 0)
			return false;
	for (uint64_t i = sector; i < sector + n; i++)
		places->taken[i / 8] |= (uint8_t)(1 << i % 8);
	return true;
}

static bool take_bytes(const struct places *places, uint64_t offset, uint64_t bytes)
{
	return bytes == 0 ||
	       take(places, offset / VMDK_SECTOR, div_up(bytes, (uint64_t)VMDK_SECTOR));
}

/* The sector of the first table of a directory that has no place of its own; 0: all have. */
static uint32_t take_tables(const struct vmdk_extent *extent, const struct places *places,
			    const uint32_t *directory)
{
	uint64_t sectors = extent->sparse.table_bytes / VMDK_SECTOR;

	for (uint64_t i = 0; directory != NULL && i < extent->sparse.n_tables; i++)
		if (directory[i] != 0 && !take(places, directory[i], sectors))
			return directory[i];
	return 0;
}

enum status vmdk_find_misplaced_table(const struct vmdk_extent *extent, uint32_t *ret)
{
	const struct vmdk_sparse *sparse = &extent->sparse;
	uint64_t directory_bytes = sparse->n_tables * sizeof *extent->directory;
	struct places places = { .n = sparse->overhead / VMDK_SECTOR };
	bool twice = extent->redundant_directory != NULL;

	if (places.n / 8 >= BITMAP_BYTES_MAX)
		return ST_NO_MEMORY;
	places.taken = mem_alloc((size_t)(places.n / 8 + 1));
	if (places.taken == NULL)
		return ST_NO_MEMORY;
	*ret = 0;
	if (!take(&places, 0, 1) ||
	    !take_bytes(&places, sparse->descriptor, sparse->descriptor_bytes) ||
	    !take_bytes(&places, sparse->directory, directory_bytes) ||
	    (twice && !take_bytes(&places, sparse->redundant_directory, directory_bytes)))
		*ret = (uint32_t)(sparse->directory / VMDK_SECTOR);
	if (*ret == 0)
		*ret = take_tables(extent, &places, extent->directory);
	if (*ret == 0)
		*ret = take_tables(extent, &places, extent->redundant_directory);
	mem_free(places.taken);
	return ST_OK;
}
