/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moves the backup of a GPT to the end of a larger disk (UEFI 2.10, 5.3).
 *
 * The backup keeps its distances from the end of the disk: entries, header and the last usable LBA
 * all move by the same number of blocks. Write order: entries and header of the new backup, flush,
 * zeros over the old backup header, flush, primary header, protective MBR, flush. So at each moment
 * one copy is valid: the primary until the new backup is on the medium, then the new backup.
 *
 * Only a table that is valid and consistent in both copies is moved. A damaged one is left to a
 * partitioning tool.
 */
#include "disk/gpt_move.h"

#include "base/bytes.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/zero.h"
#include "disk/gpt.h"

enum {
	PIECE_BYTES = 65536, /* of the entries, copied at a time */
	RECORDS_AT = 446,    /* of the MBR */
	RECORD_BYTES = 16,
	N_RECORDS = 4,
};

/* ---- Examining ---- */

static void say(struct gpt_state *state, const char *text)
{
	struct out_buffer out;

	state->fit = GPT_ODD;
	out_buffer_init(&out, state->why, sizeof state->why);
	out_text(&out.out, text);
}

/* Whether two headers describe the same disk and entries. */
static bool agree(const struct gpt_header *a, const struct gpt_header *b)
{
	return guid_equal(&a->disk_guid, &b->disk_guid) &&
	       memcmp(&a->first_usable_lba, &b->first_usable_lba, 16) == 0 &&
	       memcmp(&a->n_entries, &b->n_entries, 12) == 0;
}

static uint64_t entries_lbas(const struct part_disk *disk, const struct gpt_header *h)
{
	return div_up((uint64_t)le32_get(h->n_entries) * le32_get(h->entry_bytes), disk->lba_bytes);
}

/* The inconsistency between two copies that are valid by themselves; NULL: none. */
static const char *fault_of(const struct part_disk *disk, const struct gpt_header *primary,
			    const struct gpt_header *backup)
{
	uint64_t last = le64_get(backup->my_lba), n = entries_lbas(disk, primary);

	if (!agree(primary, backup))
		return "its primary and its backup header differ";
	if (le64_get(backup->alternate_lba) != GPT_PRIMARY_LBA)
		return "its backup does not belong to its primary";
	if (le64_get(primary->entries_lba) + n > le64_get(primary->first_usable_lba))
		return "its primary entries lie in the usable range";
	if (le64_get(backup->entries_lba) <= le64_get(primary->last_usable_lba) ||
	    le64_get(backup->entries_lba) + n > last)
		return "its backup entries do not lie between the usable range and the backup "
		       "header";
	return NULL;
}

/* Reads one copy; if it is not valid, the reason goes to `state`. */
static enum status look_at(const struct part_disk *disk, uint64_t lba, struct gpt_header *ret,
			   struct gpt_state *state, struct error *err)
{
	struct part_table table = { 0 };
	enum status st = gpt_read_at(disk, lba, &table, ret, err);

	if (table.n_left_out > 0)
		part_note(&table, "partition %u is past its end", table.first_left_out);
	if (st == ST_OK && table.note[0] != '\0')
		say(state, table.note);
	part_table_free(&table);
	if (st != ST_CORRUPT)
		return st;
	say(state, err->text);
	return ST_OK;
}

/* Examines a GPT with a protective MBR. */
static enum status look_at_both(const struct part_disk *disk, struct gpt_state *state,
				struct error *err)
{
	struct gpt_header primary, backup;
	const char *fault;
	enum status st = look_at(disk, GPT_PRIMARY_LBA, &primary, state, err);

	if (st != ST_OK || state->fit == GPT_ODD)
		return st;
	if (le64_get(primary.alternate_lba) != disk->n_lbas - 1) {
		error_set(err, "it has its backup at LBA %ju, and its disk ends at LBA %ju",
			  le64_get(primary.alternate_lba), disk->n_lbas - 1);
		say(state, err->text);
		return ST_OK;
	}
	st = look_at(disk, disk->n_lbas - 1, &backup, state, err);
	if (st != ST_OK || state->fit == GPT_ODD)
		return st;
	fault = fault_of(disk, &primary, &backup);
	if (fault != NULL)
		say(state, fault);
	else
		state->fit = GPT_WHOLE;
	return ST_OK;
}

