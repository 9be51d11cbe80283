/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"

struct blk;

/*
 * Refuses an open file that begins with the mark of an unfinished image (blk/mark.h): ST_REFUSED,
 * with words that name it. Every place that opens a file as an image, or as the data file of one,
 * asks this. A file whose first sector the device cannot read is not refused: whoever reads that
 * sector meets the error, or does without it (convert --salvage). Errors: others of reading.
 */
enum status unfinished_refuse(struct blk *file, const char *name, struct error *);
