/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How a copy that is resumed treats what an earlier run has written: each piece is read from the
 * source and from the target and compared, so that a source that has changed meanwhile, or a target
 * that has lost what was flushed, does not become half of one disk and half of another.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/zero.h"
#include "engine/copy_piece.h"

bool copy_is_old(const struct piece *piece)
{
	const struct copy_job *job = piece->copy->job;

	return piece->offset >= job->old_begin && piece->offset < job->old_end;
}

/* Whether the target has the same. */
static enum status compare_old(const struct piece *piece, bool *ret_same, struct error *err)
{
	const struct copy *copy = piece->copy;
	uint64_t end = piece->offset + piece->length, n;
	enum status st = ST_OK;

	*ret_same = true;
	if (piece->kind == SOURCE_SKIP && copy->job->used != NULL) /* left out then, too */
		return ST_OK;
	for (uint64_t at = piece->offset; *ret_same && at < end; at += n) {
		struct disk_range range = { .length = end - at };

		if (piece->kind != SOURCE_DATA)
			st = progress_cancelled(copy->job->progress)
				     ? ST_CANCELLED
				     : disk_map_at(copy->job->target, at, end - at, &range);
		n = range.zero ? range.length : min_u64(range.length, copy->piece_bytes);
		if (st == ST_OK && !range.zero)
			st = blk_read(copy->target, at, copy->old, (size_t)n);
		if (st != ST_OK)
			return fail(err, st, "%s: reading the target at offset %ju: %s",
				    copy->job->target->name, at, status_text(st));
		if (!range.zero)
			*ret_same = piece->kind == SOURCE_DATA
					    ? memcmp(copy->old, piece->fetch.bytes, (size_t)n) == 0
					    : is_zero(copy->old, (size_t)n);
	}
	return ST_OK;
}

/*
 * Where a drive fails, what was lost then may be read now, or the other way round: that is written
 * anew.
 */
enum status copy_compare_piece(const struct piece *piece, bool *ret_write, struct error *err)
{
	const struct copy_job *job = piece->copy->job;
	bool same;
	enum status st = compare_old(piece, &same, err);

	*ret_write = st == ST_OK && !same && job->salvage;
	if (st != ST_OK || same || *ret_write)
		return st;
	return fail(err, ST_MISMATCH,
		    "%s: --resume: the target differs from the source at offset %ju: one of them "
		    "has changed since the copy was interrupted; start again without --resume",
		    job->target->name, piece->offset);
}
