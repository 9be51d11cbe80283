/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/bytes.h"
#include "disk/table.h"

/* The GUID partition table on disk, for gpt.c and gpt_move.c. */

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

/* Returns the CRC of a header of `n` bytes, at least sizeof(struct gpt_header). */
uint32_t gpt_header_crc(const uint8_t *block, size_t n);

/*
 * Reads the table whose header is at `lba`. *ret is that header, all zeros if it is not valid. On
 * failure `table` is unchanged and `why` has the reason. Statuses: ST_CORRUPT, ST_NO_MEMORY, those
 * of reading.
 */
enum status gpt_read_at(const struct part_disk *, uint64_t lba, struct part_table *table,
			struct gpt_header *ret, struct error *why);
