/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * How a copy reads. A piece ends where its buffer does, or where at least one unit need not be
 * read: units are never divided, because each is to be written once. What fails is read again by
 * salvage.c, block by block: to lose as little as possible, or to say exactly which block ends the
 * copy.
 */
#include "base/range.h"
#include "engine/copy_piece.h"
#include "engine/salvage.h"

enum status copy_read_failed(const struct piece *piece, enum status st, struct error *err)
{
	uint64_t at = piece->copy->job->first_byte + piece->offset;
	const struct image *image = source_disk_image(&piece->copy->disk, &at);

	if (st == ST_CANCELLED)
		return copy_stopped(piece->copy, err);
	return fail(err, st, "%s: reading %zu bytes at offset %ju: %s", image->name,
		    (size_t)piece->length, at, status_text(st));
}

/* Fails with the place, where that is known, and tells the observers. */
static enum status block_failed(const struct piece *piece, const struct lost_range *range,
				enum status st, struct error *err)
{
	struct out_buffer out;
	char place[96];

	if (st == ST_OK || range->length == 0)
		return st == ST_OK ? ST_OK : copy_read_failed(piece, st, err);
	observers_lost(piece->copy->job->observers, range);
	out_buffer_init(&out, place, sizeof place);
	salvage_print_place(range, &out.out);
	return fail(err, st, "%s: %s of the disk cannot be read: %s", range->image->name, place,
		    status_text(st));
}

enum status copy_read_again(struct piece *piece, struct error *err)
{
	const struct copy_job *job = piece->copy->job;

	fetch_begin(&piece->fetch);
	for (size_t done = 0; done < piece->length;) {
		uint64_t at = job->first_byte + piece->offset + done;
		struct image *image = source_disk_image(&piece->copy->disk, &at);
		size_t n = (size_t)min_u64(piece->length - done, image->size - at);
		struct lost_range range = { 0 };
		enum status st = job->salvage
					 ? salvage_read(job->observers, image, at,
							piece->fetch.bytes + done, n, job->progress)
					 : salvage_read_strictly(image, at,
								 piece->fetch.bytes + done, n,
								 job->progress, &range);

		st = block_failed(piece, &range, st, err);
		if (st != ST_OK)
			return st;
		done += n;
	}
	/* all of it is there: nothing is left for other processors */
	piece->fetch.n = (size_t)piece->length;
	return ST_OK;
}

/* Takes data from the piece's offset on, up to what need not be read and is whole units. */
static enum status read_data(struct copy *copy, struct piece *piece, uint64_t end,
			     struct error *err)
{
	size_t unit = copy->unit_bytes;
	bool again = copy->job->salvage;
	enum status st = ST_OK;

	fetch_begin(&piece->fetch);
	end = min_u64(end, piece->offset + copy->piece_bytes);
	for (piece->length = 0; st == ST_OK && piece->offset + piece->length < end;) {
		uint64_t at, left = end - piece->offset - piece->length;
		struct disk_range range;
		enum source_disk_kind kind;

		st = source_disk_look(&copy->disk, piece->offset + piece->length, left, &at, &range,
				      &kind, err);
		if (st != ST_OK)
			return st;
		if (kind != SOURCE_DATA && piece->length % unit == 0 && piece->length > 0 &&
		    (range.length >= unit || range.length == left))
			break;
		if (kind != SOURCE_DATA) /* the next whole unit of it may need no reading */
			range.length = min_u64(range.length, unit - piece->length % unit);
		if (!again)
			st = fetch_add(&piece->fetch, &range, at, (size_t)range.length);
		piece->length += range.length;
		again |= salvage_is_local(st);
		st = again ? ST_OK : st;
	}
	if (st == ST_OK && !again)
		st = fetch_read(&piece->fetch);
	if (again || salvage_is_local(st))
		return copy_read_again(piece, err);
	return st == ST_OK ? ST_OK : copy_read_failed(piece, st, err);
}

enum status copy_read_piece(struct copy *copy, struct piece *piece, uint64_t at, uint64_t end,
			    struct error *err)
{
	uint64_t unit = copy->unit_bytes, in_source;
	struct disk_range range;
	enum status st = source_disk_look(&copy->disk, at, end - at, &in_source, &range,
					  &piece->kind, err);

	piece->offset = at;
	if (st != ST_OK)
		return st;
	piece->slot.has_work = false;
	if (piece->kind != SOURCE_DATA && (range.length >= unit || at + range.length == end)) {
		piece->length = at + range.length == end ? range.length
							 : round_down(range.length, unit);
		return ST_OK;
	}
	piece->kind = SOURCE_DATA;
	piece->slot.has_work = true;
	return read_data(copy, piece, end, err);
}
