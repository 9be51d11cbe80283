/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of a VDI image: read, and held against itself and the file. Everything that comes
 * later relies on what is checked here: the map lies in the file, before the data, and has an
 * entry for each block of the disk; all places fit into 64 bits.
 */
#include "format/vdi/image.h"

#include "base/memory.h"
#include "base/range.h"

/* Fields of what is described, but cannot be read. */
static enum status check_supported(const struct vdi_header *h, struct error *err)
{
	uint32_t version = le32_get(h->version), type = le32_get(h->type);

	if (version != VDI_VERSION)
		return fail(err, ST_UNSUPPORTED,
			    "it has version %u.%u of the format VDI, and only 1.1 is supported; "
			    "open it once with VirtualBox 2 or later, which converts it",
			    version >> 16, version & 0xffff);
	if (type == VDI_UNDO)
		return fail(err, ST_UNSUPPORTED,
			    "its type is 3, an undo image, which means something only together "
			    "with the image it belongs to");
	if (type == VDI_DIFFERENCING || !guid_is_zero(&h->link_id) ||
	    !guid_is_zero(&h->parent_modification_id))
		return fail(err, ST_UNSUPPORTED,
			    "it is a differencing image (a snapshot), which has only what differs "
			    "from another image; merge the snapshots with VirtualBox, or clone the "
			    "disk (VBoxManage clonemedium), first");
	if (type != VDI_DYNAMIC && type != VDI_STATIC)
		return fail(err, ST_CORRUPT,
			    "its type is %u, and only 1 (dynamic) and 2 (static) "
			    "are supported",
			    type);
	if (le32_get(h->extra_bytes) != 0)
		return fail(err, ST_UNSUPPORTED,
			    "it has %u extra bytes before each block, which are not supported",
			    le32_get(h->extra_bytes));
	if (le32_get(h->sector_bytes) != VDI_SECTOR_BYTES)
		return fail(err, ST_UNSUPPORTED,
			    "its sectors have %u bytes, and only 512 are supported",
			    le32_get(h->sector_bytes));
	return ST_OK;
}

static enum status check_places(const struct vdi_header *h, uint64_t file_bytes, struct error *err)
{
	uint32_t header_bytes = le32_get(h->header_bytes), map = le32_get(h->map_offset),
		 data = le32_get(h->data_offset);
	uint64_t map_end = map + (uint64_t)le32_get(h->n_blocks) * VDI_ENTRY_BYTES;

	if (header_bytes < VDI_HEADER_LEAST)
		return fail(err, ST_CORRUPT, "its header has %u bytes, and %u are the least",
			    header_bytes, VDI_HEADER_LEAST);
	if (map % VDI_SECTOR_BYTES != 0 || map < VDI_SECTOR_BYTES ||
	    map - VDI_SIGNATURE_AT < (uint64_t)8 + header_bytes)
		return fail(err, ST_CORRUPT,
			    "its map of blocks is at offset %u, which is no multiple of 512, or in "
			    "the header of %u bytes",
			    map, header_bytes);
	if (data % VDI_SECTOR_BYTES != 0 || data < map_end)
		return fail(err, ST_CORRUPT,
			    "its data begins at offset %u, which is no multiple of 512, or before "
			    "the end of its map of blocks at %ju",
			    data, map_end);
	if (file_bytes < map_end)
		return fail(err, ST_CORRUPT,
			    "the file is cut short: it has %ju bytes, and its map of blocks ends "
			    "at "
			    "%ju",
			    file_bytes, map_end);
	return ST_OK;
}

static enum status check_sizes(const struct vdi_header *h, struct error *err)
{
	uint32_t block_bytes = le32_get(h->block_bytes), n_blocks = le32_get(h->n_blocks);

	if (!is_power_of_two(block_bytes) || block_bytes < VDI_SECTOR_BYTES)
		return fail(err, ST_CORRUPT,
			    "its blocks have %u bytes, which is no power of two from 512 on",
			    block_bytes);
	if (n_blocks > VDI_BLOCKS_MAX)
		return fail(err, ST_CORRUPT, "it has %u blocks, and %u are the most", n_blocks,
			    VDI_BLOCKS_MAX);
	if (le64_get(h->disk_bytes) > (uint64_t)n_blocks * block_bytes)
		return fail(err, ST_CORRUPT,
			    "its disk of %ju bytes does not fit into its %u blocks of %u bytes",
			    le64_get(h->disk_bytes), n_blocks, block_bytes);
	return ST_OK;
}

enum status vdi_read_header(struct vdi_image *v, struct error *err)
{
	struct vdi_header *h = &v->header;
	enum status st = blk_read_padded(vdi_file(v), 0, h, sizeof *h);

	if (st != ST_OK)
		return fail(err, st, "reading its header: %s", status_text(st));
	if (le32_get(h->signature) != VDI_SIGNATURE)
		return fail(err, ST_CORRUPT,
			    "it is no VDI image: at offset 64 is 0x%x instead of 0x%x",
			    le32_get(h->signature), VDI_SIGNATURE);
	st = check_supported(h, err);
	if (st == ST_OK)
		st = check_sizes(h, err);
	if (st == ST_OK)
		st = check_places(h, vdi_file(v)->size, err);
	if (st != ST_OK)
		return st;
	v->map_offset = le32_get(h->map_offset);
	v->data_offset = le32_get(h->data_offset);
	v->n_blocks = le32_get(h->n_blocks);
	v->is_static = le32_get(h->type) == VDI_STATIC;
	v->image.size = round_up(le64_get(h->disk_bytes), VDI_SECTOR_BYTES);
	v->image.cluster_bytes = le32_get(h->block_bytes);
	return ST_OK;
}

enum status vdi_write_header(struct vdi_image *v)
{
	return blk_write(vdi_file(v), 0, &v->header, sizeof v->header);
}
