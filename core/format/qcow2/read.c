/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the virtual disk, and saying what of it is where: map.c decides, here the bytes are
 * fetched from the data file, from the backing file, or from a compressed cluster. The last
 * compressed cluster stays decompressed, since it is read in pieces.
 *
 * A cluster that was preallocated and never written lies in a hole of the file, and is reported as
 * zeros; QEMU asks the file system for such holes under the same condition (load.c).
 */
#include "base/memory.h"
#include "base/range.h"
#include "codec/codec.h"
#include "format/qcow2/image.h"

static struct qcow2_image *qcow2_of(struct blk *blk)
{
	return (struct qcow2_image *)blk;
}

/* Gets the cluster of a compressed mapping into q->cluster. */
static enum status unpack(struct qcow2_image *q, const struct qcow2_mapping *mapping)
{
	enum status st;

	if (q->cluster_entry == mapping->offset)
		return ST_OK;
	q->cluster_entry = UINT64_MAX;
	if (mapping->offset >= q->file->size)
		return ST_CORRUPT;
	st = blk_read_padded(q->file, mapping->offset, q->packed, mapping->compressed_bytes);
	if (st == ST_OK)
		st = codec_decompress(q->codec, q->packed, mapping->compressed_bytes, q->cluster,
				      q->image.cluster_bytes);
	if (st == ST_OK)
		q->cluster_entry = mapping->offset;
	return st;
}

static enum status read_mapping(struct qcow2_image *q, const struct qcow2_mapping *mapping,
				uint64_t offset, uint8_t *buf)
{
	size_t n = (size_t)mapping->length;
	enum status st;

	switch (mapping->kind) {
	case QCOW2_MAP_HOLE:
		return image_read_backing(&q->image, offset, buf, n);
	case QCOW2_MAP_DATA:
		return blk_read_padded(q->image.data, mapping->offset, buf, n);
	case QCOW2_MAP_COMPRESSED:
		st = unpack(q, mapping);
		if (st == ST_OK)
			memcpy(buf, q->cluster + offset % q->image.cluster_bytes, n);
		return st;
	default:
		memset(buf, 0, n);
		return ST_OK;
	}
}

enum status qcow2_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	uint8_t *to = buf;
	enum status st = ST_OK;

	while (st == ST_OK && len > 0) {
		struct qcow2_mapping mapping;

		st = qcow2_map(qcow2_of(blk), offset, len, &mapping);
		if (st != ST_OK)
			break;
		st = read_mapping(qcow2_of(blk), &mapping, offset, to);
		offset += mapping.length;
		to += mapping.length;
		len -= (size_t)mapping.length;
	}
	return st;
}

/* What lies in a hole of the file was never written. */
static enum status look_below(const struct qcow2_image *q, struct extent *extent)
{
	struct blk *data = q->image.data;
	struct extent below;
	enum status st;

	if (!q->has_holes || !extent->data || extent->compressed || !extent->has_offset)
		return ST_OK;
	if (extent->offset >= data->size) {
		extent->zero = true; /* past the end */
		return ST_OK;
	}
	st = blk_extent(data, extent->offset, min_u64(extent->length, data->size - extent->offset),
			&below);
	if (st != ST_OK)
		return st;
	extent->length = below.length;
	extent->zero = below.zero;
	return ST_OK;
}

enum status qcow2_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	struct qcow2_image *q = qcow2_of(blk);
	struct qcow2_mapping mapping;
	enum status st = qcow2_map(q, offset, len, &mapping);

	if (st != ST_OK)
		return st;
	*ret = (struct extent){
		.length = mapping.length,
		.allocated = mapping.kind != QCOW2_MAP_HOLE,
		.zero = mapping.kind == QCOW2_MAP_ZERO,
		.data = mapping.kind == QCOW2_MAP_DATA || mapping.kind == QCOW2_MAP_COMPRESSED,
		.compressed = mapping.kind == QCOW2_MAP_COMPRESSED,
		.has_offset = mapping.has_offset,
		.offset = mapping.offset,
		.packed_bytes = mapping.compressed_bytes,
	};
	return look_below(q, ret);
}

const struct blk_ops qcow2_read_ops = { .read = qcow2_read,
					.extent = qcow2_extent,
					.close = image_close_blk };
