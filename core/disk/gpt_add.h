/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/part.h"

/* Adding a partition to a GPT, in the space after the last one. */

/* The space that a GPT leaves unused at the end of its disk, which may be larger than it knows. */
struct gpt_room {
	uint64_t table_bytes; /* the size of the disk that the GPT was made for */
	uint64_t start_bytes; /* a multiple of 1 MiB */
	uint64_t size_bytes;  /* likewise; 0: there is none */
	uint32_t entry;       /* the index of a free entry */
};

/*
 * Finds the space after the last partition of a disk with logical blocks of `lba_bytes`. The GPT
 * must be whole, with its backup where it says, and have a free entry. Errors: ST_UNSUPPORTED, with
 * the reason; ST_NO_MEMORY, those of reading.
 */
enum status gpt_find_room(struct blk *, uint32_t lba_bytes, struct gpt_room *ret, struct error *);

struct gpt_new_part {
	struct guid type, guid;
	const char *label; /* ASCII, at most 35 characters */
};

/*
 * Adds a partition that takes all of the space, which gpt_find_room() has found, after moving the
 * backup to the end of the disk (gpt_move()). The backup is written and flushed before the primary,
 * so that one of them is valid at each moment, with the partition or without. Both are read back.
 * Errors: those of gpt_move().
 */
enum status gpt_add(struct blk *, uint32_t lba_bytes, const struct gpt_room *,
		    const struct gpt_new_part *, struct error *);
