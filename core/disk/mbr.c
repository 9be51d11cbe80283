/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MBR (UEFI 2.10, 5.2.1), and logical partitions, which are in a chain of further tables within
 * an extended partition, a convention of DOS.
 *
 * Each table of the chain has one partition, relative to the table, and a link to the next table,
 * relative to the extended partition. A chain from a damaged disk may loop, leave the extended
 * partition or never end: tables already visited, the range and the number of links are checked.
 * What was read up to there is kept, with a note.
 */

#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"
#include "disk/table.h"
#include "fs/fs.h"

struct mbr_entry {
	uint8_t boot;
	uint8_t first_chs[3];
	uint8_t type;
	uint8_t last_chs[3];
	le32 first_lba;
	le32 n_lbas;
};

struct mbr {
	uint8_t code[440];
	le32 signature;
	uint8_t reserved[2];
	struct mbr_entry entry[4];
	uint8_t end[2];
};

_Static_assert(sizeof(struct mbr_entry) == 16, "MBR partition record");
_Static_assert(offsetof(struct mbr, entry) == 446, "MBR");
_Static_assert(sizeof(struct mbr) == SECTOR_BYTES, "MBR");

enum {
	TYPE_UNUSED = 0,
	TYPE_GPT_PROTECTIVE = 0xee,
	BOOT_ACTIVE = 0x80,
	N_ENTRIES = 4,
	LOGICAL_MAX = 128, /* longer chains are cut */
	FIRST_LOGICAL = 5,
};

static bool is_signed(const struct mbr *mbr)
{
	return mbr->end[0] == 0x55 && mbr->end[1] == 0xaa;
}

static bool is_used(const struct mbr_entry *entry)
{
	return entry->type != TYPE_UNUSED && le32_get(entry->n_lbas) > 0;
}

static bool is_extended(const struct mbr_entry *entry)
{
	return entry->type == 0x05 || entry->type == 0x0f || entry->type == 0x85;
}

enum mbr_kind mbr_classify(const uint8_t sector[static SECTOR_BYTES])
{
	const struct mbr *mbr = (const struct mbr *)sector;
	enum mbr_kind kind = MBR_EMPTY;

	if (!is_signed(mbr))
		return MBR_ABSENT;
	/*
	 * Boot sectors of FAT and NTFS have the same signature, and code or messages in place of
	 * the table.
	 */
	if (fs_is_boot_sector(sector))
		return MBR_VOLUME;
	for (size_t i = 0; i < N_ENTRIES; i++) {
		if ((mbr->entry[i].boot & ~BOOT_ACTIVE) != 0)
			return MBR_ABSENT;
		if (mbr->entry[i].type == TYPE_GPT_PROTECTIVE)
			kind = MBR_PROTECTIVE;
		else if (is_used(&mbr->entry[i]) && kind == MBR_EMPTY)
			kind = MBR_USED;
	}
	return kind;
}

/*
 * Adds the partition of an entry, whose first LBA is relative to `base_lba`, if it is on the disk.
 */
static void add(const struct part_disk *disk, struct part_table *table,
		const struct mbr_entry *entry, uint64_t base_lba, uint32_t number)
{
	uint64_t first_lba = base_lba + le32_get(entry->first_lba),
		 n_lbas = le32_get(entry->n_lbas);

	if (!range_ok(first_lba, n_lbas, disk->n_lbas)) {
		part_leave_out(table, number);
		table->past_end = true;
		return;
	}
	table->part[table->n++] = (struct part){
		.number = number,
		.start_bytes = first_lba * disk->lba_bytes,
		.size_bytes = n_lbas * disk->lba_bytes,
		.mbr_type = entry->type,
		.type_name = mbr_type_name(entry->type),
		.bootable = entry->boot == BOOT_ACTIVE,
	};
}

/* The LBA of the next table of the chain; 0: the chain ends. */
static uint64_t follow(const struct mbr_entry *link, uint64_t extended_lba)
{
	return is_extended(link) && is_used(link) ? extended_lba + le32_get(link->first_lba) : 0;
}

