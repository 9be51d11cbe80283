#include "job/salvage.h"

#include "base/memory.h"
#include "base/platform.h"
#include "base/range.h"

enum { BLOCK_BYTES = 512 };

/* Whether a failure is about the place that was read, and others may well be readable. */
static bool is_local(enum status st)
{
	return st == ST_IO || st == ST_CORRUPT;
}

enum status salvage_status(struct image *image, uint64_t offset, uint64_t len, struct disk_status *ret)
{
	uint64_t unit = max_u64(image->cluster_bytes, BLOCK_BYTES);
	enum status st;

	for (;;) {
		st = platform_cancelled() ? ST_CANCELLED : disk_status(image, offset, len, ret);
		if (!is_local(st))
			return st;
		if (len <= unit - offset % unit)
			break;
		len = max_u64(len / 2, unit - offset % unit);
	}
	*ret = (struct disk_status){ .length = len, .present = true, .data = true, .compressed = true, .image = image };
	return ST_OK;
}

static void note(struct salvage *s, const struct image *image, uint64_t offset, uint64_t length, enum status why)
{
	struct salvage_range *last = &s->range[s->n > 0 ? min_u64(s->n - 1, SALVAGE_RANGES_MAX) : 0];

	s->bytes += length;
	if (s->n > 0 && last->image == image && last->why == why && last->offset + last->length == offset) {
		last->length += length;
		return;
	}
	s->range[min_u64(s->n, SALVAGE_RANGES_MAX)] =
		(struct salvage_range){ .image = image, .offset = offset, .length = length, .why = why };
	s->n++;
}

/* One piece of the disk; it is divided at multiples of `block` only. */
static enum status read_piece(struct salvage *s, struct image *image, uint64_t offset, uint8_t *buf, uint64_t len, uint64_t block)
{
	enum status st = platform_cancelled() ? ST_CANCELLED : blk_read(&image->blk, offset, buf, (size_t)len);
	uint64_t half;

	if (!is_local(st))
		return st;
	half = round_down(offset + len / 2, block);
	half = half > offset ? half - offset : block - offset % block;
	if (half >= len) {
		memset(buf, 0, (size_t)len);
		note(s, image, offset, len, st);
		return ST_OK;
	}
	st = read_piece(s, image, offset, buf, half, block);
	return st == ST_OK ? read_piece(s, image, offset + half, buf + half, len - half, block) : st;
}

enum status salvage_read(struct salvage *s, struct image *image, uint64_t offset, uint8_t *buf, size_t len)
{
	enum status st = platform_cancelled() ? ST_CANCELLED : blk_read(&image->blk, offset, buf, len);

	if (!is_local(st))
		return st;
	for (uint64_t done = 0; done < len;) {
		struct disk_status status;
		uint64_t block;

		st = salvage_status(image, offset + done, len - done, &status);
		if (st != ST_OK)
			return st;
		block = status.compressed ? UINT64_MAX : max_u64(status.image->data->block_bytes, BLOCK_BYTES);
		st = read_piece(s, image, offset + done, buf + done, status.length, block);
		if (st != ST_OK)
			return st;
		done += status.length;
	}
	return ST_OK;
}

void salvage_print(const struct salvage *s, struct out *out, const char *target)
{
	for (size_t i = 0; i < s->n && i < SALVAGE_RANGES_MAX; i++) {
		const struct salvage_range *range = &s->range[i];

		out_printf(out, "efi-img: %s: lost: %ju bytes at offset %ju of the disk could not be read: %s\n", range->image->name,
			   range->length, range->offset, status_text(range->why));
	}
	if (s->n > SALVAGE_RANGES_MAX)
		out_printf(out, "efi-img: and %ju more such ranges behind them\n", s->n - SALVAGE_RANGES_MAX);
	if (s->bytes > 0)
		out_printf(out, "efi-img: %s: %ju bytes of it are zeros because they could not be read\n", target, s->bytes);
}
