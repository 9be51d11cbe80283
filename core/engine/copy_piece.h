/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "codec/codec.h"
#include "engine/source_disk.h"
#include "engine/copy.h"
#include "engine/pipeline.h"

/* What the files of a copy share: copy.c has the loop, the others a step of it each. */

struct copy;

/* One piece of the disk on its way. DATA: it is no longer than copy->piece_bytes. */
struct piece {
	struct slot slot;
	const struct copy *copy;
	enum source_disk_kind kind;
	uint64_t offset, length;
	struct fetch fetch;
	enum status st; /* of the work */
	bool has_data;  /* not all of it is known to be zeros */
	uint64_t result[OBSERVER_RESULTS];
	bool *zero; /* of each unit: it is all zeros */
	/* of each unit, one after the other, its compressed form; NULL: nothing is compressed */
	uint8_t *packed;
	uint32_t *packed_bytes; /* its length; 0: it does not get smaller */
};

/* One run of a job. */
struct copy {
	const struct copy_job *job;
	struct source_disk disk; /* what is copied */
	struct blk *target;
	/* what is left out or written is a multiple of this, from a multiple of it on */
	size_t unit_bytes;
	/* zeros are left out as units in an aligned group of this length; unit_bytes << n */
	size_t group_bytes;
	size_t piece_bytes; /* a multiple of it */
	bool seeks_zeros;   /* the target has something better for zeros than to write them */
	const struct observer *worker, *chooser; /* that have `work`, `next`; NULL: none */
	uint64_t at;                             /* everything below it is written */
	uint64_t ahead;                          /* where the next piece begins */
	/* piece_bytes of what an earlier run has written; NULL: there was none */
	uint8_t *old;
	struct pipeline line;
	/* of each processor; NULL: nothing is compressed */
	struct codec *codec[PIPELINE_WORKERS_MAX + 1];
};

/* ---- copy.c ---- */

/* The words for a copy that the person has stopped, wherever it was noticed: ST_CANCELLED. */
enum status copy_stopped(const struct copy *, struct error *);

/* ---- copy_read.c ---- */

/*
 * Reads the piece from `at` on, at most to `end`. Units are never divided, so that each is written
 * once. Errors: those of reading, with words.
 */
enum status copy_read_piece(struct copy *, struct piece *, uint64_t at, uint64_t end,
			    struct error *);

/* Reads the whole piece again, block by block where it has to be. Then its work is to be done. */
enum status copy_read_again(struct piece *, struct error *);

/* The words for a piece that could not be read. Returns `st`. */
enum status copy_read_failed(const struct piece *, enum status st, struct error *);

/* ---- copy_write.c ---- */

/* Writes what the piece has. Errors: those of writing, ST_CANCELLED, with words. */
enum status copy_write_piece(struct copy *, const struct piece *, struct error *);

/* Everything below `end` is written: shows it. */
void copy_advance(struct copy *, uint64_t end);

/* The words for a failure to write at `offset`. Returns `st`. */
enum status copy_write_failed(const struct copy *, enum status st, uint64_t offset, struct error *);

/* ---- copy_compare.c ---- */

/* Whether an earlier run has written the piece. */
bool copy_is_old(const struct piece *);

/*
 * Compares the piece with what an earlier run has written. *ret_write: it is to be written anew.
 * Errors: ST_MISMATCH; those of reading, ST_CANCELLED, with words.
 */
enum status copy_compare_piece(const struct piece *, bool *ret_write, struct error *);
