/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/out.h"

/*
 * A disk, or a range of it, as a picture: a field of cells, each for an equal part, in lines of
 * text or as an SVG document (https://www.w3.org/TR/SVG11/). A cell shows the kind that matters
 * most of what it covers.
 */
enum picture_kind {
	PICTURE_ZERO,
	PICTURE_UNUSED, /* no file system used it: it was not copied, and reads as zeros */
	PICTURE_DATA,
	PICTURE_UNTRIED, /* not copied yet, by a rescue map */
	PICTURE_UNREADABLE,
	PICTURE_KINDS,
};

enum { PICTURE_CELLS_MAX = 128 * 64 };

struct picture {
	const char *name;           /* of what it shows: the caller's */
	uint64_t start, n_bytes;    /* of the disk */
	uint64_t cell_bytes;        /* a power of two, at least 4096 */
	size_t columns, n;          /* cells */
	uint64_t of[PICTURE_KINDS]; /* bytes of each kind */
	uint8_t *kind;              /* of each cell: enum picture_kind */
};

/*
 * Begins a picture of `n_bytes` of a disk from `start` on, of at most `most` cells (1 to
 * PICTURE_CELLS_MAX), all of them zeros. ST_NO_MEMORY; closed on failure too.
 */
enum status picture_open(struct picture *, const char *name, uint64_t start, uint64_t n_bytes,
			 size_t columns, size_t most, struct error *);
void picture_close(struct picture *);

/* What `n` bytes at `offset` of the disk are. What the picture does not show is ignored. */
void picture_set(struct picture *, enum picture_kind, uint64_t offset, uint64_t n);

/* A title, the cells with the offset of each line, and what the characters mean. */
void picture_print_text(const struct picture *, struct out *);

/* The same as an SVG document. */
void picture_print_svg(const struct picture *, struct out *);
