/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * blocks: a format that exists only for the tests, to prove that blocks can be larger than what is
 * copied at once, as those of a VHDX can be.
 *
 *   0     the magic, then the size of the disk and that of a block, as u64 LE, and the names of the
 *         backing file and of its format
 *   4096  a table with an entry of 16 bytes for each block: where in the file it is (u64 LE, 0:
 *         nowhere), and which of its 32 units are the image's own (u32 LE, a bit each)
 *   then, at a whole unit, the blocks, in the order in which they were first written to
 *
 * A block has 32 MiB, and a unit 1 MiB, unless power cuts are enumerated: then they are small.
 *
 * A unit that is not the image's own is what the backing file has there, or zeros.
 *
 * Write order: data, flush, table. A block that no entry names yet is read by nobody, and one that
 * was lost with the power is written over by the next one. The whole table is in memory: 512 KiB
 * per TiB.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "format/image.h"

enum {
	UNITS = 32, /* of a block */
	UNIT_BYTES_MIN = 512,
	UNIT_BYTES_MAX = 1 << 20,
	SIZE_AT = 64,
	BLOCK_AT = 72,
	TABLE_AT = 4096,
	ENTRY_BYTES = 16,
	BLOCKS_MAX = ((1 << 20) - TABLE_AT) / ENTRY_BYTES,
	NAME_AT = 256,
	FORMAT_AT = 1024,
	NAME_BYTES = 512,
};

static const char magic[] = "efi-img test format: blocks\n";

static const struct create_option options[] = {
	{ .name = "size", .type = OPTION_SIZE, .help = "size of the virtual disk" },
	{ .name = "backing_file", .type = OPTION_TEXT, .help = "the image that shows through" },
	{ .name = "backing_fmt", .type = OPTION_TEXT, .help = "format of the backing file" },
	{ .name = "block_size",
	  .type = OPTION_SIZE,
	  .default_text = "33554432",
	  .help = "size of a block, a power of two from 16k to 32M" },
	{ 0 },
};

struct blocks_image {
	struct image image; /* first */
	uint8_t head[TABLE_AT];
	struct entry {
		uint64_t offset; /* 0: the block is nowhere */
		uint32_t own;    /* a bit for each unit */
	} * table;
	uint64_t block_bytes, n_blocks, end; /* where the next block goes */
	uint32_t unit_bytes;
	uint8_t *unit;
	bool changed;
};

static struct blocks_image *blocks_of(struct blk *blk)
{
	return (struct blocks_image *)blk;
}

static struct blk *file_of(const struct blocks_image *b)
{
	return b->image.file[0].blk;
}

static int blocks_probe(const struct image_probe *probe)
{
	return memcmp(probe->head, magic, sizeof magic) == 0 ? PROBE_CERTAIN : 0;
}

static uint64_t first_block(uint64_t n_blocks, uint64_t block_bytes)
{
	return round_up(TABLE_AT + n_blocks * ENTRY_BYTES, block_bytes / UNITS);
}

static bool is_possible(uint64_t size, uint64_t block_bytes)
{
	return is_power_of_two(block_bytes) && block_bytes >= UNITS * UNIT_BYTES_MIN &&
	       block_bytes <= UNITS * UNIT_BYTES_MAX && div_up(size, block_bytes) <= BLOCKS_MAX;
}

/* ---- opening ---- */

static enum status read_name(const struct blocks_image *b, size_t at, char **ret, struct error *err)
{
	const char *name = (const char *)b->head + at;

	if (name[NAME_BYTES - 1] != '\0')
		return fail(err, ST_CORRUPT, "a name in its header is too long");
	*ret = name[0] != '\0' ? text_copy(name) : NULL;
	return name[0] == '\0' || *ret != NULL ? ST_OK : fail_no_memory(err);
}

static enum status read_table(struct blocks_image *b, struct error *err)
{
	size_t bytes = (size_t)b->n_blocks * ENTRY_BYTES;
	uint8_t *raw = mem_alloc(bytes);
	enum status st;

	b->table = mem_alloc((size_t)b->n_blocks * sizeof *b->table);
	if (raw == NULL || b->table == NULL) {
		mem_free(raw);
		return fail_no_memory(err);
	}
	st = blk_read_padded(file_of(b), TABLE_AT, raw, bytes);
	b->end = first_block(b->n_blocks, b->block_bytes);
	for (uint64_t i = 0; st == ST_OK && i < b->n_blocks; i++) {
		struct entry *entry = &b->table[i];

		entry->offset = bytes_from_le(raw + i * ENTRY_BYTES, 8);
		entry->own = (uint32_t)bytes_from_le(raw + i * ENTRY_BYTES + 8, 4);
		if (entry->offset % b->unit_bytes != 0 || entry->offset > SIZE_LIMIT / 2)
			entry->offset = entry->own = 0;
		if (entry->offset != 0)
			b->end = max_u64(b->end, entry->offset + b->block_bytes);
	}
	mem_free(raw);
	return st == ST_OK ? ST_OK : fail(err, st, "reading its table: %s", status_text(st));
}

