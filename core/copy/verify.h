/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/used_map.h"
#include "engine/fingerprint.h"
#include "engine/observer.h"
#include "engine/progress.h"
#include "format/image.h"

/*
 * Reads a disk (loaded, with its backing images) back, as far as the fingerprint goes of what it
 * should be; what its backing images have is no part of that, nor is what an observer has left out
 * of the copy (`next`), nor what is unused in `used` (NULL: nothing is). Shows how far it is.
 * Fails with words that name the file: ST_MISMATCH, with the place; the errors of scan_disk().
 */
enum status verify_disk(struct image *, const struct fingerprint *expected,
			const struct used_map *used, const struct observers *observers,
			struct progress *, struct error *);
