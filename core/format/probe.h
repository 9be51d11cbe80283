/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "blk/blk.h"

enum {
	PROBE_CERTAIN = 100,      /* what a format says of an image that bears its signature */
	PROBE_SECTOR_BYTES = 512, /* that are read first */
	PROBE_HEAD_BYTES = 4096,  /* the header of a PE program can begin that far into it */
	PROBE_TAIL_BYTES = 1024,  /* the trailer of a dmg lies within the last 1023 bytes */
};

/* What can be known of a file or device before its format is: the evidence that every format and
 * signature judges. */
struct image_probe {
	const char *name; /* as the caller opened it */
	uint64_t size;    /* bytes */
	bool device;      /* a disk or partition, not a file */
	bool whole; /* all of `head` and `tail` is read; until then they are zeros but for the first
		       sector */
	uint8_t head[PROBE_HEAD_BYTES]; /* the first bytes, zeros past the end of a shorter file */
	uint8_t tail[PROBE_TAIL_BYTES]; /* the last bytes, zeros before the beginning of a shorter
					   file */
};

/* Fills *ret, of head and tail the first sector. Errors: those of reading. */
enum status probe_read_sector(struct blk *, const char *name, struct image_probe *ret);

/*
 * Reads the rest of head and tail; of a sequential blk, whose tail costs reading all of it, only of
 * the head: what is recognised by its last bytes is not recognised there. What cannot be read stays
 * zeros, so that ST_IO is not among the errors, which are those of reading.
 */
enum status probe_read_rest(struct blk *, struct image_probe *);
