/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/part.h"

/* What the files of core/part/ share. */

/* A disk whose partition table is being read, in the units of that table. */
struct part_disk {
	struct blk *blk;
	uint32_t lba_bytes; /* size of a logical block */
	uint64_t n_lbas;
};

enum { SECTOR_BYTES = 512 }; /* of an MBR, at the beginning of a block of any size */

/* Counts a partition that does not lie on the disk. */
void part_leave_out(struct part_table *, uint32_t number);

/* What the first sector of a disk is. */
enum mbr_kind {
	MBR_ABSENT, /* no boot signature, or no sensible table before it */
	/* the boot sector of a file system: the disk is one volume without a table */
	MBR_VOLUME,
	MBR_PROTECTIVE, /* says that there is a GPT (UEFI 2.10, 5.2.3) */
	MBR_EMPTY,      /* a table without partitions */
	MBR_USED,
};

enum mbr_kind mbr_classify(const uint8_t sector[static SECTOR_BYTES]);

/* Takes the partitions out of a table that is MBR_EMPTY or MBR_USED. Errors: ST_NO_MEMORY. */
enum status mbr_read(const struct part_disk *, const uint8_t sector[static SECTOR_BYTES],
		     struct part_table *, struct error *);

/* Whether the second block begins as a GPT does. */
bool gpt_is_signed(const struct part_disk *);

/*
 * Reads a GPT, from its backup where need be; a table without either has a note and no partitions.
 * Errors: ST_NO_MEMORY.
 */
enum status gpt_read(const struct part_disk *, struct part_table *, struct error *);

/* Names of partition types, "" for others. */
const char *mbr_type_name(uint8_t type);
const char *gpt_type_name(const struct guid *type);