static enum status blocks_open(struct image *image, struct error *err)
{
	struct blocks_image *b = (struct blocks_image *)image;
	enum status st = blk_read_padded(file_of(b), 0, b->head, sizeof b->head);

	if (st != ST_OK)
		return fail(err, st, "reading its header: %s", status_text(st));
	if (memcmp(b->head, magic, sizeof magic) != 0)
		return fail(err, ST_CORRUPT, "it is no image of the format blocks");
	image->size = bytes_from_le(b->head + SIZE_AT, 8);
	b->block_bytes = bytes_from_le(b->head + BLOCK_AT, 8);
	if (image->size % 512 != 0 || !is_possible(image->size, b->block_bytes))
		return fail(err, ST_CORRUPT, "its disk of %ju bytes is more than there can be",
			    image->size);
	b->n_blocks = div_up(image->size, b->block_bytes);
	b->unit_bytes = (uint32_t)(b->block_bytes / UNITS);
	image->cluster_bytes = (uint32_t)b->block_bytes;
	image->unit_bytes = b->unit_bytes;
	st = read_name(b, NAME_AT, &image->backing_name, err);
	if (st == ST_OK)
		st = read_name(b, FORMAT_AT, &image->backing_format, err);
	return st == ST_OK ? read_table(b, err) : st;
}

static void blocks_close(struct image *image)
{
	struct blocks_image *b = (struct blocks_image *)image;

	mem_free(b->table);
	mem_free(b->unit);
}

/* ---- reading ---- */

static bool is_own(const struct blocks_image *b, uint64_t offset)
{
	const struct entry *entry = &b->table[offset / b->block_bytes];

	return entry->offset != 0 &&
	       (entry->own >> offset % b->block_bytes / b->unit_bytes & 1) != 0;
}

static uint64_t place_of(const struct blocks_image *b, uint64_t offset)
{
	return b->table[offset / b->block_bytes].offset + offset % b->block_bytes;
}

static uint64_t left_in_unit(const struct blocks_image *b, uint64_t offset, uint64_t len)
{
	return min_u64(len, b->unit_bytes - offset % b->unit_bytes);
}

static enum status blocks_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	struct blocks_image *b = blocks_of(blk);
	uint8_t *to = buf;
	enum status st = ST_OK;

	for (size_t n; st == ST_OK && len > 0; offset += n, to += n, len -= n) {
		n = (size_t)left_in_unit(b, offset, len);
		st = is_own(b, offset) ? blk_read_padded(file_of(b), place_of(b, offset), to, n)
				       : image_read_backing(&b->image, offset, to, n);
	}
	return st;
}

static enum status blocks_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	const struct blocks_image *b = blocks_of(blk);
	bool own = is_own(b, offset);
	uint64_t n = left_in_unit(b, offset, len);

	while (n < len && (offset + n) % b->block_bytes != 0 && is_own(b, offset + n) == own)
		n += left_in_unit(b, offset + n, len - n);
	*ret = (struct extent){ .length = n,
				.allocated = own,
				.data = own,
				.has_offset = own,
				.offset = own ? place_of(b, offset) : 0 };
	return ST_OK;
}

/* ---- writing ---- */

/* Gives the block at `offset` a place. */
static enum status allocate(struct blocks_image *b, uint64_t offset)
{
	struct entry *entry = &b->table[offset / b->block_bytes];
	enum status st;

	if (entry->offset != 0)
		return ST_OK;
	st = file_of(b)->size < b->end + b->block_bytes
		     ? blk_resize(file_of(b), b->end + b->block_bytes, PREALLOC_OFF)
		     : ST_OK;
	if (st != ST_OK)
		return st;
	*entry = (struct entry){ .offset = b->end };
	b->end += b->block_bytes;
	b->changed = true;
	return ST_OK;
}

static void take_unit(struct blocks_image *b, uint64_t offset)
{
	b->table[offset / b->block_bytes].own |= UINT32_C(1)
						 << offset % b->block_bytes / b->unit_bytes;
	b->changed = true;
}

/* Bytes of one unit; the rest of it stays what it was. */
static enum status write_unit(struct blocks_image *b, uint64_t offset, const uint8_t *from,
			      size_t n)
{
	uint64_t unit = round_down(offset, b->unit_bytes);
	size_t has = (size_t)min_u64(b->unit_bytes, b->image.blk.size - unit);
	enum status st;

	if (is_own(b, offset))
		return blk_write(file_of(b), place_of(b, offset), from, n);
	memset(b->unit, 0, b->unit_bytes);
	st = image_read_backing(&b->image, unit, b->unit, has);
	if (st == ST_OK)
		st = allocate(b, unit);
	if (st != ST_OK)
		return st;
	memcpy(b->unit + offset % b->unit_bytes, from, n);
	st = blk_write(file_of(b), place_of(b, unit), b->unit, b->unit_bytes);
	if (st == ST_OK)
		take_unit(b, unit);
	return st;
}

