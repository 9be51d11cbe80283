/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the whole map of a VDI image: before the disk is read, so that a file that was cut short
 * is noticed; before it is written to, because only the map tells for certain which blocks are in
 * use; and by check.
 *
 * The map is read in pieces. Which indexes occur twice, and which never, is found with a bit for
 * each index; at most 2^26 at a time, so that 8 MiB are enough, which are those of a disk of 64
 * TiB. Larger images are read once more for each further part.
 */
#include "format/vdi/image.h"

#include "base/memory.h"
#include "base/range.h"
#include "platform/person.h"

enum {
	PIECE_BYTES = 1 << 20,
	PART_BLOCKS = 1 << 26, /* whose indexes are looked for at a time */
};

/* What one reading of the map is for. */
struct pass {
	struct vdi_image *v;
	struct problems *problems;
	struct vdi_summary *summary;
	uint8_t *piece;
	void (*look)(struct pass *, uint64_t block, uint32_t entry);
	uint8_t *seen; /* a bit for each index from `first` on */
	uint64_t first, n_seen;
};

static void list(struct vdi_image *v, uint64_t block)
{
	if (v->n_listed < VDI_LIST_MAX)
		v->listed[v->n_listed++] = (uint32_t)block;
}

/* The first pass: each entry by itself. */
static void look_at_entry(struct pass *pass, uint64_t block, uint32_t entry)
{
	const struct vdi_image *v = pass->v;
	struct vdi_summary *summary = pass->summary;

	if (entry < v->n_blocks) {
		summary->n_allocated++;
		summary->end = max_u64(summary->end, (uint64_t)entry + 1);
	}
	if (vdi_in_file(v, block, entry))
		return;
	summary->n_bad++;
	if (entry >= v->n_blocks)
		problems_add(pass->problems, "corrupt",
			     "map entry of block %ju: index %u, but there are only %ju blocks",
			     block, entry, v->n_blocks);
	else
		problems_add(pass->problems, "corrupt",
			     "map entry of block %ju: index %u is at offset 0x%jx, past the end of "
			     "the file at 0x%jx",
			     block, entry, vdi_place(v, entry), vdi_file(v)->size);
}

/* A later pass: entries with the same index. */
static void look_for_double(struct pass *pass, uint64_t block, uint32_t entry)
{
	uint64_t bit = entry - pass->first;

	if (entry < pass->first || bit >= pass->n_seen)
		return;
	if ((pass->seen[bit / 8] >> bit % 8 & 1) == 0) {
		pass->seen[bit / 8] |= (uint8_t)(1 << bit % 8);
		return;
	}
	pass->summary->n_doubled++;
	list(pass->v, block);
	problems_add(pass->problems, "corrupt",
		     "map entry of block %ju: another block has index %u, too", block, entry);
}

static enum status read_map(struct pass *pass)
{
	const struct vdi_image *v = pass->v;
	uint64_t n_piece = PIECE_BYTES / VDI_ENTRY_BYTES;
	enum status st = ST_OK;

	if (pass->piece == NULL)
		pass->piece = io_alloc(PIECE_BYTES);
	if (pass->piece == NULL)
		return ST_NO_MEMORY;
	for (uint64_t at = 0, n; at < v->n_blocks; at += n) {
		n = min_u64(v->n_blocks - at, n_piece);
		if (platform_cancelled())
			return ST_CANCELLED;
		st = blk_read(vdi_file(v), v->map_offset + at * VDI_ENTRY_BYTES, pass->piece,
			      (size_t)(n * VDI_ENTRY_BYTES));
		if (st != ST_OK)
			return st;
		for (uint64_t i = 0; i < n; i++) {
			uint32_t entry = (uint32_t)bytes_from_le(pass->piece + i * VDI_ENTRY_BYTES,
								 VDI_ENTRY_BYTES);

			if (entry < VDI_ZERO)
				pass->look(pass, at + i, entry);
		}
	}
	return ST_OK;
}

/* Adds the indexes of this pass that no entry has, as long as there is room. */
static void take_gaps(const struct pass *pass)
{
	struct vdi_image *v = pass->v;

	for (uint64_t bit = 0; bit < pass->n_seen && v->n_gaps < VDI_LIST_MAX; bit++)
		if ((pass->seen[bit / 8] >> bit % 8 & 1) == 0)
			v->gap[v->n_gaps++] = (uint32_t)(pass->first + bit);
}

static enum status look_for_doubles(struct pass *pass)
{
	uint64_t end = pass->summary->end;
	enum status st = ST_OK;

	pass->seen = mem_alloc((size_t)div_up(min_u64(end, PART_BLOCKS), 8));
	if (pass->seen == NULL)
		return ST_NO_MEMORY;
	pass->v->n_gaps = pass->v->n_listed = 0;
	pass->look = look_for_double;
	for (; st == ST_OK && pass->first < end; pass->first += pass->n_seen) {
		pass->n_seen = min_u64(end - pass->first, PART_BLOCKS);
		memset(pass->seen, 0, (size_t)div_up(pass->n_seen, 8));
		st = read_map(pass);
		if (st == ST_OK)
			take_gaps(pass);
	}
	mem_free(pass->seen);
	for (size_t i = 0; i < pass->v->n_gaps / 2; i++) { /* the lowest last */
		uint32_t *other = &pass->v->gap[pass->v->n_gaps - 1 - i], low = pass->v->gap[i];

		pass->v->gap[i] = *other;
		*other = low;
	}
	return st;
}

enum status vdi_survey(struct vdi_image *v, bool doubled, struct problems *problems,
		       struct vdi_summary *ret)
{
	struct pass pass = { .v = v, .problems = problems, .summary = ret, .look = look_at_entry };
	enum status st;

	*ret = (struct vdi_summary){ 0 };
	st = read_map(&pass);
	if (st == ST_OK && doubled)
		st = look_for_doubles(&pass);
	io_free(pass.piece, PIECE_BYTES);
	return st;
}

static void list_high(struct pass *pass, uint64_t block, uint32_t entry)
{
	if (entry >= pass->first)
		list(pass->v, block);
}

enum status vdi_list_from(struct vdi_image *v, uint64_t first)
{
	struct pass pass = { .v = v, .look = list_high, .first = first };
	enum status st;

	v->n_listed = 0;
	st = read_map(&pass);
	io_free(pass.piece, PIECE_BYTES);
	return st;
}
