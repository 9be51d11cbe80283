/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "memory_blk.h"

/*
 * Makes partition tables byte by byte, independently of core/disk/. LBAs are of the blk's own block
 * size.
 */

struct sim_part {
	const uint8_t *type; /* 16 bytes; MBR: the first byte counts */
	uint64_t first_lba, last_lba;
	const char *label; /* ASCII; GPT only */
};

extern const uint8_t sim_esp[16], sim_basic_data[16], sim_linux[16];

/* Little-endian, in any byte of the blk. */
void sim_put(struct memory_blk *, uint64_t offset, uint64_t value, size_t n_bytes);

/* Protective MBR, both headers and both arrays of 128 entries, for a disk of at least 68 blocks. */
void sim_gpt(struct memory_blk *, const struct sim_part *, size_t n);

/* Sets both CRCs of the header at an LBA right again. */
void sim_gpt_seal(struct memory_blk *, uint64_t header_lba);

/*
 * A record of the MBR, or of a table in the extended chain, at the beginning of block `table_lba`;
 * also its boot signature.
 */
void sim_mbr_record(struct memory_blk *, uint64_t table_lba, unsigned index, uint8_t type,
		    uint32_t first_lba, uint32_t n_lbas);
