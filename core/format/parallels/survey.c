/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the whole BAT of a Parallels image: before the disk is read, so that a file that was cut
 * short is noticed; before it is written to, because only the BAT tells where the clusters in use
 * end; and by check.
 *
 * The BAT is read in pieces. Which clusters of the file occur twice is found with a bit for each,
 * at most 2^26 at a time; larger files are gone through once more for each further part.
 */
#include "format/parallels/image.h"

#include "base/memory.h"
#include "base/range.h"
#include "platform/person.h"

enum {
	PIECE_BYTES = 1 << 20,
	PART_CLUSTERS = 1 << 26, /* of the file, that are looked for at a time */
};

/* What one reading of the BAT is for. */
struct pass {
	struct parallels_image *p;
	struct problems *problems;
	struct parallels_summary *summary;
	uint8_t *piece;
	void (*look)(struct pass *, uint64_t cluster, uint64_t place);
	uint64_t before; /* the place that the last entry led to; 0: none */
	uint8_t *seen;   /* a bit for each cluster of the file from `first` on */
	uint64_t first, n_seen;
};

/* The first pass: each entry by itself. */
static void look_at_place(struct pass *pass, uint64_t cluster, uint64_t place)
{
	const struct parallels_image *p = pass->p;
	struct parallels_summary *summary = pass->summary;
	uint64_t size = parallels_file(p)->size;

	summary->n_allocated++;
	summary->n_fragmented += pass->before != 0 && pass->before + p->cluster_bytes != place;
	if (place < p->bat_end || (place - parallels_grid(p)) % p->cluster_bytes != 0) {
		summary->n_misplaced++;
		problems_add(pass->problems, "corrupt",
			     "BAT entry %ju: offset 0x%jx is in the BAT, or between two clusters",
			     cluster, place);
	} else if (place >= size) {
		summary->n_past_end++;
		problems_add(pass->problems, "corrupt",
			     "BAT entry %ju: offset 0x%jx is past the end of the file at 0x%jx",
			     cluster, place, size);
	} else if (!range_ok(place, parallels_needed(p, cluster), size)) {
		summary->n_cut++;
		problems_add(pass->problems, "corrupt",
			     "BAT entry %ju: the file ends at 0x%jx, in the cluster at 0x%jx",
			     cluster, size, place);
	}
	if (place < size)
		summary->end = max_u64(summary->end, place + p->cluster_bytes);
}

/* A later pass: entries of the same cluster. */
static void look_for_double(struct pass *pass, uint64_t cluster, uint64_t place)
{
	struct parallels_image *p = pass->p;
	uint64_t distance = place - parallels_grid(p),
		 bit = distance / p->cluster_bytes - pass->first;

	if (place < p->bat_end || distance % p->cluster_bytes != 0 || bit >= pass->n_seen)
		return; /* misplaced ones are counted already */
	if ((pass->seen[bit / 8] >> bit % 8 & 1) == 0) {
		pass->seen[bit / 8] |= (uint8_t)(1 << bit % 8);
		return;
	}
	pass->summary->n_doubled++;
	if (p->n_listed < PARALLELS_LIST_MAX)
		p->listed[p->n_listed++] = (uint32_t)cluster;
	problems_add(pass->problems, "corrupt",
		     "BAT entry %ju: another one leads to the cluster at 0x%jx, too", cluster,
		     place);
}

static enum status read_bat(struct pass *pass)
{
	const struct parallels_image *p = pass->p;
	uint64_t n_piece = PIECE_BYTES / PARALLELS_ENTRY_BYTES;

	for (uint64_t at = 0, n; at < p->n_entries; at += n) {
		enum status st;

		n = min_u64(p->n_entries - at, n_piece);
		if (platform_cancelled())
			return ST_CANCELLED;
		st = blk_read(parallels_file(p),
			      PARALLELS_HEADER_BYTES + at * PARALLELS_ENTRY_BYTES, pass->piece,
			      (size_t)(n * PARALLELS_ENTRY_BYTES));
		if (st != ST_OK)
			return st;
		for (uint64_t i = 0; i < n; i++) {
			uint64_t place = bytes_from_le(pass->piece + i * PARALLELS_ENTRY_BYTES,
						       PARALLELS_ENTRY_BYTES) *
					 p->entry_bytes;

			if (place != 0)
				pass->look(pass, at + i, place);
			pass->before = place;
		}
	}
	return ST_OK;
}

static enum status look_for_doubles(struct pass *pass)
{
	uint64_t end = div_up(min_u64(pass->summary->end, parallels_file(pass->p)->size),
			      pass->p->cluster_bytes);
	enum status st = ST_OK;

	pass->seen = mem_alloc((size_t)div_up(min_u64(end, PART_CLUSTERS), 8));
	if (pass->seen == NULL)
		return ST_NO_MEMORY;
	pass->look = look_for_double;
	for (; st == ST_OK && pass->first < end; pass->first += pass->n_seen) {
		pass->n_seen = min_u64(end - pass->first, PART_CLUSTERS);
		memset(pass->seen, 0, (size_t)div_up(pass->n_seen, 8));
		st = read_bat(pass);
	}
	mem_free(pass->seen);
	return st;
}

enum status parallels_survey(struct parallels_image *p, struct problems *problems,
			     struct parallels_summary *ret)
{
	struct pass pass = { .p = p, .problems = problems, .summary = ret, .look = look_at_place };
	enum status st = ST_NO_MEMORY;

	*ret = (struct parallels_summary){ .end = p->data_start };
	p->n_listed = 0;
	pass.piece = io_alloc(PIECE_BYTES);
	if (pass.piece != NULL)
		st = read_bat(&pass);
	if (st == ST_OK)
		st = look_for_doubles(&pass);
	io_free(pass.piece, PIECE_BYTES);
	return st;
}
