/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/part.h"

/*
 * What becomes of a GUID partition table whose disk is copied, byte by byte, onto a larger one: its
 * backup is no longer at the end (UEFI 2.10, 5.3.2: it is to be at the last LBA), and the space
 * behind it cannot be used.
 */

enum gpt_fit {
	GPT_ABSENT,
	/* both copies are good, agree with each other, and span the disk to its last LBA */
	GPT_WHOLE,
	GPT_ODD, /* everything else: `why` says what is wrong */
};

struct gpt_state {
	enum gpt_fit fit;
	char why[PART_NOTE];
};

/*
 * Looks at the GPT in the first `n_bytes` of a blk, as that of a disk of this size with logical
 * blocks of `lba_bytes`. Errors: ST_NO_MEMORY and those of reading.
 */
enum status gpt_examine(struct blk *, uint64_t n_bytes, uint32_t lba_bytes, struct gpt_state *ret,
			struct error *);

/*
 * Moves the backup of a GPT that is GPT_WHOLE in the first `n_bytes` of a larger disk to the end of
 * that, with the same distances from there as before; makes the usable range, and the protective
 * MBR, larger; and reads both copies back.
 *
 * The backup is written first, and flushed; then the old one is made zeros, so that nobody takes it
 * for one; the primary header and the MBR come last. Whoever needs them to be on the medium after
 * everything else keeps them back (blk/hold.h). On failure the copies may disagree. Errors:
 * ST_MISMATCH, ST_NO_MEMORY, those of reading and writing.
 */
enum status gpt_move(struct blk *disk, uint64_t n_bytes, uint32_t lba_bytes, struct error *);
