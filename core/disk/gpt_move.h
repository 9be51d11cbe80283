/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/part.h"

/*
 * Moving the backup of a GPT after its disk was copied onto a larger one. The backup must be at the
 * last LBA (UEFI 2.10, 5.3.2), and the space after it cannot be used.
 */

enum gpt_fit {
	GPT_ABSENT,
	/* both copies are valid and consistent, and the backup is at the last LBA */
	GPT_WHOLE,
	GPT_ODD, /* anything else: `why` has the reason */
};

struct gpt_state {
	enum gpt_fit fit;
	char why[PART_NOTE];
};

/*
 * Examines the GPT in the first `n_bytes` of a blk, as that of a disk of this size with logical
 * blocks of `lba_bytes`. Statuses: ST_NO_MEMORY, those of reading.
 */
enum status gpt_examine(struct blk *, uint64_t n_bytes, uint32_t lba_bytes, struct gpt_state *ret,
			struct error *);

/*
 * Moves the backup of a GPT, which is GPT_WHOLE in the first `n_bytes` of a larger disk, to the end
 * of the disk; extends the usable range and the protective MBR; and verifies both copies.
 *
 * The new backup is written and flushed first. Then the old backup header is zeroed, so that no
 * tool finds it; primary header and MBR come last. To have these on the medium after everything
 * else, hold them back (blk/hold.h). On failure the copies may disagree. Statuses: ST_MISMATCH,
 * ST_NO_MEMORY, those of reading and writing.
 */
enum status gpt_move(struct blk *disk, uint64_t n_bytes, uint32_t lba_bytes, struct error *);
