/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VDI, the format of VirtualBox. There is no specification; the layout is that which VirtualBox and
 * QEMU read and write. Little-endian.
 *
 *   0            header of 512 bytes: signature, version 1.1, type, offsets of map and data, sizes
 *                of disk and blocks, blocks allocated, UUIDs
 *   map_offset   the map: 4 bytes for each block of the disk, its index in the data area, or
 *                0xffffffff (nothing was written there), or 0xfffffffe (zeros); both are zeros
 *   data_offset  the data area: blocks, one after the other, of any power of two
 *
 * Dynamic images (type 1) grow as blocks are written; static ones (type 2) have all of their blocks
 * from the beginning. Both are read, written and created. Refused by name: other versions than 1.1,
 * undo and differencing images (types 3 and 4, or with UUIDs of other images), extra bytes before
 * each block, files that were cut short. New images have blocks of 1 MiB, which is all that QEMU
 * reads, and map and data at multiples of 1 MiB, as those of VirtualBox.
 *
 * Limits: 536870784 blocks, which are 512 TiB with blocks of 1 MiB. Memory: up to 16 MiB of the
 * map, and 8 MiB when it is opened for writing (survey.c).
 *
 * Write order: the data of new blocks, each whole (format/block_map.h); flush; the header with
 * blocks allocated; flush; the map; flush. Other programs take their next block from the number in
 * the header: if it leads, a block is lost until the image is opened for writing here; if it
 * lagged, they would write over a block in use. When an image is opened for writing, the map is
 * counted, and the number corrected. A new image: from the front to the end, but the header last,
 * which the caller holds back.
 */
#include "format/vdi/image.h"

#include "base/memory.h"
#include "base/range.h"
#include "format/new_guid.h"

static struct vdi_image *vdi_of(struct blk *blk)
{
	return (struct vdi_image *)blk;
}

struct blk *vdi_file(const struct vdi_image *v)
{
	return v->image.file[0].blk;
}

static int vdi_probe(const struct image_probe *probe)
{
	const uint8_t *signature = probe->head + VDI_SIGNATURE_AT;

	return bytes_from_le(signature, 4) == VDI_SIGNATURE ? PROBE_CERTAIN : 0;
}

static enum status vdi_open(struct image *image, struct error *err)
{
	struct vdi_image *v = (struct vdi_image *)image;
	enum status st = vdi_read_header(v, err);

	if (st == ST_OK)
		image->unit_bytes = (uint32_t)min_u64(image->cluster_bytes, 1 << 20);
	return st;
}

static void vdi_close(struct image *image)
{
	table_cache_free(&((struct vdi_image *)image)->cache);
}

/* ---- the disk ---- */

static enum status vdi_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return block_map_read(&vdi_of(blk)->map, offset, buf, len);
}

/*
 * Before the bytes from `offset` on are changed: the disk grows so far, and gets another UUID,
 * since snapshots of it, which name the UUID, no longer fit.
 */
static enum status begin_change(struct vdi_image *v, uint64_t offset, uint64_t len)
{
	enum status st = offset + len > v->image.size
				 ? vdi_resize(&v->image.blk, offset + len, PREALLOC_OFF)
				 : ST_OK;

	if (st != ST_OK || v->modified)
		return st;
	new_guid(v->image.name, 1, &v->header.modification_id);
	st = vdi_write_header(v);
	v->modified = st == ST_OK;
	return st;
}

static enum status vdi_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	enum status st = begin_change(vdi_of(blk), offset, len);

	return st == ST_OK ? block_map_write(&vdi_of(blk)->map, offset, buf, len) : st;
}

static enum status vdi_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	enum status st = begin_change(vdi_of(blk), offset, len);

	return st == ST_OK ? block_map_zero(&vdi_of(blk)->map, offset, len) : st;
}

static enum status vdi_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	return block_map_extent(&vdi_of(blk)->map, offset, len, ret);
}

