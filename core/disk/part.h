/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/guid.h"
#include "blk/blk.h"

/* Partition tables: GPT (UEFI 2.10, 5.3) and MBR (5.2) with its chain of extended partitions. */

enum part_kind { PART_NONE, PART_MBR, PART_GPT };

enum {
	PART_LABEL = 36 * 3 + 1, /* 36 units of UTF-16 as UTF-8, and a NUL */
	PART_NOTE = 512,
	PART_TYPE_TEXT = GUID_TEXT,
};

/* A partition. It always lies within the blk. */
struct part {
	/* as operating systems number them: GPT entries from 1; MBR 1 to 4, logical ones from 5 */
	uint32_t number;
	uint64_t start_bytes;
	uint64_t size_bytes;
	uint8_t mbr_type; /* MBR only */
	struct guid type; /* GPT only, like `guid` */
	struct guid guid;
	const char *type_name;  /* "EFI system"; "" for a type without a name here; static */
	char label[PART_LABEL]; /* UTF-8; MBR: "" */
	bool bootable;          /* MBR: active; GPT: the legacy BIOS bootable attribute */
};

struct part_table {
	enum part_kind kind;
	struct guid disk_guid;  /* GPT */
	uint32_t mbr_signature; /* MBR */
	/* in the order of the table; logical partitions in the order of their chain */
	struct part *part;
	size_t n;
	uint32_t n_left_out;     /* partitions of the table that do not lie on the disk */
	uint32_t first_left_out; /* the number of the first of them */
	bool past_end;           /* one of its partitions, or a part of one, is past the end */
	char note[PART_NOTE];    /* what is wrong with the table; "": nothing */
	/* the length of the note if all that it says is that a GPT was made for a smaller disk */
	size_t n_note_smaller;
};

/*
 * Reads the partition table of a disk. A damaged table is no failure: *ret has what could be read,
 * and the note says what is wrong. The caller frees *ret with part_table_free(); it is empty on
 * failure. Statuses: ST_NO_MEMORY, those of reading the first sector.
 */
enum status part_table_read(struct blk *, struct part_table *ret, struct error *);
void part_table_free(struct part_table *);

/*
 * Returns the sector size in bytes that the table on a disk, or the volume that fills it, was made
 * for, whatever the blk's own block size is; 0: unknown. Statuses: those of reading, ST_NO_MEMORY.
 */
enum status part_sector_bytes(struct blk *, uint32_t *ret);

/* Appends to the note of a table. */
void part_note(struct part_table *, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Returns whether partitions of that type hold volumes that may be in several pieces, on other
 * disks as well: what a file system at the start says of its blocks is not about this partition.
 */
bool part_is_in_pieces(const struct part *);

/* Prints the type of a partition for scripts: a GUID, or "0x07" for an MBR. */
void part_type_print(enum part_kind, const struct part *, char text[static PART_TYPE_TEXT]);
