/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checking and repairing Parallels images. As QEMU does: the header says that the image was
 * closed, entries lead into the file, and nothing follows the last cluster; and beyond it:
 * clusters lie side by side, all of them in the file, and none is used twice.
 *
 * A repair clears entries of clusters that begin past the end of the file, which has no data for
 * them, gives each cluster that is used twice a copy of its own, has the header say that the image
 * was closed, and last cuts off what follows the last cluster. If anything remains that cannot be
 * repaired, nothing is cut off; nor is it where there is an extension, whose clusters the BAT does
 * not have. An image whose data begins past the end of the file is not repaired at all: where its
 * clusters were to lie is not known.
 *
 * Write order: copies, past the end of all clusters; flush; the BAT; flush; the header; flush; the
 * length of the file.
 */
#include "format/parallels/image.h"

#include "base/memory.h"
#include "base/range.h"
#include "platform/person.h"

enum { COPY_BYTES = 1 << 20 };

static bool has_extension(const struct parallels_image *p)
{
	return le64_get(p->header.extension_sector) != 0;
}

static uint64_t wrong_entries(const struct parallels_summary *s)
{
	return s->n_past_end + s->n_cut + s->n_misplaced + s->n_doubled;
}

/* A survey, and what it means, counted as QEMU counts it. */
static enum status check(struct parallels_image *p, struct out *out,
			 struct parallels_summary *summary, struct check_result *ret,
			 struct error *err)
{
	struct problems problems = { .out = out };
	uint64_t size = parallels_file(p)->size;
	enum status st;

	if (p->was_in_use)
		problems_add(&problems, "corrupt", "the image was not closed cleanly");
	if (parallels_begins_outside(p))
		problems_add(&problems, "corrupt",
			     "its data begins at offset 0x%jx, past the end of the file at 0x%jx",
			     p->data_start, size);
	st = parallels_survey(p, &problems, summary);
	if (st != ST_OK)
		return fail(err, st, "reading its BAT: %s", status_text(st));
	*ret = (struct check_result){
		.corruptions = wrong_entries(summary) + p->was_in_use + parallels_begins_outside(p),
		.image_end_offset = summary->end,
		.total_clusters = p->n_entries,
		.allocated_clusters = summary->n_allocated,
		.fragmented_clusters = summary->n_fragmented,
	};
	if (size > summary->end && !has_extension(p)) {
		ret->leaks = div_up(size - summary->end, p->cluster_bytes);
		problems_add(&problems, "leak", "%ju bytes follow the last cluster",
			     size - summary->end);
	}
	return ST_OK;
}

enum status parallels_check(struct image *image, struct out *problems, struct check_result *ret,
			    struct error *err)
{
	struct parallels_summary summary;

	return check((struct parallels_image *)image, problems, &summary, ret, err);
}

/* ---- repairing ---- */

static enum status commit(struct parallels_image *p)
{
	enum status st = blk_flush(parallels_file(p));

	if (st == ST_OK)
		st = parallels_block_ops.commit(&p->map);
	return st == ST_OK ? blk_flush(parallels_file(p)) : st;
}

/* Clears the entries of clusters that begin past the end of the file. */
static enum status clear_past_end(struct parallels_image *p)
{
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i < p->n_entries; i++) {
		uint32_t entry = 0;

		st = parallels_entry(p, i, &entry);
		if (st != ST_OK || entry * p->entry_bytes < parallels_file(p)->size)
			continue;
		if (parallels_block_ops.is_full(&p->map))
			st = commit(p);
		if (st == ST_OK)
			st = parallels_set_entry(p, i, 0);
	}
	return st == ST_OK ? commit(p) : st;
}

