/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Creating VDI images, and changing the size of their disks.
 *
 * A new image has its map at 1 MiB and its data at the next multiple of 1 MiB after it, as those of
 * VirtualBox, so that blocks begin where disks and file systems like them to. The room between
 * them is that for later growth of the disk. Write order: the map, the length of the file, and the
 * header last, which the caller holds back until all of the rest is on the medium.
 *
 * A disk grows as far as the map has room, which is 128 GiB at least: free entries of the map are
 * written; flush; in a static image, the blocks get room, the header has the numbers of blocks, and
 * the map their places, each flushed; last the header has the size. To make more room, blocks would
 * have to be moved and all indexes rewritten, which no order of writes makes safe.
 */
#include "format/vdi/image.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "format/new_guid.h"

enum { MAP_ROOM_BYTES = 512 << 10 }; /* for the growth of the disk, by 128 GiB */

const struct create_option vdi_create_options[] = {
	{ .name = "size", .type = OPTION_SIZE, .help = "size of the virtual disk" },
	{ .name = "static",
	  .type = OPTION_BOOL,
	  .default_text = "off",
	  .help = "give all blocks their place at once" },
	{ 0 },
};

struct layout {
	uint64_t n_blocks, data_offset;
	bool is_static;
};

static enum status lay_out(const struct create_request *request, struct layout *ret,
			   struct error *err)
{
	ret->n_blocks = div_up(request->size, VDI_BLOCK_BYTES);
	if (ret->n_blocks > VDI_BLOCKS_MAX)
		return fail(err, ST_TOO_LARGE,
			    "a disk of %ju bytes is larger than a VDI image can have, which is "
			    "%ju bytes",
			    request->size, (uint64_t)VDI_BLOCKS_MAX * VDI_BLOCK_BYTES);
	ret->data_offset = VDI_ALIGN +
			   round_up(ret->n_blocks * VDI_ENTRY_BYTES + MAP_ROOM_BYTES, VDI_ALIGN);
	ret->is_static = create_value(request->options, "static")->on;
	return ST_OK;
}

static uint64_t file_bytes(const struct layout *layout)
{
	return layout->data_offset + (layout->is_static ? layout->n_blocks * VDI_BLOCK_BYTES : 0);
}

enum status vdi_plan(const struct create_request *request, struct create_plan *ret,
		     struct error *err)
{
	struct layout layout;
	enum status st = lay_out(request, &layout, err);

	return st == ST_OK ? create_plan_add(ret, request->file_name, file_bytes(&layout),
					     PREALLOC_OFF, err)
			   : st;
}

enum status vdi_measure(const struct create_request *request, const struct image *source,
			struct image_measure *ret, struct error *err)
{
	struct layout layout;
	enum status st = lay_out(request, &layout, err);
	uint64_t data;

	(void)source;
	if (st != ST_OK)
		return st;
	data = layout.n_blocks * VDI_BLOCK_BYTES;
	*ret = (struct image_measure){
		.full_bytes = layout.data_offset + data,
		.data_bytes = data,
		.block_bytes = layout.is_static ? 0 : VDI_BLOCK_BYTES,
	};
	return ST_OK;
}

static void make_header(const struct create_request *request, const struct layout *layout,
			struct vdi_header *h)
{
	static const char text[] = "<<< efi-img VDI disk image >>>\n";

	*h = (struct vdi_header){
		.signature = le32_of(VDI_SIGNATURE),
		.version = le32_of(VDI_VERSION),
		.header_bytes = le32_of(VDI_HEADER_BYTES),
		.type = le32_of(layout->is_static ? VDI_STATIC : VDI_DYNAMIC),
		.map_offset = le32_of(VDI_ALIGN),
		.data_offset = le32_of((uint32_t)layout->data_offset),
		.sector_bytes = le32_of(VDI_SECTOR_BYTES),
		.disk_bytes = le64_of(request->size),
		.block_bytes = le32_of(VDI_BLOCK_BYTES),
		.n_blocks = le32_of((uint32_t)layout->n_blocks),
		.n_allocated = le32_of(layout->is_static ? (uint32_t)layout->n_blocks : 0),
	};
	memcpy(h->text, text, sizeof text - 1);
	new_guid(request->file_name, 0, &h->image_id);
	new_guid(request->file_name, 1, &h->modification_id);
}

