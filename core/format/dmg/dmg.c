/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * dmg: disk images of macOS (UDIF), for reading only.
 *
 * The trailer of 512 bytes at the end ("koly") says where everything else is. A property list, or
 * in older images a resource fork, has a table of chunks for each partition and for the space
 * around them ("mish", in base64). A chunk is a run of sectors of the disk: zeros, free space,
 * bytes as they are, or bytes compressed by one of several methods, each chunk by itself. Their
 * order in the file is not that of the disk. All integers are big-endian. There is no
 * specification; the layout is that of QEMU's block/dmg.c, dmg2img, and images that hdiutil has
 * made.
 *
 * Chunks of zlib and bzip2 are read. Images with chunks of ADC, LZFSE or LZMA are described by
 * `info`, and refused by name when they are to be read. Refused as well: images in several
 * segments, tables whose chunks overlap, or leave out sectors of the disk, chunks that lie past the
 * end of the file. Encrypted and sparse images (and sparse bundles) are other formats:
 * core/format/foreign.c names them. An image is recognised by its trailer, never by its name.
 *
 * Checksums (CRC-32): of the data fork, and for each table of the contents of its chunks, without
 * free space; the trailer has that of all of these. check.c compares them.
 *
 * Memory: 40 bytes for each chunk; the description has at most 16 MiB, in base64, so that there are
 * at most 315000 chunks (a disk of 300 GiB as hdiutil makes them). A compressed chunk has at most
 * 64 MiB, hdiutil's have 256 KiB or 1 MiB.
 */
#include "format/dmg/dmg.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"

struct trailer {
	uint8_t magic[4];
	be32 version;
	be32 trailer_bytes;
	be32 flags;
	be64 running_offset;
	be64 data_offset, data_bytes;
	be64 resources_offset, resources_bytes;
	be32 segment, n_segments;
	uint8_t segment_id[16];
	struct dmg_checksum data_checksum;
	be64 list_offset, list_bytes;
	uint8_t reserved[120];
	struct dmg_checksum checksum;
	be32 variant;
	be64 n_sectors;
	uint8_t reserved_2[12];
};
_Static_assert(sizeof(struct trailer) == 512, "");
_Static_assert(offsetof(struct trailer, data_checksum) == 80, "");
_Static_assert(offsetof(struct trailer, list_offset) == 216, "");
_Static_assert(offsetof(struct trailer, checksum) == 352, "");
_Static_assert(offsetof(struct trailer, n_sectors) == 492, "");

/* Magic, version 4, and the length of the trailer. It may be followed by less than a sector. */
static const char signature[] = "koly\0\0\0\4\0\0\2";

/* Finds the trailer in the last PROBE_TAIL_BYTES of a file. NULL: there is none. */
static const uint8_t *find_trailer(const uint8_t *tail)
{
	for (size_t at = PROBE_TAIL_BYTES - sizeof(struct trailer);
	     at > PROBE_TAIL_BYTES - 2 * sizeof(struct trailer); at--)
		if (memcmp(tail + at, signature, sizeof signature) == 0)
			return tail + at;
	return NULL;
}

static int dmg_probe(const struct image_probe *probe)
{
	return probe->whole && !probe->device && find_trailer(probe->tail) != NULL ? PROBE_CERTAIN
										   : 0;
}

/* ---- opening ---- */

static enum status read_trailer(struct dmg *dmg, struct trailer *ret, struct error *err)
{
	uint8_t tail[PROBE_TAIL_BYTES] = { 0 };
	uint64_t size = dmg_file(dmg)->size;
	size_t n = (size_t)min_u64(size, sizeof tail);
	enum status st = n > 0 ? blk_read(dmg_file(dmg), size - n, tail + sizeof tail - n, n)
			       : ST_OK;
	const uint8_t *found = find_trailer(tail);

	if (st != ST_OK)
		return fail(err, st, "reading its trailer: %s", status_text(st));
	if (found == NULL)
		return fail(err, ST_CORRUPT,
			    "this is no dmg image: its last 512 bytes are not a trailer (koly)");
	memcpy(ret, found, sizeof *ret);
	return ST_OK;
}

