/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The GUID partition table (UEFI 2.10, 5.3): a header and entries after the MBR, and a backup of
 * both at the end of the disk.
 *
 * Everything in it may be damaged or hostile. The CRC of the header comes first, then every field
 * that an address or a size is computed from, then the CRC of the entries; entries are not sized by
 * the table but read in pieces. A damaged primary is replaced by the backup, and the damage noted;
 * a partition that does not lie on the disk is left out and counted. Nothing is repaired.
 */

#include "base/bytes.h"
#include "base/crc32.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "base/utf.h"
#include "disk/gpt.h"

enum {
	ENTRY_BYTES_MAX = 4096,
	ENTRIES_MAX = 4096,  /* 128 is usual */
	PIECE_BYTES = 65536, /* of the entries, read at a time; a multiple of every entry size */
	LEGACY_BOOTABLE = 4, /* bit 2 of the attributes */
};

static const char signature[8] = { 'E', 'F', 'I', ' ', 'P', 'A', 'R', 'T' };

static bool is_signed_at(struct blk *blk, uint64_t offset)
{
	char bytes[sizeof signature];

	return range_ok(offset, sizeof bytes, blk->size) &&
	       blk_read(blk, offset, bytes, sizeof bytes) == ST_OK &&
	       memcmp(bytes, signature, sizeof bytes) == 0;
}

bool gpt_is_signed(const struct part_disk *disk)
{
	return is_signed_at(disk->blk, (uint64_t)GPT_PRIMARY_LBA * disk->lba_bytes);
}

uint32_t gpt_header_crc(const uint8_t *block, size_t n)
{
	static const uint8_t zeros[4];
	const size_t at = offsetof(struct gpt_header, header_crc);
	uint32_t crc = crc32(0, block, at);

	crc = crc32(crc, zeros, sizeof zeros); /* the field itself counts as zero */
	return crc32(crc, block + at + sizeof zeros, n - at - sizeof zeros);
}

/* Checks the fields of a header whose CRC is valid. */
static enum status check_fields(const struct part_disk *disk, uint64_t lba,
				const struct gpt_header *h, struct error *why)
{
	uint32_t n_entries = le32_get(h->n_entries), entry_bytes = le32_get(h->entry_bytes);
	uint64_t entries_lba = le64_get(h->entries_lba);

	if (le32_get(h->revision) >> 16 != 1)
		return fail(why, ST_CORRUPT, "the header has the unknown revision 0x%08x",
			    le32_get(h->revision));
	if (le64_get(h->my_lba) != lba)
		return fail(why, ST_CORRUPT, "the header at LBA %ju says that it is at LBA %ju",
			    lba, le64_get(h->my_lba));
	if (!is_power_of_two(entry_bytes) || entry_bytes < sizeof(struct gpt_entry) ||
	    entry_bytes > ENTRY_BYTES_MAX)
		return fail(why, ST_CORRUPT,
			    "the header has an entry size of %u bytes, not 128, 256, 512 ... %d",
			    entry_bytes, ENTRY_BYTES_MAX);
	if (n_entries > ENTRIES_MAX)
		return fail(why, ST_CORRUPT, "the header counts %u entries, more than %d",
			    n_entries, ENTRIES_MAX);
	if (entries_lba <= GPT_PRIMARY_LBA ||
	    !range_ok(entries_lba, div_up((uint64_t)n_entries * entry_bytes, disk->lba_bytes),
		      disk->n_lbas))
		return fail(why, ST_CORRUPT,
			    "the header has the entries at LBA %ju, where they do not fit",
			    entries_lba);
	if (le64_get(h->first_usable_lba) > le64_get(h->last_usable_lba))
		return fail(why, ST_CORRUPT,
			    "the first usable LBA of the header, %ju, is after the last one, %ju",
			    le64_get(h->first_usable_lba), le64_get(h->last_usable_lba));
	return ST_OK;
}

/* Checks the header in `block`, of which disk->lba_bytes were read from `lba`. */
static enum status check_header(const struct part_disk *disk, uint64_t lba, const uint8_t *block,
				struct error *why)
{
	const struct gpt_header *h = (const struct gpt_header *)block;
	uint32_t n = le32_get(h->header_bytes), crc;