/*
 * Writes entries of a map at `offset`, for the blocks from `first` on: free, or one after another.
 */
static enum status write_entries(struct blk *file, uint64_t offset, uint64_t first, uint64_t end,
				 bool is_free)
{
	uint8_t *piece = io_alloc(VDI_PAGE_BYTES);
	enum status st = piece != NULL ? ST_OK : ST_NO_MEMORY;

	for (uint64_t n; st == ST_OK && first < end; first += n) {
		n = min_u64(end - first, VDI_PAGE_BYTES / VDI_ENTRY_BYTES);
		for (uint64_t i = 0; i < n; i++)
			bytes_to_le(piece + i * VDI_ENTRY_BYTES, VDI_ENTRY_BYTES,
				    is_free ? VDI_FREE : first + i);
		st = blk_write(file, offset + first * VDI_ENTRY_BYTES, piece,
			       (size_t)(n * VDI_ENTRY_BYTES));
	}
	io_free(piece, VDI_PAGE_BYTES);
	return st;
}

enum status vdi_write_files(const struct create_request *request, struct blk *const file[],
			    struct error *err)
{
	struct vdi_header header;
	struct layout layout;
	enum status st = lay_out(request, &layout, err);

	if (st != ST_OK)
		return st;
	st = write_entries(file[0], VDI_ALIGN, 0, layout.n_blocks, !layout.is_static);
	if (st == ST_OK)
		st = blk_resize(file[0], file_bytes(&layout), PREALLOC_OFF);
	make_header(request, &layout, &header);
	if (st == ST_OK)
		st = blk_write(file[0], 0, &header, sizeof header);
	return st == ST_OK ? ST_OK : fail(err, st, "writing the image: %s", status_text(st));
}

/* ---- resizing ---- */

enum status vdi_plan_resize(const struct image *image, uint64_t size, enum prealloc prealloc,
			    uint64_t ret[], struct error *err)
{
	const struct vdi_image *v = (const struct vdi_image *)image;
	uint64_t block = image->cluster_bytes, n_blocks = div_up(size, block),
		 room = min_u64((v->data_offset - v->map_offset) / VDI_ENTRY_BYTES, VDI_BLOCKS_MAX);

	if (size < image->size)
		return fail(err, ST_UNSUPPORTED,
			    "disks in VDI images cannot be made smaller; make a smaller image, and "
			    "copy with \"convert -n\" what it can hold");
	if (n_blocks > room)
		return fail(err, ST_UNSUPPORTED,
			    "its map has room for a disk of %ju bytes, and %ju are wanted; make a "
			    "larger image, and copy the disk with \"convert -n\"",
			    room * block, size);
	if (prealloc != PREALLOC_OFF && !v->is_static)
		return fail(err, ST_UNSUPPORTED,
			    "option --preallocation: the blocks of a dynamic VDI image get their "
			    "place when they are written");
	ret[0] = v->is_static ? vdi_place(v, v->end + n_blocks - div_up(image->size, block))
			      : image->file[0].blk->size;
	ret[0] = max_u64(ret[0], image->file[0].blk->size);
	return ST_OK;
}

/* The bytes after the end of the disk in its last block, which the disk will show, become zeros. */
static enum status clear_tail(struct vdi_image *v)
{
	uint64_t block = v->image.cluster_bytes, inside = v->image.size % block;
	uint32_t entry = VDI_FREE;
	enum status st = ST_OK;

	if (inside > 0)
		st = vdi_entry(v, v->image.size / block, &entry);
	return st == ST_OK && entry < VDI_ZERO
		       ? blk_write_zeros(vdi_file(v), vdi_place(v, entry) + inside, block - inside)
		       : st;
}

/*
 * Room for `n` blocks at the end, all zeros. What the file has there already is of blocks that were
 * never mapped.
 */
