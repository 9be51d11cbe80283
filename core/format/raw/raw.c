/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * raw: the bytes of the disk and nothing else. A file that is not a multiple of 512 bytes long is a
 * disk of whole 512-byte sectors whose last one ends in zeros, as in QEMU.
 *
 * Creating: zeros to the last byte. There is no header that could come last, so a file cut short by
 * a power failure looks like a smaller disk; on a FAT volume its directory entry still says 0 bytes
 * then, because the size is written with the flush at the end.
 */
#include "base/range.h"
#include "base/size.h"
#include "format/image.h"

static const char *const prealloc_modes[] = {
	[PREALLOC_OFF] = "off",
	[PREALLOC_FALLOC] = "falloc",
	[PREALLOC_FULL] = "full",
	NULL,
};

static const struct create_option options[] = {
	{ .name = "size", .type = OPTION_SIZE, .help = "size of the virtual disk" },
	{ .name = "preallocation",
	  .type = OPTION_CHOICE,
	  .choices = prealloc_modes,
	  .help = "off, falloc (space reserved), full (written)" },
	{ 0 },
};

static int raw_probe(const struct image_probe *probe)
{
	(void)probe;
	return 1; /* anything can be a raw image: when nothing else recognises it */
}

static enum status raw_open(struct image *image, struct error *err)
{
	if (image->file[0].blk->size > SIZE_LIMIT - 511)
		return fail(err, ST_TOO_LARGE, "%ju bytes are more than a disk can have",
			    image->file[0].blk->size);
	image->size = round_up(image->file[0].blk->size, 512);
	return ST_OK;
}

static struct blk *file_of(struct blk *blk)
{
	return ((struct image *)blk)->file[0].blk;
}

static enum status raw_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return blk_read_padded(file_of(blk), offset, buf, len);
}

/* The disk is as long as its file, in whole sectors. */
static void take_size(struct image *image)
{
	image->size = image->blk.size = round_up(image->file[0].blk->size, 512);
}

static enum status raw_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct image *image = (struct image *)blk;
	enum status st = blk_write(image->file[0].blk, offset, buf, len);

	if (image->file[0].blk->size > blk->size)
		take_size(image);
	return st;
}

static enum status raw_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	struct image *image = (struct image *)blk;
	enum status st = blk_write_zeros(file_of(blk), offset, len);

	if (file_of(blk)->size > blk->size)
		take_size(image);
	return st;
}

static enum status raw_flush(struct blk *blk)
{
	return blk_flush(file_of(blk));
}

static enum status raw_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	struct blk *file = file_of(blk);

	if (offset < file->size)
		return blk_extent(file, offset, min_u64(len, file->size - offset), ret);
	*ret = (struct extent){
		.length = len, .allocated = true, .zero = true, .has_offset = true, .offset = offset
	};
	return ST_OK;
}

static enum status raw_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct image *image = (struct image *)blk;
	uint64_t before = image->file[0].blk->size;
	enum status st = blk_resize(image->file[0].blk, size, prealloc);

	if (st != ST_OK && image->file[0].blk->size > before)
		/* has failed already; zeros that stay do no harm */
		(void)blk_resize(image->file[0].blk, before, PREALLOC_OFF);
	take_size(image);
	return st;
}

static enum status raw_plan_resize(const struct image *image, uint64_t size, enum prealloc prealloc,
				   uint64_t ret[], struct error *err)
{
	(void)image;
	if (prealloc == PREALLOC_METADATA)
		return fail(err, ST_INVALID,
			    "option --preallocation=metadata: there is no metadata in a raw image");
	ret[0] = size;
	return ST_OK;
}

static enum status raw_load(struct image *image, struct error *err)
{
	static const struct blk_ops read_ops = { .read = raw_read,
						 .extent = raw_extent,
						 .close = image_close_blk };
	static const struct blk_ops write_ops = {
		.read = raw_read,
		.write = raw_write,
		.zero = raw_zero,
		.extent = raw_extent,
		.flush = raw_flush,
		.resize = raw_resize,
		.close = image_close_blk,
	};

	(void)err;
	image->blk.ops = image->mode == OPEN_WRITE ? &write_ops : &read_ops;
	image->blk.zero_bytes = image->file[0].blk->zero_bytes;
	image->blk.parallel_reads = image->file[0].blk->parallel_reads;
	image->blk.sequential = image->file[0].blk->sequential;
	return ST_OK;
}

static enum prealloc prealloc_option(const struct create_request *request)
{
	return (enum prealloc)create_value(request->options, "preallocation")->number;
}

static enum status raw_plan(const struct create_request *request, struct create_plan *ret,
			    struct error *err)
{
	return create_plan_add(ret, request->file_name, request->size, prealloc_option(request),
			       err);
}

static enum status raw_measure(const struct create_request *request, const struct image *source,
			       struct image_measure *ret, struct error *err)
{
	(void)source;
	(void)err;
	*ret = (struct image_measure){ .full_bytes = request->size, .data_bytes = request->size };
	return ST_OK;
}

static enum status raw_write_files(const struct create_request *request, struct blk *const file[],
				   struct error *err)
{
	enum status st;

	if (request->filled)
		return ST_OK;
	st = blk_resize(file[0], request->size, prealloc_option(request));
	return st == ST_OK ? ST_OK
			   : fail(err, st, "writing %ju bytes of zeros: %s", request->size,
				  status_text(st));
}

const struct image_format format_raw = {
	.name = "raw",
	.summary = "the bytes of the disk and nothing else",
	.flat = true,
	.instance_bytes = sizeof(struct image),
	.probe = raw_probe,
	.open = raw_open,
	.load = raw_load,
	.create = {
		.options = options,
		.plan = raw_plan,
		.measure = raw_measure,
		.write_files = raw_write_files,
	},
	.change.plan_resize = raw_plan_resize,
};
