/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening, loading and closing images: what is the same for every format.
 *
 * An image is opened in two steps. Opening reads what describes it, and adds every file that it
 * consists of to the command's access set, so that conflicts are refused before anything is
 * written. Loading makes the disk readable: `info`, `check` and the like do without it. A format is
 * probed when none is given: first with one sector, which is enough for signatures, then with the
 * rest of the head and the tail; what no format claims and foreign.c knows to be something else is
 * refused rather than taken for raw.
 *
 * Functions of formats fail with words that do not name the image; here the name is put before
 * them. Backing files are chain.c's.
 */
#include "format/image.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/text.h"
#include "format/image_name.h"
#include "platform/files.h"
#include "storage/storage.h"

/* Large enough for every device's speed; a multiple of every unit. */
enum { IMAGE_TRANSFER_BYTES = 4 << 20 };

/* The format that is surest of it, and how sure. */
static int judge(const struct image_probe *probe, const struct image_format **ret)
{
	int best = 0;

	for (size_t i = 0; image_formats[i] != NULL; i++) {
		int score = image_formats[i]->probe(probe);

		if (score > best) {
			best = score;
			*ret = image_formats[i];
		}
	}
	CHECK(best > 0); /* raw takes everything */
	return best;
}

/*
 * Finds the format of a file or device; *ret_foreign: what the file is instead, if that is known to
 * be nothing that can be read, otherwise NULL.
 */
static enum status probe(struct blk *file, const char *name, const struct image_format **ret_format,
			 const struct foreign **ret_foreign)
{
	struct image_probe *probe = mem_alloc(sizeof *probe);
	enum status st;

	if (probe == NULL)
		return ST_NO_MEMORY;
	*ret_foreign = NULL;
	st = probe_read_sector(file, name, probe);
	if (st == ST_OK && judge(probe, ret_format) < PROBE_CERTAIN && !probe->device) {
		st = probe_read_rest(file, probe);
		if (st == ST_OK && judge(probe, ret_format) < PROBE_CERTAIN)
			*ret_foreign = foreign_recognise(probe);
	}
	mem_free(probe);
	return st;
}

/* Finds the format of a file that the caller names none of. */
static enum status find_format(struct blk *file, const char *name, const struct image_format **ret,
			       struct error *err)
{
	const struct foreign *foreign;
	struct out_buffer out;
	char words[512];
	enum status st = probe(file, name, ret, &foreign);

	if (st != ST_OK)
		return fail(err, st,
			    "reading its first and last bytes, which say its format (unless -f "
			    "does): %s",
			    status_text(st));
	if (foreign == NULL)
		return ST_OK;
	out_buffer_init(&out, words, sizeof words);
	foreign_print(foreign, &out.out);
	return fail(err, ST_UNSUPPORTED, "%s", words);
}

enum status image_foreign(struct storage *storage, const char *name, const struct foreign **ret,
			  uint64_t *ret_bytes, struct error *err)
{
	const struct image_format *format;
	struct blk *file;
	enum status st = storage_open(storage, ROLE_IMAGE, name, OPEN_READ, &file, err);

	if (st != ST_OK)
		return st;
	st = probe(file, name, &format, ret);
	if (st == ST_OK)
		st = blk_allocated(file, ret_bytes);
	blk_close(file);
	return st == ST_OK ? ST_OK
			   : fail(err, st, "%s: reading its first and last bytes: %s", name,
				  status_text(st));
}

void image_close_blk(struct blk *blk)
{
	image_close((struct image *)blk);
}

/* Until the disk is loaded, it has no bytes. */
static const struct blk_ops unloaded_ops = { .close = image_close_blk };

/* An image with tables is read in any order. */
static enum status check_order(const struct blk *file, const struct image_format *format,
			       struct error *err)
{
	if (!file->sequential || format->flat)
		return ST_OK;
	return fail(err, ST_UNSUPPORTED,
		    "it can only be read from its beginning to its end, and a %s image is read in "
		    "any order; copy it into a file first (convert -f raw)",
		    format->name);
}