static enum status add_room(struct vdi_image *v, uint64_t n, enum prealloc prealloc)
{
	struct blk *file = vdi_file(v);
	uint64_t begin = vdi_place(v, v->end), end = vdi_place(v, v->end + n);
	enum status st = ST_OK;

	if (begin < file->size)
		st = blk_write_zeros(file, begin, min_u64(end, file->size) - begin);
	return st == ST_OK && file->size < end ? blk_resize(file, end, prealloc) : st;
}

/* The map gets entries for `n_blocks` blocks, free ones, of which the header tells later. */
static enum status extend_map(struct vdi_image *v, uint64_t n_blocks)
{
	enum status st;

	if (n_blocks <= v->n_blocks)
		return ST_OK;
	st = write_entries(vdi_file(v), v->map_offset, v->n_blocks, n_blocks, true);
	if (st == ST_OK)
		st = blk_flush(vdi_file(v));
	if (st != ST_OK)
		return st;
	table_cache_forget(&v->cache, 0);
	v->cache.end = v->map_offset + n_blocks * VDI_ENTRY_BYTES;
	v->n_blocks = n_blocks;
	v->header.n_blocks = le32_of((uint32_t)n_blocks);
	return ST_OK;
}

/* Of a static image: gives the blocks from `first` up to `end` places one after another. */
static enum status place_blocks(struct vdi_image *v, uint64_t first, uint64_t end)
{
	enum status st = ST_OK;

	for (uint64_t block = first; st == ST_OK && block < end; block++) {
		uint32_t entry = 0;

		if (vdi_block_ops.is_full(&v->map))
			st = block_map_flush(&v->map);
		if (st == ST_OK)
			st = vdi_entry(v, block, &entry);
		if (st != ST_OK || entry < VDI_ZERO)
			continue;
		if (v->end >= v->n_blocks)
			return ST_CORRUPT; /* there are gaps among the indexes */
		v->counts = false;
		v->map.changed = true;
		st = vdi_set_entry(v, block, (uint32_t)v->end++);
	}
	return st;
}

/* vdi_resize() in memory and in the map; the header on the medium still has the old size. */
static enum status grow(struct vdi_image *v, uint64_t size, enum prealloc prealloc)
{
	uint64_t block = v->image.cluster_bytes, n_had = v->n_blocks,
		 first = div_up(v->image.size, block), end = div_up(size, block);
	enum status st = clear_tail(v);

	if (st == ST_OK && v->is_static && end > first)
		st = add_room(v, end - first, prealloc);
	if (st == ST_OK)
		st = extend_map(v, end);
	if (st != ST_OK)
		return st;
	v->image.size = v->image.blk.size = v->map.size = size;
	if (v->is_static)
		st = place_blocks(v, first, end);
	/* Blocks that were past the end of the disk, and now are on it. */
	if (st == ST_OK && first < min_u64(n_had, end))
		st = block_map_zero(&v->map, first * block,
				    min_u64(min_u64(n_had, end) * block, size) - first * block);
	return st == ST_OK ? block_map_flush(&v->map) : st;
}

enum status vdi_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct vdi_image *v = (struct vdi_image *)blk;
	uint64_t old_size = blk->size;
	enum status st;

	size = round_up(size, VDI_SECTOR_BYTES);
	if (size <= old_size)
		return size == old_size ? ST_OK : ST_UNSUPPORTED;
	if (div_up(size, v->image.cluster_bytes) >
	    min_u64((v->data_offset - v->map_offset) / VDI_ENTRY_BYTES, VDI_BLOCKS_MAX))
		return ST_UNSUPPORTED;
	st = block_map_flush(&v->map);
	if (st == ST_OK)
		st = grow(v, size, prealloc);
	if (st == ST_OK) {
		v->header.disk_bytes = le64_of(size);
		st = vdi_write_header(v);
	}
	if (st == ST_OK)
		st = blk_flush(vdi_file(v));
	if (st != ST_OK) {
		v->image.size = blk->size = v->map.size = old_size;
		v->header.disk_bytes = le64_of(old_size);
	}
	return st;
}
