/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "codec/codec.h"
#include "format/image.h"

/*
 * Whether an image, loaded for writing, can have compressed units. ST_UNSUPPORTED, with words that
 * name the file.
 */
enum status pack_possible(const struct image *, struct error *);

/*
 * Compresses a unit of `n` bytes into `packed`, which has room for as many. *ret_packed_bytes 0:
 * it does not get smaller. On any processor, each with a codec of its own. Errors: ST_NO_MEMORY.
 */
enum status pack_unit(struct codec *, const uint8_t *bytes, size_t n, uint8_t *packed,
		      uint32_t *ret_packed_bytes);