	if (memcmp(h->signature, signature, sizeof signature) != 0)
		return fail(why, ST_CORRUPT, "there is no header at LBA %ju", lba);
	if (n < sizeof *h || n > disk->lba_bytes)
		return fail(why, ST_CORRUPT, "the header has a size of %u bytes, not of %zu to %u",
			    n, sizeof *h, disk->lba_bytes);
	crc = gpt_header_crc(block, n);
	if (crc != le32_get(h->header_crc))
		return fail(why, ST_CORRUPT, "the header's CRC is 0x%08x, not 0x%08x", crc,
			    le32_get(h->header_crc));
	return check_fields(disk, lba, h, why);
}

static enum status read_header(const struct part_disk *disk, uint64_t lba, struct gpt_header *ret,
			       struct error *why)
{
	uint8_t *block;
	enum status st;

	if (!range_ok(lba, 1, disk->n_lbas))
		return fail(why, ST_CORRUPT, "there is no LBA %ju", lba);
	block = io_alloc(disk->lba_bytes);
	if (block == NULL)
		return fail_no_memory(why);
	st = blk_read(disk->blk, lba * disk->lba_bytes, block, disk->lba_bytes);
	if (st != ST_OK)
		st = fail(why, st, "the header at LBA %ju cannot be read: %s", lba,
			  status_text(st));
	else
		st = check_header(disk, lba, block, why);
	if (st == ST_OK)
		memcpy(ret, block, sizeof *ret);
	io_free(block, disk->lba_bytes);
	return st;
}

static void add(const struct part_disk *disk, const struct gpt_header *h,
		const struct gpt_entry *entry, uint32_t number, struct part_table *table)
{
	uint64_t first = le64_get(entry->first_lba), last = le64_get(entry->last_lba);
	uint16_t name[36];
	size_t n = 0;
	struct part *part;

	if (guid_is_zero(&entry->type))
		return;
	if (first > last || last >= disk->n_lbas) {
		part_leave_out(table, number);
		table->past_end |= first <= last;
		return;
	}
	if (first < le64_get(h->first_usable_lba) || last > le64_get(h->last_usable_lba))
		part_note(table,
			  "partition %u (LBA %ju to %ju) lies outside of the usable range, LBA %ju "
			  "to %ju",
			  number, first, last, le64_get(h->first_usable_lba),
			  le64_get(h->last_usable_lba));
	part = &table->part[table->n++];
	part->number = number;
	part->start_bytes = first * disk->lba_bytes;
	part->size_bytes = (last - first + 1) * disk->lba_bytes;
	part->type = entry->type;
	part->guid = entry->guid;
	part->type_name = gpt_type_name(&entry->type);
	part->bootable = (le64_get(entry->attributes) & LEGACY_BOOTABLE) != 0;
	for (; n < 36 && le16_get(entry->name[n]) != 0; n++)
		name[n] = le16_get(entry->name[n]);
	utf8_from_utf16(part->label, name, n);
}

/* Adds the entries to the table. Their CRC is checked at the end: ST_CORRUPT. */
static enum status read_entries(const struct part_disk *disk, const struct gpt_header *h,
				struct part_table *table, struct error *why)
{
	uint32_t entry_bytes = le32_get(h->entry_bytes), n_entries = le32_get(h->n_entries),
		 crc = 0;
	uint32_t per_piece = PIECE_BYTES / entry_bytes;
	uint64_t offset = le64_get(h->entries_lba) * disk->lba_bytes;
	uint8_t *piece = io_alloc(PIECE_BYTES);
	enum status st = ST_OK;

	table->part = mem_alloc(n_entries * sizeof *table->part);
	if (piece == NULL || table->part == NULL)
		st = fail_no_memory(why);
	for (uint32_t done = 0; st == ST_OK && done < n_entries; done += per_piece) {
		uint32_t n = (uint32_t)min_u64(per_piece, n_entries - done);

		st = blk_read(disk->blk, offset + (uint64_t)done * entry_bytes, piece,
			      (size_t)n * entry_bytes);
		if (st != ST_OK) {
			st = fail(why, st, "the entries cannot be read: %s", status_text(st));
			break;
		}
		crc = crc32(crc, piece, (size_t)n * entry_bytes);
		for (uint32_t i = 0; i < n; i++)
			add(disk, h, (const struct gpt_entry *)(piece + (size_t)i * entry_bytes),
			    done + i + 1, table);
	}
	io_free(piece, PIECE_BYTES);
	if (st == ST_OK && crc != le32_get(h->entries_crc))
		st = fail(why, ST_CORRUPT, "the entries' CRC is 0x%08x, not 0x%08x", crc,
			  le32_get(h->entries_crc));
	return st;
}

