/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checking and repairing VDI images: each index is one that the image can have, none occurs twice,
 * the file has all the blocks, and the header has the number of blocks allocated. If that is
 * larger, space is lost, and nothing else: it is a leak here, where QEMU calls each difference
 * corrupt.
 *
 * A repair loses nothing. A block that shares its place with another one gets a copy of its own. A
 * gap in the data area, which a power cut can leave, is filled with the last block. Then the
 * number in the header can be right for everybody: it is the count of blocks, and the next free
 * index. What is past the end of the file stays as it is; as long as there is any, blocks are not
 * moved.
 *
 * Write order: blocks are copied to where no entry refers to; flush; the header, if the number
 * grows; flush; the map; flush; the header, if the number falls. When power fails, each block has
 * its old place or its new one, with the same bytes in both.
 */
#include "format/vdi/image.h"

#include "base/memory.h"
#include "base/range.h"
#include "platform/person.h"

enum { COPY_BYTES = 1 << 20 };

/*
 * What the header says of the number of blocks: it must not be below the index after the highest
 * one. Up to it, indexes that no entry has are space for nothing.
 */
static void check_number(const struct vdi_image *v, const struct vdi_summary *summary,
			 struct problems *problems, struct check_result *ret)
{
	uint64_t said = le32_get(v->header.n_allocated), used = summary->end,
		 n_places = summary->n_allocated - summary->n_doubled;

	if (said < summary->end || said > v->n_blocks) {
		ret->corruptions++;
		problems_add(problems, "corrupt",
			     "header: %ju blocks are allocated, but the map has indexes up to %ju, "
			     "and there are %ju blocks",
			     said, summary->end, v->n_blocks);
	} else {
		used = said;
	}
	ret->leaks = used - n_places;
	if (ret->leaks > 0)
		problems_add(problems, "leak", "%ju blocks are allocated, and %ju are in the map",
			     used, n_places);
}

/* A survey, and what it means. */
static enum status check(struct vdi_image *v, struct out *out, struct vdi_summary *summary,
			 struct check_result *ret, struct error *err)
{
	struct problems problems = { .out = out };
	enum status st = vdi_survey(v, true, &problems, summary);

	*ret = (struct check_result){ .corruptions = summary->n_bad + summary->n_doubled };
	if (st != ST_OK)
		return fail(err, st, "reading its map of blocks: %s", status_text(st));
	check_number(v, summary, &problems, ret);
	return ST_OK;
}

enum status vdi_check(struct image *image, struct out *problems, struct check_result *ret,
		      struct error *err)
{
	struct vdi_summary summary;

	return check((struct vdi_image *)image, problems, &summary, ret, err);
}

/* ---- repairing ---- */

static enum status copy_block(const struct vdi_image *v, uint64_t from, uint64_t to, uint8_t *buf)
{
	enum status st = ST_OK;
	size_t n;

	for (uint64_t at = 0; st == ST_OK && at < v->image.cluster_bytes; at += n) {
		n = (size_t)min_u64(COPY_BYTES, v->image.cluster_bytes - at);
		st = platform_cancelled() ? ST_CANCELLED
					  : blk_read_padded(vdi_file(v), from + at, buf, n);
		if (st == ST_OK)
			st = blk_write(vdi_file(v), to + at, buf, n);
	}
	return st;
}

/* Gives each of the listed blocks a new place, as long as there is one (in gaps only). */
static enum status move_listed(struct vdi_image *v, bool in_gaps, uint64_t *ret_n)
{
	uint8_t *buf = io_alloc(COPY_BYTES);
	enum status st = buf != NULL ? ST_OK : ST_NO_MEMORY;

