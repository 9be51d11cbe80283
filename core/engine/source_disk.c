/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Several disks, one after the other, as one disk that is read from its beginning to its end.
 * Looking up what a range is costs a walk through tables, so the last answer is kept: the pieces of
 * a copy are smaller than most answers.
 */
#include "engine/source_disk.h"

#include "base/range.h"
#include "base/size.h"
#include "engine/salvage.h"

enum status source_disk_size(const struct chain *source, size_t n_sources, uint64_t *ret_bytes,
			     struct error *err)
{
	uint64_t size = 0;

	for (size_t i = 0; i < n_sources; i++)
		if (!add_ok(size, source[i].link[0].image->size, &size) || size > SIZE_LIMIT - 511)
			return fail(err, ST_TOO_LARGE,
				    "%s: together the sources are larger than any disk",
				    source[i].link[0].name);
	*ret_bytes = size;
	return ST_OK;
}

struct image *source_disk_image(const struct source_disk *disk, uint64_t *offset)
{
	size_t i = 0;

	while (*offset >= disk->source[i].link[0].image->size) {
		*offset -= disk->source[i].link[0].image->size;
		i++;
	}
	return disk->source[i].link[0].image;
}

/*
 * Whether the last answer covers `offset` as well. Compressed ranges cannot be divided.
 */
static bool is_cached(const struct source_disk *disk, uint64_t offset, uint64_t len,
		      struct disk_range *ret)
{
	uint64_t skip = offset - disk->offset;

	if (offset < disk->offset || skip >= disk->length || (skip > 0 && disk->range.compressed))
		return false;
	*ret = disk->range;
	ret->length = min_u64(len, disk->length - skip);
	ret->offset += ret->has_offset ? skip : 0;
	return true;
}

enum status source_disk_look(struct source_disk *disk, uint64_t offset, uint64_t len,
			     uint64_t *ret_at, struct disk_range *ret,
			     enum source_disk_kind *ret_kind, struct error *err)
{
	uint64_t at = disk->first_byte + offset;
	struct image *image = source_disk_image(disk, &at);
	uint64_t n;
	enum status st;

	if (!is_cached(disk, offset, len, ret)) {
		len = min_u64(len, image->size - at);
		st = disk->salvages ? salvage_map_at(image, at, len, ret, disk->progress)
				    : disk_map_at(image, at, len, ret);
		if (st != ST_OK)
			return fail(err, st, "%s: reading the map at offset %ju: %s", image->name,
				    at, status_text(st));
		disk->offset = offset;
		disk->length = ret->length;
		disk->range = *ret;
	}
	*ret_at = at;
	if (disk->used != NULL && used_map_unused(disk->used, disk->first_byte + offset, &n)) {
		ret->zero = true; /* whatever the source has there */
		ret->compressed = ret->data = false;
		ret->length = min_u64(ret->length, n);
		*ret_kind = SOURCE_SKIP;
		return ST_OK;
	}
	if (disk->used != NULL)
		ret->length = min_u64(ret->length, n);
	/*
	 * What the first `keep_depth` images have not allocated is left out only if the image below
	 * them decides what it is. Where there is none, or it is shorter, the disk is zeros, and
	 * the target's backing file may have something else.
	 */
	if (disk->keep_depth > 0 && ret->depth >= disk->keep_depth)
		*ret_kind = SOURCE_SKIP;
	else
		*ret_kind = ret->zero && disk->seeks_zeros ? SOURCE_ZERO : SOURCE_DATA;
	return ST_OK;
}
