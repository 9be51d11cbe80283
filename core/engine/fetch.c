/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Reading in two steps. The boot processor must do what touches the firmware or changes caches: it
 * looks up where the bytes are, and reads compressed data, adjoining units at once. Any processor
 * does the rest: it decompresses, and reads where the blk allows parallel reads. What a processor
 * reads itself needs memory for a few compressed units, not for those of each piece that waits.
 * Everything that the second step needs is in the struct, so that it can be done again elsewhere if
 * a processor stops responding.
 */
#include "engine/fetch.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"

enum {
	GAP_BYTES = 4096, /* compressed units so near to each other in the file are read at once */
	READ_BYTES = 128 << 10, /* of compressed units that a processor reads at once */
};

enum status fetch_open(struct fetch *fetch, size_t bytes)
{
	*fetch = (struct fetch){ .bytes = io_alloc(bytes), .capacity = bytes };
	return fetch->bytes != NULL ? ST_OK : ST_NO_MEMORY;
}

/* A compressed unit may claim to be twice as long as one that is not. */
static size_t packed_capacity(const struct fetch *fetch)
{
	return 2 * fetch->capacity + GAP_BYTES;
}

void fetch_close(struct fetch *fetch)
{
	io_free(fetch->bytes, fetch->capacity);
	io_free(fetch->packed, packed_capacity(fetch));
	*fetch = (struct fetch){ 0 };
}

void fetch_begin(struct fetch *fetch)
{
	fetch->n = fetch->n_parts = fetch->packed_n = 0;
	fetch->has_packed = false;
	fetch->run.offset = fetch->run.end = 0;
}

enum status fetch_read(struct fetch *fetch)
{
	size_t n = (size_t)(fetch->run.end - fetch->run.offset);
	enum status st = n > 0 ? blk_read_padded(fetch->run.image->data, fetch->run.offset,
						 fetch->packed + fetch->packed_n - n, n)
			       : ST_OK;

	fetch->run.offset = fetch->run.end = 0;
	return st;
}

/* Whether [offset, offset + n) of the image's file can be read with what is to be read already. */
static bool extends_run(const struct fetch *fetch, const struct image *image, uint64_t offset)
{
	return fetch->run.end > 0 && fetch->run.image == image && offset >= fetch->run.offset &&
	       offset <= fetch->run.end + GAP_BYTES;
}

/*
 * Adds a compressed unit as something to be read and decompressed. *ret_added false: there is
 * no room for it.
 */
static enum status add_packed(struct fetch *fetch, const struct disk_range *range,
			      struct fetch_part *part, bool *ret_added)
{
	uint64_t end = range->offset + range->packed_bytes;
	bool together = extends_run(fetch, range->image, range->offset);
	size_t more = together ? (size_t)(max_u64(end, fetch->run.end) - fetch->run.end)
			       : range->packed_bytes;
	enum status st = ST_OK;

	*ret_added = fetch->n_parts < FETCH_PARTS_MAX &&
		     more <= packed_capacity(fetch) - fetch->packed_n;
	if (!*ret_added)
		return ST_OK;
	if (fetch->packed == NULL)
		fetch->packed = io_alloc(packed_capacity(fetch));
	if (fetch->packed == NULL)
		return ST_NO_MEMORY;
	if (!together) {
		st = fetch_read(fetch);
		fetch->run.image = range->image;
		fetch->run.offset = fetch->run.end = range->offset;
	}
	fetch->packed_n += more;
	fetch->run.end += more;
	part->packed_at = fetch->packed_n - (size_t)(fetch->run.end - range->offset);
	fetch->part[fetch->n_parts++] = *part;
	return st;
}

/* What a processor has room for: a unit that did get smaller, or several. */
static size_t read_later_most(size_t unit_bytes)
{
	return (size_t)max_u64(unit_bytes, READ_BYTES);
}

/* Whether the processor that decompresses a unit can read it. */
static bool can_read_later(const struct fetch *fetch, const struct disk_range *range)
{
	return fetch->n_parts < FETCH_PARTS_MAX && range->image->data->parallel_reads &&
	       range->packed_bytes <= read_later_most(range->image->unit_bytes);
}

enum status fetch_add(struct fetch *fetch, const struct disk_range *range, uint64_t offset,
		      size_t n)
{
	struct fetch_part part = {
		.image = range->image, .offset = range->offset, .at = fetch->n, .n = n
	};
	bool added = range->zero;
	enum status st = ST_OK;

	if (range->zero) {
		memset(fetch->bytes + fetch->n, 0, n);
	} else if (range->compressed) {
		part.skip = (size_t)(offset % range->image->unit_bytes);
		part.packed_bytes = range->packed_bytes;
		part.read_later = can_read_later(fetch, range);
		if (part.read_later)
			fetch->part[fetch->n_parts++] = part;
		else
			st = add_packed(fetch, range, &part, &added);
		added |= part.read_later;
		fetch->has_packed |= added;
	} else if (range->has_offset && fetch->n_parts < FETCH_PARTS_MAX &&
		   range->image->data->parallel_reads) {
		fetch->part[fetch->n_parts++] = part;
		added = true;
	}
	if (st == ST_OK && !added)
		st = blk_read(&range->image->blk, offset, fetch->bytes + fetch->n, n);
	fetch->n += n;
	return st;
}

