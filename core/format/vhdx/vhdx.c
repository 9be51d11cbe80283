/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VHDX, version 1 ([MS-VHDX], "Virtual Hard Disk v2 (VHDX) File Format").
 *
 *   0          identifier | 64 KiB, 128 KiB headers | 192 KiB, 256 KiB region tables
 *   1 MiB ...  log, BAT, metadata and blocks, each at a whole MiB, in any order
 *
 * Read: dynamic, fixed and differencing images, with sectors of 512 and 4096 bytes; a log that is
 * to be replayed is, in memory while the image is only read. Written, created and resized: dynamic
 * and fixed ones. Refused, by name: other versions, required regions and items that are not known,
 * a parent that was changed, blocks outside of the file (it was cut short) and over other parts of
 * it, a log without a valid sequence.
 *
 * Memory: 4 MiB of the BAT at most, whatever the size of the disk; what a log takes that is to be
 * replayed, says log.c. Opening reads all of the BAT once when the disk is loaded: 256 KiB per TiB
 * with blocks of 32 MiB.
 *
 * Write order: log_write.c. Of a new image: create.c.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/vhdx/image.h"

static struct vhdx_image *vhdx_of(struct image *image)
{
	return (struct vhdx_image *)image;
}

static struct vhdx_image *of_blk(struct blk *blk)
{
	return (struct vhdx_image *)blk;
}

static int vhdx_probe(const struct image_probe *probe)
{
	return memcmp(probe->head, VHDX_SIGNATURE, 8) == 0 ? PROBE_CERTAIN : 0;
}

static enum status vhdx_open(struct image *image, struct error *err)
{
	struct vhdx_image *v = vhdx_of(image);
	enum status st;

	v->file = image->file[0].blk;
	st = vhdx_headers_read(v, err);
	if (st == ST_OK)
		st = vhdx_log_show(v, err);
	if (st == ST_OK)
		st = vhdx_regions_read(v, err);
	if (st == ST_OK)
		st = vhdx_metadata_read(v, err);
	image->dirty = v->pending || v->empty_log;
	return st;
}

static void vhdx_close(struct image *image)
{
	struct vhdx_image *v = vhdx_of(image);

	table_cache_free(&v->cache);
	mem_free(v->part);
	io_free(v->log_entry, v->log_entry_bytes);
}

/* ---- loading ---- */

struct look {
	struct vhdx_image *v;
	uint8_t *used; /* before changes: vhdx_take_place() */
};

static enum status look_at_entry(void *user, uint64_t entry, uint64_t value, struct error *err)
{
	const struct look *look = user;
	struct vhdx_image *v = look->v;
	uint64_t state = value & VHDX_BAT_STATE, offset = value & VHDX_BAT_OFFSET;
	uint64_t n = vhdx_is_bitmap_entry(v, entry) ? VHDX_BITMAP_BYTES : v->block_bytes;
	const struct vhdx_part *over;

	if (state != VHDX_PRESENT && state != VHDX_PARTLY_PRESENT)
		return ST_OK;
	if (!range_ok(offset, n, v->file->size))
		return fail(err, ST_CORRUPT,
			    "its BAT entry %ju: a block of 0x%jx bytes at 0x%jx is past the end of "
			    "the file (size 0x%jx): the file was cut short; \"check\" lists what "
			    "is missing",
			    entry, n, offset, v->file->size);
	over = vhdx_part_over(v, offset, n);
	if (over != NULL)
		return fail(err, ST_CORRUPT,
			    "its BAT entry %ju: a block of 0x%jx bytes at 0x%jx overlaps its %s",
			    entry, n, offset, over->name);
	if (look->used != NULL && !vhdx_take_place(look->used, offset, n))
		return fail(err, ST_CORRUPT,
			    "its BAT entry %ju: a block of 0x%jx bytes at 0x%jx overlaps another "
			    "one, so that writing to one changes the other: it can only be read; "
			    "convert it to a new image",
			    entry, n, offset);
	v->end = max_u64(v->end, offset + n);
	return ST_OK;
}

/* Finds the end of the blocks, and what must not be read, or written to. */
static enum status look_at_bat(struct vhdx_image *v, bool writes, struct error *err)
{
	struct look look = { .v = v };
	enum status st;

	if (writes && v->file->size > VHDX_FILE_MAX)
		return fail(err, ST_TOO_LARGE, "a file of %ju bytes is more than can be changed",
			    v->file->size);
	if (writes)
		look.used = mem_alloc((size_t)(v->file->size / VHDX_MIB / 8 + 1));
	if (writes && look.used == NULL)
		return fail_no_memory(err);
	v->end = round_up(v->file->size, VHDX_MIB);
	st = vhdx_bat_each(v, look_at_entry, &look, err);
	mem_free(look.used);
	return st;
}

