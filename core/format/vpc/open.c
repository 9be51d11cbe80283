/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Recognising and opening a VHD. All that it says is checked here, before anything relies on it.
 *
 * Which of the two footers counts: a fixed disk has only the one at the end, and begins with
 * whatever the disk begins with, perhaps with another VHD; so a good footer at the end that says
 * "fixed" comes first. Of the others, that at the front counts, and if it is damaged, that at the
 * end. On a disk or partition the end of an image is not known: there, the front has to do.
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "format/vpc/vpc.h"

enum {
	/* what QEMU takes; it keeps the product with 4 in 31 bits */
	ENTRIES_MAX = 1 << 29,
	/* of the BAT in memory, 16 MiB: the largest disk there is in blocks of 512 KiB */
	BLOCKS_MAX = 1 << 22,
	BLOCK_BYTES_MIN = 512,
};

/* Takes a footer of 511 or 512 bytes out of the last 512 of the file; returns its length. */
static uint32_t take_end(const uint8_t last[static VPC_FOOTER_BYTES], struct vpc_footer *ret)
{
	struct vpc_footer old = { 0 };

	memcpy(&old, last + 1, VPC_OLD_FOOTER_BYTES);
	memcpy(ret, last, sizeof *ret);
	if (vpc_judge_footer(ret) != VPC_NONE || vpc_judge_footer(&old) == VPC_NONE)
		return VPC_FOOTER_BYTES;
	*ret = old;
	return VPC_OLD_FOOTER_BYTES;
}

int vpc_probe(const struct image_probe *probe)
{
	struct vpc_footer end;

	if (memcmp(probe->head, VPC_COOKIE, sizeof VPC_COOKIE - 1) == 0)
		return PROBE_CERTAIN;
	if (probe->device || !probe->whole || probe->size < VPC_OLD_FOOTER_BYTES)
		return 0;
	(void)take_end(probe->tail + PROBE_TAIL_BYTES - VPC_FOOTER_BYTES, &end);
	return vpc_judge_footer(&end) != VPC_NONE ? PROBE_CERTAIN : 0;
}

/* ---- the footers ---- */

static enum status read_footers(struct vpc_image *v, struct vpc_footer *ret_front,
				struct error *err)
{
	struct blk *file = vpc_file(v);
	uint8_t last[VPC_FOOTER_BYTES] = { 0 };
	size_t n = (size_t)min_u64(file->size, sizeof last);
	enum status st = blk_read_padded(file, 0, ret_front, sizeof *ret_front);

	v->has_end = file->device == NULL && v->image.unfinished == NULL;
	if (st == ST_OK && v->has_end)
		st = blk_read(file, file->size - n, last + sizeof last - n, n);
	if (st != ST_OK)
		return fail(err, st, "reading its footers: %s", status_text(st));
	v->end_footer_bytes = take_end(last, &v->end_footer);
	v->at_front = vpc_judge_footer(ret_front);
	v->at_end = vpc_judge_footer(&v->end_footer);
	return ST_OK;
}

static enum status choose_footer(struct vpc_image *v, struct error *err)
{
	struct vpc_footer front;
	enum status st = read_footers(v, &front, err);

	if (st != ST_OK)
		return st;
	if (v->at_end == VPC_GOOD &&
	    (v->at_front != VPC_GOOD || be32_get(v->end_footer.type) == VPC_FIXED)) {
		v->footer = v->end_footer;
		return ST_OK;
	}
	if (v->at_front == VPC_GOOD && be32_get(front.type) == VPC_FIXED)
		return fail(err, ST_CORRUPT,
			    "it begins with the footer of a fixed disk, which belongs at its end");
	v->footer = front;
	if (v->at_front == VPC_GOOD)
		return ST_OK;
	if (v->at_front == VPC_NONE && v->at_end == VPC_NONE)
		return fail(err, ST_CORRUPT,
			    "it has no footer (\"" VPC_COOKIE
			    "\"), neither in its first sector nor "
			    "in its last one; it may be cut off");
	if (v->at_front == VPC_NONE)
		v->footer = v->end_footer;
	return fail(err, ST_CORRUPT,
		    "the checksum of its footer at %s is 0x%08x, which does not fit its contents; "
		    "there is no other footer",
		    v->at_front == VPC_NONE ? "the end" : "offset 0", be32_get(v->footer.checksum));
}

/* What is the same for all types. */
static enum status check_footer(struct vpc_image *v, struct error *err)
{
	uint32_t version = be32_get(v->footer.version);

	v->type = be32_get(v->footer.type);
	v->image.size = vpc_disk_bytes(&v->footer);
	if (version >> 16 != VPC_VERSION >> 16)
		return fail(err, ST_UNSUPPORTED, "version 0x%08x of the format is not known",
			    version);
	if (v->type < VPC_FIXED || v->type > VPC_DIFFERENCING)
		return fail(err, ST_UNSUPPORTED,
			    "disks of type %u are not known; there are 2 (fixed), 3 (dynamic) and "
			    "4 (differencing)",
			    v->type);
	if (v->image.size > VPC_MAX_BYTES)
		return fail(err, ST_CORRUPT,
			    "a disk of %ju bytes, as its footer says, is more than the 2040 GiB "
			    "that a VHD can have",
			    v->image.size);
	return ST_OK;
}

static enum status open_fixed(struct vpc_image *v, struct error *err)
{
	uint64_t file_bytes = vpc_file(v)->size;

