/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/image.h"

/* Bitmaps of what was written to a disk: finding them, merging and copying them. */

/* The first one of that name: *ret_index. */
bool bitmaps_find(const struct image *, const char *name, size_t *ret_index);

/*
 * The same, with the reason why it cannot be read or changed. ST_NOT_FOUND, ST_CORRUPT,
 * ST_UNSUPPORTED.
 */
enum status bitmaps_get(const struct image *, const char *name, size_t *ret_index, struct error *);

/* Bytes of the disk that one bit of a new bitmap stands for by default. */
uint64_t bitmaps_granularity(const struct image *);

/*
 * Sets in a bitmap what is set in another one, which bitmaps_get() gave and which may be of the
 * same image. It is on the medium then. Where it fails, nothing has changed, or the bitmap is
 * marked as in use.
 */
enum status bitmaps_merge(struct image *target, size_t to, struct image *source, size_t from,
			  struct error *);

/*
 * Gives an image copies of all bitmaps of another one that are not in_use; what can be known of
 * that, before. It is on the medium then.
 */
enum status bitmaps_plan_copy(struct image *target, const struct image *source, struct error *);
enum status bitmaps_copy(struct image *target, struct image *source, struct error *);
