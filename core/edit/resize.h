/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/image.h"

/*
 * Gives the disk of an image, loaded for writing, another size; what is new reads as zeros. Checks
 * everything that can be known before it changes anything. When it fails later, the disk has its
 * old or its new size. Errors: ST_INVALID, ST_UNSUPPORTED, ST_TOO_LARGE, ST_NO_SPACE, ST_CANCELLED,
 * ST_IO, ST_NO_MEMORY, with words that name the file.
 */
enum status resize_run(struct image *, uint64_t size, enum prealloc, struct error *);

/*
 * Whether the image and its data file can get as long as `size` says, in this order. ST_TOO_LARGE,
 * ST_NO_SPACE, ST_IO.
 */
enum status resize_check_places(const struct image *, const uint64_t size[static CREATE_FILES_MAX],
				enum prealloc, struct error *);
