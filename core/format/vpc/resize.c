/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Another size for a dynamic disk. A BAT that has no room for more entries is written once more, at
 * the end of the file; the header, whose fields about it are in one sector, is what switches to it.
 *
 * Write order, flushed after each step. Larger: zeros in the last block after the old end of the
 * disk, where the block has data there; the entries of the new blocks, in the old BAT or in a new
 * one; the header; the footer at the end; the footer at the front. Smaller: the footers; the
 * entries of blocks that are gone. The footer at the front counts: when the power goes, the disk
 * has the old or the new size, and all that it had.
 *
 * A fixed disk keeps its size. Its only footer would have to move to the new end of the file, and
 * while the file is growing there would be none that a power cut could not take away.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/vpc/vpc.h"

enum { BLOCKS_MAX = 1 << 22 };

/* Whether the BAT has room for that many entries where it is, and no block is there. */
static bool bat_fits(const struct vpc_image *v, uint64_t n_blocks)
{
	uint64_t bytes = vpc_bat_bytes(n_blocks), end = v->bat_at + bytes;

	if (bytes > vpc_bat_bytes(be32_get(v->header.n_entries)) || end > v->footer_at ||
	    (v->header_at >= v->bat_at && v->header_at < end))
		return false;
	for (uint64_t i = 0; i < v->n_blocks; i++) {
		uint64_t at = vpc_block_at(vpc_entry(v, i));

		if (vpc_entry(v, i) != VPC_NO_BLOCK && at >= v->bat_at && at < end)
			return false;
	}
	return true;
}

enum status vpc_plan_resize(const struct image *image, uint64_t size, enum prealloc prealloc,
			    uint64_t ret[], struct error *err)
{
	const struct vpc_image *v = (const struct vpc_image *)image;
	uint64_t n_blocks;

	if (v->type == VPC_FIXED)
		return fail(err, ST_UNSUPPORTED,
			    "a fixed VHD keeps its size; convert it to a dynamic one, or to "
			    "another format");
	if (v->type == VPC_DIFFERENCING)
		return fail(err, ST_UNSUPPORTED,
			    "a differencing disk keeps the size of its parent");
	if (prealloc != PREALLOC_OFF)
		return fail(err, ST_UNSUPPORTED,
			    "option --preallocation: a dynamic VHD gets its blocks when they are "
			    "written");
	if (size > VPC_MAX_BYTES)
		return fail(err, ST_TOO_LARGE,
			    "a disk of %ju bytes is more than the 2040 GiB that a VHD can have",
			    size);
	n_blocks = div_up(size, v->map.block_bytes);
	if (n_blocks > BLOCKS_MAX)
		return fail(err, ST_TOO_LARGE,
			    "a disk of %ju bytes has more blocks of %u bytes than there can be "
			    "(%u)",
			    size, v->map.block_bytes, (unsigned)BLOCKS_MAX);
	ret[0] = v->next + sizeof v->footer + (bat_fits(v, n_blocks) ? 0 : vpc_bat_bytes(n_blocks));
	return ST_OK;
}

/* ---- larger ---- */

/* What the last block has after the end of the disk would show. */
static enum status clear_last_block(struct vpc_image *v)
{
	uint64_t inside = v->image.size % v->map.block_bytes, index = v->n_blocks - 1;
	uint64_t at;

	if (inside == 0 || vpc_entry(v, index) == VPC_NO_BLOCK)
		return ST_OK;
	at = vpc_block_at(vpc_entry(v, index)) + v->bitmap_bytes + inside;
	return blk_write_zeros(vpc_file(v), at, v->map.block_bytes - inside);
}

/* Gives the BAT in memory entries without blocks, up to n_blocks. */
static enum status extend_bat(struct vpc_image *v, uint64_t n_blocks)
{
	uint64_t old = (uint64_t)v->n_blocks * sizeof(be32), bytes = vpc_bat_bytes(n_blocks);
	uint8_t *bat = mem_alloc((size_t)bytes);
	bool *changed = mem_alloc((size_t)(bytes / VPC_SECTOR) * sizeof *changed);

	if (bat == NULL || changed == NULL) {
		mem_free(bat);
		mem_free(changed);
		return ST_NO_MEMORY;
	}
	memset(bat, 0xff, (size_t)bytes);
	memcpy(bat, v->bat, (size_t)old);
	for (uint64_t i = old / VPC_SECTOR; i < bytes / VPC_SECTOR; i++)
		changed[i] = true;
	mem_free(v->bat);
	mem_free(v->sector_changed);
	v->bat = bat;
	v->sector_changed = changed;
	v->n_blocks = (uint32_t)n_blocks;
	return ST_OK;
}

