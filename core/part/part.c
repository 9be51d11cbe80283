#include "part/part.h"

#include <stdarg.h>

#include "base/memory.h"
#include "base/out.h"
#include "base/platform.h"
#include "base/range.h"
#include "base/text.h"
#include "part/table.h"

/*
 * A disk with blocks of this size is an optical one. Images of optical disks often carry an MBR for their second life
 * on a USB stick, which counts in sectors of 512 bytes: read from the optical disk it would be nonsense.
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
		part_note(table, "partition %u does not lie on the disk and is left out", table->first_left_out);
	if (table->n_left_out > 1)
		part_note(table, "%u partitions, from number %u on, do not lie on the disk and are left out",
			  table->n_left_out, table->first_left_out);
}

static enum status read_by_kind(const struct part_disk *disk, const uint8_t *sector, struct part_table *table,
				struct error *err)
{
	enum mbr_kind kind = mbr_classify(sector);
	bool has_gpt = kind != MBR_VOLUME && gpt_is_signed(disk);

	if (kind == MBR_PROTECTIVE)
		return gpt_read(disk, table, err);
	if (has_gpt && kind != MBR_USED) {
		part_note(table, "the protective MBR is missing, so firmware and operating systems ignore this GPT");
		return gpt_read(disk, table, err);
	}
	if (kind == MBR_EMPTY || kind == MBR_USED) {
		if (has_gpt)
			part_note(table, "there is a GPT, too, but the MBR does not protect it: the MBR counts");
		return mbr_read(disk, sector, table, err);
	}
	return ST_OK;
}

enum status part_table_read(struct blk *blk, struct part_table *ret, struct error *err)
{
	struct part_disk disk = { .blk = blk, .lba_bytes = (uint32_t)max_u64(blk->block_bytes, SECTOR_BYTES) };
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

void part_type_print(enum part_kind kind, const struct part *part, char text[static PART_TYPE_TEXT])
{
	struct out_buffer buffer;

	out_buffer_init(&buffer, text, PART_TYPE_TEXT);
	if (kind == PART_GPT)
		guid_print(&part->type, text);
	else
		out_printf(&buffer.out, "0x%02x", part->mbr_type);
}
