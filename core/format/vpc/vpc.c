/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * vpc: Virtual Hard Disk images (VHD) of Virtual PC, Hyper-V, Azure and XenServer.
 *
 *   fixed:    the disk | footer
 *   dynamic:  footer | header | BAT | blocks, each a bitmap and its data | footer
 *
 * Specification: "Virtual Hard Disk Image Format Specification" 1.0, Microsoft, 2006-10-11.
 *
 * Read: fixed, dynamic and differencing disks, these with their parents, whose UUIDs are checked;
 * footers of 511 bytes; the bitmaps of blocks, which QEMU ignores; the size by bytes or by geometry
 * as the creator means it. Written: fixed and dynamic disks, and differencing ones that exist.
 * Refused by name: other versions and types, disks of more than 2040 GiB, blocks that are no power
 * of two, what lies past the end of the file, a parent that is missing or another image. Read only:
 * what has a damaged header or front, a footer of 511 bytes, or the state of a machine that is
 * suspended. XenServer's table after the BAT ("tdbatmap") is not used, and not written over.
 *
 * Memory: the BAT, 4 bytes for each block, 2 MiB per TiB with blocks of 2 MiB, and at most 16 MiB;
 * up to 1024 bitmaps.
 *
 * Write order of a new image, flushed after each step: everything but the footers; the footer at
 * the end; the first sector of the file, which of a dynamic disk is the footer at the front. Until
 * the second step, no program takes the file for a VHD.
 *
 * Write order where blocks are added to a dynamic disk, flushed after each step:
 *   1. a footer at the new end of the file, after room for one or more blocks;
 *   2. whole blocks: their bitmaps, of ones, and their data. The first bitmap is written over the
 *      old footer;
 *   3. the BAT; the bitmaps of blocks that were there but not filled;
 *   4. if there is more room than blocks, the footer where the blocks end; then the file is cut.
 * The footer at the front never changes. When the power goes, each new block is there as a whole
 * or not at all; at worst the footer at the end is missing, and the next writer or repair restores
 * it.
 */
#include "format/vpc/vpc.h"

#include "base/memory.h"
#include "base/range.h"

static void vpc_close(struct image *image)
{
	struct vpc_image *v = (struct vpc_image *)image;

	table_cache_free(&v->bitmaps);
	mem_free(v->bat);
	mem_free(v->sector_changed);
}

/* ---- fixed disks ---- */

static enum status fixed_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return blk_read_padded(vpc_file(vpc_of(blk)), offset, buf, len);
}

/* The disk does not grow: what would be written past its end would be over the footer. */
static enum status fixed_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	return blk_write(vpc_file(vpc_of(blk)), offset, buf, len);
}

static enum status fixed_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	return blk_write_zeros(vpc_file(vpc_of(blk)), offset, len);
}

static enum status fixed_flush(struct blk *blk)
{
	return blk_flush(vpc_file(vpc_of(blk)));
}

/* All of it is data, as in QEMU, also where the file has a hole. */
static enum status fixed_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	struct blk *file = vpc_file(vpc_of(blk));
	enum status st = ST_OK;

	*ret = (struct extent){ .length = len, .allocated = true, .zero = true };
	if (offset < file->size)
		st = blk_extent(file, offset, min_u64(len, file->size - offset), ret);
	ret->data = true;
	ret->has_offset = true;
	ret->offset = offset;
	return st;
}

static enum status load_fixed(struct image *image)
{
	static const struct blk_ops read_ops = { .read = fixed_read,
						 .extent = fixed_extent,
						 .close = image_close_blk };
	static const struct blk_ops write_ops = {
		.read = fixed_read,
		.write = fixed_write,
		.zero = fixed_zero,
		.extent = fixed_extent,
		.flush = fixed_flush,
		.close = image_close_blk,
	};
	const struct blk *file = image->file[0].blk;