static enum status blocks_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct blocks_image *b = blocks_of(blk);
	const uint8_t *from = buf;
	enum status st = ST_OK;

	for (size_t n; st == ST_OK && len > 0; offset += n, from += n, len -= n) {
		n = (size_t)left_in_unit(b, offset, len);
		st = write_unit(b, offset, from, n);
	}
	return st;
}

static enum status blocks_store_zeros(struct image *image, uint64_t offset, uint64_t len)
{
	struct blocks_image *b = (struct blocks_image *)image;
	uint8_t *zeros = mem_alloc(b->unit_bytes);
	enum status st = zeros != NULL ? ST_OK : ST_NO_MEMORY;

	for (uint64_t n; st == ST_OK && len > 0; offset += n, len -= n) {
		n = left_in_unit(b, offset, len);
		st = write_unit(b, offset, zeros, (size_t)n);
	}
	mem_free(zeros);
	return st;
}

/* Where nothing is stored and nothing shows through, it is zeros already. */
static enum status blocks_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	struct blocks_image *b = blocks_of(blk);
	enum status st = ST_OK;

	for (uint64_t n; st == ST_OK && len > 0; offset += n, len -= n) {
		n = left_in_unit(b, offset, len);
		if (b->image.backing != NULL || is_own(b, offset))
			st = blocks_store_zeros(&b->image, offset, n);
	}
	return st;
}

static enum status write_table(const struct blocks_image *b)
{
	size_t bytes = (size_t)b->n_blocks * ENTRY_BYTES;
	uint8_t *raw = mem_alloc(bytes);
	enum status st;

	if (raw == NULL)
		return ST_NO_MEMORY;
	for (uint64_t i = 0; i < b->n_blocks; i++) {
		bytes_to_le(raw + i * ENTRY_BYTES, 8, b->table[i].offset);
		bytes_to_le(raw + i * ENTRY_BYTES + 8, 4, b->table[i].own);
	}
	st = blk_write(file_of(b), TABLE_AT, raw, bytes);
	mem_free(raw);
	return st;
}

static enum status blocks_flush(struct blk *blk)
{
	struct blocks_image *b = blocks_of(blk);
	enum status st = blk_flush(file_of(b));

	if (st != ST_OK || !b->changed)
		return st;
	st = write_table(b);
	if (st == ST_OK)
		st = blk_flush(file_of(b));
	b->changed = st != ST_OK;
	return st;
}

static enum status blocks_load(struct image *image, struct error *err)
{
	static const struct blk_ops read_ops = { .read = blocks_read,
						 .extent = blocks_extent,
						 .close = image_close_blk };
	static const struct blk_ops write_ops = {
		.read = blocks_read,
		.write = blocks_write,
		.zero = blocks_zero,
		.extent = blocks_extent,
		.flush = blocks_flush,
		.close = image_close_blk,
	};
	struct blocks_image *b = (struct blocks_image *)image;

	image->blk.ops = image->mode == OPEN_WRITE ? &write_ops : &read_ops;
	b->unit = mem_alloc(b->unit_bytes);
	return b->unit != NULL ? ST_OK : fail_no_memory(err);
}

/* ---- changing ---- */

static enum status blocks_plan_resize(const struct image *image, uint64_t size,
				      enum prealloc prealloc, uint64_t ret[], struct error *err)
{
	(void)prealloc;
	if (size != image->size)
		return fail(err, ST_UNSUPPORTED, "images of the tests keep their size");
	ret[0] = image->file[0].blk->size;
	return ST_OK;
}

static enum status put_names(uint8_t *head, const char *name, const char *format, struct error *err)
{
	memset(head + NAME_AT, 0, FORMAT_AT + NAME_BYTES - NAME_AT);
	if (name != NULL && text_length(name) >= NAME_BYTES)
		return fail(err, ST_TOO_LARGE, "the name of the backing file is too long");
	if (name != NULL)
		memcpy(head + NAME_AT, name, text_length(name));
	if (format != NULL && text_length(format) < NAME_BYTES)
		memcpy(head + FORMAT_AT, format, text_length(format));
	return ST_OK;
}

static enum status blocks_set_backing(struct image *image, const char *name, const char *format,
				      bool write, struct error *err)
{
	struct blocks_image *b = (struct blocks_image *)image;
	enum status st = put_names(b->head, name, format, err);

	if (st != ST_OK || !write)
		return st;
	st = blk_write(file_of(b), 0, b->head, sizeof b->head);
	if (st == ST_OK)
		st = blk_flush(file_of(b));
	return st == ST_OK ? ST_OK : fail(err, st, "writing its header: %s", status_text(st));
}