static enum status copy_cluster(const struct parallels_image *p, uint64_t from, uint64_t to,
				uint8_t *buf)
{
	enum status st = ST_OK;
	size_t n;

	for (uint64_t at = 0; st == ST_OK && at < p->cluster_bytes; at += n) {
		n = (size_t)min_u64(COPY_BYTES, p->cluster_bytes - at);
		st = platform_cancelled() ? ST_CANCELLED
					  : blk_read_padded(parallels_file(p), from + at, buf, n);
		if (st == ST_OK)
			st = blk_write(parallels_file(p), to + at, buf, n);
	}
	return st;
}

/* Gives each of the listed entries a cluster of its own, with the same bytes. */
static enum status part_listed(struct parallels_image *p)
{
	uint8_t *buf = io_alloc(COPY_BYTES);
	enum status st = buf != NULL ? ST_OK : ST_NO_MEMORY;

	for (size_t i = 0; st == ST_OK && i < p->n_listed; i++) {
		uint32_t entry = 0;
		uint64_t to;

		if (parallels_block_ops.is_full(&p->map))
			st = commit(p);
		if (st == ST_OK)
			st = parallels_entry(p, p->listed[i], &entry);
		if (st == ST_OK)
			st = parallels_block_ops.allocate(&p->map, p->listed[i], &to);
		if (st == ST_OK)
			st = copy_cluster(p, entry * p->entry_bytes, to, buf);
		if (st == ST_OK)
			st = parallels_block_ops.set(&p->map, p->listed[i], BLOCK_STORED, to);
	}
	io_free(buf, COPY_BYTES);
	return st == ST_OK ? commit(p) : st;
}

static enum status survey_anew(struct parallels_image *p, struct parallels_summary *ret)
{
	enum status st = parallels_prepare(p);

	return st == ST_OK ? parallels_survey(p, &(struct problems){ 0 }, ret) : st;
}

static enum status repair_bat(struct parallels_image *p, struct parallels_summary *summary)
{
	enum status st = parallels_prepare(p);

	if (st == ST_OK && summary->n_past_end > 0) {
		st = clear_past_end(p);
		if (st == ST_OK)
			st = survey_anew(p, summary);
	}
	while (st == ST_OK && summary->n_doubled > 0) {
		p->end = parallels_place_from(p, max_u64(summary->end, parallels_file(p)->size));
		st = part_listed(p);
		if (st == ST_OK)
			st = survey_anew(p, summary);
	}
	return st;
}

/* Repairs what `what` is about, and finds out what is left. */
static enum status repair(struct parallels_image *p, enum repair what,
			  struct parallels_summary *summary, struct check_result *ret,
			  struct error *err)
{
	enum status st = what == REPAIR_ALL ? repair_bat(p, summary) : ST_OK;

	if (st == ST_OK && what == REPAIR_ALL && p->was_in_use) {
		st = parallels_set_in_use(p, false);
		p->was_in_use = p->was_in_use && st != ST_OK;
	}
	if (st == ST_OK && wrong_entries(summary) == 0 && !has_extension(p) &&
	    parallels_file(p)->size > summary->end) {
		st = blk_resize(parallels_file(p), summary->end, PREALLOC_OFF);
		if (st == ST_OK)
			st = blk_flush(parallels_file(p));
	}
	if (st != ST_OK)
		return fail(err, st, "repairing it: %s", status_text(st));
	return check(p, NULL, summary, ret, err);
}

enum status parallels_repair(struct image *image, enum repair what, struct out *problems,
			     struct check_result *ret, struct error *err)
{
	struct parallels_image *p = (struct parallels_image *)image;
	struct parallels_summary summary;
	struct check_result first;
	enum status st = check(p, problems, &summary, &first, err);

	*ret = first;
	if (st != ST_OK || (first.corruptions == 0 && first.leaks == 0) ||
	    parallels_begins_outside(p))
		return st;
	st = repair(p, what, &summary, ret, err);
	if (st != ST_OK)
		return st;
	ret->corruptions_fixed = first.corruptions - min_u64(first.corruptions, ret->corruptions);
	ret->leaks_fixed = first.leaks - min_u64(first.leaks, ret->leaks);
	return ST_OK;
}
