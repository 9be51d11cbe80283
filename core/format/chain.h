/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "format/image.h"

enum { CHAIN_LENGTH_MAX = 256 };

/* An image and its backing files, each the backing file of the one before. */
struct chain {
	struct {
		char *name; /* as platform_open() takes it */
		struct image *image;
	} * link;
	size_t n;
};

/*
 * Opens `name`, which has that role in the command, and, if `whole`, all of its backing files.
 * `format` (NULL: probed) is that of `name`; its backing files are of the format that the image
 * before them names. Errors: those of image_open(), ST_CORRUPT for a loop or a chain that is too
 * long.
 */
enum status chain_open(struct storage *, enum access_role, const char *name,
		       const struct image_format *format, bool whole, struct chain *ret,
		       struct error *);
void chain_close(struct chain *);

/*
 * Opens `name` and all of its backing files, each showing through the one before:
 * chain->link[0].image->blk is the disk. Errors: those of chain_open() and image_load().
 */
enum status chain_open_disk(struct storage *, const char *name, const struct image_format *format,
			    struct chain *ret, struct error *);

/*
 * As chain_open_disk(), with the first image and that at the index `also` (0: no other) opened for
 * writing.
 */
enum status chain_open_writable(struct storage *, const char *name,
				const struct image_format *format, size_t also, struct chain *ret,
				struct error *);

/*
 * Gets the disk of an opened chain ready, as chain_open_disk() does; `snapshot` is an index into
 * the snapshots of its first image, whose disk as it was then is meant, or NULL. Errors: those of
 * image_load().
 */
enum status chain_load(struct chain *, const size_t *snapshot, struct error *);

/*
 * Opens the backing files of an open image and lets them show through; without one, *ret is an
 * empty chain. The caller closes it, after the image.
 */
enum status chain_open_backing(struct image *, struct chain *ret, struct error *);
