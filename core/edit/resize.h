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
 * Whether each file of the image can get as long as `size` has it for that file. ST_TOO_LARGE,
 * ST_NO_SPACE, ST_IO, ST_NO_MEMORY.
 */
enum status resize_check_places(const struct image *, const uint64_t size[], enum prealloc,
				struct error *);
