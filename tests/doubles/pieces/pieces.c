/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pieces: a format that exists only for the tests, to prove that an image can have any number of
 * files. It is to core/format/ what a VMDK with extents will be.
 *
 *   NAME       512 bytes: the magic, then the size of the disk and that of a piece, as u64 LE, then
 *              BASE, a text that ends with a zero byte
 *   BASE.0 ... the pieces of the disk one after the other, each a file; the last one may be shorter
 *
 * BASE is relative to the image: "NAME", or "folder/NAME".
 *
 * Write order of a new image: the pieces, then the header. There is no other metadata.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "base/bytes.h"
#include "format/image.h"
#include "platform/path.h"

enum {
	HEADER_BYTES = 512,
	SIZE_AT = 64,
	PIECE_AT = 72,
	BASE_AT = 128,
	BASE_BYTES = HEADER_BYTES - BASE_AT,
	PIECE_BYTES_MIN = 512,
	PIECES_MAX = 1 << 16,
};

static const char magic[] = "efi-img test format: pieces\n";

static const struct create_option options[] = {
	{ .name = "size", .type = OPTION_SIZE, .help = "size of the virtual disk" },
	{ .name = "piece",
	  .type = OPTION_SIZE,
	  .default_text = "1048576",
	  .help = "size of a piece, a multiple of 512" },
	{ .name = "folder", .type = OPTION_TEXT, .help = "where the pieces are, beside the image" },
	{ 0 },
};

struct header {
	uint64_t size, piece_bytes, n;
	char base[BASE_BYTES];
};

/* The name of a piece, relative to the image; the caller frees it. NULL: no memory. */
static char *piece_name(const char *base, uint64_t index)
{
	struct out_buffer out;
	size_t n = text_length(base) + 24;
	char *name = mem_alloc(n);

	if (name == NULL)
		return NULL;
	out_buffer_init(&out, name, n);
	out_printf(&out.out, "%s.%ju", base, index);
	return name;
}

static uint64_t piece_bytes_at(const struct header *h, uint64_t index)
{
	return min_u64(h->piece_bytes, h->size - index * h->piece_bytes);
}

static int pieces_probe(const struct image_probe *probe)
{
	return memcmp(probe->head, magic, sizeof magic) == 0 ? PROBE_CERTAIN : 0;
}

static enum status check_header(struct header *h, struct error *err)
{
	if (h->piece_bytes < PIECE_BYTES_MIN || h->piece_bytes % 512 != 0 || h->size % 512 != 0 ||
	    h->size > SIZE_LIMIT || div_up(h->size, h->piece_bytes) > PIECES_MAX)
		return fail(err, ST_INVALID, "a disk of %ju bytes cannot be in pieces of %ju",
			    h->size, h->piece_bytes);
	h->n = div_up(h->size, h->piece_bytes);
	return ST_OK;
}

static enum status read_header(struct blk *file, struct header *ret, struct error *err)
{
	uint8_t bytes[HEADER_BYTES];
	enum status st = blk_read_padded(file, 0, bytes, sizeof bytes);

	if (st != ST_OK)
		return fail(err, st, "reading its header: %s", status_text(st));
	if (memcmp(bytes, magic, sizeof magic) != 0 || bytes[HEADER_BYTES - 1] != 0)
		return fail(err, ST_CORRUPT, "it is no image of the format pieces");
	ret->size = bytes_from_le(bytes + SIZE_AT, 8);
	ret->piece_bytes = bytes_from_le(bytes + PIECE_AT, 8);
	memcpy(ret->base, bytes + BASE_AT, BASE_BYTES);
	return check_header(ret, err);
}

static enum status add_piece(struct image *image, const struct header *h, uint64_t index,
			     struct error *err)
{
	char *name = piece_name(h->base, index), *path;

	if (name == NULL)
		return fail_no_memory(err);
	path = path_relative_to(image->name, name);
	mem_free(name);
	return image_add_file(image, path, index * h->piece_bytes, piece_bytes_at(h, index), err);
}

static enum status pieces_open(struct image *image, struct error *err)
{
	struct header h;
	enum status st = read_header(image->file[0].blk, &h, err);