	for (*ret_n = 0; st == ST_OK && *ret_n < v->n_listed; ++*ret_n) {
		uint64_t block = v->listed[*ret_n], to;
		uint32_t entry = 0;

		if ((in_gaps && v->n_gaps == 0) || vdi_block_ops.is_full(&v->map))
			break;
		st = vdi_entry(v, block, &entry);
		if (st == ST_OK)
			st = vdi_block_ops.allocate(&v->map, block, &to);
		if (st == ST_OK)
			st = copy_block(v, vdi_place(v, entry), to, buf);
		if (st == ST_OK)
			st = vdi_block_ops.set(&v->map, block, BLOCK_STORED, to);
		if (st != ST_OK)
			break;
	}
	io_free(buf, COPY_BYTES);
	if (st == ST_OK)
		st = blk_flush(vdi_file(v));
	if (st == ST_OK)
		st = vdi_block_ops.commit(&v->map);
	return st == ST_OK ? blk_flush(vdi_file(v)) : st;
}

static enum status survey_for_repair(struct vdi_image *v, struct vdi_summary *ret)
{
	struct problems none = { 0 };
	enum status st = vdi_prepare(v);

	*ret = (struct vdi_summary){ 0 };
	if (st == ST_OK)
		st = vdi_survey(v, true, &none, ret);
	v->end = ret->end;
	v->counts = le32_get(v->header.n_allocated) >= v->end;
	return st;
}

/* Gives each block that shares its place one of its own. */
static enum status part_doubled(struct vdi_image *v, struct vdi_summary *summary)
{
	enum status st = ST_OK;
	uint64_t n = 1;

	while (st == ST_OK && summary->n_doubled > 0 && n > 0) {
		st = move_listed(v, false, &n);
		if (st == ST_OK)
			st = survey_for_repair(v, summary);
	}
	return st;
}

/* Moves the last blocks into gaps, until there are none. */
static enum status fill_gaps(struct vdi_image *v, struct vdi_summary *summary)
{
	enum status st = ST_OK;
	uint64_t n = 1;

	while (st == ST_OK && summary->n_bad == 0 && summary->n_doubled == 0 &&
	       summary->n_allocated < summary->end && n > 0) {
		st = vdi_list_from(v, summary->n_allocated);
		if (st == ST_OK)
			st = move_listed(v, true, &n);
		if (st == ST_OK)
			st = survey_for_repair(v, summary);
	}
	return st;
}

static enum status correct_header(struct vdi_image *v, const struct vdi_summary *summary)
{
	enum status st;

	if (le32_get(v->header.n_allocated) == summary->end)
		return ST_OK;
	v->header.n_allocated = le32_of((uint32_t)summary->end);
	st = vdi_write_header(v);
	return st == ST_OK ? blk_flush(vdi_file(v)) : st;
}

/* Repairs what `what` is about; *ret is what is found in the end. */
static enum status repair(struct vdi_image *v, enum repair what, struct check_result *ret,
			  struct error *err)
{
	struct vdi_summary summary;
	enum status st = survey_for_repair(v, &summary);

	if (st == ST_OK && what == REPAIR_ALL)
		st = part_doubled(v, &summary);
	if (st == ST_OK)
		st = fill_gaps(v, &summary);
	if (st == ST_OK && (what == REPAIR_ALL || v->counts))
		st = correct_header(v, &summary);
	if (st != ST_OK)
		return fail(err, st, "repairing its map of blocks: %s", status_text(st));
	return check(v, NULL, &summary, ret, err);
}

enum status vdi_repair(struct image *image, enum repair what, struct out *problems,
		       struct check_result *ret, struct error *err)
{
	struct vdi_image *v = (struct vdi_image *)image;
	struct vdi_summary summary;
	struct check_result first;
	enum status st = check(v, problems, &summary, &first, err);

	*ret = first;
	if (st != ST_OK || (first.corruptions == 0 && first.leaks == 0))
		return st;
	st = repair(v, what, ret, err);
	if (st != ST_OK)
		return st;
	ret->corruptions_fixed = first.corruptions - min_u64(first.corruptions, ret->corruptions);
	ret->leaks_fixed = first.leaks - min_u64(first.leaks, ret->leaks);
	return ST_OK;
}
