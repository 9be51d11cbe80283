/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A further partition of a GPT (UEFI 2.10, 5.3).
 *
 * The backup of a GPT that was made for a smaller disk goes to the end first (gpt_move.c). Then the
 * same change is made to both copies, entries before the header, the backup first: while a copy is
 * half changed, its CRC is wrong and the other one is whole. Firmware and operating systems use
 * that one then.
 */
#include "disk/gpt_add.h"

#include "base/bytes.h"
#include "base/crc32.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/text.h"
#include "disk/gpt.h"
#include "disk/gpt_move.h"

enum { ALIGN_BYTES = 1 << 20 };

/* Both copies, and what they have in common, in memory. */
struct change {
	struct part_disk disk;
	struct gpt_header *h; /* in a buffer of a whole block */
	uint8_t *entries;
	size_t entries_bytes; /* in whole blocks */
};

static enum status read_blocks(const struct change *c, uint64_t lba, void *to, size_t n)
{
	return blk_read(c->disk.blk, lba * c->disk.lba_bytes, to, n);
}

static enum status write_blocks(const struct change *c, uint64_t lba, const void *from, size_t n)
{
	return blk_write(c->disk.blk, lba * c->disk.lba_bytes, from, n);
}

static void change_close(struct change *c)
{
	io_free(c->h, c->disk.lba_bytes);
	io_free(c->entries, c->entries_bytes);
}

/* Reads the primary, which is known to be valid. */
static enum status change_open(struct change *c, struct blk *blk, uint32_t lba_bytes)
{
	enum status st;

	*c = (struct change){
		.disk = { .blk = blk, .lba_bytes = lba_bytes, .n_lbas = blk->size / lba_bytes },
		.h = io_alloc(lba_bytes)
	};
	if (c->h == NULL)
		return ST_NO_MEMORY;
	st = read_blocks(c, GPT_PRIMARY_LBA, c->h, lba_bytes);
	if (st != ST_OK)
		return st;
	c->entries_bytes = (size_t)round_up((uint64_t)le32_get(c->h->n_entries) *
						    le32_get(c->h->entry_bytes),
					    lba_bytes);
	c->entries = io_alloc(c->entries_bytes);
	return c->entries != NULL
		       ? read_blocks(c, le64_get(c->h->entries_lba), c->entries, c->entries_bytes)
		       : ST_NO_MEMORY;
}

static struct gpt_entry *entry_at(const struct change *c, uint32_t i)
{
	return (struct gpt_entry *)(c->entries + (size_t)i * le32_get(c->h->entry_bytes));
}

/* ---- room ---- */

/* Whether the GPT is whole, as that of the disk of `n_bytes` that it was made for. */
static enum status check_whole(struct blk *blk, uint64_t n_bytes, uint32_t lba_bytes,
			       struct error *err)
{
	struct gpt_state state;
	enum status st;

	if (n_bytes == 0 || n_bytes > blk->size)
		return fail(err, ST_UNSUPPORTED, "its GPT was made for a larger disk");
	st = gpt_examine(blk, n_bytes, lba_bytes, &state, err);
	if (st != ST_OK || state.fit == GPT_WHOLE)
		return st;
	return fail(err, ST_UNSUPPORTED, "it has no valid GPT%s%s",
		    state.fit == GPT_ODD ? ": " : "", state.fit == GPT_ODD ? state.why : "");
}

static enum status find_room(const struct change *c, struct gpt_room *ret, struct error *err)
{
	uint64_t lba_bytes = c->disk.lba_bytes, alternate = le64_get(c->h->alternate_lba);
	uint64_t further = c->disk.n_lbas - 1 - alternate, end = 0;
	uint32_t n = le32_get(c->h->n_entries);

	ret->table_bytes = (alternate + 1) * lba_bytes;
	ret->entry = n;
	for (uint32_t i = n; i-- > 0;)
		if (guid_is_zero(&entry_at(c, i)->type))
			ret->entry = i;
		else
			end = max_u64(end, le64_get(entry_at(c, i)->last_lba) + 1);
	if (ret->entry == n)
		return fail(err, ST_UNSUPPORTED, "its GPT has no free entry");
	/* the old backup stays whole until the new one is written */
	if (further > 0)
		end = max_u64(end, alternate + 1);
	end = max_u64(end, le64_get(c->h->first_usable_lba));
	ret->start_bytes = round_up(end * lba_bytes, ALIGN_BYTES);
	end = round_down((le64_get(c->h->last_usable_lba) + 1 + further) * lba_bytes, ALIGN_BYTES);
	ret->size_bytes = end > ret->start_bytes ? end - ret->start_bytes : 0;
	return ST_OK;
}