	if (st != ST_OK)
		return st;
	image->size = h.size;
	image->file[0].data_bytes = 0;
	for (uint64_t i = 0; st == ST_OK && i < h.n; i++)
		st = add_piece(image, &h, i, err);
	return st;
}

static struct blk *data_of(struct blk *blk)
{
	return ((struct image *)blk)->data;
}

static enum status pieces_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return blk_read(data_of(blk), offset, buf, len);
}

static enum status pieces_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	return blk_write(data_of(blk), offset, buf, len);
}

static enum status pieces_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	return blk_write_zeros(data_of(blk), offset, len);
}

static enum status pieces_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	return blk_extent(data_of(blk), offset, len, ret);
}

static enum status pieces_flush(struct blk *blk)
{
	return blk_flush(data_of(blk));
}

static enum status pieces_load(struct image *image, struct error *err)
{
	static const struct blk_ops read_ops = { .read = pieces_read,
						 .extent = pieces_extent,
						 .close = image_close_blk };
	static const struct blk_ops write_ops = {
		.read = pieces_read,
		.write = pieces_write,
		.zero = pieces_zero,
		.extent = pieces_extent,
		.flush = pieces_flush,
		.close = image_close_blk,
	};

	if (image->size > 0 && image->n_files == 1)
		return fail(err, ST_CORRUPT, "it has no pieces");
	image->blk.ops = image->mode == OPEN_WRITE ? &write_ops : &read_ops;
	return ST_OK;
}

static enum status header_of(const struct create_request *request, struct header *ret,
			     struct error *err)
{
	const char *folder = create_value(request->options, "folder")->text;
	struct out_buffer base;

	*ret = (struct header){ .size = request->size,
				.piece_bytes = create_value(request->options, "piece")->number };
	out_buffer_init(&base, ret->base, sizeof ret->base);
	out_printf(&base.out, "%s%s%s", folder != NULL ? folder : "", folder != NULL ? "/" : "",
		   path_leaf(request->file_name));
	return check_header(ret, err);
}

static enum status pieces_plan(const struct create_request *request, struct create_plan *ret,
			       struct error *err)
{
	struct header h;
	enum status st = header_of(request, &h, err);

	if (st == ST_OK)
		st = create_plan_add(ret, request->file_name, HEADER_BYTES, PREALLOC_OFF, err);
	for (uint64_t i = 0; st == ST_OK && i < h.n; i++) {
		char *name = piece_name(h.base, i);

		if (name == NULL)
			return fail_no_memory(err);
		st = create_plan_add(ret, name, piece_bytes_at(&h, i), PREALLOC_OFF, err);
		mem_free(name);
	}
	return st;
}

static enum status pieces_write_files(const struct create_request *request,
				      struct blk *const file[], struct error *err)
{
	uint8_t bytes[HEADER_BYTES] = { 0 };
	struct header h;
	enum status st = header_of(request, &h, err);

	if (st != ST_OK)
		return st;
	for (uint64_t i = 0; st == ST_OK && i < h.n; i++)
		st = blk_resize(file[1 + i], piece_bytes_at(&h, i), PREALLOC_OFF);
	memcpy(bytes, magic, sizeof magic);
	bytes_to_le(bytes + SIZE_AT, 8, h.size);
	bytes_to_le(bytes + PIECE_AT, 8, h.piece_bytes);
	memcpy(bytes + BASE_AT, h.base, BASE_BYTES);
	if (st == ST_OK)
		st = blk_write(file[0], 0, bytes, sizeof bytes);
	return st == ST_OK ? ST_OK : fail(err, st, "writing the image: %s", status_text(st));
}

static bool pieces_resumable(const struct create_values *values)
{
	(void)values;
	return false;
}

const struct image_format format_pieces = {
	.name = "pieces",
	.summary = "of the tests: a disk in many files",
	.other_files = ROLE_EXTENT,
	.instance_bytes = sizeof(struct image),
	.probe = pieces_probe,
	.open = pieces_open,
	.load = pieces_load,
	.create = {
		.options = options,
		.plan = pieces_plan,
		.write_files = pieces_write_files,
		.resumable = pieces_resumable,
	},
};