/* Makes room for a new BAT at the end of the file, and writes it there. */
static enum status move_bat(struct vpc_image *v)
{
	uint64_t bytes = vpc_bat_bytes(v->n_blocks), at = v->next + bytes;
	enum status st = vpc_write_footer(v, at);

	if (st == ST_OK)
		st = blk_flush(vpc_file(v));
	if (st != ST_OK)
		return st;
	v->bat_at = v->next;
	v->footer_at = v->next = at;
	v->end_due = false;
	for (uint64_t i = 0; i < bytes / VPC_SECTOR; i++)
		v->sector_changed[i] = true;
	return ST_OK;
}

/* The sector of the header that has the place of the BAT, its length and the checksum. */
static enum status write_header(struct vpc_image *v)
{
	struct vpc_header *h = &v->header;

	h->bat_at = be64_of(v->bat_at);
	h->n_entries = be32_of((uint32_t)max_u64(v->n_blocks, be32_get(h->n_entries)));
	h->checksum = be32_of(vpc_checksum(h, sizeof *h, offsetof(struct vpc_header, checksum)));
	return blk_write(vpc_file(v), v->header_at, h, VPC_SECTOR);
}

static enum status prepare_larger(struct vpc_image *v, uint64_t n_blocks)
{
	struct blk *file = vpc_file(v);
	bool fits = bat_fits(v, n_blocks);
	enum status st = v->n_blocks > 0 ? clear_last_block(v) : ST_OK;

	if (st == ST_OK && n_blocks > v->n_blocks) {
		st = extend_bat(v, n_blocks);
		if (st == ST_OK && !fits)
			st = move_bat(v);
		if (st == ST_OK)
			st = vpc_write_bat(v);
		if (st == ST_OK)
			st = blk_flush(file);
		if (st == ST_OK)
			st = write_header(v);
	}
	return st == ST_OK ? blk_flush(file) : st;
}

/* ---- both ways ---- */

static enum status write_footers(struct vpc_image *v, uint64_t size)
{
	struct blk *file = vpc_file(v);
	enum status st;

	/* libvhdi takes the size from the first of the two, which is for information only */
	v->footer.original_bytes = v->footer.disk_bytes = be64_of(size);
	vpc_set_largest_geometry(&v->footer);
	vpc_seal_footer(&v->footer);
	st = vpc_write_footer(v, v->footer_at);
	if (st == ST_OK)
		st = blk_flush(file);
	if (st == ST_OK)
		st = vpc_write_footer(v, 0);
	return st == ST_OK ? blk_flush(file) : st;
}

/* Blocks after the end of a smaller disk would show when it grows again. */
static enum status drop_blocks(struct vpc_image *v, uint64_t n_blocks)
{
	static const char xen[] = "tap\0";
	enum status st;

	for (uint64_t i = n_blocks; i < v->n_blocks; i++)
		if (vpc_entry(v, i) != VPC_NO_BLOCK)
			vpc_set_entry(v, i, VPC_NO_BLOCK);
	st = vpc_write_bat(v);
	if (st == ST_OK)
		st = blk_flush(vpc_file(v));
	if (st != ST_OK)
		return st;
	v->n_blocks = (uint32_t)n_blocks;
	table_cache_forget(&v->bitmaps, 0);
	/* XenServer has another table after the BAT, which nothing refers to */
	if (memcmp(v->footer.creator, xen, sizeof v->footer.creator) != 0)
		v->next = vpc_used_end(v);
	return ST_OK;
}

enum status vpc_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct vpc_image *v = vpc_of(blk);
	uint64_t n_blocks, file_bytes;
	struct error ignored; /* a blk reports a status only */
	enum status st;

	size = round_up(size, VPC_SECTOR);
	n_blocks = div_up(size, v->map.block_bytes);
	st = vpc_plan_resize(&v->image, size, prealloc, &file_bytes, &ignored);

	if (st == ST_OK && v->image.unfinished != NULL)
		st = ST_UNSUPPORTED; /* it has no footer to move yet */
	if (st == ST_OK)
		st = block_map_flush(&v->map);
	if (st == ST_OK && v->end_due)
		st = vpc_trim(v);
	if (st == ST_OK && size > v->image.size)
		st = prepare_larger(v, n_blocks);
	if (st == ST_OK)
		st = write_footers(v, size);
	if (st != ST_OK)
		return st;
	if (n_blocks < v->n_blocks)
		st = drop_blocks(v, n_blocks);
	v->image.size = v->map.size = blk->size = size;
	return st == ST_OK ? vpc_trim(v) : st;
}
