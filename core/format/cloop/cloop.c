/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * cloop: disks compressed in blocks, version 2.0, as create_compressed_fs writes them and Knoppix
 * used them, for reading only.
 *
 * A shell script of 128 bytes; the block size (a multiple of 512 up to 64 MiB) and the number of
 * blocks; a table of 64-bit offsets, one for each block and one for the end of the last; and the
 * blocks, each a stream of zlib that makes exactly one block, the last one too. The integers are
 * big-endian. There is no specification but the programs (cloop.h of cloop-utils).
 *
 * Refused by name: sizes that cannot be, a table or blocks past the end of the file. The table may
 * be gigabytes long, and is read as it is needed, through a cache of 16 MiB: that the offsets
 * ascend is looked at when a block is read, and of all of them by `check`, which also compares the
 * checksum (Adler-32) of each block. Besides the cache, a block that is not read as a whole takes
 * memory: up to 64 MiB, and twice that for its compressed bytes.
 *
 * Blocks of up to 2 MiB whose size is a power of two are units of the image: all processors
 * decompress them.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "format/chunk_cache.h"
#include "format/image.h"
#include "format/problems.h"
#include "format/table_cache.h"
#include "platform/person.h"

enum {
	SECTOR = 512,
	SCRIPT_BYTES = 128,
	TABLE_AT = 136,
	OFFSET_BYTES = 8,
	BLOCK_BYTES_MAX = CHUNK_BYTES_MAX,
	PAGE_BYTES = 65536, /* of the table, that are read at once */
};

struct cloop_header {
	uint8_t script[SCRIPT_BYTES];
	be32 block_bytes;
	be32 n_blocks;
};
_Static_assert(sizeof(struct cloop_header) == TABLE_AT, "");

struct cloop {
	struct image image;
	uint32_t block_bytes;
	uint64_t n_blocks;
	struct table_cache table; /* pages, from TABLE_AT on */
	struct chunk_cache chunks;
	struct codec *codec;
};

/* Where the compressed bytes of a block are. */
struct stored {
	uint64_t offset;
	uint64_t packed_bytes;
};

static const char signature[] = "#!/bin/sh\n#V2.0 Format\n";

static int cloop_probe(const struct image_probe *probe)
{
	return memcmp(probe->head, signature, sizeof signature - 1) == 0 ? PROBE_CERTAIN : 0;
}

static struct blk *file_of(const struct cloop *c)
{
	return c->image.file[0].blk;
}

/* ---- the table ---- */

static uint64_t table_end(const struct cloop *c)
{
	return TABLE_AT + (c->n_blocks + 1) * OFFSET_BYTES;
}

/* Reads entry `index` <= n_blocks. */
static enum status read_entry(struct cloop *c, uint64_t index, uint64_t *ret)
{
	uint64_t at = index * OFFSET_BYTES;
	uint8_t *page;
	enum status st = table_cache_get(&c->table, TABLE_AT + round_down(at, PAGE_BYTES), &page);

	if (st == ST_OK)
		*ret = bytes_from_be(page + at % PAGE_BYTES, OFFSET_BYTES);
	return st;
}

/* A compressed block is a little longer than a block at most; zlib's own limit is far below. */
static uint64_t packed_max(const struct cloop *c)
{
	return min_u64(2 * (uint64_t)c->block_bytes + 4096, 2 * (uint64_t)CHUNK_BYTES_MAX);
}

static bool is_possible(const struct cloop *c, uint64_t start, uint64_t end)
{
	return start >= table_end(c) && end > start && end <= file_of(c)->size &&
	       end - start <= packed_max(c);
}

/* ST_CORRUPT: the table makes no sense there. */
static enum status find_block(struct cloop *c, uint64_t index, struct stored *ret)
{
	uint64_t start, end;
	enum status st = read_entry(c, index, &start);

	if (st == ST_OK)
		st = read_entry(c, index + 1, &end);
	if (st != ST_OK)
		return st;
	if (!is_possible(c, start, end))
		return ST_CORRUPT;
	*ret = (struct stored){ start, end - start };
	return ST_OK;
}

