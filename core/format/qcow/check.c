/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checking qcow images, which qemu-img does not: every table and every cluster lies in the file as
 * a whole, and no cluster of the file is used twice. The header, the L1 table, the name of the
 * backing file and compressed clusters need not begin at a multiple of the cluster size and may
 * share a cluster of the file with each other, but not with an L2 table or a plain cluster.
 *
 * What nothing uses is no leak here: it is what remains of compressed clusters that were written
 * over, and the format has no way to use it again. Nothing is repaired.
 *
 * Memory: two bits for each cluster of the file, and one piece of each level's tables. However
 * often the L1 table names an L2 table, it is walked once: the second use is a corruption.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow/image.h"
#include "platform/person.h"

enum { PIECE_ENTRIES = TWO_LEVEL_PIECE_BYTES / QCOW_ENTRY_BYTES };

/* What a cluster of the file is used as: bits of two maps. */
enum use { USE_WHOLE, USE_BYTES, N_USES };

/* One pass over all tables. */
struct walk {
	struct qcow_image *q;
	const struct qcow_header *h;
	struct error *err;
	struct out *problems; /* NULL: nowhere */
	uint64_t n_problems;
	struct check_result result;
	uint8_t *used[N_USES]; /* a bit for each cluster of the file */
	be64 *l1, *l2;         /* PIECE_ENTRIES of each table */
	uint64_t last; /* where the cluster before in this L2 table ends; 0: there is none */
};

/* Where a problem is. */
struct entry_place {
	const char *table; /* "L1 table" */
	uint64_t offset, index, value;
};

static void corrupt(struct walk *w, const struct entry_place *p, const char *words)
{
	w->result.corruptions++;
	w->n_problems++;
	if (w->problems == NULL || w->n_problems > CHECK_PROBLEMS_MAX + 1)
		return;
	if (w->n_problems > CHECK_PROBLEMS_MAX)
		out_printf(w->problems, "These are %d problems; the others are only counted.\n",
			   CHECK_PROBLEMS_MAX);
	else
		out_printf(w->problems, "corrupt: %s at 0x%jx, entry %ju (0x%jx): %s\n", p->table,
			   p->offset, p->index, p->value, words);
}

/* ---- clusters ---- */

static bool is_used(const struct walk *w, enum use use, uint64_t cluster)
{
	return (w->used[use][cluster / 8] >> cluster % 8 & 1) != 0;
}

/*
 * Notes that bytes of the file are used, which lie in it; false: something else uses one of their
 * clusters, too.
 */
static bool use(struct walk *w, enum use use, uint64_t offset, uint64_t bytes)
{
	unsigned bits = w->h->cluster_bits;
	uint64_t last = (offset + bytes - 1) >> bits;
	bool alone = true;

	w->result.image_end_offset = max_u64(w->result.image_end_offset, offset + bytes);
	for (uint64_t i = offset >> bits; i <= last; i++) {
		alone = alone && !is_used(w, USE_WHOLE, i) &&
			(use == USE_BYTES || !is_used(w, USE_BYTES, i));
		w->used[use][i / 8] |= (uint8_t)(1 << i % 8);
	}
	return alone;
}

/* The same for a table or cluster, whose writer may not have aligned it. */
static bool use_table(struct walk *w, uint64_t offset, uint64_t bytes)
{
	bool whole = ((offset | bytes) & (qcow_cluster_bytes(w->h) - 1)) == 0;

	return use(w, whole ? USE_WHOLE : USE_BYTES, offset, bytes);
}

/* ---- tables ---- */

static enum status read_piece(struct walk *w, const char *what, uint64_t table, uint64_t first,
			      be64 *piece, uint64_t n)
{
	enum status st;

	if (platform_cancelled())
		return fail(w->err, ST_CANCELLED, "%s", status_text(ST_CANCELLED));
	st = blk_read(w->q->file, table + first * QCOW_ENTRY_BYTES, piece,
		      (size_t)n * QCOW_ENTRY_BYTES);
	return st == ST_OK ? ST_OK
			   : fail(w->err, st, "reading the %s at 0x%jx: %s", what, table,
				  status_text(st));
}

