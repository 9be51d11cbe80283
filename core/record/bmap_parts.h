/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "record/bmap.h"

/*
 * Reads the file of a map, bmap->file, into bmap->range; the rest is set. Errors: those of
 * bmap_read(); what was read so far is freed by bmap_close().
 */
enum status bmap_parse(struct bmap *, const char *image, struct error *);
