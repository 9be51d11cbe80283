/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The files of an image. file[0] is the one that was named; a format's `open` adds those that it
 * names: a data file, extents. They are known from then on, so that the command's access set has
 * all of them before anything is written, and opened only when the disk is loaded, since `info` and
 * the like need none of them.
 *
 * The data of the disk are the bytes of one file, or of several. In the second case image->data is
 * a blk of this file: an address space in which each file with data has a fixed range, so that an
 * extent's offset says both the file and the place in it, and stays true while files grow inside of
 * their ranges. What a file does not have of its range reads as zeros. (blk/concat.h is for parts
 * that are filled one after the other, and owns them; extents grow each for itself, and are the
 * image's.)
 */
#include "format/files.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "format/image.h"
#include "storage/storage.h"

/* Large enough for every device's speed. */
enum { DATA_TRANSFER_BYTES = 4 << 20 };

/* The data of several files. */
struct joined_data {
	struct blk blk;
	const struct image *image;
};

/* A part of a range that lies in one file. */
struct piece {
	struct blk *file;
	uint64_t at; /* in the file */
	uint64_t n;  /* bytes, > 0 */
};

enum status image_add_file(struct image *image, char *name, uint64_t data_offset,
			   uint64_t data_bytes, struct error *err)
{
	struct image_file *more = NULL;

	if (name == NULL)
		return fail_no_memory(err);
	if (image->n_files == 0 || is_power_of_two(image->n_files)) {
		more = mem_alloc(2 * (image->n_files + 1) * sizeof *more);
		if (more == NULL) {
			mem_free(name);
			return fail_no_memory(err);
		}
		if (image->n_files > 0)
			memcpy(more, image->file, image->n_files * sizeof *more);
		mem_free(image->file);
		image->file = more;
	}
	image->file[image->n_files++] = (struct image_file){ .name = name,
							     .data_offset = data_offset,
							     .data_bytes = data_bytes };
	return ST_OK;
}

const struct image_file *image_file_at(const struct image *image, uint64_t *offset)
{
	const struct image_file *found = NULL;

	for (size_t i = 0; i < image->n_files; i++)
		if (image->file[i].data_bytes > 0 && image->file[i].data_offset <= *offset)
			found = &image->file[i];
	CHECK(found != NULL);
	*offset -= found->data_offset;
	return found;
}

/* ---- the data of several files ---- */

static const struct image *image_of(struct blk *blk)
{
	return ((struct joined_data *)blk)->image;
}

/* What of [offset, offset + len) is in the file that has its first byte. */
static struct piece piece_at(struct blk *blk, uint64_t offset, uint64_t len)
{
	uint64_t at = offset;
	const struct image_file *file = image_file_at(image_of(blk), &at);

	CHECK(at < file->data_bytes);
	return (struct piece){ file->blk, at, min_u64(len, file->data_bytes - at) };
}

static enum status joined_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	uint8_t *to = buf;
	enum status st = ST_OK;

	while (st == ST_OK && len > 0) {
		struct piece piece = piece_at(blk, offset, len);

		st = blk_read_padded(piece.file, piece.at, to, (size_t)piece.n);
		offset += piece.n;
		to += piece.n;
		len -= (size_t)piece.n;
	}
	return st;
}

static enum status joined_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	enum status st = ST_OK;

	while (st == ST_OK && len > 0) {
		struct piece piece = piece_at(blk, offset, len);

		st = blk_write(piece.file, piece.at, from, (size_t)piece.n);
		offset += piece.n;
		from += piece.n;
		len -= (size_t)piece.n;
	}
	return st;
}

static enum status joined_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	enum status st = ST_OK;

	while (st == ST_OK && len > 0) {
		struct piece piece = piece_at(blk, offset, len);

		st = blk_write_zeros(piece.file, piece.at, piece.n);
		offset += piece.n;
		len -= piece.n;
	}
	return st;
}

static enum status joined_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	struct piece piece = piece_at(blk, offset, len);
	enum status st = ST_OK;

	*ret = (struct extent){ .length = piece.n, .allocated = true, .zero = true };
	if (piece.at < piece.file->size)
		st = blk_extent(piece.file, piece.at, min_u64(piece.n, piece.file->size - piece.at),
				ret);
	ret->has_offset = true;
	ret->offset = offset;
	return st;
}

static enum status joined_flush(struct blk *blk)
{
	const struct image *image = image_of(blk);
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < image->n_files; i++)
		if (image->file[i].data_bytes > 0)
			st = blk_flush(image->file[i].blk);
	return st;
}

static void joined_close(struct blk *blk)
{
	mem_free(blk); /* the files are the image's */
}

static enum status join_data(struct image *image)
{
	static const struct blk_ops ops = {
		.read = joined_read,
		.write = joined_write,
		.zero = joined_zero,
		.extent = joined_extent,
		.flush = joined_flush,
		.close = joined_close,
	};
	const struct image_file *last = &image->file[image->n_files - 1];
	struct joined_data *joined = mem_alloc(sizeof *joined);

	if (joined == NULL)
		return ST_NO_MEMORY;
	*joined = (struct joined_data){
		.blk = { .ops = &ops,
			 .size = last->data_offset + last->data_bytes,
			 .block_bytes = 1,
			 .buffer_align = 1,
			 .transfer_bytes = DATA_TRANSFER_BYTES,
			 .parallel_reads = true },
		.image = image,
	};
	for (size_t i = 0; i < image->n_files; i++)
		if (image->file[i].data_bytes > 0 && !image->file[i].blk->parallel_reads)
			joined->blk.parallel_reads = false;
	image->data = &joined->blk;
	return ST_OK;
}

/* ---- opening and closing ---- */

/* The only file with data, or NULL: there are several. */
static struct blk *only_data(const struct image *image)
{
	struct blk *found = image->file[0].blk;
	size_t n = 0;

	for (size_t i = 0; i < image->n_files; i++)
		if (image->file[i].data_bytes > 0) {
			found = image->file[i].blk;
			n++;
		}
	return n <= 1 ? found : NULL;
}

enum status image_open_files(struct image *image, struct error *err)
{
	struct error why;
	enum status st = ST_OK;

	for (size_t i = 1; i < image->n_files; i++) {
		struct image_file *file = &image->file[i];

		if (file->blk != NULL)
			continue;
		st = storage_reopen(image->storage, file->name, image->mode, &file->blk, &why);
		if (st != ST_OK)
			return fail(err, st, "its %s: %s",
				    access_role_text(image->format->other_files), why.text);
	}
	if (image->data != NULL)
		return ST_OK;
	image->data = only_data(image);
	if (image->data == NULL)
		st = join_data(image);
	return st == ST_OK ? ST_OK : fail_no_memory(err);
}

void image_close_files(struct image *image)
{
	if (image->data != NULL && only_data(image) == NULL)
		blk_close(image->data);
	for (size_t i = 0; i < image->n_files; i++) {
		blk_close(image->file[i].blk);
		mem_free(image->file[i].name);
	}
	mem_free(image->file);
}
