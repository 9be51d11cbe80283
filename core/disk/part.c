/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Decides which partition table a disk has, by its first sector and the signature of a GPT.
 *
 * A GPT counts if its MBR is a protective one (UEFI 2.10, 5.2.3) or empty. An MBR with partitions
 * wins over a GPT, as in firmware and operating systems. A boot sector in place of the MBR means
 * that the disk is one volume. Every contradiction goes to the note of the table.
 */
#include "disk/part.h"

#include <stdarg.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/text.h"
#include "disk/table.h"
#include "fs/fs.h"

/*
 * The block size of optical disks. Their images often have an MBR for use on a USB stick, in
 * sectors of 512 bytes, which makes no sense on the optical disk.
 */
enum { OPTICAL_BLOCK_BYTES = 2048 };

void part_note(struct part_table *table, const char *format, ...)
{
	size_t used = text_length(table->note);
	struct out_buffer note;
	va_list args;

	out_buffer_init(&note, table->note + used, sizeof table->note - used);
	if (used > 0)
		out_text(&note.out, "; ");
	va_start(args, format);
	out_vprintf(&note.out, format, args);
	va_end(args);
}

void part_leave_out(struct part_table *table, uint32_t number)
{
	if (table->n_left_out++ == 0)
		table->first_left_out = number;
}

static void note_left_out(struct part_table *table)
{
	if (table->n_left_out == 1)
		part_note(table, "partition %u does not lie on the disk and is left out",
			  table->first_left_out);
	if (table->n_left_out > 1)
		part_note(table,
			  "%u partitions, from number %u on, do not lie on the disk and are left "
			  "out",
			  table->n_left_out, table->first_left_out);
}

static enum status read_by_kind(const struct part_disk *disk, const uint8_t *sector,
				struct part_table *table, struct error *err)
{
	enum mbr_kind kind = mbr_classify(sector);
	bool has_gpt = kind != MBR_VOLUME && gpt_is_signed(disk);

	if (kind == MBR_PROTECTIVE)
		return gpt_read(disk, table, err);
	if (has_gpt && kind != MBR_USED) {
		part_note(table, "the protective MBR is missing, so firmware and operating systems "
				 "ignore this GPT");
		return gpt_read(disk, table, err);
	}
	if (kind == MBR_EMPTY || kind == MBR_USED) {
		if (has_gpt)
			part_note(table, "there is a GPT as well, but the MBR is not a "
					 "protective one: the MBR is used");
		return mbr_read(disk, sector, table, err);
	}
	return ST_OK;
}

enum status part_table_read(struct blk *blk, struct part_table *ret, struct error *err)
{
	struct part_disk disk = { .blk = blk,
				  .lba_bytes = (uint32_t)max_u64(blk->block_bytes, SECTOR_BYTES) };
	uint8_t *sector;
	enum status st;

	*ret = (struct part_table){ 0 };
	disk.n_lbas = blk->size / disk.lba_bytes;
	if (disk.lba_bytes == OPTICAL_BLOCK_BYTES || disk.n_lbas == 0)
		return ST_OK;
	sector = io_alloc(SECTOR_BYTES);
	if (sector == NULL)
		return fail_no_memory(err);
	st = blk_read(blk, 0, sector, SECTOR_BYTES);
	if (st != ST_OK)
		st = fail(err, st, "the first block cannot be read: %s", status_text(st));
	else
		st = read_by_kind(&disk, sector, ret, err);
	io_free(sector, SECTOR_BYTES);
	note_left_out(ret);
	if (st != ST_OK)
		part_table_free(ret);
	return st;
}

void part_table_free(struct part_table *table)
{
	mem_free(table->part);
	*table = (struct part_table){ 0 };
}

/* An MBR does not have it. The size with which a volume is found in the first partition is it. */
static enum status mbr_sector_bytes(struct blk *blk, const uint8_t *sector, uint32_t *ret)
{
	static const uint32_t sizes[] = { 4096, SECTOR_BYTES };
	uint64_t first_lba = bytes_from_le(sector + 446 + 8, 4);

	*ret = SECTOR_BYTES;
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct fs volume;
		uint64_t start = first_lba * sizes[i];
		enum status st;

		if (start >= blk->size)
			continue;
		st = fs_look_at(blk, start, blk->size - start, &volume);
		if (st != ST_OK)
			return st;
		if (volume.type[0] != '\0') {
			*ret = sizes[i];
			return ST_OK;
		}
	}
	return ST_OK;
}

enum status part_sector_bytes(struct blk *blk, uint32_t *ret)
{
	enum { HEAD_BYTES = 8192 };
	uint8_t *head = io_alloc(HEAD_BYTES);
	enum mbr_kind kind;
	enum status st;

	if (head == NULL)
		return ST_NO_MEMORY;
	st = blk_read_padded(blk, 0, head, HEAD_BYTES);
	if (st != ST_OK)
		goto done;
	*ret = 0;
	kind = mbr_classify(head);
	if (kind == MBR_VOLUME) {
		/* the same field in FAT and NTFS; exFAT has 0 there */
		uint32_t said = (uint32_t)bytes_from_le(head + 11, 2);

		*ret = is_power_of_two(said) && said >= SECTOR_BYTES ? said : 0;
	} else if (memcmp(head + SECTOR_BYTES, "EFI PART", 8) == 0) {
		*ret = SECTOR_BYTES;
	} else if (memcmp(head + 4096, "EFI PART", 8) == 0) {
		*ret = 4096;
	} else if (kind == MBR_USED) {
		st = mbr_sector_bytes(blk, head, ret);
	}
done:
	io_free(head, HEAD_BYTES);
	return st;
}

void part_type_print(enum part_kind kind, const struct part *part, char text[static PART_TYPE_TEXT])
{
	struct out_buffer buffer;

	out_buffer_init(&buffer, text, PART_TYPE_TEXT);
	if (kind == PART_GPT)
		guid_print(&part->type, text);
	else
		out_printf(&buffer.out, "0x%02x", part->mbr_type);
}
