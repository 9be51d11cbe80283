/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/status.h"

#include "base/range.h"

static enum status look(struct image *image, uint64_t offset, uint64_t len, bool sliced,
			struct disk_status *ret)
{
	struct disk_status status = { .length = len };

	for (;; image = image->backing, status.depth++) {
		struct extent extent;
		enum status st;

		if (sliced && image->format->step != NULL)
			status.length = min_u64(status.length, image->format->step(image, offset));
		st = blk_extent(&image->blk, offset, status.length, &extent);
		if (st != ST_OK)
			return st;
		status.image = image;
		status.length = extent.length;
		status.present = extent.allocated;
		status.zero = extent.zero;
		status.data = extent.data;
		status.compressed = extent.compressed;
		status.has_offset = extent.has_offset;
		status.offset = extent.offset;
		status.packed_bytes = extent.packed_bytes;
		if (extent.allocated)
			break;
		if (image->backing == NULL || offset >= image->backing->blk.size) {
			status.zero = true;
			break;
		}
		status.length = min_u64(status.length, image->backing->blk.size - offset);
	}
	*ret = status;
	return ST_OK;
}

enum status disk_status(struct image *image, uint64_t offset, uint64_t len, struct disk_status *ret)
{
	return look(image, offset, len, false, ret);
}

enum status disk_status_sliced(struct image *image, uint64_t offset, uint64_t len,
			       struct disk_status *ret)
{
	return look(image, offset, len, true, ret);
}
