/* SPDX-License-Identifier: BSD-2-Clause */
#include "engine/status.h"

#include "base/range.h"

/* What lies in a hole of the file was never written. */
static enum status look_below(const struct image *image, struct disk_status *status)
{
	struct blk *file = image->data;
	struct extent below;
	enum status st;

	if (!image->sparse || !status->data || status->compressed || !status->has_offset)
		return ST_OK;
	if (status->offset >= file->size) {
		status->zero = true; /* behind the end */
		return ST_OK;
	}
	st = blk_extent(file, status->offset, min_u64(status->length, file->size - status->offset),
			&below);
	if (st != ST_OK)
		return st;
	status->length = below.length;
	status->zero = below.zero;
	return ST_OK;
}

static enum status look(struct image *image, uint64_t offset, uint64_t len, bool sliced,
			struct disk_status *ret)
{
	struct disk_status status = { .length = len };

	for (;; image = image->backing, status.depth++) {
		struct extent extent;
		enum status st;

		if (sliced && image->slice_bytes > 0)
			status.length = min_u64(status.length,
						image->slice_bytes - offset % image->slice_bytes);
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
	return look_below(status.image, ret);
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
