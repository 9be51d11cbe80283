/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * bochs: growing images of the Bochs emulator ("redologs"), versions 1 and 2, for reading only.
 *
 * A header of 512 bytes; the catalog, a 32-bit number for each extent of the disk (512 bytes to
 * 8 MiB); and the extents that exist, each a bitmap and its data, in the order in which the guest
 * wrote to them for the first time. Extent number n begins at the end of the catalog plus n times
 * the size of bitmap and data, both in whole sectors. A bit of the bitmap, the least significant
 * one first, says whether a sector was written. What was not, and extents with the number
 * 0xffffffff, are zeros. All integers are little-endian. There is no specification but the
 * program's own source, iodev/hdimage (redolog_t).
 *
 * Refused by name: images of the subtypes "Undoable" and "Volatile", which are changes to another
 * image that they do not name; other versions; numbers that contradict each other; an extent that
 * ends past the end of the file. Memory: the catalog, at most 4 MiB, and one bitmap.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "format/block_map.h"
#include "format/image.h"

enum {
	SECTOR = 512,
	VERSION_1 = 0x10000, /* without a time before the size of the disk */
	VERSION_2 = 0x20000,
	EXTENT_BYTES_MAX = 8 << 20,
	CATALOG_MAX = 0x100000, /* entries */
	BITMAP_BYTES_MAX = EXTENT_BYTES_MAX,
};

#define NO_EXTENT UINT32_C(0xffffffff)

struct header {
	char magic[32], type[16], subtype[16];
	le32 version;
	le32 header_bytes;
	le32 n_catalog;
	le32 bitmap_bytes;
	le32 extent_bytes;
	union {
		le64 disk_bytes_1;
		struct {
			le32 time;
			le64 disk_bytes_2;
		} v2;
	} end;
};
_Static_assert(sizeof(struct header) == 96, "");
_Static_assert(offsetof(struct header, version) == 64, "");
_Static_assert(offsetof(struct header, end.disk_bytes_1) == 84, "");
_Static_assert(offsetof(struct header, end.v2.disk_bytes_2) == 88, "");

struct bochs {
	struct image image;
	struct block_map map;
	uint32_t *catalog;     /* n_extents numbers */
	uint64_t n_extents;    /* of the disk */
	uint64_t first;        /* offset of extent number 0 */
	uint64_t bitmap_bytes; /* in whole sectors */
	uint64_t stride;       /* from an extent to the next: bitmap and data */
	uint64_t bitmap_index; /* of the extent whose bitmap is in `bitmap`; n_extents: none */
	uint8_t *bitmap;       /* a bit for each sector of an extent */
	size_t bitmap_has_bytes;
};

static const char magic[] = "Bochs Virtual HD Image";

static int bochs_probe(const struct image_probe *probe)
{
	return memcmp(probe->head, magic, sizeof magic) == 0 ? PROBE_CERTAIN : 0;
}

/* ---- opening ---- */

static enum status check_kind(const struct header *header, struct error *err)
{
	uint32_t version = le32_get(header->version);

	if (memcmp(header->magic, magic, sizeof magic) != 0)
		return fail(err, ST_CORRUPT,
			    "this is no Bochs image: it does not begin with \"%s\"", magic);
	if (memcmp(header->type, "Redolog", sizeof "Redolog") != 0)
		return fail(err, ST_UNSUPPORTED,
			    "Bochs images of a type other than Redolog are not supported");
	if (memcmp(header->subtype, "Undoable", sizeof "Undoable") == 0 ||
	    memcmp(header->subtype, "Volatile", sizeof "Volatile") == 0)
		return fail(err, ST_UNSUPPORTED,
			    "this %s Bochs image has changes to another image, which it does not "
			    "name; commit it with bximage first",
			    header->subtype[0] == 'U' ? "undoable" : "volatile");
	if (memcmp(header->subtype, "Growing", sizeof "Growing") != 0)
		return fail(err, ST_UNSUPPORTED,
			    "Bochs images of a subtype other than Growing are not supported");
	if (version != VERSION_1 && version != VERSION_2)
		return fail(err, ST_UNSUPPORTED, "Bochs images of version 0x%x are not supported",
			    version);
	return ST_OK;
}