static void look_at_cluster(struct walk *w, const struct entry_place *p)
{
	struct block_run run;
	enum status st = qcow_decode(w->h, p->value, w->q->file->size, &run);
	bool packed = run.state == BLOCK_PACKED;

	if (run.state == BLOCK_ABSENT)
		return;
	w->result.allocated_clusters++;
	w->result.compressed_clusters += packed;
	w->result.fragmented_clusters += packed || (w->last != 0 && w->last != run.offset);
	w->last = packed ? 0 : run.offset + qcow_cluster_bytes(w->h);
	if (st != ST_OK)
		corrupt(w, p, "no cluster is there, or not all of it is in the file");
	else if (packed ? !use(w, USE_BYTES, run.offset, run.packed_bytes)
			: !use_table(w, run.offset, qcow_cluster_bytes(w->h)))
		corrupt(w, p, "the cluster is used for something else as well");
}

static enum status walk_l2(struct walk *w, uint64_t table)
{
	struct entry_place p = { .table = "L2 table", .offset = table };
	uint64_t n_entries = UINT64_C(1) << w->h->l2_bits; /* at most PIECE_ENTRIES */
	enum status st = read_piece(w, p.table, table, 0, w->l2, n_entries);

	w->last = 0;
	for (p.index = 0; st == ST_OK && p.index < n_entries; p.index++) {
		p.value = be64_get(w->l2[p.index]);
		look_at_cluster(w, &p);
	}
	return st;
}
_Static_assert(1 << QCOW_L2_BITS_MAX <= PIECE_ENTRIES, "an L2 table is one piece");

static enum status look_at_table(struct walk *w, const struct entry_place *p)
{
	uint64_t bytes = qcow_l2_bytes(w->h);

	if (p->value == 0)
		return ST_OK;
	if (p->value % QCOW_SECTOR_BYTES != 0 || p->value < QCOW_HEADER_BYTES ||
	    !range_ok(p->value, bytes, w->q->file->size))
		corrupt(w, p, "no L2 table is there, or not all of it is in the file");
	else if (!use_table(w, p->value, bytes))
		corrupt(w, p, "the L2 table is used for something else as well");
	else
		return walk_l2(w, p->value);
	return ST_OK;
}

static enum status walk_l1(struct walk *w)
{
	struct entry_place p = { .table = "L1 table", .offset = w->h->l1_offset };
	uint64_t n_entries = qcow_l1_entries(w->h), n;
	enum status st = ST_OK;

	(void)use(w, USE_BYTES, 0, QCOW_HEADER_BYTES);
	if (w->h->backing_at != 0 && w->h->backing_bytes > 0)
		(void)use(w, USE_BYTES, w->h->backing_at, w->h->backing_bytes);
	(void)use(w, USE_BYTES, w->h->l1_offset, n_entries * QCOW_ENTRY_BYTES);
	for (uint64_t first = 0; st == ST_OK && first < n_entries; first += n) {
		n = min_u64(n_entries - first, PIECE_ENTRIES);
		st = read_piece(w, p.table, p.offset, first, w->l1, n);
		for (uint64_t i = 0; st == ST_OK && i < n; i++) {
			p.index = first + i;
			p.value = be64_get(w->l1[i]);
			st = look_at_table(w, &p);
		}
	}
	return st;
}

enum status qcow_check(struct image *image, struct out *problems, struct check_result *ret,
		       struct error *err)
{
	struct qcow_image *q = (struct qcow_image *)image;
	struct walk w = { .q = q, .h = &q->header, .err = err, .problems = problems };
	uint64_t n = div_up(q->file->size, qcow_cluster_bytes(w.h)), used_bytes = div_up(n, 8);
	enum status st;

	w.result.total_clusters = div_up(image->size, qcow_cluster_bytes(w.h));
	for (size_t i = 0; i < N_USES && used_bytes <= SIZE_MAX; i++)
		w.used[i] = mem_alloc((size_t)used_bytes);
	w.l1 = mem_alloc(PIECE_ENTRIES * sizeof *w.l1);
	w.l2 = mem_alloc(PIECE_ENTRIES * sizeof *w.l2);
	if (w.used[USE_WHOLE] == NULL || w.used[USE_BYTES] == NULL)
		st = fail(err, ST_NO_MEMORY,
			  "counting the uses of its %ju clusters takes %ju bytes: %s", n,
			  2 * div_up(n, 8), status_text(ST_NO_MEMORY));
	else if (w.l1 == NULL || w.l2 == NULL)
		st = fail_no_memory(err);
	else
		st = walk_l1(&w);
	mem_free(w.used[USE_WHOLE]);
	mem_free(w.used[USE_BYTES]);
	mem_free(w.l1);
	mem_free(w.l2);
	if (st == ST_OK)
		*ret = w.result;
	return st;
}
