/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The map of a disk: what an image and its backing files make of a range together. The first image
 * of the chain that has the range allocated decides; where none has, or the deciding backing file
 * is shorter, the disk is zeros.
 */
#include "engine/disk_map.h"

#include "base/range.h"

static enum status look(struct image *image, uint64_t offset, uint64_t len, bool sliced,
			struct disk_range *ret)
{
	struct disk_range range = { .length = len };

	for (;; image = image->backing, range.depth++) {
		struct extent extent;
		enum status st;

		if (sliced && image->format->step != NULL)
			range.length = min_u64(range.length, image->format->step(image, offset));
		st = blk_extent(&image->blk, offset, range.length, &extent);
		if (st != ST_OK)
			return st;
		range.image = image;
		range.length = extent.length;
		range.present = extent.allocated;
		range.zero = extent.zero;
		range.data = extent.data;
		range.compressed = extent.compressed;
		/* without an `extent` of its own, a format does not say where the bytes are */
		range.has_offset = extent.has_offset && image->blk.ops->extent != NULL;
		range.offset = extent.offset;
		range.packed_bytes = extent.packed_bytes;
		if (extent.allocated)
			break;
		if (image->backing == NULL || offset >= image->backing->blk.size) {
			range.zero = true;
			break;
		}
		range.length = min_u64(range.length, image->backing->blk.size - offset);
	}
	*ret = range;
	return ST_OK;
}

enum status disk_map_at(struct image *image, uint64_t offset, uint64_t len, struct disk_range *ret)
{
	return look(image, offset, len, false, ret);
}

enum status disk_map_at_sliced(struct image *image, uint64_t offset, uint64_t len,
			       struct disk_range *ret)
{
	return look(image, offset, len, true, ret);
}