static bool contains(const uint64_t *lbas, uint32_t n, uint64_t lba)
{
	for (uint32_t i = 0; i < n; i++)
		if (lbas[i] == lba)
			return true;
	return false;
}

/*
 * Notes a logical partition that has a table of the chain in it: what the partition does not use is
 * no longer nothing.
 */
static void note_tables_inside(const struct part_disk *disk, struct part_table *table,
			       const uint64_t *lbas, uint32_t n)
{
	for (size_t i = 0; i < table->n; i++)
		for (uint32_t k = 0; k < n; k++) {
			const struct part *part = &table->part[i];
			uint64_t at = lbas[k] * disk->lba_bytes;

			if (part->number < FIRST_LOGICAL || at < part->start_bytes ||
			    at - part->start_bytes >= part->size_bytes)
				continue;
			part_note(table, "partition %u has a table of the chain in it, at LBA %ju",
				  part->number, lbas[k]);
			return;
		}
}

static void read_logical(const struct part_disk *disk, const struct mbr_entry *extended,
			 struct part_table *table, struct mbr *scratch)
{
	uint64_t extended_lba = le32_get(extended->first_lba),
		 n_extended = le32_get(extended->n_lbas);
	uint64_t at = extended_lba, visited[LOGICAL_MAX];
	uint32_t n = 0;

	table->past_end |= !range_ok(extended_lba, n_extended, disk->n_lbas);
	for (uint32_t i = 0; at != 0; n = ++i) {
		enum status st;

		if (i == LOGICAL_MAX) {
			part_note(table, "the chain of logical partitions has more than %d tables",
				  LOGICAL_MAX);
			return;
		}
		if (contains(visited, i, at)) {
			part_note(table, "the chain of logical partitions loops back to LBA %ju",
				  at);
			return;
		}
		visited[i] = at;
		if (!range_ok(at, 1, disk->n_lbas) || !range_ok(at - extended_lba, 1, n_extended)) {
			part_note(table,
				  "the chain of logical partitions leaves the extended partition, "
				  "to LBA %ju",
				  at);
			return;
		}
		st = blk_read(disk->blk, at * disk->lba_bytes, scratch, sizeof *scratch);
		if (st != ST_OK || !is_signed(scratch)) {
			part_note(table, "the chain of logical partitions breaks at LBA %ju: %s",
				  at, st != ST_OK ? status_text(st) : "there is no table");
			return;
		}
		if (is_used(&scratch->entry[0]))
			add(disk, table, &scratch->entry[0], at, FIRST_LOGICAL + i);
		at = follow(&scratch->entry[1], extended_lba);
	}
	note_tables_inside(disk, table, visited, n);
}

enum status mbr_read(const struct part_disk *disk, const uint8_t sector[static SECTOR_BYTES],
		     struct part_table *table, struct error *err)
{
	const struct mbr *mbr = (const struct mbr *)sector;
	const struct mbr_entry *extended = NULL;
	struct mbr *scratch = io_alloc(sizeof *scratch);

	table->part = mem_alloc((N_ENTRIES + LOGICAL_MAX) * sizeof *table->part);
	if (scratch == NULL || table->part == NULL) {
		io_free(scratch, sizeof *scratch);
		return fail_no_memory(err);
	}
	table->kind = PART_MBR;
	table->mbr_signature = le32_get(mbr->signature);
	for (uint32_t i = 0; i < N_ENTRIES; i++) {
		if (!is_used(&mbr->entry[i]))
			continue;
		add(disk, table, &mbr->entry[i], 0, i + 1);
		if (is_extended(&mbr->entry[i]) && extended == NULL)
			extended = &mbr->entry[i];
	}
	if (extended != NULL)
		read_logical(disk, extended, table, scratch);
	io_free(scratch, sizeof *scratch);
	return ST_OK;
}
