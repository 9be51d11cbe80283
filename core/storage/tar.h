/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "blk/blk.h"

/* Reads tar archives: of POSIX (ustar, pax) and GNU, uncompressed. */

enum {
	TAR_BLOCK_BYTES = 512, /* what an archive consists of */
	TAR_NAME_MAX = 4096,   /* bytes of a member's name */
};

/* A regular file in an archive. */
struct tar_member {
	char *name;      /* without "./" before it; freed by tar_end() or the next tar_next() */
	uint64_t offset; /* of its contents in the archive, which has all of them */
	uint64_t bytes;
	bool sparse; /* stored without its holes, by GNU tar: `bytes` are not its contents */
};

struct tar {
	struct blk *blk; /* lent by the caller */
	uint64_t next;   /* offset of the next header */
	struct tar_member member;
};

/* Whether the first block of a file is a header of a tar archive, by its magic and its checksum. */
bool tar_is_header(const uint8_t block[static TAR_BLOCK_BYTES]);

void tar_begin(struct tar *, struct blk *);
void tar_end(struct tar *);

/*
 * Reads on to the next regular file, which tar->member is then. ST_NOT_FOUND: there is none; the
 * error is not set. ST_CORRUPT: with words that do not name the archive; ST_CANCELLED,
 * ST_NO_MEMORY; those of reading.
 */
enum status tar_next(struct tar *, struct error *);