static enum status take_trailer(struct dmg *dmg, const struct trailer *trailer, struct error *err)
{
	uint64_t n_sectors = be64_get(trailer->n_sectors);

	if (be32_get(trailer->n_segments) > 1)
		return fail(err, ST_UNSUPPORTED,
			    "this is segment %u of %u of a dmg image; convert it with hdiutil "
			    "first",
			    be32_get(trailer->segment), be32_get(trailer->n_segments));
	if (n_sectors > SIZE_LIMIT / DMG_SECTOR)
		return fail(err, ST_CORRUPT, "a disk of %ju sectors is more than there can be",
			    n_sectors);
	dmg->image.size = n_sectors * DMG_SECTOR;
	dmg->data_offset = be64_get(trailer->data_offset);
	dmg->data_bytes = be64_get(trailer->data_bytes);
	if (!range_ok(dmg->data_offset, dmg->data_bytes, dmg_file(dmg)->size))
		return fail(err, ST_CORRUPT,
			    "the data fork (offset %ju, %ju bytes) ends past the end of the file "
			    "(size %ju)",
			    dmg->data_offset, dmg->data_bytes, dmg_file(dmg)->size);
	dmg->data_checksum_type = be32_get(trailer->data_checksum.type);
	dmg->data_checksum = be32_get(trailer->data_checksum.value[0]);
	dmg->checksum_type = be32_get(trailer->checksum.type);
	dmg->checksum = be32_get(trailer->checksum.value[0]);
	return ST_OK;
}

static enum status dmg_open(struct image *image, struct error *err)
{
	struct dmg *dmg = (struct dmg *)image;
	struct trailer trailer;
	uint64_t list_bytes, resources_bytes;
	enum status st = read_trailer(dmg, &trailer, err);

	if (st == ST_OK)
		st = take_trailer(dmg, &trailer, err);
	if (st != ST_OK)
		return st;
	list_bytes = be64_get(trailer.list_bytes);
	resources_bytes = be64_get(trailer.resources_bytes);
	if (list_bytes > 0)
		st = dmg_read_list(dmg, be64_get(trailer.list_offset), list_bytes, err);
	else if (resources_bytes > 0)
		st = dmg_read_resources(dmg, be64_get(trailer.resources_offset), resources_bytes,
					err);
	else
		return fail(err, ST_CORRUPT,
			    "its trailer names neither a property list nor a resource fork, which "
			    "would tell where data is");
	return st == ST_OK ? dmg_sort_chunks(dmg, err) : st;
}

static void dmg_close(struct image *image)
{
	struct dmg *dmg = (struct dmg *)image;

	mem_free(dmg->chunk);
	mem_free(dmg->table);
	codec_close(dmg->zlib);
	codec_close(dmg->bzip2);
	chunk_cache_free(&dmg->cache);
}

/* ---- reading ---- */

enum status dmg_open_codecs(struct dmg *dmg)
{
	for (size_t i = 0; i < dmg->n_chunks; i++) {
		if (dmg->chunk[i].type == DMG_ZLIB && dmg->zlib == NULL) {
			dmg->zlib = codec_open(CODEC_ZLIB, CODEC_ONLY_DECOMPRESS);
			if (dmg->zlib == NULL)
				return ST_NO_MEMORY;
		}
		if (dmg->chunk[i].type == DMG_BZIP2 && dmg->bzip2 == NULL) {
			dmg->bzip2 = codec_open(CODEC_BZIP2, CODEC_ONLY_DECOMPRESS);
			if (dmg->bzip2 == NULL)
				return ST_NO_MEMORY;
		}
	}
	return ST_OK;
}

enum status dmg_read_chunk(struct dmg *dmg, size_t index, uint64_t skip, void *buf, size_t n)
{
	const struct dmg_chunk *chunk = &dmg->chunk[index];

