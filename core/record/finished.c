/*
 * The last look at what a job has written. SPDX-License-Identifier: BSD-2-Clause
 *
 * A file system may store less than was written, without an error: U-Boot's FAT cuts a file off
 * after a write in the middle, and whoever has the file open still believes in the size that it
 * had. Reading back through the same handle does not find that. So when all is written, flushed and
 * closed, each file is opened once more by its name, as the next program will, and its size is
 * compared, and its first and last block. That costs one open for a file and two short reads.
 *
 * What is between those blocks is not read here: of captures and disks it was, before (verify.c).
 */
#include "record/finished.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "platform/files.h"
#include "storage/split.h"

enum { BLOCK_BYTES = 512 };

struct finished_file {
	char *name;
	uint64_t size;
	enum status read; /* of the blocks; ST_UNSUPPORTED: they were not read */
	uint8_t head[BLOCK_BYTES], tail[BLOCK_BYTES];
};

/* Reads the first and the last block; past the end of the file are zeros. */
static enum status read_ends(struct blk *file, uint8_t *head, uint8_t *tail)
{
	uint64_t last = file->size > BLOCK_BYTES ? file->size - BLOCK_BYTES : 0;
	enum status st = blk_read_padded(file, 0, head, BLOCK_BYTES);

	return st == ST_OK ? blk_read_padded(file, last, tail, BLOCK_BYTES) : st;
}

/* Room for one more entry: as many again whenever their number is a power of two. */
static bool make_room(struct finished *finished)
{
	struct finished_file *more;

	if (finished->n > 0 && !is_power_of_two(finished->n))
		return true;
	more = mem_alloc(2 * (finished->n + 1) * sizeof *more);
	if (more == NULL)
		return false;
	if (finished->n > 0)
		memcpy(more, finished->file, finished->n * sizeof *more);
	mem_free(finished->file);
	finished->file = more;
	return true;
}

static struct finished_file *add(struct finished *finished, const char *name, uint64_t size)
{
	struct finished_file *file;

	if (!make_room(finished))
		return NULL;
	file = &finished->file[finished->n];
	*file = (struct finished_file){ .name = text_copy(name),
					.size = size,
					.read = ST_UNSUPPORTED };
	if (file->name == NULL)
		return NULL;
	finished->n++;
	return file;
}

enum status finished_add(struct finished *finished, const char *name, struct blk *file,
			 struct error *err)
{
	struct finished_file *added = add(finished, name, file->size);

	if (added == NULL)
		return fail_no_memory(err);
	/* A file that cannot be read may be gone: its size explains more than this failure. */
	added->read = read_ends(file, added->head, added->tail);
	return ST_OK;
}

enum status finished_add_size(struct finished *finished, const char *name, uint64_t size,
			      struct error *err)
{
	return add(finished, name, size) != NULL ? ST_OK : fail_no_memory(err);
}

enum status finished_add_image(struct finished *finished, const struct image *image,
			       struct error *err)
{
	enum status st = ST_OK;

	if (image->mode != OPEN_WRITE)
		return ST_OK;
	for (size_t i = 0; st == ST_OK && i < image->n_files; i++)
		if (image->file[i].blk != NULL)
			st = finished_add(finished, image->file[i].name, image->file[i].blk, err);
	return st;
}

/* Compares a file that is open again. */
static enum status compare(const struct finished_file *file, struct blk *blk, struct error *err)
{
	uint8_t head[BLOCK_BYTES], tail[BLOCK_BYTES];
	enum status st = file->read;

	if (blk->size != file->size)
		return fail(err, ST_MISMATCH,
			    "%s: %ju bytes were written without an error, but the file has %ju "
			    "bytes when it is opened again: its file system loses data; use "
			    "another volume",
			    file->name, file->size, blk->size);
	if (st == ST_UNSUPPORTED)
		return ST_OK;
	if (st == ST_OK)
		st = read_ends(blk, head, tail);
	if (st != ST_OK)
		return fail(err, st, "%s: reading what was written: %s", file->name,
			    status_text(st));
	if (memcmp(head, file->head, BLOCK_BYTES) != 0 ||
	    memcmp(tail, file->tail, BLOCK_BYTES) != 0)
		return fail(err, ST_MISMATCH,
			    "%s: the %s block of the file differs from what was written when it is "
			    "opened again: its file system loses data; use another volume",
			    file->name,
			    memcmp(head, file->head, BLOCK_BYTES) != 0 ? "first" : "last");
	return ST_OK;
}

static enum status check(const struct finished_file *file, struct error *err)
{
	struct error why;
	struct blk *blk;
	enum status st = platform_open(file->name, OPEN_READ, &blk, err);

	if (st == ST_OK)
		st = split_open(file->name, OPEN_READ, blk, &blk, err);
	if (st == ST_CORRUPT ||
	    st == ST_NOT_FOUND) { /* of parts, one has another length or is gone */
		why = *err;
		return fail(err, ST_MISMATCH, "%s: the written file cannot be opened again: %s",
			    file->name, why.text);
	}
	if (st != ST_OK)
		return st;
	st = compare(file, blk, err);
	blk_close(blk);
	return st;
}

enum status finished_check(struct finished *finished, struct error *err)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < finished->n; i++)
		st = check(&finished->file[i], err);
	finished_free(finished);
	return st;
}

void finished_free(struct finished *finished)
{
	for (size_t i = 0; i < finished->n; i++)
		mem_free(finished->file[i].name);
	mem_free(finished->file);
	*finished = (struct finished){ 0 };
}

enum status finished_close_image(struct image *image, enum status st, struct error *err)
{
	struct finished finished = { 0 };

	if (st == ST_OK)
		st = finished_add_image(&finished, image, err);
	image_close(image);
	if (st == ST_OK)
		return finished_check(&finished, err);
	finished_free(&finished);
	return st;
}

enum status finished_close_chain(struct chain *chain, enum status st, struct error *err)
{
	struct finished finished = { 0 };

	for (size_t i = 0; st == ST_OK && i < chain->n; i++)
		st = finished_add_image(&finished, chain->link[i].image, err);
	chain_close(chain);
	if (st == ST_OK)
		return finished_check(&finished, err);
	finished_free(&finished);
	return st;
}
