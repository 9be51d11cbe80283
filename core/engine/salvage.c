/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading a disk that cannot be read everywhere.
 *
 * A transfer that fails is halved until one block is left, so that as little as possible is lost;
 * that block is tried again, because drives succeed now and then at a later try. Where clusters are
 * compressed, the whole piece is lost: it cannot be decompressed without its beginning. A failure
 * that is not about one place (the device is gone, no memory) ends the reading at once: to look for
 * readable sectors on a disk that was pulled takes hours, and finds none.
 */
#include "engine/salvage.h"

#include "base/memory.h"
#include "base/range.h"

enum { BLOCK_BYTES = 512 };

bool salvage_is_local(enum status st)
{
	return st == ST_IO || st == ST_CORRUPT;
}

enum status salvage_map_at(struct image *image, uint64_t offset, uint64_t len,
			   struct disk_range *ret, struct progress *progress)
{
	uint64_t unit = max_u64(image->unit_bytes, BLOCK_BYTES);
	enum status st;

	for (;;) {
		st = progress_cancelled(progress) ? ST_CANCELLED
						  : disk_map_at(image, offset, len, ret);
		if (!salvage_is_local(st))
			return st;
		if (len <= unit - offset % unit)
			break;
		len = max_u64(len / 2, unit - offset % unit);
	}
	*ret = (struct disk_range){
		.length = len, .present = true, .data = true, .compressed = true, .image = image
	};
	return ST_OK;
}

/* What is read, and what happens where it cannot be. */
struct reading {
	struct image *image;
	const struct observers
		*observers;       /* get lost ranges; NULL: the first one ends the reading, */
	struct lost_range *first; /* and is stored here */
	struct progress *progress;
};

/* What cannot be divided any more. */
static enum status try_again(struct reading *r, uint64_t offset, uint8_t *buf, uint64_t len,
			     enum status st)
{
	struct lost_range range = { .image = r->image, .offset = offset, .length = len };

	for (int i = 0; i < SALVAGE_RETRIES && st == ST_IO; i++)
		st = progress_cancelled(r->progress)
			     ? ST_CANCELLED
			     : blk_read(&r->image->blk, offset, buf, (size_t)len);
	if (!salvage_is_local(st))
		return st;
	range.why = st;
	if (r->observers == NULL) {
		*r->first = range;
		return st;
	}
	memset(buf, 0, (size_t)len);
	observers_lost(r->observers, &range);
	return ST_OK;
}

/* One piece of the disk; it is divided at multiples of `block` only. */
static enum status read_piece(struct reading *r, uint64_t offset, uint8_t *buf, uint64_t len,
			      uint64_t block)
{
	enum status st = progress_cancelled(r->progress)
				 ? ST_CANCELLED
				 : blk_read(&r->image->blk, offset, buf, (size_t)len);
	uint64_t half;

	if (!salvage_is_local(st))
		return st;
	half = round_down(offset + len / 2, block);
	half = half > offset ? half - offset : block - offset % block;
	if (half >= len)
		return try_again(r, offset, buf, len, st);
	st = read_piece(r, offset, buf, half, block);
	return st == ST_OK ? read_piece(r, offset + half, buf + half, len - half, block) : st;
}

static enum status read_pieces(struct reading *r, uint64_t offset, uint8_t *buf, size_t len)
{
	enum status st = progress_cancelled(r->progress)
				 ? ST_CANCELLED
				 : blk_read(&r->image->blk, offset, buf, len);

	if (!salvage_is_local(st))
		return st;
	for (uint64_t done = 0; done < len;) {
		struct disk_range range;
		uint64_t block;

		st = salvage_map_at(r->image, offset + done, len - done, &range, r->progress);
		if (st != ST_OK)
			return st;
		block = range.compressed ? UINT64_MAX
					 : max_u64(range.image->data->block_bytes, BLOCK_BYTES);
		st = read_piece(r, offset + done, buf + done, range.length, block);
		if (st != ST_OK)
			return st;
		done += range.length;
	}
	return ST_OK;
}

enum status salvage_read(const struct observers *observers, struct image *image, uint64_t offset,
			 uint8_t *buf, size_t len, struct progress *progress)
{
	return read_pieces(&(struct reading){ .image = image,
					      .observers = observers,
					      .progress = progress },
			   offset, buf, len);
}

enum status salvage_read_strictly(struct image *image, uint64_t offset, uint8_t *buf, size_t len,
				  struct progress *progress, struct lost_range *ret)
{
	*ret = (struct lost_range){ .image = image, .offset = offset };
	return read_pieces(&(struct reading){ .image = image, .first = ret, .progress = progress },
			   offset, buf, len);
}

void salvage_print_place(const struct lost_range *range, struct out *out)
{
	uint32_t block = range->image->format->flat ? range->image->file[0].blk->block_bytes : 1;

	out_printf(out, "%ju bytes at offset %ju", range->length, range->offset);
	if (block > 1)
		out_printf(out, " (LBA %ju, blocks of %u bytes)", range->offset / block, block);
}