enum status gpt_find_room(struct blk *blk, uint32_t lba_bytes, struct gpt_room *ret,
			  struct error *err)
{
	struct part_disk disk = { .blk = blk,
				  .lba_bytes = lba_bytes,
				  .n_lbas = blk->size / lba_bytes };
	struct part_table table = { 0 };
	struct change change = { 0 };
	struct gpt_header h;
	struct error why;
	enum status st = gpt_read_at(&disk, GPT_PRIMARY_LBA, &table, &h, &why);

	*ret = (struct gpt_room){ 0 };
	part_table_free(&table);
	if (st == ST_CORRUPT)
		return fail(err, ST_UNSUPPORTED, "it has no valid GPT: %s", why.text);
	if (st != ST_OK)
		return fail(err, st, "%s", why.text);
	st = check_whole(blk, (le64_get(h.alternate_lba) + 1) * lba_bytes, lba_bytes, err);
	if (st != ST_OK)
		return st;
	st = change_open(&change, blk, lba_bytes);
	st = st == ST_OK ? find_room(&change, ret, err)
			 : fail(err, st, "its GPT cannot be read: %s", status_text(st));
	change_close(&change);
	return st;
}

/* ---- adding ---- */

static void set_entry(const struct change *c, const struct gpt_room *room,
		      const struct gpt_new_part *part)
{
	uint64_t first = room->start_bytes / c->disk.lba_bytes;
	struct gpt_entry *entry = entry_at(c, room->entry);

	memset(entry, 0, le32_get(c->h->entry_bytes));
	entry->type = part->type;
	entry->guid = part->guid;
	entry->first_lba = le64_of(first);
	entry->last_lba = le64_of(first + room->size_bytes / c->disk.lba_bytes - 1);
	for (size_t i = 0; part->label[i] != '\0'; i++)
		bytes_to_le((uint8_t *)&entry->name[i], 2, (uint8_t)part->label[i]);
}

/* Writes one copy: the entries of the change, and its own header with their CRC. */
static enum status write_copy(const struct change *c, uint64_t lba)
{
	uint32_t n_entries = le32_get(c->h->n_entries), entry_bytes = le32_get(c->h->entry_bytes);
	enum status st = read_blocks(c, lba, c->h, c->disk.lba_bytes);

	if (st == ST_OK)
		st = write_blocks(c, le64_get(c->h->entries_lba), c->entries, c->entries_bytes);
	c->h->entries_crc = le32_of(crc32(0, c->entries, (size_t)n_entries * entry_bytes));
	c->h->header_crc = le32_of(
		gpt_header_crc((const uint8_t *)c->h, le32_get(c->h->header_bytes)));
	if (st == ST_OK)
		st = write_blocks(c, lba, c->h, c->disk.lba_bytes);
	return st == ST_OK ? blk_flush(c->disk.blk) : st;
}

enum status gpt_add(struct blk *blk, uint32_t lba_bytes, const struct gpt_room *room,
		    const struct gpt_new_part *part, struct error *err)
{
	struct change change = { 0 };
	struct gpt_state state;
	enum status st = ST_OK;

	if (room->table_bytes != blk->size)
		st = gpt_move(blk, room->table_bytes, lba_bytes, err);
	if (st != ST_OK)
		return st;
	st = change_open(&change, blk, lba_bytes);
	if (st == ST_OK) {
		set_entry(&change, room, part);
		st = write_copy(&change, change.disk.n_lbas - 1);
	}
	if (st == ST_OK)
		st = write_copy(&change, GPT_PRIMARY_LBA);
	change_close(&change);
	if (st != ST_OK)
		return fail(err, st, "adding a partition to the GPT: %s", status_text(st));
	st = gpt_examine(blk, blk->size, lba_bytes, &state, err);
	if (st == ST_OK && state.fit != GPT_WHOLE)
		return fail(err, ST_MISMATCH,
			    "a partition was added to the GPT, which is not valid when read back: "
			    "%s",
			    state.why);
	return st;
}