static enum status check_writable(const struct vhdx_image *v, struct error *err)
{
	if (v->has_parent)
		return fail(err, ST_UNSUPPORTED,
			    "it is a differencing image, which can be read, but not written to: "
			    "convert it");
	if (v->header.log_bytes == 0 || v->header.log_version != 0)
		return fail(err, ST_UNSUPPORTED,
			    "it has no log of version 0, without which it cannot be written to");
	if (!range_ok(v->header.log_offset, v->header.log_bytes, v->file->size))
		return fail(err, ST_CORRUPT,
			    "its log, 0x%x bytes at 0x%jx, is past the end of the file (size "
			    "0x%jx): the file was cut short",
			    v->header.log_bytes, v->header.log_offset, v->file->size);
	return ST_OK;
}

static enum status vhdx_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return block_map_read(&of_blk(blk)->map, offset, buf, len);
}

static enum status vhdx_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	return block_map_extent(&of_blk(blk)->map, offset, len, ret);
}

/* Before a change of [offset, offset + len): the disk grows if that ends past its end. */
static enum status begin_change(struct vhdx_image *v, uint64_t offset, uint64_t len)
{
	enum status st = vhdx_session_begin(v, true);

	if (st == ST_OK && offset + len > v->image.size)
		st = vhdx_resize(&v->image.blk, offset + len, PREALLOC_OFF);
	return st;
}

static enum status vhdx_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct vhdx_image *v = of_blk(blk);
	enum status st = begin_change(v, offset, len);

	return st == ST_OK ? block_map_write(&v->map, offset, buf, len) : st;
}

static enum status vhdx_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	struct vhdx_image *v = of_blk(blk);
	enum status st = begin_change(v, offset, len);

	return st == ST_OK ? block_map_zero(&v->map, offset, len) : st;
}

static enum status vhdx_flush(struct blk *blk)
{
	struct vhdx_image *v = of_blk(blk);
	enum status st = v->failed;

	if (st == ST_OK)
		st = block_map_flush(&v->map);
	return st == ST_OK ? vhdx_log_end(v) : st;
}

enum status vhdx_write_metadata(struct vhdx_image *v, uint64_t offset, const void *bytes, size_t n)
{
	const uint8_t *from = bytes;
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < n; i++) {
		uint64_t sector = round_down(offset + i, VHDX_SECTOR);
		uint8_t *table;

		st = table_cache_get(&v->cache, sector, &table);
		if (st != ST_OK)
			break;
		table[offset + i - sector] = from[i];
		table_cache_change(&v->cache, sector);
	}
	return st;
}

static enum status prepare_map(struct vhdx_image *v, struct error *err)
{
	v->map = (struct block_map){
		.ops = &vhdx_block_ops,
		.file = v->file,
		.image = &v->image,
		.size = v->image.size,
		.block_bytes = v->block_bytes,
	};
	return table_cache_init(&v->cache, v->file, VHDX_SECTOR) == ST_OK ? ST_OK
									  : fail_no_memory(err);
}

static enum status vhdx_load(struct image *image, struct error *err)
{
	static const struct blk_ops read_ops = { .read = vhdx_read,
						 .extent = vhdx_extent,
						 .close = image_close_blk };
	static const struct blk_ops write_ops = {
		.read = vhdx_read,
		.write = vhdx_write,
		.zero = vhdx_zero,
		.extent = vhdx_extent,
		.flush = vhdx_flush,
		.resize = vhdx_resize,
		.close = image_close_blk,
	};
	struct vhdx_image *v = vhdx_of(image);
	bool writes = image->mode == OPEN_WRITE;
	enum status st = ST_OK;

	if (v->empty_log)
		return fail(err, ST_CORRUPT,
			    "its log is to be replayed, but has no valid sequence of entries; "
			    "\"check -r all\" discards the log");
	if (writes)
		st = check_writable(v, err);
	if (st == ST_OK && writes)
		st = vhdx_log_apply(v, err);
	if (st == ST_OK)
		st = vhdx_parent_check(v, err);
	if (st == ST_OK)
		st = look_at_bat(v, writes, err);
	if (st == ST_OK)
		st = prepare_map(v, err);
	if (st == ST_OK)
		image->blk.ops = writes ? &write_ops : &read_ops;
	return st;
}

const struct image_format format_vhdx = {
	.name = "vhdx",
	.summary = "Hyper-V's format: grows with its contents, guarded by a log",
	.instance_bytes = sizeof(struct vhdx_image),
	.probe = vhdx_probe,
	.open = vhdx_open,
	.close = vhdx_close,
	.load = vhdx_load,
	.create = {
		.options = vhdx_create_options,
		.plan = vhdx_plan,
		.measure = vhdx_measure,
		.write_files = vhdx_write_files,
	},
	.check = {
		.check = vhdx_check,
		.repair = vhdx_repair,
	},
	.change.plan_resize = vhdx_plan_resize,
};