enum status fetch_copy(struct fetch *to, const struct fetch *from)
{
	CHECK(to->capacity == from->capacity && from->run.end == 0);
	if (to->packed == NULL && from->packed_n > 0) {
		to->packed = io_alloc(packed_capacity(to));
		if (to->packed == NULL)
			return ST_NO_MEMORY;
	}
	fetch_begin(to);
	to->n = from->n;
	to->n_parts = from->n_parts;
	to->packed_n = from->packed_n;
	memcpy(to->part, from->part, from->n_parts * sizeof *from->part);
	/*
	 * What the other processor writes meanwhile lies in the parts, which are written anew here.
	 */
	memcpy(to->bytes, from->bytes, from->n);
	if (from->packed_n > 0)
		memcpy(to->packed, from->packed, from->packed_n);
	return ST_OK;
}

/* Whether the part can be read with the run by a processor. */
static bool adjoins(const struct fetch_run *run, const struct fetch_part *part,
		    const struct unpacker *unpacker)
{
	return part->read_later && part->image == run->image && part->offset >= run->offset &&
	       part->offset <= run->end + GAP_BYTES &&
	       part->offset + part->packed_bytes - run->offset <= unpacker->packed_bytes;
}

/*
 * The compressed bytes of part `i`: of those that the boot processor has read, or of `run`, which
 * is what unpacker->packed has. That is read anew if they are not in it, with those of the next
 * parts that adjoin and for which there is room.
 */
static enum status get_packed(const struct fetch *fetch, size_t i, const struct unpacker *unpacker,
			      struct fetch_run *run, const uint8_t **ret)
{
	const struct fetch_part *part = &fetch->part[i];
	enum status st = ST_OK;

	if (!part->read_later) {
		*ret = fetch->packed + part->packed_at;
		return ST_OK;
	}
	if (run->image != part->image || part->offset < run->offset ||
	    part->offset + part->packed_bytes > run->end) {
		CHECK(part->packed_bytes <= unpacker->packed_bytes);
		*run = (struct fetch_run){ part->image, part->offset,
					   part->offset + part->packed_bytes };
		for (; i < fetch->n_parts && adjoins(run, &fetch->part[i], unpacker); i++)
			run->end = max_u64(run->end,
					   fetch->part[i].offset + fetch->part[i].packed_bytes);
		st = blk_read_padded(run->image->data, run->offset, unpacker->packed,
				     (size_t)(run->end - run->offset));
	}
	*ret = unpacker->packed + (part->offset - run->offset);
	return st;
}

/* Decompresses the unit of one part. */
static enum status unpack(const struct fetch *fetch, const struct fetch_part *part,
			  const uint8_t *packed, const struct unpacker *unpacker)
{
	struct codec *codec = unpacker->codec[part->image->compression];
	size_t unit_bytes = part->image->unit_bytes;
	bool whole = part->n == unit_bytes;
	uint8_t *to = whole ? fetch->bytes + part->at : unpacker->unit;
	enum status st;

	st = codec_decompress(codec, packed, part->packed_bytes, to, unit_bytes);
	if (st == ST_OK && !whole)
		memcpy(fetch->bytes + part->at, to + part->skip, part->n);
	return st;
}

enum status fetch_finish(struct fetch *fetch, const struct unpacker *unpacker)
{
	struct fetch_run run = { 0 };
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < fetch->n_parts; i++) {
		const struct fetch_part *part = &fetch->part[i];
		const uint8_t *packed;

		if (part->packed_bytes == 0) {
			st = blk_read_padded(part->image->data, part->offset,
					     fetch->bytes + part->at, part->n);
			continue;
		}
		if (part->offset >= part->image->data->size)
			return ST_CORRUPT;
		st = get_packed(fetch, i, unpacker, &run, &packed);
		if (st == ST_OK)
			st = unpack(fetch, part, packed, unpacker);
	}
	return st;
}

enum status unpacker_open(struct unpacker *unpacker, size_t unit_bytes, bool reads)
{
	bool complete = true;

	*unpacker = (struct unpacker){ .unit = mem_alloc(unit_bytes) };
	if (reads) {
		unpacker->packed_bytes = read_later_most(unit_bytes);
		unpacker->packed = io_alloc(unpacker->packed_bytes);
		complete = unpacker->packed != NULL;
	}
	for (enum codec_kind kind = 0; kind < CODEC_KINDS; kind++) {
		unpacker->codec[kind] = codec_open(kind, CODEC_ONLY_DECOMPRESS);
		complete = complete && unpacker->codec[kind] != NULL;
	}
	return complete && unpacker->unit != NULL ? ST_OK : ST_NO_MEMORY;
}

void unpacker_close(struct unpacker *unpacker)
{
	for (enum codec_kind kind = 0; kind < CODEC_KINDS; kind++)
		codec_close(unpacker->codec[kind]);
	mem_free(unpacker->unit);
	io_free(unpacker->packed, unpacker->packed_bytes);
	*unpacker = (struct unpacker){ 0 };
}