enum status gpt_examine(struct blk *blk, uint64_t n_bytes, uint32_t lba_bytes,
			struct gpt_state *ret, struct error *err)
{
	struct part_disk disk = { .blk = blk,
				  .lba_bytes = lba_bytes,
				  .n_lbas = n_bytes / lba_bytes };
	uint8_t *sector;
	enum mbr_kind kind;
	enum status st;

	*ret = (struct gpt_state){ .fit = GPT_ABSENT };
	if (disk.n_lbas <= GPT_PRIMARY_LBA)
		return ST_OK;
	sector = io_alloc(SECTOR_BYTES);
	if (sector == NULL)
		return fail_no_memory(err);
	st = blk_read(blk, 0, sector, SECTOR_BYTES);
	kind = st == ST_OK ? mbr_classify(sector) : MBR_ABSENT;
	io_free(sector, SECTOR_BYTES);
	if (st != ST_OK)
		return fail(err, st, "the first block cannot be read: %s", status_text(st));
	if (kind == MBR_PROTECTIVE)
		return look_at_both(&disk, ret, err);
	if (kind != MBR_VOLUME && gpt_is_signed(&disk))
		say(ret, "its MBR is not a protective one");
	return ST_OK;
}

/* ---- Moving ---- */

/* The old and the new places. */
struct move {
	struct part_disk disk; /* the larger disk */
	struct gpt_header *h;  /* the old primary header, in a buffer of a whole block */
	uint64_t old_backup_lba;
	uint64_t backup_lba;
	uint64_t entries_lba; /* of the backup */
	uint64_t last_usable_lba;
};

static enum status move_write(const struct move *move, uint64_t lba, const void *bytes, size_t n)
{
	return blk_write(move->disk.blk, lba * move->disk.lba_bytes, bytes, n);
}

static enum status copy_entries(const struct move *move)
{
	uint64_t from = le64_get(move->h->entries_lba), n = entries_lbas(&move->disk, move->h);
	uint64_t per_piece = max_u64(PIECE_BYTES / move->disk.lba_bytes, 1);
	size_t piece_bytes = (size_t)per_piece * move->disk.lba_bytes;
	uint8_t *piece = io_alloc(piece_bytes);
	enum status st = piece != NULL ? ST_OK : ST_NO_MEMORY;

	for (uint64_t done = 0; st == ST_OK && done < n; done += per_piece) {
		size_t bytes = (size_t)min_u64(per_piece, n - done) * move->disk.lba_bytes;

		st = blk_read(move->disk.blk, (from + done) * move->disk.lba_bytes, piece, bytes);
		if (st == ST_OK)
			st = move_write(move, move->entries_lba + done, piece, bytes);
	}
	io_free(piece, piece_bytes);
	return st;
}

/* Writes one of the headers; move->h has the fields that both have in common. */
static enum status write_header(const struct move *move, uint64_t my_lba, uint64_t alternate_lba,
				uint64_t entries_lba)
{
	struct gpt_header *h = move->h;

	h->my_lba = le64_of(my_lba);
	h->alternate_lba = le64_of(alternate_lba);
	h->entries_lba = le64_of(entries_lba);
	h->last_usable_lba = le64_of(move->last_usable_lba);
	h->header_crc = le32_of(gpt_header_crc((const uint8_t *)h, le32_get(h->header_bytes)));
	return move_write(move, my_lba, h, move->disk.lba_bytes);
}

/* Zeroes the old backup header, unless the new entries cover it. */
static enum status wipe_old(const struct move *move)
{
	uint64_t at = move->old_backup_lba;
	size_t lba_bytes = move->disk.lba_bytes;
	uint8_t *block;
	enum status st;

	if (at >= move->entries_lba && at - move->entries_lba < entries_lbas(&move->disk, move->h))
		return ST_OK;
	st = blk_write_zeros(move->disk.blk, at * lba_bytes, lba_bytes);
	if (st == ST_OK)
		st = blk_flush(move->disk.blk);
	block = io_alloc(lba_bytes);
	if (st == ST_OK)
		st = block != NULL ? blk_read(move->disk.blk, at * lba_bytes, block, lba_bytes)
				   : ST_NO_MEMORY;
	if (st == ST_OK && !is_zero(block, lba_bytes))
		st = ST_MISMATCH;
	io_free(block, lba_bytes);
	return st;
}

