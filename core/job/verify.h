#pragma once

#include "format/image.h"
#include "job/fingerprint.h"

/*
 * Reads a disk (loaded, with its backing images) back, as far as the fingerprint goes of what it should be; what its
 * backing images have is no part of that. Shows how far it is. Fails with words that name the file: ST_MISMATCH, with
 * the place; the errors of scan_disk().
 */
enum status verify_disk(struct image *, const struct fingerprint *expected, struct out *progress, struct error *);
