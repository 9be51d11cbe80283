/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "disk/part.h"

/* What the readers of partition tables share. */

/* A disk whose partition table is read, in logical blocks. */
struct part_disk {
	struct blk *blk;
	uint32_t lba_bytes; /* size of a logical block */
	uint64_t n_lbas;
};

enum { SECTOR_BYTES = 512 }; /* of an MBR, at the start of a block of any size */

/* Counts a partition that is left out, because it does not lie on the disk. */
void part_leave_out(struct part_table *, uint32_t number);

/* Kinds of the first sector of a disk. */
enum mbr_kind {
	MBR_ABSENT, /* no boot signature, or no valid table */
	/* the boot sector of a file system: the disk is one volume without a table */
	MBR_VOLUME,
	MBR_PROTECTIVE, /* stands for a GPT (UEFI 2.10, 5.2.3) */
	MBR_EMPTY,      /* a table without partitions */
	MBR_USED,
};

/* Returns the kind of a first sector. */
enum mbr_kind mbr_classify(const uint8_t sector[static SECTOR_BYTES]);

/*
 * Reads the partitions of an MBR that is MBR_EMPTY or MBR_USED, and its logical ones. Damage goes
 * to the note. Statuses: ST_NO_MEMORY.
 */
enum status mbr_read(const struct part_disk *, const uint8_t sector[static SECTOR_BYTES],
		     struct part_table *, struct error *);

/* Returns whether the block at LBA 1 has the signature of a GPT. */
bool gpt_is_signed(const struct part_disk *);

/*
 * Reads a GPT, from its backup if the primary is damaged. If both are, the table has a note and no
 * partitions. Statuses: ST_NO_MEMORY.
 */
enum status gpt_read(const struct part_disk *, struct part_table *, struct error *);

/* Return the name of a partition type, at most 20 characters; "" if it is unknown. */
const char *mbr_type_name(uint8_t type);
const char *gpt_type_name(const struct guid *type);