/* ---- opening ---- */

static enum status take_header(struct cloop *c, const struct cloop_header *header,
			       struct error *err)
{
	uint64_t file_bytes = file_of(c)->size;

	c->block_bytes = be32_get(header->block_bytes);
	c->n_blocks = be32_get(header->n_blocks);
	if (memcmp(header->script, signature, sizeof signature - 1) != 0)
		return fail(err, ST_CORRUPT,
			    "this is no cloop image of version 2.0: it does not begin with its "
			    "script");
	if (c->block_bytes == 0 || c->block_bytes % SECTOR != 0 || c->block_bytes > BLOCK_BYTES_MAX)
		return fail(err, ST_CORRUPT,
			    "the block size of %u bytes is not a multiple of 512 up to 64 MiB",
			    c->block_bytes);
	if (table_end(c) > file_bytes)
		return fail(err, ST_CORRUPT,
			    "the table of %ju blocks ends past the end of the file (offset %ju, "
			    "size %ju); the file is incomplete",
			    c->n_blocks, table_end(c), file_bytes);
	return ST_OK;
}

/* The table begins after itself, and ends in the file: the entries between are looked at later. */
static enum status check_ends(struct cloop *c, struct error *err)
{
	uint64_t first, end, file_bytes = file_of(c)->size;
	enum status st = read_entry(c, 0, &first);

	if (st == ST_OK)
		st = read_entry(c, c->n_blocks, &end);
	if (st != ST_OK)
		return fail(err, st, "reading the table of offsets: %s", status_text(st));
	if (first < table_end(c))
		return fail(err, ST_CORRUPT,
			    "block 0 begins inside of the table (offset %ju, the table ends at "
			    "%ju)",
			    first, table_end(c));
	if (end > file_bytes)
		return fail(err, ST_CORRUPT,
			    "the last block ends past the end of the file (offset %ju, size %ju); "
			    "the file is incomplete",
			    end, file_bytes);
	return ST_OK;
}

static enum status cloop_open(struct image *image, struct error *err)
{
	struct cloop *c = (struct cloop *)image;
	struct cloop_header header;
	enum status st = blk_read_padded(file_of(c), 0, &header, sizeof header);

	if (st != ST_OK)
		return fail(err, st, "reading the header: %s", status_text(st));
	st = take_header(c, &header, err);
	if (st != ST_OK)
		return st;
	image->size = c->n_blocks * c->block_bytes; /* below 2^58 */
	if (c->block_bytes <= IMAGE_UNIT_MAX && is_power_of_two(c->block_bytes))
		image->unit_bytes = c->block_bytes;
	image->has_packed = true;
	image->compression = CODEC_ZLIB;
	c->codec = codec_open(CODEC_ZLIB, CODEC_ONLY_DECOMPRESS);
	if (c->codec == NULL || table_cache_init(&c->table, file_of(c), PAGE_BYTES) != ST_OK)
		return fail_no_memory(err);
	return check_ends(c, err);
}

static void cloop_close(struct image *image)
{
	struct cloop *c = (struct cloop *)image;

	table_cache_free(&c->table);
	chunk_cache_free(&c->chunks);
	codec_close(c->codec);
}

/* ---- reading ---- */

/* Reads `n` bytes at `skip` of a block. */
static enum status read_block(struct cloop *c, uint64_t index, size_t skip, uint8_t *to, size_t n)
{
	struct stored stored;
	enum status st = find_block(c, index, &stored);

	if (st != ST_OK)
		return st;
	return chunk_cache_read(&c->chunks, file_of(c),
				&(struct chunk){ .index = index,
						 .bytes = c->block_bytes,
						 .offset = stored.offset,
						 .packed_bytes = (size_t)stored.packed_bytes,
						 .codec = c->codec },
				skip, to, n);
}

