/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"

struct blk;

/*
 * Refuses an open file that begins with the mark of an unfinished image (blk/mark.h): ST_REFUSED,
 * with a message that names it. Whoever opens a file as an image, or as a file of one, calls this.
 * A file whose first sector cannot be read is not refused: reading that sector reports the error
 * later, or does without it (convert --salvage). Errors: those of reading but ST_IO.
 */
enum status unfinished_refuse(struct blk *file, const char *name, struct error *);