	if (dmg_is_zero(chunk)) {
		memset(buf, 0, n);
		return ST_OK;
	}
	if (chunk->type == DMG_RAW)
		return blk_read(dmg_file(dmg), chunk->offset + skip, buf, n);
	return chunk_cache_read(&dmg->cache, dmg_file(dmg),
				&(struct chunk){ .index = index,
						 .bytes = (size_t)chunk->n_sectors * DMG_SECTOR,
						 .offset = chunk->offset,
						 .packed_bytes = (size_t)chunk->n_bytes,
						 .codec = chunk->type == DMG_ZLIB ? dmg->zlib
										  : dmg->bzip2 },
				(size_t)skip, buf, n);
}

static bool has_sector(const struct dmg_chunk *chunk, uint64_t sector)
{
	return sector >= chunk->sector && sector - chunk->sector < chunk->n_sectors;
}

/* The chunk that has a sector of the disk: the one that was used last, the next, or any. */
static size_t find_chunk(struct dmg *dmg, uint64_t sector)
{
	size_t low = 0, high = dmg->n_chunks - 1;

	if (has_sector(&dmg->chunk[dmg->recent], sector))
		return dmg->recent;
	if (dmg->recent < high && has_sector(&dmg->chunk[dmg->recent + 1], sector))
		return ++dmg->recent;
	while (low < high) {
		size_t middle = low + (high - low + 1) / 2;

		if (dmg->chunk[middle].sector <= sector)
			low = middle;
		else
			high = middle - 1;
	}
	dmg->recent = low;
	return low;
}

static enum status dmg_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct dmg *dmg = (struct dmg *)blk;
	uint8_t *to = buf;
	enum status st = ST_OK;

	for (size_t n; st == ST_OK && len > 0; offset += n, to += n, len -= n) {
		size_t index = find_chunk(dmg, offset / DMG_SECTOR);
		const struct dmg_chunk *chunk = &dmg->chunk[index];
		uint64_t skip = offset - chunk->sector * DMG_SECTOR;

		n = (size_t)min_u64(len, chunk->n_sectors * DMG_SECTOR - skip);
		st = dmg_read_chunk(dmg, index, skip, to, n);
	}
	return st;
}

static enum status dmg_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	struct dmg *dmg = (struct dmg *)blk;
	size_t index = find_chunk(dmg, offset / DMG_SECTOR);
	const struct dmg_chunk *chunk = &dmg->chunk[index];
	uint64_t skip = offset - chunk->sector * DMG_SECTOR;
	bool zero = dmg_is_zero(chunk), raw = chunk->type == DMG_RAW;

	*ret = (struct extent){
		.length = min_u64(len, chunk->n_sectors * DMG_SECTOR - skip),
		.allocated = true,
		.zero = zero,
		.data = !zero,
		.has_offset = raw,
		.offset = raw ? chunk->offset + skip : 0,
	};
	return ST_OK;
}

static enum status dmg_load(struct image *image, struct error *err)
{
	static const struct blk_ops ops = { .read = dmg_read,
					    .extent = dmg_extent,
					    .close = image_close_blk };
	struct dmg *dmg = (struct dmg *)image;
	const char *type = dmg_type_text(dmg->unsupported);

	if (dmg->unsupported != 0 && type == NULL)
		return fail(err, ST_UNSUPPORTED,
			    "it has chunks of type 0x%x, which efi-img does not read",
			    dmg->unsupported);
	if (dmg->unsupported != 0)
		return fail(err, ST_UNSUPPORTED,
			    "its chunks are compressed by %s, which efi-img does not read; convert "
			    "it with hdiutil first (-format UDZO)",
			    type);
	image->blk.ops = &ops;
	return dmg_open_codecs(dmg) == ST_OK ? ST_OK : fail_no_memory(err);
}

const struct image_format format_dmg = {
	.name = "dmg",
	.summary = "disk images of macOS (UDIF; zlib, bzip2), for reading",
	.no_dirty_flag = true,
	.instance_bytes = sizeof(struct dmg),
	.probe = dmg_probe,
	.open = dmg_open,
	.close = dmg_close,
	.load = dmg_load,
	.check = { .check = dmg_check },
};