static void note_overlap(struct part_table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct part *a = &table->part[i];

		for (size_t k = i + 1; k < table->n; k++) {
			const struct part *b = &table->part[k];

			if (a->start_bytes < b->start_bytes + b->size_bytes &&
			    b->start_bytes < a->start_bytes + a->size_bytes) {
				part_note(table, "partitions %u and %u overlap", a->number,
					  b->number);
				return;
			}
		}
	}
}

enum status gpt_read_at(const struct part_disk *disk, uint64_t lba, struct part_table *table,
			struct gpt_header *ret, struct error *why)
{
	struct part_table attempt = *table;
	enum status st;

	*ret = (struct gpt_header){ 0 };
	st = read_header(disk, lba, ret, why);
	if (st == ST_OK)
		st = read_entries(disk, ret, &attempt, why);
	if (st != ST_OK) {
		if (attempt.part != table->part)
			mem_free(attempt.part);
		return st;
	}
	attempt.disk_guid = ret->disk_guid;
	note_overlap(&attempt);
	*table = attempt;
	return ST_OK;
}

/*
 * Recognises a GPT that was copied from a disk with another block size: its header is not at LBA 1,
 * but at the same offset as there.
 */
static bool note_other_block_size(const struct part_disk *disk, struct part_table *table)
{
	uint32_t other_bytes = disk->lba_bytes == 512 ? 4096 : 512;

	if (gpt_is_signed(disk) || !is_signed_at(disk->blk, other_bytes))
		return false;
	part_note(table,
		  "this GPT was made for blocks of %u bytes, but the disk has blocks of %u: its "
		  "partitions cannot be used here",
		  other_bytes, disk->lba_bytes);
	return true;
}

static void note_disk_size(const struct part_disk *disk, uint64_t backup_lba,
			   struct part_table *table)
{
	uint64_t last_lba = disk->n_lbas - 1;
	bool first = table->note[0] == '\0';

	if (backup_lba < last_lba) {
		part_note(table,
			  "the GPT was made for a smaller disk: its backup is at LBA %ju, the disk "
			  "ends at LBA %ju",
			  backup_lba, last_lba);
		table->n_note_smaller = first ? text_length(table->note) : 0;
	}
	if (backup_lba > last_lba)
		part_note(table,
			  "the GPT was made for a larger disk: its backup should be at LBA %ju, "
			  "the disk ends at LBA %ju",
			  backup_lba, last_lba);
}

enum status gpt_read(const struct part_disk *disk, struct part_table *table, struct error *err)
{
	struct error primary, backup;
	struct gpt_header h;
	uint64_t backup_lba;
	enum status st;

	table->kind = PART_GPT;
	if (note_other_block_size(disk, table))
		return ST_OK;
	st = gpt_read_at(disk, GPT_PRIMARY_LBA, table, &h, &primary);
	backup_lba = le64_get(h.alternate_lba);
	if (st == ST_NO_MEMORY)
		return fail_no_memory(err);
	if (st == ST_OK) {
		note_disk_size(disk, backup_lba, table);
		return ST_OK;
	}
	if (!range_ok(backup_lba, 1, disk->n_lbas) || backup_lba <= GPT_PRIMARY_LBA)
		backup_lba = disk->n_lbas - 1;
	st = gpt_read_at(disk, backup_lba, table, &h, &backup);
	if (st == ST_NO_MEMORY)
		return fail_no_memory(err);
	if (st == ST_OK)
		part_note(table, "the primary GPT is damaged (%s); this is its backup",
			  primary.text);
	else
		part_note(table, "the GPT is damaged: %s; its backup, too: %s", primary.text,
			  backup.text);
	return ST_OK;
}
