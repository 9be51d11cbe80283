/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checking an image. As in QEMU, each block that is not all in the file is an error. Here also:
 * copies of the region table that are damaged or differ, states that there are not, blocks over
 * each other and over other parts of the file, sector bitmaps where there must be none, or that are
 * missing. A header that is damaged while the other one is whole is only told: that is what a cut
 * during its change leaves, and the next change of the image replaces it.
 *
 * Memory: a bit for each MiB of the file, 8 MiB for the largest one.
 *
 * Repairing replays the log, and writes the region table anew where a copy is damaged. What the BAT
 * says is not repaired: nothing tells what it should say.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/vhdx/image.h"

struct check {
	struct vhdx_image *v;
	struct out *problems;
	struct check_result result;
	uint8_t *used; /* a bit for each MiB of the file: a block has it */
	uint64_t n_mib;
	uint64_t partly; /* of the chunk that is looked at: blocks with a sector bitmap */
	uint64_t n_told;
};

__attribute__((format(printf, 3, 4))) static void tell(struct check *c, bool corrupt,
						       const char *format, ...)
{
	va_list args;

	c->result.corruptions += corrupt;
	if (c->problems == NULL || ++c->n_told > CHECK_PROBLEMS_MAX + 1)
		return;
	if (c->n_told == CHECK_PROBLEMS_MAX + 1) {
		out_printf(c->problems, "These are %d problems; the others are only counted.\n",
			   CHECK_PROBLEMS_MAX);
		return;
	}
	out_text(c->problems, corrupt ? "corrupt: " : "note: ");
	va_start(args, format);
	out_vprintf(c->problems, format, args);
	va_end(args);
	out_text(c->problems, "\n");
}

static void check_headers(struct check *c)
{
	const struct vhdx_image *v = c->v;

	for (unsigned i = 0; i < 2; i++)
		if (v->bad_header[i])
			tell(c, false, "the header at 0x%x is damaged; the other one is whole",
			     i == 0 ? VHDX_HEADER_AT_1 : VHDX_HEADER_AT_2);
	for (unsigned i = 0; i < 2; i++)
		if (v->bad_regions[i])
			tell(c, true, "the region table at 0x%x is damaged; the other one is whole",
			     i == 0 ? VHDX_REGIONS_AT_1 : VHDX_REGIONS_AT_2);
	if (v->regions_differ)
		tell(c, true, "the region tables at 0x%x and 0x%x differ", VHDX_REGIONS_AT_1,
		     VHDX_REGIONS_AT_2);
	if (v->empty_log)
		tell(c, true, "the log is to be replayed, but has no valid sequence of entries");
	if (v->pending)
		tell(c, false,
		     "the log holds changes, which are read from there; \"check -r all\" "
		     "puts them in their places");
}

/* A block, or a sector bitmap, of `n` bytes at `offset`. */
static void check_place(struct check *c, uint64_t entry, uint64_t offset, uint64_t n)
{
	const struct vhdx_part *over;

	if (!range_ok(offset, n, c->v->file->size)) {
		tell(c, true,
		     "BAT entry %ju: a block of 0x%jx bytes at 0x%jx is past the end of the file "
		     "(size 0x%jx)",
		     entry, n, offset, c->v->file->size);
		return;
	}
	over = vhdx_part_over(c->v, offset, n);
	if (over != NULL)
		tell(c, true, "BAT entry %ju: a block of 0x%jx bytes at 0x%jx overlaps the %s",
		     entry, n, offset, over->name);
	if (!vhdx_take_place(c->used, offset, n))
		tell(c, true, "BAT entry %ju: a block of 0x%jx bytes at 0x%jx overlaps another one",
		     entry, n, offset);
}

static void check_bitmap(struct check *c, uint64_t entry, uint64_t value)
{
	uint64_t state = value & VHDX_BAT_STATE;

	if (state == VHDX_PRESENT && c->v->has_parent)
		check_place(c, entry, value & VHDX_BAT_OFFSET, VHDX_BITMAP_BYTES);
	else if (state != VHDX_NOT_PRESENT)
		tell(c, true, "BAT entry %ju: a sector bitmap in state %ju%s", entry, state,
		     c->v->has_parent ? "" : ", and the image has no parent");
	else if (c->partly > 0)
		tell(c, true, "BAT entry %ju: no sector bitmap, which %ju blocks need", entry,
		     c->partly);
	c->partly = 0;
}

