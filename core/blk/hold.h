#pragma once

#include "blk/blk.h"

/*
 * A file whose first sector is kept back: writes to it stay in memory, and the file has zeros there until
 * hold_release(). What is recognised by its first bytes, as image files are, is so recognised only when everything
 * else is on the medium.
 *
 * The blk does everything else as `file` does; closing it closes `file`. NULL: no memory, and `file` is still the
 * caller's.
 */
enum { HOLD_BYTES = 512 };

struct blk *hold_open(struct blk *file);

/* Flushes everything, writes the first sector, flushes again. From then on nothing is kept back. */
enum status hold_release(struct blk *);