	image->blk.ops = image->mode == OPEN_WRITE ? &write_ops : &read_ops;
	image->blk.zero_bytes = file->zero_bytes;
	image->blk.parallel_reads = file->parallel_reads;
	return ST_OK;
}

/* ---- dynamic and differencing disks ---- */

static struct block_map *map_of(struct blk *blk)
{
	return &vpc_of(blk)->map;
}

static enum status dynamic_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return block_map_read(map_of(blk), offset, buf, len);
}

/* A disk that has another size than its parent would show it where it should have zeros. */
static enum status grow_to(struct blk *blk, uint64_t end)
{
	return end > blk->size ? vpc_resize(blk, round_up(end, VPC_SECTOR), PREALLOC_OFF) : ST_OK;
}

static enum status dynamic_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	enum status st = grow_to(blk, offset + len);

	return st == ST_OK ? block_map_write(map_of(blk), offset, buf, len) : st;
}

static enum status dynamic_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	enum status st = grow_to(blk, offset + len);

	return st == ST_OK ? block_map_zero(map_of(blk), offset, len) : st;
}

static enum status dynamic_extent(struct blk *blk, uint64_t offset, uint64_t len,
				  struct extent *ret)
{
	return block_map_extent(map_of(blk), offset, len, ret);
}

static enum status dynamic_flush(struct blk *blk)
{
	enum status st = block_map_flush(map_of(blk));

	return st == ST_OK ? vpc_trim(vpc_of(blk)) : st;
}

static void count(void *user, uint64_t a, uint64_t b)
{
	(void)a;
	(void)b;
	++*(uint64_t *)user;
}

/* What is written to one block must not change another. */
static enum status check_places(const struct vpc_image *v, struct error *err)
{
	uint64_t n_shared = 0;
	enum status st = vpc_check_entries(v, err);

	if (st != ST_OK)
		return st;
	if (vpc_each_overlap(v, count, &n_shared) != ST_OK)
		return fail_no_memory(err);
	return n_shared == 0
		       ? ST_OK
		       : fail(err, ST_CORRUPT,
			      "%ju blocks share a part of the file with another one, and it can "
			      "only be read; 'efi-img check' names them",
			      n_shared);
}

/* Why the image can only be read, if it can. */
static enum status check_writable(const struct vpc_image *v, struct error *err)
{
	if (v->footer.saved_state != 0)
		return fail(err, ST_UNSUPPORTED,
			    "it belongs to a virtual machine that is suspended, which would not "
			    "expect other contents; shut the machine down first");
	if (v->end_footer_bytes != VPC_FOOTER_BYTES)
		return fail(err, ST_UNSUPPORTED,
			    "images with a footer of %u bytes (Virtual PC before 2004) can only be "
			    "read; convert it",
			    v->end_footer_bytes);
	if (v->type == VPC_FIXED)
		return ST_OK;
	if (v->at_front != VPC_GOOD)
		return fail(err, ST_CORRUPT,
			    "its footer at offset 0 is damaged, and it can only be read; "
			    "'efi-img check -r all' restores it from the one at the end");
	if (!v->header_good)
		return fail(err, ST_CORRUPT,
			    "the checksum of its header does not fit, and it can only be read");
	if (v->bat_at % VPC_SECTOR != 0 || v->header_at % VPC_SECTOR != 0)
		return fail(err, ST_UNSUPPORTED,
			    "its header or BAT does not begin with a sector (offsets %ju, %ju); it "
			    "can only be read",
			    v->header_at, v->bat_at);
	return check_places(v, err);
}

/* Finds where the next block goes, and whether the end is as it should be. */
static void prepare_end(struct vpc_image *v)
{
	uint64_t file_bytes = vpc_file(v)->size;
	bool good = v->at_end == VPC_GOOD;

	if (!v->has_end) {
		v->next = vpc_used_end(v);
		return;
	}
	v->footer_at = good ? file_bytes - VPC_FOOTER_BYTES : file_bytes;
	v->next = max_u64(round_up(v->footer_at, VPC_SECTOR), vpc_used_end(v));
	v->end_due = !good || memcmp(&v->footer, &v->end_footer, sizeof v->footer) != 0;
}

