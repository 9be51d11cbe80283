/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/guid.h"
#include "blk/blk.h"
#include "format/create_options.h"

/* What is to be created. Texts belong to the caller. */
struct create_request {
	const char *file_name;
	/* virtual size, a multiple of 512, at most SIZE_LIMIT */
	uint64_t size;
	const struct create_values *options; /* of this format's table, in its order */
	const char *backing_name;            /* NULL: none */
	const char *backing_format;          /* NULL: none */
	struct guid backing_id; /* the backing file's content_id; zeros: it was not opened */
	bool bitmaps;           /* the image will get some */
	/* for create.measure: one that it will get besides those of its source; NULL: none */
	const struct bitmap *bitmap;
	bool compressed; /* what is written to the disk will be compressed */
	/* the disk will be written at once, so that a flat image need not have its zeros yet */
	bool filled;
};

/*
 * The files that creating an image will write, known before the first byte: so that space and
 * limits can be checked.
 */
struct create_plan {
	struct create_file {
		char *name;    /* as the person gave it; of others than the image, relative to it */
		uint64_t size; /* bytes in the end */
		enum prealloc prealloc;
	} * file; /* [0] is the image itself */
	size_t n_files;
};

/* Adds a file; the name is copied. Errors: ST_NO_MEMORY. */
enum status create_plan_add(struct create_plan *, const char *name, uint64_t size, enum prealloc,
			    struct error *);
void create_plan_free(struct create_plan *); /* leaves an empty plan */

/* What an image takes in its files. */
struct image_measure {
	uint64_t full_bytes; /* with all of the disk stored */
	/*
	 * of these: the disk itself. The others are tables, and all of them are counted, however
	 * empty the disk is
	 */
	uint64_t data_bytes;
	/* of the disk, only what holds data is stored, in blocks of this size; 0: all of it */
	uint32_t block_bytes;
	bool has_bitmaps; /* those of the source could be copied as well, or it will get one, */
	uint64_t bitmaps_bytes; /* and they would take this */
};