/* Takes over what the header says of sizes. */
static enum status take_sizes(struct bochs *b, const struct header *header, struct error *err)
{
	uint32_t extent_bytes = le32_get(header->extent_bytes),
		 bitmap_bytes = le32_get(header->bitmap_bytes),
		 n_catalog = le32_get(header->n_catalog);
	uint64_t disk_bytes = le32_get(header->version) == VERSION_1
				      ? le64_get(header->end.disk_bytes_1)
				      : le64_get(header->end.v2.disk_bytes_2);

	if (!is_power_of_two(extent_bytes) || extent_bytes < SECTOR ||
	    extent_bytes > EXTENT_BYTES_MAX)
		return fail(err, ST_CORRUPT,
			    "the extent size of %u bytes is not a power of two from 512 bytes to "
			    "8 MiB",
			    extent_bytes);
	b->bitmap_has_bytes = (size_t)div_up(extent_bytes / SECTOR, 8);
	if (bitmap_bytes < b->bitmap_has_bytes || bitmap_bytes > BITMAP_BYTES_MAX)
		return fail(err, ST_CORRUPT,
			    "the bitmap size of %u bytes does not fit to extents of %u bytes",
			    bitmap_bytes, extent_bytes);
	if (disk_bytes % SECTOR != 0 || disk_bytes > SIZE_LIMIT)
		return fail(err, ST_CORRUPT,
			    "the disk size of %ju bytes is not a whole number of sectors",
			    disk_bytes);
	if (n_catalog > CATALOG_MAX || div_up(disk_bytes, extent_bytes) > n_catalog)
		return fail(err, ST_CORRUPT,
			    "the catalog of %u entries does not fit to a disk of %ju bytes in "
			    "extents of %u",
			    n_catalog, disk_bytes, extent_bytes);
	b->image.size = disk_bytes;
	b->n_extents = div_up(disk_bytes, extent_bytes);
	b->bitmap_bytes = round_up(bitmap_bytes, SECTOR);
	b->stride = b->bitmap_bytes + extent_bytes;
	b->first = (uint64_t)le32_get(header->header_bytes) + (uint64_t)n_catalog * sizeof(le32);
	b->map.block_bytes = extent_bytes;
	b->map.size = disk_bytes;
	return ST_OK;
}

/* Each extent that there is lies in the file. */
static enum status check_catalog(const struct bochs *b, uint64_t file_bytes, struct error *err)
{
	for (uint64_t i = 0; i < b->n_extents; i++) {
		/* below 2^32 * 2^25 */
		uint64_t at = b->first + b->catalog[i] * b->stride;

		if (b->catalog[i] != NO_EXTENT && !range_ok(at, b->stride, file_bytes))
			return fail(err, ST_CORRUPT,
				    "catalog entry %ju (%u) points past the end of the file "
				    "(offset "
				    "%ju, size %ju); the file is incomplete",
				    i, b->catalog[i], at, file_bytes);
	}
	return ST_OK;
}

static enum status read_catalog(struct bochs *b, uint64_t header_bytes, struct error *err)
{
	struct blk *file = b->image.file[0].blk;
	size_t bytes = (size_t)b->n_extents * sizeof *b->catalog;
	enum status st;

