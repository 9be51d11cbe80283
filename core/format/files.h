/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "blk/blk.h"

struct image;

/* One of the files that an image consists of. */
struct image_file {
	char *name;      /* as platform_open() takes it */
	struct blk *blk; /* of file[0] always; of the others once image_load() has opened them */
	/*
	 * The first `data_bytes` of it are the bytes [data_offset, data_offset + data_bytes) of
	 * image->data. 0: it has none of the data. UINT64_MAX: it has all of them, as far as it
	 * grows.
	 */
	uint64_t data_offset, data_bytes;
};

/*
 * Adds a file to an image that is being opened: for the `open` of a format. Takes `name` (NULL:
 * there was no memory for it), on failure too. Files with data are added in ascending order of
 * `data_offset`. Errors: ST_NO_MEMORY.
 */
enum status image_add_file(struct image *, char *name, uint64_t data_offset, uint64_t data_bytes,
			   struct error *);

/*
 * Opens all files but the first in the mode of the image, and makes image->data: the file that has
 * the data, or several of them one after the other. Does nothing the second time. Errors: those of
 * storage_reopen(), with words that do not name the image; ST_NO_MEMORY.
 */
enum status image_open_files(struct image *, struct error *);

/* Closes what image_open_files() and image_add_file() have made, and the first file. */
void image_close_files(struct image *);

/*
 * The file that has the byte at `*offset` of image->data; *offset becomes its place in that file.
 * The caller knows that there is such a byte: extents of the image have it, or its format has.
 */
const struct image_file *image_file_at(const struct image *, uint64_t *offset);