/* image_open_unfinished() with words that do not name the file. */
static enum status open_on(struct storage *storage, struct blk *file, const char *name,
			   const struct image_format *format, enum open_mode mode,
			   const struct create_request *unfinished, struct image **ret,
			   struct error *err)
{
	struct image *image;
	enum status st;

	st = format == NULL ? find_format(file, name, &format, err) : ST_OK;
	if (st == ST_OK)
		st = check_order(file, format, err);
	if (st != ST_OK) {
		blk_close(file);
		return st;
	}
	image = mem_alloc(format->instance_bytes);
	if (image == NULL) {
		blk_close(file);
		return fail_no_memory(err);
	}
	image->blk.ops = &unloaded_ops;
	image->storage = storage;
	image->format = format;
	image->mode = mode;
	image->unfinished = unfinished;
	st = image_add_file(image, text_copy(name), 0, UINT64_MAX, err);
	if (st != ST_OK) {
		blk_close(file);
		mem_free(image);
		return st;
	}
	image->name = image->file[0].name;
	image->file[0].blk = file;
	st = format->open(image, err);
	if (st != ST_OK) {
		image_close(image);
		return st;
	}
	*ret = image;
	return ST_OK;
}

enum status image_open_unfinished(struct storage *storage, struct blk *file, const char *name,
				  const struct image_format *format, enum open_mode mode,
				  const struct create_request *unfinished, struct image **ret,
				  struct error *err)
{
	struct error why;
	enum status st = open_on(storage, file, name, format, mode, unfinished, ret, &why);

	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", name, why.text);
}

enum status image_open_blk(struct storage *storage, struct blk *file, const char *name,
			   const struct image_format *format, enum open_mode mode,
			   struct image **ret, struct error *err)
{
	return image_open_unfinished(storage, file, name, format, mode, NULL, ret, err);
}

/*
 * Adds the other files of an image to the access set: they are opened only when the disk is loaded,
 * but are in use from here on. One that is missing is reported then.
 */
static enum status use_files(const struct image *image, struct error *err)
{
	enum access_use use = image->mode == OPEN_WRITE ? ACCESS_WRITE : ACCESS_READ;
	enum status st = ST_OK;

	for (size_t i = 1; st == ST_OK && i < image->n_files; i++) {
		st = storage_use_of(image->storage, image->format->other_files, use,
				    image->file[i].name, image->name, err);
		st = st == ST_NOT_FOUND ? ST_OK : st;
	}
	return st;
}

/*
 * Opens the disk of a virtual machine in an archive, which no format has recognised: `err` says so,
 * and stays if the file is no such archive.
 */
static enum status open_in_archive(struct storage *storage, const char *name, enum open_mode mode,
				   struct image **ret, struct error *err)
{
	struct blk *blk;
	char *disk;
	enum status st = storage_find_disk(name, &disk, err);

	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_UNSUPPORTED : st;
	if (mode == OPEN_WRITE)
		st = fail(err, ST_READ_ONLY,
			  "%s: files in the archive %s can only be read; unpack it first", disk,
			  name);
	else /* the archive is in the access set */
		st = storage_reopen(storage, disk, mode, &blk, err);
	if (st == ST_OK)
		st = image_open_blk(storage, blk, disk, NULL, mode, ret, err);
	mem_free(disk);
	return st;
}

enum status image_open_file(struct storage *storage, enum access_role role, const char *name,
			    const struct image_format *format, enum open_mode mode,
			    struct image **ret, struct error *err)
{
	const struct image_format *named;
	struct image *image;
	struct blk *blk;
	char *file;
	enum status st = image_name_resolve(name, &file, &named, err);