	if (header_bytes < sizeof(struct header) || !range_ok(header_bytes, bytes, file->size))
		return fail(err, ST_CORRUPT,
			    "the header size of %ju bytes leaves no room for the catalog of %zu "
			    "bytes in a file of %ju",
			    header_bytes, bytes, file->size);
	b->catalog = mem_alloc(bytes);
	b->bitmap = mem_alloc(b->bitmap_has_bytes);
	if (b->catalog == NULL || b->bitmap == NULL)
		return fail_no_memory(err);
	st = blk_read(file, header_bytes, b->catalog, bytes);
	if (st != ST_OK)
		return fail(err, st, "reading the catalog: %s", status_text(st));
	for (uint64_t i = 0; i < b->n_extents; i++)
		b->catalog[i] = (uint32_t)bytes_from_le((const uint8_t *)&b->catalog[i], 4);
	b->bitmap_index = b->n_extents;
	return check_catalog(b, file->size, err);
}

static enum status bochs_open(struct image *image, struct error *err)
{
	struct bochs *b = (struct bochs *)image;
	struct header header;
	enum status st = blk_read_padded(image->file[0].blk, 0, &header, sizeof header);

	if (st != ST_OK)
		return fail(err, st, "reading the header: %s", status_text(st));
	st = check_kind(&header, err);
	if (st == ST_OK)
		st = take_sizes(b, &header, err);
	return st == ST_OK ? read_catalog(b, le32_get(header.header_bytes), err) : st;
}

static void bochs_close(struct image *image)
{
	struct bochs *b = (struct bochs *)image;

	mem_free(b->catalog);
	mem_free(b->bitmap);
}

/* ---- reading ---- */

static bool is_written(const struct bochs *b, uint64_t sector)
{
	return (b->bitmap[sector / 8] >> sector % 8 & 1) != 0;
}

static enum status read_bitmap(struct bochs *b, uint64_t index)
{
	enum status st;

	if (b->bitmap_index == index)
		return ST_OK;
	b->bitmap_index = b->n_extents;
	st = blk_read(b->image.file[0].blk, b->first + b->catalog[index] * b->stride, b->bitmap,
		      b->bitmap_has_bytes);
	if (st == ST_OK)
		b->bitmap_index = index;
	return st;
}

static enum status find(struct block_map *map, uint64_t offset, uint64_t len, struct block_run *ret)
{
	struct bochs *b = (struct bochs *)map->image;
	uint64_t index = offset / map->block_bytes, inside = offset % map->block_bytes;
	uint64_t n = min_u64(len, map->block_bytes - inside), end = round_up(inside + n, SECTOR);
	bool written;
	enum status st;

	if (b->catalog[index] == NO_EXTENT) {
		*ret = (struct block_run){ .state = BLOCK_ABSENT, .length = n };
		return ST_OK;
	}
	st = read_bitmap(b, index);
	if (st != ST_OK)
		return st;
	written = is_written(b, inside / SECTOR);
	for (uint64_t at = round_down(inside, SECTOR) + SECTOR; at < end; at += SECTOR)
		if (is_written(b, at / SECTOR) != written)
			end = at;
	*ret = (struct block_run){
		.state = written ? BLOCK_STORED : BLOCK_ABSENT,
		.length = end - inside,
		.offset = b->first + b->catalog[index] * b->stride + b->bitmap_bytes + inside,
	};
	return ST_OK;
}

static enum status bochs_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return block_map_read(&((struct bochs *)blk)->map, offset, buf, len);
}

static enum status bochs_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	return block_map_extent(&((struct bochs *)blk)->map, offset, len, ret);
}

static enum status bochs_load(struct image *image, struct error *err)
{
	static const struct blk_ops ops = { .read = bochs_read,
					    .extent = bochs_extent,
					    .close = image_close_blk };
	static const struct block_ops map_ops = { .find = find };
	struct bochs *b = (struct bochs *)image;

	(void)err;
	b->map.ops = &map_ops;
	b->map.file = image->file[0].blk;
	b->map.image = image;
	image->blk.ops = &ops;
	return ST_OK;
}

const struct image_format format_bochs = {
	.name = "bochs",
	.summary = "growing images of Bochs, for reading",
	.no_dirty_flag = true,
	.instance_bytes = sizeof(struct bochs),
	.probe = bochs_probe,
	.open = bochs_open,
	.close = bochs_close,
	.load = bochs_load,
};