static enum status cloop_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct cloop *c = (struct cloop *)blk;
	uint8_t *to = buf;
	enum status st = ST_OK;

	for (size_t n; st == ST_OK && len > 0; offset += n, to += n, len -= n) {
		size_t skip = (size_t)(offset % c->block_bytes);

		n = (size_t)min_u64(len, c->block_bytes - skip);
		st = read_block(c, offset / c->block_bytes, skip, to, n);
	}
	return st;
}

static enum status cloop_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	struct cloop *c = (struct cloop *)blk;
	struct stored stored = { 0 };
	enum status st = ST_OK;

	*ret = (struct extent){ .length = min_u64(len, c->block_bytes - offset % c->block_bytes),
				.allocated = true,
				.data = true };
	if (c->image.unit_bytes > 0)
		st = find_block(c, offset / c->block_bytes, &stored);
	else
		ret->length = len; /* nothing that reads it needs to know where a block ends */
	if (st != ST_OK || stored.packed_bytes == 0)
		return st;
	ret->compressed = true;
	ret->offset = stored.offset;
	ret->packed_bytes = (uint32_t)stored.packed_bytes;
	return ST_OK;
}

static enum status cloop_load(struct image *image, struct error *err)
{
	static const struct blk_ops ops = { .read = cloop_read,
					    .extent = cloop_extent,
					    .close = image_close_blk };

	(void)err;
	image->blk.ops = &ops;
	return ST_OK;
}

/* ---- checking ---- */

/* Looks at one block: its place, and whether it is what its checksum says. */
static enum status check_block(struct cloop *c, uint64_t index, uint8_t *block,
			       struct problems *problems)
{
	uint64_t start, end;
	enum status st = read_entry(c, index, &start);

	if (st == ST_OK)
		st = read_entry(c, index + 1, &end);
	if (st != ST_OK)
		return st;
	if (!is_possible(c, start, end)) {
		problems_add(problems, "corrupt",
			     "block %ju cannot be stored at 0x%jx to 0x%jx, in a file of 0x%jx "
			     "bytes",
			     index, start, end, file_of(c)->size);
		return ST_CORRUPT;
	}
	st = read_block(c, index, 0, block, c->block_bytes);
	if (st == ST_CORRUPT)
		problems_add(problems, "corrupt", "block %ju at 0x%jx cannot be decompressed",
			     index, start);
	else if (st != ST_OK && st != ST_NO_MEMORY)
		problems_add(problems, "not checked", "block %ju at 0x%jx: %s", index, start,
			     status_text(st));
	return st;
}

static enum status cloop_check(struct image *image, struct out *out, struct check_result *ret,
			       struct error *err)
{
	struct cloop *c = (struct cloop *)image;
	struct problems problems = { .out = out };
	uint8_t *block = mem_alloc(c->block_bytes);
	enum status st = block != NULL ? ST_OK : ST_NO_MEMORY;

	*ret = (struct check_result){ .total_clusters = c->n_blocks,
				      .allocated_clusters = c->n_blocks,
				      .compressed_clusters = c->n_blocks };
	for (uint64_t i = 0; i < c->n_blocks && st != ST_NO_MEMORY && st != ST_CANCELLED; i++) {
		st = platform_cancelled() ? ST_CANCELLED : check_block(c, i, block, &problems);
		ret->corruptions += st == ST_CORRUPT;
		ret->check_errors += st != ST_OK && st != ST_CORRUPT;
	}
	mem_free(block);
	if (st == ST_NO_MEMORY || st == ST_CANCELLED)
		return fail(err, st, "%s", status_text(st));
	return ST_OK;
}

const struct image_format format_cloop = {
	.name = "cloop",
	.summary = "disks compressed by cloop, version 2.0, for reading",
	.no_dirty_flag = true,
	.instance_bytes = sizeof(struct cloop),
	.probe = cloop_probe,
	.open = cloop_open,
	.close = cloop_close,
	.load = cloop_load,
	.check = { .check = cloop_check },
};