	if (st != ST_OK)
		return st;
	st = storage_open(storage, role, file, mode, &blk, err);
	if (st == ST_OK)
		st = image_open_blk(storage, blk, file, format != NULL ? format : named, mode,
				    &image, err);
	if (st == ST_UNSUPPORTED && format == NULL && named == NULL)
		st = open_in_archive(storage, file, mode, &image, err);
	mem_free(file);
	if (st != ST_OK)
		return st;
	st = use_files(image, err);
	if (st == ST_OK)
		*ret = image;
	else
		image_close(image);
	return st;
}

enum status image_open(struct storage *storage, const char *name, const struct image_format *format,
		       struct image **ret, struct error *err)
{
	return image_open_file(storage, ROLE_IMAGE, name, format, OPEN_READ, ret, err);
}

void image_close(struct image *image)
{
	if (image == NULL)
		return;
	if (image->format->close != NULL)
		image->format->close(image);
	for (size_t i = 0; i < image->n_snapshots; i++) {
		mem_free(image->snapshots[i].id);
		mem_free(image->snapshots[i].name);
	}
	mem_free(image->snapshots);
	for (size_t i = 0; i < image->n_bitmaps; i++)
		mem_free(image->bitmaps[i].name);
	mem_free(image->bitmaps);
	mem_free(image->backing_name);
	mem_free(image->backing_format);
	image_close_files(image);
	mem_free(image);
}

/* What is the same for every format, before its own part of loading. */
static enum status prepare_load(struct image *image, struct error *err)
{
	image->blk = (struct blk){
		.ops = &unloaded_ops,
		.size = image->size,
		.block_bytes = 1,
		.buffer_align = 1,
		.transfer_bytes = IMAGE_TRANSFER_BYTES,
	};
	CHECK(image->unit_bytes <= IMAGE_UNIT_MAX &&
	      (image->unit_bytes == 0 || is_power_of_two(image->unit_bytes)));
	return image_open_files(image, err);
}

enum status image_load(struct image *image, struct error *err)
{
	struct error why;
	enum status st;

	st = prepare_load(image, &why);
	if (st == ST_OK)
		st = image->format->load(image, &why);
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", image->name, why.text);
}

enum status image_load_snapshot(struct image *image, size_t index, struct error *err)
{
	struct error why;
	enum status st;

	CHECK(image->mode == OPEN_READ && index < image->n_snapshots);
	st = prepare_load(image, &why);
	if (st == ST_OK)
		st = image->format->snapshots.load(image, index, &why);
	image->blk.size = image->size;
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", image->name, why.text);
}

enum status image_flush(struct image *image, struct error *err)
{
	enum status st = blk_flush(&image->blk);

	return st == ST_OK ? ST_OK
			   : fail(err, st, "%s: writing it: %s", image->name, status_text(st));
}

enum status image_check(struct image *image, struct out *problems, struct check_result *ret,
			struct error *err)
{
	struct error why;
	enum status st;

	*ret = (struct check_result){ 0 };
	st = image->format->check.check(image, problems, ret, &why);
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", image->name, why.text);
}

enum status image_repair(struct image *image, enum repair what, struct out *problems,
			 struct check_result *ret, struct error *err)
{
	struct error why;
	enum status st;

	CHECK(image->mode == OPEN_WRITE);
	*ret = (struct check_result){ 0 };
	st = image->format->check.repair(image, what, problems, ret, &why);
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", image->name, why.text);
}

enum status image_read_backing(struct image *image, uint64_t offset, void *buf, size_t len)
{
	if (image->backing != NULL)
		return blk_read_padded(&image->backing->blk, offset, buf, len);
	memset(buf, 0, len);
	return ST_OK;
}

bool image_parallel_reads(const struct image *image)
{
	bool parallel = false;

	for (; image != NULL; image = image->backing)
		parallel = parallel || image->data->parallel_reads;
	return parallel;
}

uint32_t image_largest_packed_unit(const struct image *image)
{
	uint32_t most = 0;

	for (; image != NULL; image = image->backing)
		if (image->has_packed)
			most = (uint32_t)max_u64(most, image->unit_bytes);
	return most;
}