static enum status check_entry(void *user, uint64_t entry, uint64_t value, struct error *err)
{
	struct check *c = user;
	uint64_t state = value & VHDX_BAT_STATE, offset = value & VHDX_BAT_OFFSET;

	(void)err;
	if (vhdx_is_bitmap_entry(c->v, entry)) {
		check_bitmap(c, entry, value);
		return ST_OK;
	}
	if (state == VHDX_PRESENT || state == VHDX_PARTLY_PRESENT)
		check_place(c, entry, offset, c->v->block_bytes);
	c->partly += state == VHDX_PARTLY_PRESENT;
	if (state == 4 || (state == VHDX_PARTLY_PRESENT && !c->v->has_parent))
		tell(c, true, "BAT entry %ju: a block in state %ju%s", entry, state,
		     state == 4 ? ", which does not exist" : ", and the image has no parent");
	return ST_OK;
}

static enum status check(struct vhdx_image *v, struct out *problems, struct check_result *ret,
			 struct error *err)
{
	struct check c = { .v = v, .problems = problems };
	enum status st;

	if (v->file->size > VHDX_FILE_MAX)
		return fail(err, ST_TOO_LARGE, "a file of %ju bytes is more than can be checked",
			    v->file->size);
	c.n_mib = v->file->size / VHDX_MIB;
	c.used = mem_alloc((size_t)(c.n_mib / 8 + 1));
	if (c.used == NULL)
		return fail_no_memory(err);
	check_headers(&c);
	st = vhdx_bat_each(v, check_entry, &c, err);
	mem_free(c.used);
	*ret = c.result;
	return st;
}

enum status vhdx_check(struct image *image, struct out *problems, struct check_result *ret,
		       struct error *err)
{
	return check((struct vhdx_image *)image, problems, ret, err);
}

/* ---- repairing ---- */

/* Writes the region table that is whole over the one that is not, or differs. */
static enum status copy_regions(struct vhdx_image *v, struct error *err)
{
	bool second = v->bad_regions[1] || v->regions_differ;
	uint64_t from = second ? VHDX_REGIONS_AT_1 : VHDX_REGIONS_AT_2;
	uint64_t to = second ? VHDX_REGIONS_AT_2 : VHDX_REGIONS_AT_1;
	uint8_t *table = io_alloc(VHDX_TABLE_BYTES);
	enum status st;

	if (table == NULL)
		return fail_no_memory(err);
	st = vhdx_session_begin(v, false);
	if (st == ST_OK)
		st = blk_read_padded(v->file, from, table, VHDX_TABLE_BYTES);
	if (st == ST_OK)
		st = blk_write(v->file, to, table, VHDX_TABLE_BYTES);
	if (st == ST_OK)
		st = blk_flush(v->file);
	io_free(table, VHDX_TABLE_BYTES);
	if (st != ST_OK)
		return fail(err, st, "writing its region table at 0x%jx: %s", to, status_text(st));
	v->bad_regions[0] = v->bad_regions[1] = v->regions_differ = false;
	return ST_OK;
}

enum status vhdx_repair(struct image *image, enum repair what, struct out *problems,
			struct check_result *ret, struct error *err)
{
	struct vhdx_image *v = (struct vhdx_image *)image;
	bool bad_regions = v->bad_regions[0] || v->bad_regions[1] || v->regions_differ;
	bool bad_header = v->bad_header[0] || v->bad_header[1];
	uint64_t fixed = 0;
	enum status st = ST_OK;

	if (v->pending || (v->empty_log && what == REPAIR_ALL)) {
		st = vhdx_log_apply(v, err);
		fixed++;
	}
	if (st == ST_OK && what == REPAIR_ALL && bad_regions) {
		st = copy_regions(v, err);
		fixed++;
	} else if (st == ST_OK && what == REPAIR_ALL && bad_header) {
		st = vhdx_session_begin(v, false);
		if (st != ST_OK)
			error_set(err, "writing its headers: %s", status_text(st));
	}
	if (st == ST_OK)
		st = check(v, problems, ret, err);
	image->dirty = v->empty_log;
	ret->corruptions_fixed = fixed;
	return st;
}
