/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Checking and repairing QED images: section "Consistency checking". Every cluster of the file is
 * used once, by the header, a table or the disk; tables and clusters lie in the file, where
 * clusters begin. What leads elsewhere is a corruption, and so is a cluster that is used twice; one
 * that nothing uses is a leak. Problems are counted as qemu-img counts them: of a table that lies
 * partly where something else is, each cluster, and not what the table says.
 *
 * A repair replaces entries that lead to where no cluster can be by 0: nothing could be read there.
 * Every entry is written by itself, so that power may fail at any moment; they are flushed before
 * the feature is cleared that asks for a check. Clusters that are used twice are left, because
 * which use is the right one cannot be known; so are leaks, because the format cannot use a cluster
 * again. qemu-img repairs corruptions for `-r leaks`, too; here that is done for `-r all` only.
 *
 * Memory: a bit for each cluster of the file, and one piece of each level's tables. However often
 * the L1 table names an L2 table, it is walked once: the second use is a corruption.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/qed/image.h"
#include "platform/person.h"

enum { PIECE_ENTRIES = TWO_LEVEL_PIECE_BYTES / QED_ENTRY_BYTES };

/* One pass over all tables. */
struct walk {
	struct qed_image *q;
	const struct qed_header *h;
	struct error *err;
	struct out *problems; /* NULL: nowhere */
	uint64_t n_problems;
	struct check_result result;
	uint64_t file_end; /* of its last whole cluster */
	uint8_t *used;     /* a bit for each cluster of the file */
	bool repair;
	uint64_t used_end; /* where the last cluster in use ends */
	le64 *l1, *l2;     /* PIECE_ENTRIES of each table */
	uint64_t last;     /* the cluster before in this L2 table; 0: none */
};

/* Where a problem is. */
struct entry_place {
	const char *table; /* "L1 table" */
	uint64_t offset, index, value;
};

__attribute__((format(printf, 3, 4))) static void corrupt(struct walk *w,
							  const struct entry_place *p,
							  const char *format, ...)
{
	va_list args;

	w->n_problems++;
	if (w->problems == NULL || w->n_problems > CHECK_PROBLEMS_MAX + 1)
		return;
	if (w->n_problems > CHECK_PROBLEMS_MAX) {
		out_printf(w->problems, "These are %d problems; the others are only counted.\n",
			   CHECK_PROBLEMS_MAX);
		return;
	}
	out_printf(w->problems, "corrupt: %s at 0x%jx, entry %ju (0x%jx): ", p->table, p->offset,
		   p->index, p->value);
	va_start(args, format);
	out_vprintf(w->problems, format, args);
	va_end(args);
	out_text(w->problems, "\n");
}

/* ---- clusters ---- */

static bool is_used(const struct walk *w, uint64_t cluster)
{
	return (w->used[cluster / 8] >> cluster % 8 & 1) != 0;
}

/* Notes that clusters of the file are used; returns how many of them are for the second time. */
static uint64_t use(struct walk *w, uint64_t offset, uint64_t bytes)
{
	uint64_t first = offset / w->h->cluster_bytes, n = bytes / w->h->cluster_bytes, twice = 0;

	w->used_end = max_u64(w->used_end, offset + bytes);
	for (uint64_t i = first; i < first + n; i++) {
		twice += is_used(w, i);
		w->used[i / 8] |= (uint8_t)(1 << i % 8);
	}
	return twice;
}

static void count_leaks(struct walk *w)
{
	/* what a disk or partition has after the image is nobody's loss */
	uint64_t end = w->q->file->device != NULL ? w->used_end : w->file_end,
		 n = end / w->h->cluster_bytes;

	for (uint64_t i = w->h->bytes / w->h->cluster_bytes; i < n; i++)
		w->result.leaks += !is_used(w, i);
}

/* ---- tables ---- */

static enum status read_piece(struct walk *w, const char *what, uint64_t table, uint64_t first,
			      le64 *piece, uint64_t *ret_n)
{
	uint64_t n = min_u64(qed_table_entries(w->h) - first, PIECE_ENTRIES);
	enum status st = ST_OK;

	*ret_n = n;
	if (platform_cancelled())
		return fail(w->err, ST_CANCELLED, "%s", status_text(ST_CANCELLED));
	st = blk_read(w->q->file, table + first * QED_ENTRY_BYTES, piece,
		      (size_t)n * QED_ENTRY_BYTES);
	return st == ST_OK ? ST_OK
			   : fail(w->err, st, "reading the %s at 0x%jx: %s", what, table,
				  status_text(st));
}

/* An entry leads to where nothing can be: it is counted, or replaced by 0. */
static enum status wrong_entry(struct walk *w, const struct entry_place *p, const char *what)
{
	static const le64 zero = { 0 };
	enum status st;

	corrupt(w, p, "no %s can be there: the header has %ju bytes, the file %ju", what,
		w->h->bytes, w->q->file->size);
	if (!w->repair) {
		w->result.corruptions++;
		return ST_OK;
	}
	w->result.corruptions_fixed++;
	st = blk_write(w->q->file, p->offset + p->index * QED_ENTRY_BYTES, &zero, sizeof zero);
	return st == ST_OK ? ST_OK
			   : fail(w->err, st, "repairing the %s at 0x%jx: %s", p->table, p->offset,
				  status_text(st));
}

