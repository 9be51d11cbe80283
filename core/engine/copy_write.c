/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How a copy writes: in the order of the disk, runs of units that are alike at once. Zeros are not
 * written where the target reads as zeros already; where it does not, they are written in steps,
 * because they may be most of a disk, and a person wants to stop it.
 */
#include "base/range.h"
#include "engine/copy_piece.h"

/* of zeros that are written between two looks at the clock */
enum { ZERO_BYTES = 4 << 20 };

enum status copy_write_failed(const struct copy *copy, enum status st, uint64_t offset,
			      struct error *err)
{
	const struct copy_job *job = copy->job;

	if (st == ST_CANCELLED)
		return copy_stopped(copy, err);
	if ((st == ST_NO_SPACE || st == ST_TOO_LARGE) && job->full_bytes > 0)
		return fail(err, st,
			    "%s: writing at offset %ju of the disk: %s; the complete image takes "
			    "up to %ju bytes",
			    job->target->name, offset, status_text(st), job->full_bytes);
	return fail(err, st, "%s: writing at offset %ju of the disk: %s", job->target->name, offset,
		    status_text(st));
}

/* Writes unit `i` in its compressed form, or as it is if that is not shorter. */
static enum status write_packed(const struct piece *piece, size_t i)
{
	struct image *image = piece->copy->job->target;
	size_t unit = piece->copy->unit_bytes;
	uint64_t offset = piece->offset + i * unit;

	if (piece->packed_bytes[i] > 0)
		return image->format->change.write_compressed(image, offset,
							      piece->packed + i * unit,
							      piece->packed_bytes[i]);
	return blk_write(&image->blk, offset, piece->fetch.bytes + i * unit,
			 (size_t)min_u64(unit, piece->length - i * unit));
}

/*
 * A write past the end of a file makes the file system write the zeros between: they are written
 * here, where they are counted.
 */
static enum status put_zeros(const struct copy *copy, uint64_t offset, uint64_t n)
{
	struct blk *file = copy->job->target->file[0].blk;

	if (!copy->job->reads_zero)
		return blk_write_zeros(copy->target, offset, n);
	return copy->job->grows && file->size < offset + n
		       ? blk_resize(file, offset + n, copy->job->prealloc)
		       : ST_OK;
}

/* Units from `i` up to `end` that are all zeros, or all not. */
static enum status write_run(const struct piece *piece, size_t i, size_t end)
{
	const struct copy *copy = piece->copy;
	size_t at = i * copy->unit_bytes,
	       n = (size_t)min_u64(end * copy->unit_bytes, piece->length) - at;
	enum status st = ST_OK;

	if (piece->zero[i])
		return put_zeros(copy, piece->offset + at, n);
	if (piece->packed == NULL)
		return blk_write(copy->target, piece->offset + at, piece->fetch.bytes + at, n);
	for (; st == ST_OK && i < end; i++)
		st = write_packed(piece, i);
	return st;
}

/* Where the units from `i` on stop that are zeros as `i` is. */
static size_t run_end(const struct piece *piece, size_t i, size_t n_units)
{
	size_t end = i + 1;

	while (end < n_units && piece->zero[end] == piece->zero[i])
		end++;
	return end;
}

/*
 * Takes zeros for data where qemu-img stores them: beside data in a group, which is what the length
 * of a run that is left out (-S) is, as a power of two; and in shorter runs between data.
 */
static void store_short_zeros(const struct piece *piece, size_t n_units)
{
	size_t unit = piece->copy->unit_bytes, group = piece->copy->group_bytes / unit, end,
	       skip = (size_t)(piece->offset % piece->copy->group_bytes / unit);

	for (size_t i = 0; i < n_units; i = end) {
		bool zero = true;

		end = (size_t)min_u64(n_units, i + group - (skip + i) % group);
		for (size_t j = i; j < end; j++)
			zero = zero && piece->zero[j];
		for (size_t j = i; j < end; j++)
			piece->zero[j] = zero;
	}
	for (size_t i = run_end(piece, 0, n_units); i < n_units; i = end) {
		end = run_end(piece, i, n_units);
		if (end < n_units && (end - i) * unit < piece->copy->job->sparse_bytes)
			for (size_t j = i; j < end; j++)
				piece->zero[j] = false;
	}
}

static enum status write_data(const struct piece *piece, struct error *err)
{
	size_t n_units = (size_t)div_up(piece->length, piece->copy->unit_bytes), end;
	enum status st = ST_OK;

	if (!piece->copy->job->compress && piece->copy->job->sparse_bytes > piece->copy->unit_bytes)
		store_short_zeros(piece, n_units);
	for (size_t i = 0; i < n_units; i = end) {
		end = run_end(piece, i, n_units);
		st = write_run(piece, i, end);
		if (st != ST_OK)
			return copy_write_failed(piece->copy, st,
						 piece->offset + i * piece->copy->unit_bytes, err);
	}
	return ST_OK;
}

void copy_advance(struct copy *copy, uint64_t end)
{
	progress_advance(copy->job->progress, end - copy->at);
	copy->at = end;
}

/* Zeros may be the most of a disk: what takes long is done in steps. */
static enum status write_zeros(struct copy *copy, const struct piece *piece, struct error *err)
{
	uint64_t end = piece->offset + piece->length;
	enum status st = ST_OK;

	while (copy->at < end && (copy->job->grows || !copy->job->reads_zero)) {
		uint64_t n = min_u64(end - copy->at, ZERO_BYTES);

		st = progress_cancelled(copy->job->progress) ? ST_CANCELLED
							     : put_zeros(copy, copy->at, n);
		if (st != ST_OK)
			return copy_write_failed(copy, st, copy->at, err);
		copy_advance(copy, copy->at + n);
	}
	return ST_OK;
}

enum status copy_write_piece(struct copy *copy, const struct piece *piece, struct error *err)
{
	if (piece->kind == SOURCE_DATA)
		return write_data(piece, err);
	return piece->kind == SOURCE_ZERO ? write_zeros(copy, piece, err) : ST_OK;
}