static enum status vdi_flush(struct blk *blk)
{
	return block_map_flush(&vdi_of(blk)->map);
}

static const struct blk_ops read_ops = { .read = vdi_read,
					 .extent = vdi_extent,
					 .close = image_close_blk };
static const struct blk_ops write_ops = {
	.read = vdi_read,
	.write = vdi_write,
	.zero = vdi_zero,
	.extent = vdi_extent,
	.flush = vdi_flush,
	.resize = vdi_resize,
	.close = image_close_blk,
};

/* ---- loading ---- */

enum status vdi_prepare(struct vdi_image *v)
{
	table_cache_free(&v->cache);
	v->map = (struct block_map){
		.ops = &vdi_block_ops,
		.file = vdi_file(v),
		.image = &v->image,
		.size = v->image.size,
		.block_bytes = v->image.cluster_bytes,
		.sees_holes = v->is_static,
	};
	if (table_cache_init(&v->cache, vdi_file(v), VDI_PAGE_BYTES) != ST_OK)
		return ST_NO_MEMORY;
	v->cache.end = v->map_offset + v->n_blocks * VDI_ENTRY_BYTES;
	return ST_OK;
}

/* Counts the blocks, and corrects the number in the header that other programs go by. */
static enum status load_for_writing(struct vdi_image *v, const struct vdi_summary *summary,
				    struct error *err)
{
	enum status st;

	if (summary->n_doubled > 0)
		return fail(err, ST_CORRUPT,
			    "%ju of its blocks have the same place in the file as another one, so "
			    "that writing to one changes the other: \"check -r all\" gives each "
			    "its own",
			    summary->n_doubled);
	v->end = summary->end;
	v->counts = le32_get(v->header.n_allocated) == v->end;
	if (v->counts)
		return ST_OK;
	v->header.n_allocated = le32_of((uint32_t)v->end);
	st = vdi_write_header(v);
	if (st == ST_OK)
		st = blk_flush(vdi_file(v));
	v->counts = st == ST_OK;
	return st == ST_OK ? ST_OK
			   : fail(err, st, "correcting its number of blocks allocated: %s",
				  status_text(st));
}

static enum status vdi_load(struct image *image, struct error *err)
{
	struct vdi_image *v = (struct vdi_image *)image;
	bool writes = image->mode == OPEN_WRITE;
	struct problems problems = { 0 };
	struct vdi_summary summary;
	enum status st = vdi_survey(v, writes, &problems, &summary);

	if (st != ST_OK)
		return fail(err, st, "reading its map of blocks: %s", status_text(st));
	if (summary.n_bad > 0)
		return fail(err, ST_CORRUPT,
			    "%ju of its %ju blocks are past the end of the file at %ju: it was cut "
			    "short, or its map is damaged; \"check\" lists them",
			    summary.n_bad, v->n_blocks, vdi_file(v)->size);
	if (vdi_prepare(v) != ST_OK)
		return fail_no_memory(err);
	image->blk.ops = writes ? &write_ops : &read_ops;
	return writes ? load_for_writing(v, &summary, err) : ST_OK;
}

/* QEMU looks at one block at a time. */
static uint64_t vdi_step(const struct image *image, uint64_t offset)
{
	return image->cluster_bytes - offset % image->cluster_bytes;
}

const struct image_format format_vdi = {
	.name = "vdi",
	.summary = "images of VirtualBox",
	.instance_bytes = sizeof(struct vdi_image),
	.probe = vdi_probe,
	.open = vdi_open,
	.close = vdi_close,
	.load = vdi_load,
	.step = vdi_step,
	.create = {
		.options = vdi_create_options,
		.plan = vdi_plan,
		.measure = vdi_measure,
		.write_files = vdi_write_files,
	},
	.check = {
		.check = vdi_check,
		.repair = vdi_repair,
	},
	.change.plan_resize = vdi_plan_resize,
};