static enum status look_at_cluster(struct walk *w, const struct entry_place *p)
{
	if (p->value == 0 || p->value == QED_ENTRY_ZERO)
		return ST_OK;
	w->result.allocated_clusters++;
	if (w->last != 0 && w->last + w->h->cluster_bytes != p->value)
		w->result.fragmented_clusters++;
	w->last = p->value;
	if (!qed_cluster_fits(w->h, p->value, w->file_end))
		return wrong_entry(w, p, "cluster");
	if (use(w, p->value, w->h->cluster_bytes) > 0) {
		corrupt(w, p, "the cluster is used for something else as well");
		w->result.corruptions++;
	}
	return ST_OK;
}

static enum status walk_l2(struct walk *w, uint64_t table)
{
	struct entry_place p = { .table = "L2 table", .offset = table };
	enum status st = ST_OK;
	uint64_t n;

	w->last = 0;
	for (uint64_t first = 0; st == ST_OK && first < qed_table_entries(w->h); first += n) {
		st = read_piece(w, p.table, table, first, w->l2, &n);
		for (uint64_t i = 0; st == ST_OK && i < n; i++) {
			p.index = first + i;
			p.value = le64_get(w->l2[i]);
			st = look_at_cluster(w, &p);
		}
	}
	return st;
}

static enum status look_at_table(struct walk *w, const struct entry_place *p)
{
	uint64_t twice;

	if (p->value == 0)
		return ST_OK;
	if (!qed_table_fits(w->h, p->value, w->file_end))
		return wrong_entry(w, p, "L2 table");
	twice = use(w, p->value, w->h->table_bytes);
	if (twice == 0)
		return walk_l2(w, p->value);
	corrupt(w, p, "%ju clusters of the L2 table are used for something else as well", twice);
	w->result.corruptions += twice;
	return ST_OK;
}

static enum status walk_l1(struct walk *w)
{
	struct entry_place p = { .table = "L1 table", .offset = w->h->l1_offset };
	enum status st = ST_OK;
	uint64_t n;

	(void)use(w, w->h->l1_offset, w->h->table_bytes);
	for (uint64_t first = 0; st == ST_OK && first < qed_table_entries(w->h); first += n) {
		st = read_piece(w, p.table, p.offset, first, w->l1, &n);
		for (uint64_t i = 0; st == ST_OK && i < n; i++) {
			p.index = first + i;
			p.value = le64_get(w->l1[i]);
			st = look_at_table(w, &p);
		}
	}
	return st;
}

/* ---- the check as a whole ---- */

static enum status walk(struct walk *w, struct qed_image *q, struct error *err)
{
	uint64_t n;
	enum status st;

	w->q = q;
	w->h = &q->header;
	w->err = err;
	w->file_end = round_down(q->file->size, w->h->cluster_bytes);
	w->used_end = w->h->bytes;
	w->result.total_clusters = div_up(w->h->size, w->h->cluster_bytes);
	n = w->file_end / w->h->cluster_bytes;
	w->used = div_up(n, 8) <= SIZE_MAX ? mem_alloc((size_t)div_up(n, 8)) : NULL;
	w->l1 = mem_alloc(PIECE_ENTRIES * sizeof *w->l1);
	w->l2 = mem_alloc(PIECE_ENTRIES * sizeof *w->l2);
	if (w->used == NULL)
		st = fail(err, ST_NO_MEMORY,
			  "counting the uses of its %ju clusters takes %ju bytes: %s", n,
			  div_up(n, 8), status_text(ST_NO_MEMORY));
	else if (w->l1 == NULL || w->l2 == NULL)
		st = fail_no_memory(err);
	else
		st = walk_l1(w);
	if (st == ST_OK)
		count_leaks(w);
	mem_free(w->used);
	mem_free(w->l1);
	mem_free(w->l2);
	return st;
}

enum status qed_check(struct image *image, struct out *problems, struct check_result *ret,
		      struct error *err)
{
	struct walk w = { .problems = problems };
	enum status st = walk(&w, (struct qed_image *)image, err);

	if (st == ST_OK)
		*ret = w.result;
	return st;
}

/* The steps of a repair after the entries are written. */
static enum status finish_repair(struct qed_image *q, bool clean, struct error *err)
{
	enum status st = blk_flush(q->file);

	if (st == ST_OK && clean)
		st = qed_set_need_check(q, false);
	return st == ST_OK ? ST_OK : fail(err, st, "writing its tables: %s", status_text(st));
}

enum status qed_repair(struct image *image, enum repair what, struct out *problems,
		       struct check_result *ret, struct error *err)
{
	struct qed_image *q = (struct qed_image *)image;
	struct walk w = { .problems = problems, .repair = what == REPAIR_ALL };
	uint64_t fixed;
	enum status st = walk(&w, q, err);

	if (st != ST_OK)
		return st;
	fixed = w.result.corruptions_fixed;
	st = finish_repair(q, w.result.corruptions == 0, err);
	if (st == ST_OK && fixed > 0) {
		w = (struct walk){ 0 };
		st = walk(&w, q, err);
	}
	if (st != ST_OK)
		return st;
	*ret = w.result;
	ret->corruptions_fixed = fixed;
	return ST_OK;
}

enum status qed_find_end(struct qed_image *q, uint64_t *ret_end, struct error *err)
{
	struct walk w = { 0 };
	enum status st = walk(&w, q, err);

	if (st != ST_OK)
		return st;
	if (w.result.corruptions > 0)
		return fail(err, ST_CORRUPT,
			    "%ju entries of its tables are wrong, perhaps because its file was cut "
			    "short (%ju bytes); it can be read, but before it is written to, it "
			    "must "
			    "be repaired: \"check -r all\"",
			    w.result.corruptions, q->file->size);
	*ret_end = w.used_end;
	return ST_OK;
}