static enum status load_blocks(struct vpc_image *v, struct error *err)
{
	static const struct blk_ops read_ops = { .read = dynamic_read,
						 .extent = dynamic_extent,
						 .close = image_close_blk };
	static const struct blk_ops write_ops = {
		.read = dynamic_read,
		.write = dynamic_write,
		.zero = dynamic_zero,
		.extent = dynamic_extent,
		.flush = dynamic_flush,
		.resize = vpc_resize,
		.close = image_close_blk,
	};
	bool write = v->image.mode == OPEN_WRITE;
	enum status st = vpc_read_bat(v, err);

	if (st == ST_OK && v->type == VPC_DIFFERENCING)
		st = vpc_check_parent(v, err);
	if (st == ST_OK && write)
		st = check_writable(v, err);
	if (st != ST_OK)
		return st;
	if (table_cache_init(&v->bitmaps, vpc_file(v), v->bitmap_bytes) != ST_OK)
		return fail_no_memory(err);
	if (write)
		prepare_end(v);
	v->image.blk.ops = write ? &write_ops : &read_ops;
	return ST_OK;
}

static enum status vpc_load(struct image *image, struct error *err)
{
	struct vpc_image *v = (struct vpc_image *)image;
	enum status st = ST_OK;

	if (v->type != VPC_FIXED)
		return load_blocks(v, err);
	if (image->mode == OPEN_WRITE)
		st = check_writable(v, err);
	return st == ST_OK ? load_fixed(image) : st;
}

static uint64_t vpc_step(const struct image *image, uint64_t offset)
{
	const struct vpc_image *v = (const struct vpc_image *)image;

	return v->type == VPC_FIXED ? image->size - offset
				    : v->map.block_bytes - offset % v->map.block_bytes;
}

/* ---- changing ---- */

static enum status vpc_make_empty(struct image *image)
{
	struct vpc_image *v = (struct vpc_image *)image;
	enum status st = dynamic_flush(&image->blk);

	for (uint64_t i = 0; st == ST_OK && i < v->n_blocks; i++)
		if (vpc_entry(v, i) != VPC_NO_BLOCK)
			vpc_set_entry(v, i, VPC_NO_BLOCK);
	if (st == ST_OK)
		st = vpc_write_bat(v);
	if (st == ST_OK)
		st = blk_flush(vpc_file(v));
	if (st != ST_OK)
		return st;
	table_cache_forget(&v->bitmaps, 0);
	v->next = vpc_used_end(v);
	return vpc_trim(v);
}

static enum status vpc_store_zeros(struct image *image, uint64_t offset, uint64_t len)
{
	struct vpc_image *v = (struct vpc_image *)image;

	return v->type == VPC_FIXED ? blk_write_zeros(&image->blk, offset, len)
				    : block_map_store_zeros(&v->map, offset, len);
}

const struct image_format format_vpc = {
	.name = "vpc",
	.summary = "VHD of Virtual PC, Hyper-V and Azure, fixed or dynamic",
	.instance_bytes = sizeof(struct vpc_image),
	.probe = vpc_probe,
	.open = vpc_open,
	.close = vpc_close,
	.load = vpc_load,
	.step = vpc_step,
	.create = {
		.options = vpc_create_options,
		.plan = vpc_plan,
		.measure = vpc_measure,
		.write_files = vpc_write_files,
		.finish = vpc_finish,
	},
	.check = { .check = vpc_check, .repair = vpc_repair },
	.change = {
		.plan_resize = vpc_plan_resize,
		.make_empty = vpc_make_empty,
		.store_zeros = vpc_store_zeros,
	},
};