static enum status blocks_make_empty(struct image *image)
{
	struct blocks_image *b = (struct blocks_image *)image;

	memset(b->table, 0, (size_t)b->n_blocks * sizeof *b->table);
	b->changed = true;
	return blocks_flush(&image->blk);
}

/* ---- checking ---- */

/* Entries of blocks that end after the file, where a power cut has left a table ahead of it. */
static enum status count_wrong(struct image *image, bool repair, struct check_result *ret)
{
	struct blocks_image *b = (struct blocks_image *)image;

	*ret = (struct check_result){ .total_clusters = b->n_blocks };
	for (uint64_t i = 0; i < b->n_blocks; i++) {
		struct entry *entry = &b->table[i];

		ret->allocated_clusters += entry->offset != 0;
		if (entry->offset == 0 || range_ok(entry->offset, b->block_bytes, file_of(b)->size))
			continue;
		if (repair)
			*entry = (struct entry){ 0 };
		ret->corruptions += !repair;
		ret->corruptions_fixed += repair;
	}
	return repair && ret->corruptions_fixed > 0 ? write_table(b) : ST_OK;
}

static enum status blocks_check(struct image *image, struct out *problems, struct check_result *ret,
				struct error *err)
{
	(void)problems;
	(void)err;
	return count_wrong(image, false, ret);
}

static enum status blocks_repair(struct image *image, enum repair what, struct out *problems,
				 struct check_result *ret, struct error *err)
{
	enum status st = count_wrong(image, what == REPAIR_ALL, ret);

	(void)problems;
	return st == ST_OK ? ST_OK : fail(err, st, "writing its table: %s", status_text(st));
}

/* ---- creating ---- */

static enum status check_request(const struct create_request *request, struct error *err)
{
	uint64_t block_bytes = create_value(request->options, "block_size")->number;

	return is_possible(request->size, block_bytes)
		       ? ST_OK
		       : fail(err, ST_TOO_LARGE,
			      "a disk of %ju bytes in blocks of %ju is more than there can be",
			      request->size, block_bytes);
}

/* Of a request that check_request() has accepted. */
static uint64_t first_block_of(const struct create_request *request)
{
	uint64_t block_bytes = create_value(request->options, "block_size")->number;

	return first_block(div_up(request->size, block_bytes), block_bytes);
}

static enum status blocks_plan(const struct create_request *request, struct create_plan *ret,
			       struct error *err)
{
	enum status st = check_request(request, err);

	return st == ST_OK ? create_plan_add(ret, request->file_name, first_block_of(request),
					     PREALLOC_OFF, err)
			   : st;
}

static enum status blocks_measure(const struct create_request *request, const struct image *source,
				  struct image_measure *ret, struct error *err)
{
	uint64_t block_bytes = create_value(request->options, "block_size")->number, data;
	enum status st = check_request(request, err);

	(void)source;
	if (st != ST_OK)
		return st;
	data = round_up(request->size, block_bytes);
	*ret = (struct image_measure){ .full_bytes = first_block_of(request) + data,
				       .data_bytes = data,
				       .block_bytes = (uint32_t)block_bytes };
	return ST_OK;
}

static enum status blocks_write_files(const struct create_request *request,
				      struct blk *const file[], struct error *err)
{
	uint8_t head[TABLE_AT] = { 0 };
	enum status st = put_names(head, request->backing_name, request->backing_format, err);

	if (st != ST_OK)
		return st;
	memcpy(head, magic, sizeof magic);
	bytes_to_le(head + SIZE_AT, 8, request->size);
	bytes_to_le(head + BLOCK_AT, 8, create_value(request->options, "block_size")->number);
	st = blk_resize(file[0], first_block_of(request), PREALLOC_OFF);
	if (st == ST_OK)
		st = blk_write(file[0], 0, head, sizeof head);
	return st == ST_OK ? ST_OK : fail(err, st, "writing the image: %s", status_text(st));
}

const struct image_format format_blocks = {
	.name = "blocks",
	.summary = "of the tests: large blocks",
	.instance_bytes = sizeof(struct blocks_image),
	.probe = blocks_probe,
	.open = blocks_open,
	.close = blocks_close,
	.load = blocks_load,
	.create = {
		.options = options,
		.backing = true,
		.plan = blocks_plan,
		.measure = blocks_measure,
		.write_files = blocks_write_files,
	},
	.check = {
		.check = blocks_check,
		.repair = blocks_repair,
	},
	.change = {
		.plan_resize = blocks_plan_resize,
		.make_empty = blocks_make_empty,
		.set_backing = blocks_set_backing,
		.store_zeros = blocks_store_zeros,
	},
};
