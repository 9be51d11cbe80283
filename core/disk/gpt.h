/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/bytes.h"
#include "disk/table.h"

/* What the files of core/part/ that know the GUID partition table share. */

enum { GPT_PRIMARY_LBA = 1 };

/* UEFI 2.10, table 5.5 */
struct gpt_header {
	char signature[8];
	le32 revision;
	le32 header_bytes;
	le32 header_crc;
	le32 reserved;
	le64 my_lba;
	le64 alternate_lba;
	le64 first_usable_lba;
	le64 last_usable_lba;
	struct guid disk_guid;
	le64 entries_lba;
	le32 n_entries;
	le32 entry_bytes;
	le32 entries_crc;
};

/* UEFI 2.10, table 5.6 */
struct gpt_entry {
	struct guid type;
	struct guid guid;
	le64 first_lba;
	le64 last_lba;
	le64 attributes;
	le16 name[36];
};

_Static_assert(sizeof(struct gpt_header) == 92, "GPT header");
_Static_assert(offsetof(struct gpt_header, entries_lba) == 72, "GPT header");
_Static_assert(sizeof(struct gpt_entry) == 128, "GPT entry");
_Static_assert(offsetof(struct gpt_entry, name) == 56, "GPT entry");

/* The CRC that a header of `n` bytes, at least as many as the struct has, should have. */
uint32_t gpt_header_crc(const uint8_t *block, size_t n);

/*
 * Reads the table whose header is at `lba`. *ret is that header, zeros where there is no good one.
 * On failure `table` is as it was, and `why` says what is wrong: ST_CORRUPT, ST_NO_MEMORY, and
 * those of reading.
 */
enum status gpt_read_at(const struct part_disk *, uint64_t lba, struct part_table *table,
			struct gpt_header *ret, struct error *why);
