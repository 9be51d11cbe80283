#pragma once

#include "format/image.h"
#include "job/fingerprint.h"
#include "job/progress.h"

/*
 * Reads `n_bytes` from `offset` on of a disk (loaded, with its backing images) and compares them with the fingerprint
 * of what they should be. Fails with words that name the file: ST_MISMATCH, with the place; the errors of scan_disk().
 */
enum status verify_disk(struct image *, uint64_t offset, uint64_t n_bytes, const struct fingerprint *expected, struct progress *, struct error *);
