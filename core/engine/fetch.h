/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "codec/codec.h"
#include "engine/disk_map.h"

/*
 * Reading a range of a disk in two steps, so that other processors can do the larger part of it:
 * first the boot processor looks up where the bytes are and reads what no other one can read, then
 * any processor does the rest: decompressing, and reading where processors can do that at the same
 * time.
 */

enum { FETCH_PARTS_MAX = 256 };

/* Consecutive bytes that come from one place. */
struct fetch_part {
	struct image *image;
	uint64_t offset;       /* in image->data */
	size_t at, n;          /* in the buffer */
	size_t skip;           /* compressed: what of the unit is before them */
	uint32_t packed_bytes; /* 0: not compressed */
	bool read_later;       /* compressed: by the processor that decompresses it */
	size_t packed_at;      /* otherwise: in fetch->packed */
};

/* Bytes of image->data, which may be those of several parts. */
struct fetch_run {
	struct image *image;
	uint64_t offset, end;
};

struct fetch {
	uint8_t *bytes;       /* page-aligned, of the size that fetch_open() got */
	size_t capacity, n;   /* `n` bytes have been asked for so far */
	bool has_packed;      /* some of them are to be decompressed */
	uint8_t *packed;      /* of these, what the boot processor reads; NULL until it does */
	size_t packed_n;      /* so much of it is used */
	struct fetch_run run; /* what is to be read into the last bytes of it; empty: nothing */
	struct fetch_part part[FETCH_PARTS_MAX]; /* what is still to be got */
	size_t n_parts;
};

/* What one processor needs for it. */
struct unpacker {
	struct codec *codec[CODEC_KINDS];
	uint8_t *unit;       /* one that is not asked for as a whole */
	uint8_t *packed;     /* what it reads itself; NULL: nothing */
	size_t packed_bytes; /* room for it */
};

/* ST_NO_MEMORY; closed on failure too. */
enum status fetch_open(struct fetch *, size_t bytes);
void fetch_close(struct fetch *);

/* Begins anew, with an empty buffer. */
void fetch_begin(struct fetch *);

/*
 * Appends `n` bytes that lie at `offset` of the disk; `range` is what disk_map_at() has returned
 * there, for at least `n` bytes. Of the boot processor.
 */
enum status fetch_add(struct fetch *, const struct disk_range *, uint64_t offset, size_t n);

/* Reads what the boot processor has to read. After it, fetch_finish() is due. */
enum status fetch_read(struct fetch *);

/*
 * Makes `to`, of the same capacity, what `from` was after fetch_read(), so that fetch_finish() can
 * be done there: a processor that does not answer may be in the middle of it in `from`. Nothing is
 * looked up or read again. ST_NO_MEMORY.
 */
enum status fetch_copy(struct fetch *to, const struct fetch *from);

/*
 * On any processor: fetch->bytes has them then. ST_CORRUPT: they cannot be decompressed; the errors
 * of reading.
 */
enum status fetch_finish(struct fetch *, const struct unpacker *);

/*
 * For units of up to `unit_bytes`; `reads`: it can read what it decompresses (parallel_reads).
 * ST_NO_MEMORY; closed on failure too.
 */
enum status unpacker_open(struct unpacker *, size_t unit_bytes, bool reads);
void unpacker_close(struct unpacker *);