/*
 * Extends the record of the protective MBR that covers the whole disk (UEFI 2.10, 5.2.3). Others,
 * as a hybrid MBR has them, stay.
 */
static enum status grow_mbr(const struct move *move)
{
	uint32_t n = (uint32_t)min_u64(move->disk.n_lbas - 1, UINT32_MAX);
	uint8_t *block = io_alloc(move->disk.lba_bytes);
	enum status st = block != NULL ? blk_read(move->disk.blk, 0, block, move->disk.lba_bytes)
				       : ST_NO_MEMORY;
	bool changed = false;

	for (size_t i = 0; st == ST_OK && i < N_RECORDS; i++) {
		uint8_t *record = block + RECORDS_AT + i * RECORD_BYTES;
		uint64_t had = bytes_from_le(record + 12, 4);

		if (record[4] != 0xee || bytes_from_le(record + 8, 4) != 1 ||
		    (had != move->old_backup_lba && had != UINT32_MAX) || had == n)
			continue;
		memset(record + 5, 0xff, 3); /* end in CHS: too large for it */
		bytes_to_le(record + 12, 4, n);
		changed = true;
	}
	if (changed)
		st = move_write(move, 0, block, move->disk.lba_bytes);
	io_free(block, move->disk.lba_bytes);
	return st;
}

static enum status do_move(const struct move *move)
{
	uint64_t primary_entries_lba = le64_get(move->h->entries_lba);
	enum status st = copy_entries(move);

	if (st == ST_OK)
		st = write_header(move, move->backup_lba, GPT_PRIMARY_LBA, move->entries_lba);
	if (st == ST_OK)
		st = blk_flush(move->disk.blk);
	if (st == ST_OK)
		st = wipe_old(move);
	if (st == ST_OK)
		st = write_header(move, GPT_PRIMARY_LBA, move->backup_lba, primary_entries_lba);
	if (st == ST_OK)
		st = grow_mbr(move);
	return st == ST_OK ? blk_flush(move->disk.blk) : st;
}

/* Reads the primary header, and computes the new places from both old headers. */
static enum status plan(struct move *move, uint64_t n_bytes)
{
	uint32_t lba_bytes = move->disk.lba_bytes;
	uint64_t further = move->disk.n_lbas - n_bytes / lba_bytes;
	enum status st;

	move->old_backup_lba = n_bytes / lba_bytes - 1;
	move->backup_lba = move->disk.n_lbas - 1;
	st = blk_read(move->disk.blk, move->old_backup_lba * lba_bytes, move->h, lba_bytes);
	move->entries_lba = le64_get(move->h->entries_lba) + further;
	if (st == ST_OK)
		st = blk_read(move->disk.blk, (uint64_t)GPT_PRIMARY_LBA * lba_bytes, move->h,
			      lba_bytes);
	move->last_usable_lba = le64_get(move->h->last_usable_lba) + further;
	return st;
}

enum status gpt_move(struct blk *disk, uint64_t n_bytes, uint32_t lba_bytes, struct error *err)
{
	struct move move = {
		.disk = { .blk = disk, .lba_bytes = lba_bytes, .n_lbas = disk->size / lba_bytes }
	};
	struct gpt_state state;
	enum status st;

	move.h = io_alloc(lba_bytes);
	st = move.h != NULL ? plan(&move, n_bytes) : ST_NO_MEMORY;
	if (st == ST_OK)
		st = do_move(&move);
	io_free(move.h, lba_bytes);
	if (st != ST_OK)
		return fail(err, st, "cannot move the backup of the GPT to LBA %ju: %s",
			    move.backup_lba, status_text(st));
	st = gpt_examine(disk, disk->size, lba_bytes, &state, err);
	if (st == ST_OK && state.fit != GPT_WHOLE)
		return fail(err, ST_MISMATCH,
			    "the GPT was moved to the end, LBA %ju, but is not valid when read "
			    "back: %s",
			    move.backup_lba, state.why);
	return st;
}