	/* It lacks the footer, and as many bytes of the disk as are not written yet. */
	if (v->image.unfinished != NULL)
		return ST_OK;
	if (range_ok(v->image.size, v->end_footer_bytes, file_bytes))
		return ST_OK;
	return fail(err, ST_CORRUPT,
		    "the file of %ju bytes is cut off: the disk has %ju bytes, and the footer %u",
		    file_bytes, v->image.size, v->end_footer_bytes);
}

/* ---- the header of a dynamic or differencing disk ---- */

static enum status read_header(struct vpc_image *v, struct error *err)
{
	struct blk *file = vpc_file(v);
	const struct vpc_header *h = &v->header;
	enum status st;

	v->header_at = be64_get(v->footer.header_at);
	if (!range_ok(v->header_at, sizeof *h, file->size))
		return fail(err, ST_CORRUPT,
			    "its header at offset %ju lies past the end of the file (%ju bytes)",
			    v->header_at, file->size);
	st = blk_read(file, v->header_at, &v->header, sizeof v->header);
	if (st != ST_OK)
		return fail(err, st, "reading its header: %s", status_text(st));
	if (memcmp(h->cookie, VPC_HEADER_COOKIE, sizeof h->cookie) != 0)
		return fail(err, ST_CORRUPT, "there is no header (\"%s\") at offset %ju",
			    VPC_HEADER_COOKIE, v->header_at);
	if (be32_get(h->version) >> 16 != VPC_VERSION >> 16)
		return fail(err, ST_UNSUPPORTED, "version 0x%08x of its header is not known",
			    be32_get(h->version));
	v->header_good = be32_get(h->checksum) ==
			 vpc_checksum(h, sizeof *h, offsetof(struct vpc_header, checksum));
	return ST_OK;
}

static enum status check_header(struct vpc_image *v, struct error *err)
{
	uint32_t block = be32_get(v->header.block_bytes), n = be32_get(v->header.n_entries);
	uint64_t n_blocks, file_bytes = vpc_file(v)->size;

	v->bat_at = be64_get(v->header.bat_at);
	if (block < BLOCK_BYTES_MIN || !is_power_of_two(block))
		return fail(err, ST_CORRUPT,
			    "blocks of %u bytes are not possible: a power of two from 512 on",
			    block);
	n_blocks = div_up(v->image.size, block);
	if (n > ENTRIES_MAX)
		return fail(err, ST_CORRUPT, "a BAT of %u entries is more than there can be (%u)",
			    n, (unsigned)ENTRIES_MAX);
	if (n_blocks > n)
		return fail(err, ST_CORRUPT,
			    "its BAT of %u entries is too short for a disk of %ju bytes in blocks "
			    "of %u",
			    n, v->image.size, block);
	if (n_blocks > BLOCKS_MAX)
		return fail(err, ST_UNSUPPORTED,
			    "blocks of %u bytes are too small for a disk of %ju bytes: they are "
			    "more than %u",
			    block, v->image.size, (unsigned)BLOCKS_MAX);
	if (!range_ok(v->bat_at, n_blocks * sizeof(be32), file_bytes))
		return fail(err, ST_CORRUPT,
			    "its BAT of %ju entries at offset %ju lies past the end of the file "
			    "(%ju bytes)",
			    n_blocks, v->bat_at, file_bytes);
	v->n_blocks = (uint32_t)n_blocks;
	v->bitmap_bytes = (uint32_t)round_up(div_up(block / VPC_SECTOR, 8), VPC_SECTOR);
	v->image.cluster_bytes = block;
	return ST_OK;
}

static enum status open_blocks(struct vpc_image *v, struct error *err)
{
	enum status st = read_header(v, err);

	if (st == ST_OK)
		st = check_header(v, err);
	if (st != ST_OK)
		return st;
	v->map = (struct block_map){
		.ops = &vpc_block_ops,
		.file = vpc_file(v),
		.image = &v->image,
		.size = v->image.size,
		.block_bytes = v->image.cluster_bytes,
	};
	return v->type == VPC_DIFFERENCING ? vpc_find_parent(v, err) : ST_OK;
}

enum status vpc_open(struct image *image, struct error *err)
{
	struct vpc_image *v = (struct vpc_image *)image;
	const struct create_request *unfinished = image->unfinished;
	enum status st;

	v->end_footer_bytes = VPC_FOOTER_BYTES;
	st = unfinished != NULL && vpc_is_fixed(unfinished)
		     ? vpc_new_footer(unfinished, &v->footer, err)
		     : choose_footer(v, err);
	if (st == ST_OK)
		st = check_footer(v, err);
	if (st != ST_OK)
		return st;
	return v->type == VPC_FIXED ? open_fixed(v, err) : open_blocks(v, err);
}

enum status vpc_read_bat(struct vpc_image *v, struct error *err)
{
	uint64_t bytes = vpc_bat_bytes(v->n_blocks), n_sectors = bytes / VPC_SECTOR;
	enum status st;

	if (v->bat != NULL)
		return ST_OK;
	v->bat = mem_alloc((size_t)max_u64(bytes, 1));
	v->sector_changed = mem_alloc((size_t)max_u64(n_sectors * sizeof *v->sector_changed, 1));
	if (v->bat == NULL || v->sector_changed == NULL) {
		mem_free(v->bat);
		mem_free(v->sector_changed);
		v->bat = NULL;
		v->sector_changed = NULL;
		return fail_no_memory(err);
	}
	st = bytes > 0 ? blk_read_padded(vpc_file(v), v->bat_at, v->bat, (size_t)bytes) : ST_OK;
	if (st == ST_OK)
		return ST_OK;
	mem_free(v->bat);
	mem_free(v->sector_changed);
	v->bat = NULL;
	v->sector_changed = NULL;
	return fail(err, st, "reading its BAT: %s", status_text(st));
}
