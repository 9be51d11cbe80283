/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Repairing an image, in steps of which each is on the medium before the next one begins:
 *
 *   1. L2 entries that only reserve a place, but one that there cannot be, give it up
 *   2. all references are counted anew; refcounts are corrected in their blocks, or if these
 *      cannot be used, a complete new refcount structure is written past the end of the file, and
 *      then the header refers to it
 *   3. COPIED flags are set and cleared as the refcounts are now
 *   4. the image is checked once more; if snapshots without the size of their disk are all that is
 *      left, they get a new table
 *   5. if nothing is corrupt any more, the header no longer says that the image is damaged or was
 *      not closed cleanly
 *
 * Whenever the power goes, the disks read as before, and what is in use has no lower refcount than
 * it had, unless that was too high; a new repair begins from what it finds. Between 2 and 3 flags
 * may not fit to refcounts, and a check then finds that: unlike all other changes (switch.c), a
 * repair works in place, since it has to do so with tables that it cannot trust enough to copy
 * them.
 *
 * What may hold data is never released. As long as something refers to where nothing can be, or one
 * cluster is two things, the clusters without a reference may be those that were meant: their
 * refcounts stay. COPIED is not set then either, since a cluster may have more users than can be
 * seen. Tables that are something else as well are not written to. And the file does not grow over
 * what is referred to past its end: that would look like zeros of the disk then.
 *
 * Where nothing is told to the contrary, what is repaired and how it is counted is as in qemu-img.
 */
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/check.h"
#include "format/qcow2/entry.h"

struct repair_run {
	struct qcow2_check check;
	struct qcow2_image *q;
	enum repair what;
	bool sure;        /* all references are known: what was not counted is not in use */
	bool low;         /* there are still refcounts lower than they should be, */
	bool kept;        /* or higher, since what they count may be in use */
	bool changed;     /* something was written */
	uint64_t n_edits; /* entries of tables, of these */
	uint64_t n_fixed; /* of them: those in step 1 */
	struct out *told; /* what is repaired; NULL: nobody is told */
	uint64_t n_told;
};

static struct qcow2_check begin_check(const struct repair_run *m, struct out *problems,
				      struct error *err)
{
	return (struct qcow2_check){
		.q = m->q, .file = m->q->file, .problems = problems, .err = err
	};
}

/* Tells in qemu-img's words what is repaired, of as many repairs as a check tells problems. */
__attribute__((format(printf, 2, 3))) static void tell(struct repair_run *m, const char *format,
						       ...)
{
	va_list args;

	if (m->told == NULL || m->n_told == CHECK_PROBLEMS_MAX)
		return;
	m->n_told++;
	va_start(args, format);
	out_vprintf(m->told, format, args);
	va_end(args);
	out_text(m->told, "\n");
}

static enum status write_failed(const struct repair_run *m, enum status st)
{
	return st == ST_OK ? ST_OK : fail(m->check.err, st, "writing to it: %s", status_text(st));
}

static enum status write_bytes(struct repair_run *m, uint64_t offset, const void *buf,
			       uint64_t bytes)
{
	m->changed = true;
	return write_failed(m, blk_write(m->check.file, offset, buf, (size_t)bytes));
}

static enum status flush(struct repair_run *m)
{
	return write_failed(m, m->changed ? blk_flush(m->check.file) : ST_OK);
}

/* ---- entries of L1 and L2 tables ---- */

/*
 * Changes the entry `index` of an L1 or an L2 table, which is not 0, in memory; if it does, it adds
 * 1 to *n.
 */
typedef enum status edit_fn(struct repair_run *, bool is_l2, uint64_t index, uint8_t *entry,
			    uint64_t *n);

/* Whether these bytes of the file are a table of that use, and nothing else. */
static bool is_only(const struct qcow2_check *c, enum qcow2_use use, uint64_t offset,
		    uint64_t bytes)
{
	unsigned bits = c->q->header.cluster_bits;

	if (!range_ok(offset, bytes, c->n_clusters << bits))
		return false;
	for (uint64_t cluster = offset >> bits; cluster <= (offset + bytes - 1) >> bits; cluster++)
		if (!qcow2_counts_is_only(c, cluster, use))
			return false;
	return true;
}

static enum status edit_l2(struct repair_run *m, uint64_t offset, edit_fn *edit)
{
	struct qcow2_check *c = &m->check;
	uint64_t bytes = c->q->image.cluster_bytes, step = qcow2_l2_entry_bytes(&c->q->header);
	uint64_t n = 0;
	enum status st;

	if (offset % bytes != 0 || offset >= c->file->size ||
	    !is_only(c, QCOW2_USE_L2, offset, bytes))
		return ST_OK;
	st = qcow2_check_table(c, "L2 table", offset);
	for (uint64_t at = 0; st == ST_OK && at < bytes; at += step)
		if (bytes_from_be(c->table + at, 8) != 0)
			st = edit(m, true, at / step, c->table + at, &n);
	if (st != ST_OK || n == 0)
		return st;
	m->n_edits += n;
	return write_bytes(m, offset, c->table, bytes);
}

static enum status edit_l1(struct repair_run *m, uint64_t offset, uint64_t n, edit_fn *edit)
{
	static const char what[] = "L1 table";
	struct qcow2_check *c = &m->check;
	uint64_t n_tables = 0;
	enum status st = ST_OK;

	n = qcow2_check_in_file(c, offset, n);
	if (n == 0 || !qcow2_check_take_table(c, n * 8))
		return ST_OK;
	for (uint64_t first = 0, count; st == ST_OK && first < n; first += count) {
		uint64_t n_changed = 0;

		st = qcow2_check_piece(c, what, offset, first, n, &count);
		for (uint64_t i = 0; st == ST_OK && i < count; i++) {
			uint64_t table = be64_get(c->piece[i]) & QCOW2_ENTRY_OFFSET;

			if (table == 0)
				continue;
			st = edit(m, false, first + i, (uint8_t *)&c->piece[i], &n_changed);
			if (st == ST_OK && ++n_tables <= c->n_clusters)
				st = edit_l2(m, table, edit);
		}
		if (st == ST_OK && n_changed > 0 && is_only(c, QCOW2_USE_OTHER, offset, n * 8)) {
			m->n_edits += n_changed;
			st = write_bytes(m, offset + first * 8, c->piece, count * 8);
		}
	}
	return st;
}

/* The disk's tables. */
static enum status edit_active(struct repair_run *m, edit_fn *edit)
{
	const struct qcow2_header *header = &m->q->header;

	m->check.table_bytes_left = m->check.file->size + qcow2_cluster_bytes(header);
	return edit_l1(m, header->l1_offset, header->l1_entries, edit);
}

/* The snapshots' as well. */
static enum status edit_all(struct repair_run *m, edit_fn *edit)
{
	enum status st = edit_active(m, edit);

	for (size_t i = 0; st == ST_OK && i < m->q->image.n_snapshots; i++) {
		const struct qcow2_snapshot *s = &m->q->snapshots[i];

		if (s->l1_offset % m->q->image.cluster_bytes == 0 &&
		    s->l1_entries <= QCOW2_L1_BYTES_MAX / 8)
			st = edit_l1(m, s->l1_offset, s->l1_entries, edit);
	}
	return st;
}

/* Zeros keep being zeros, without a place. */
static enum status repair_entry(struct repair_run *m, bool is_l2, uint64_t index, uint8_t *entry,
				uint64_t *n)
{
	bool extended = qcow2_l2_entry_bytes(&m->q->header) > 8;
	uint64_t value = bytes_from_be(entry, 8);

	(void)index;
	if (!is_l2 ||
	    !qcow2_check_repairable(&m->check, value, extended ? bytes_from_be(entry + 8, 8) : 0))
		return ST_OK;
	tell(m, QCOW2_UNALIGNED_WORDS, "Repairing", value & QCOW2_ENTRY_OFFSET, "Preallocated");
	bytes_to_be(entry, 8, extended ? 0 : QCOW2_L2_ZERO);
	++*n;
	return ST_OK;
}

/* COPIED, as the refcounts in the file are, which c->counts has now. */
static enum status set_flag(struct repair_run *m, bool is_l2, uint64_t index, uint8_t *at,
			    uint64_t *n)
{
	struct qcow2_check *c = &m->check;
	uint64_t entry = bytes_from_be(at, 8), offset = entry & QCOW2_ENTRY_OFFSET, refcount = 1;
	bool in_data_file = is_l2 && (c->q->header.incompatible & QCOW2_INCOMPAT_DATA_FILE) != 0,
	     known = true;
	enum status st = ST_OK;

	if (offset == 0 || (is_l2 && (entry & QCOW2_L2_COMPRESSED) != 0))
		return ST_OK;
	if (!in_data_file) /* there, all is this disk's */
		st = qcow2_check_refcount(c, offset >> c->q->header.cluster_bits, &refcount,
					  &known);
	if (st != ST_OK || !known || (refcount == 1) == ((entry & QCOW2_COPIED) != 0))
		return st;
	if (refcount == 1 && !m->sure && !in_data_file)
		return ST_OK;
	if (is_l2)
		tell(m, QCOW2_L2_FLAG_WORDS, "Repairing", entry, refcount);
	else
		tell(m, QCOW2_L1_FLAG_WORDS, "Repairing", index, entry, refcount);
	bytes_to_be(at, 8, entry ^ QCOW2_COPIED);
	++*n;
	return ST_OK;
}

/* ---- refcounts ---- */

static uint64_t wanted(struct repair_run *m, uint64_t refcount, uint64_t counted)
{
	if (counted > refcount)
		return m->what == REPAIR_ALL ? counted : refcount;
	m->kept |= !m->sure && refcount > counted;
	return m->sure ? counted : refcount;
}

/*
 * Makes c->counts what the refcounts of block `index` are to be, and if `write`, the block as well.
 */
static enum status take_block(struct repair_run *m, uint64_t index, uint64_t offset, bool write)
{
	struct qcow2_check *c = &m->check;
	unsigned order = c->q->header.refcount_order;
	uint64_t per_block = qcow2_refcounts_per_block(&c->q->header), first = index * per_block;
	enum status st = qcow2_check_table(c, "refcount block", offset);
	bool changed = false;

	for (uint64_t i = 0; st == ST_OK && i < min_u64(per_block, c->n_clusters - first); i++) {
		uint64_t refcount = qcow2_refcount_at(order, c->table, i),
			 counted = qcow2_counts_get(c, first + i);
		uint64_t want = wanted(m, refcount, counted);

		m->low |= want < counted;
		if (want != counted)
			qcow2_refcount_put(order, c->counts, first + i, want);
		if (want != refcount && write)
			tell(m, "Repairing cluster %ju refcount=%ju reference=%ju", first + i,
			     refcount, counted);
		if (want != refcount) {
			qcow2_refcount_put(order, c->table, i, want);
			changed = true;
		}
	}
	return st == ST_OK && changed && write
		       ? write_bytes(m, offset, c->table, c->q->image.cluster_bytes)
		       : st;
}

/*
 * Takes all refcount blocks that are where they can be, and which nothing else is. `write`: they
 * were counted.
 */
static enum status take_blocks(struct repair_run *m, bool write)
{
	struct qcow2_check *c = &m->check;
	uint64_t table = c->q->header.reftable_offset, cluster_bytes = c->q->image.cluster_bytes;
	uint64_t n_blocks = div_up(c->n_clusters, qcow2_refcounts_per_block(&c->q->header));
	uint64_t n = min_u64(qcow2_check_in_file(c, table, qcow2_check_reftable_entries(c)),
			     n_blocks);
	enum status st = ST_OK;

	for (uint64_t first = 0, count; st == ST_OK && first < n; first += count) {
		st = qcow2_check_piece(c, "refcount table", table, first, n, &count);
		for (uint64_t i = 0; st == ST_OK && i < count; i++) {
			uint64_t offset = be64_get(c->piece[i]);

			if (offset != 0 && offset % cluster_bytes == 0 && offset < c->file->size &&
			    qcow2_counts_is_only(c, offset / cluster_bytes,
						 write ? QCOW2_USE_OTHER : QCOW2_USE_NONE))
				st = take_block(m, first + i, offset, write);
		}
	}
	return st;
}

static enum status fill_from_counts(void *arg, uint64_t first, uint64_t n, uint8_t *block)
{
	const struct qcow2_check *c = arg;
	unsigned order = c->q->header.refcount_order;

	/* `first` is a multiple of what a block counts: both begin at a byte. */
	memcpy(block, c->counts + (first << order >> 3), (size_t)div_up(n << order, 8));
	return ST_OK;
}

static struct qcow2_new_refcounts new_refcounts(struct qcow2_check *c, uint64_t n_clusters)
{
	return (struct qcow2_new_refcounts){
		.file = c->file,
		.cluster_bits = c->q->header.cluster_bits,
		.refcount_order = c->q->header.refcount_order,
		.n_clusters = n_clusters,
		.fill = fill_from_counts,
		.arg = c,
	};
}

/* A new structure of the references that were counted, which are all but those of the old one. */
static enum status rebuild(struct repair_run *m)
{
	struct qcow2_check *c = &m->check;
	struct qcow2_new_refcounts new;
	uint64_t before = c->file->size;
	enum status st;

	if (c->in_the_way)
		return fail(c->err, ST_CORRUPT,
			    "its refcounts have to be written anew, but the tables of the image "
			    "refer to where that would go, past the end of the file at 0x%jx, as "
			    "if data had been there; get the rest of the file, or convert what can "
			    "be read to a new image",
			    before);
	if (c->header_taken)
		return fail(c->err, ST_CORRUPT,
			    "its refcounts have to be written anew, but some table of the image is "
			    "said to be where its header is, which would have to change for that; "
			    "convert what can be read to a new image");
	st = m->sure ? ST_OK : take_blocks(m, false);
	if (st != ST_OK)
		return st;
	new = new_refcounts(c, c->n_clusters);
	st = qcow2_new_refcounts_plan(&new);
	if (st == ST_OK)
		st = qcow2_new_refcounts_write(&new, c->table);
	if (st != ST_OK) {
		if (c->file->size > before)
			/* nothing refers to it; the failure above is what counts */
			(void)blk_resize(c->file, before, PREALLOC_OFF);
		return write_failed(m, st);
	}
	m->changed = true;
	tell(m, "Rebuilding refcount structure");
	st = write_failed(m, qcow2_header_write_reftable(c->file, qcow2_new_refcounts_table(&new),
							 (uint32_t) new.n_table));
	if (st == ST_OK)
		st = flush(m);
	if (st != ST_OK)
		return st;
	m->q->header.reftable_offset = qcow2_new_refcounts_table(&new);
	m->q->header.reftable_clusters = (uint32_t) new.n_table;
	return ST_OK;
}

/* Step 2. */
static enum status put_refcounts(struct repair_run *m, bool anew)
{
	struct qcow2_check *c = &m->check;
	struct qcow2_new_refcounts new;
	enum status st;

	qcow2_check_end(c);
	*c = begin_check(m, NULL, c->err);
	st = qcow2_check_begin(c);
	if (st != ST_OK)
		return st;
	new = new_refcounts(c, c->n_clusters + 1);
	st = anew ? write_failed(m, qcow2_new_refcounts_plan(&new)) : ST_OK;
	if (anew)
		c->growth_end = qcow2_new_refcounts_end(&new);
	if (st == ST_OK)
		st = qcow2_check_references(c);
	m->sure = c->result.corruptions == c->n_incomplete && !c->overlaps;
	if (st != ST_OK)
		return st;
	if (anew)
		return rebuild(m);
	st = qcow2_check_blocks(c);
	if (st == ST_OK)
		st = take_blocks(m, true);
	return st == ST_OK ? flush(m) : st;
}

/* ---- the whole ---- */

/* Section "Header", autoclear features: what is not known here may not be known of any longer. */
static enum status forget_unknown(struct repair_run *m)
{
	uint64_t known = m->q->header.autoclear & QCOW2_AUTOCLEAR_KNOWN;
	enum status st;

	if (known == m->q->header.autoclear)
		return ST_OK;
	m->changed = true;
	st = write_failed(m, qcow2_header_write_autoclear(m->check.file, known));
	m->q->header.autoclear = known;
	return st == ST_OK ? flush(m) : st;
}

static enum status check_again(struct repair_run *m, struct out *problems)
{
	struct qcow2_check *c = &m->check;

	qcow2_check_end(c);
	*c = begin_check(m, problems, c->err);
	return qcow2_check_all(c);
}

/* Step 1, after a check; if there is anything to do, it is followed by another one. */
static enum status repair_entries(struct repair_run *m)
{
	struct qcow2_check *c = &m->check;
	enum status st;

	if (m->what != REPAIR_ALL || c->n_repairable == 0)
		return ST_OK;
	st = edit_all(m, repair_entry);
	if (st == ST_OK)
		st = flush(m);
	m->n_fixed = m->n_edits;
	m->n_edits = 0;
	return st == ST_OK ? check_again(m, NULL) : st;
}

/* Steps 2 and 3, after a check that has found something. */
static enum status repair_refcounts(struct repair_run *m)
{
	bool unusable = m->check.unusable;
	enum status st = put_refcounts(m, m->what == REPAIR_ALL && unusable);

	if (st == ST_OK && (m->what == REPAIR_ALL || (m->sure && !m->low && !unusable))) {
		st = edit_active(m, set_flag);
		if (st == ST_OK)
			st = flush(m);
	}
	return st;
}

/* Whether incomplete snapshots are all that is wrong. */
static bool only_incomplete(const struct qcow2_check *c)
{
	return c->n_incomplete > 0 && c->result.corruptions == c->n_incomplete &&
	       c->result.leaks == 0 && c->result.check_errors == 0;
}

/* Step 4. */
static enum status check_repaired(struct repair_run *m, struct out *problems)
{
	struct error *err = m->check.err;
	enum status st = check_again(m, problems);

	if (st != ST_OK || m->what != REPAIR_ALL || !only_incomplete(&m->check))
		return st;
	st = qcow2_load_refcounts(m->q, err);
	if (st == ST_OK)
		st = qcow2_snapshots_complete(m->q, err);
	qcow2_unload_refcounts(m->q);
	/*
	 * the file has grown: refcounts may have been left there by a repair whose other writes
	 * were lost
	 */
	if (st == ST_OK)
		st = put_refcounts(m, false);
	return st == ST_OK ? check_again(m, problems) : st;
}

/* Step 5. */
static enum status mark_sound(struct repair_run *m)
{
	const uint64_t marks = QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT;
	struct qcow2_header *header = &m->q->header;
	enum status st;

	if ((header->incompatible & marks) == 0)
		return ST_OK;
	m->changed = true;
	st = write_failed(m, qcow2_header_write_incompatible(m->check.file,
							     header->incompatible & ~marks));
	if (st == ST_OK)
		st = flush(m);
	if (st != ST_OK)
		return st;
	header->incompatible &= ~marks;
	m->q->image.dirty = false;
	return ST_OK;
}

static uint64_t difference(uint64_t before, uint64_t after)
{
	return before > after ? before - after : 0;
}

/* Steps 1 to 4, after a check that has found something; *ret is what is left. */
static enum status repair(struct repair_run *m, struct out *problems, struct check_result *ret)
{
	struct qcow2_check *c = &m->check;
	struct check_result before;
	uint64_t n_flags;
	bool incomplete;
	enum status st;

	if (m->what == REPAIR_LEAKS && c->needs_rebuild) {
		tell(m, "ERROR need to rebuild refcount structures");
		return fail(c->err, ST_CORRUPT,
			    "its refcounts are too wrong to repair leaks alone: clusters in use "
			    "have none, or they cannot be read; \"-r all\" repairs them; nothing "
			    "was done");
	}
	c->problems = NULL;
	st = forget_unknown(m);
	if (st == ST_OK)
		st = repair_entries(m);
	before = c->result;
	n_flags = c->n_flags;
	incomplete = c->n_incomplete > 0;
	if (st == ST_OK)
		st = repair_refcounts(m);
	if (st != ST_OK)
		return st;
	*ret = before;
	if (m->changed || incomplete || n_flags > 0) {
		st = check_repaired(m, problems);
		*ret = c->result;
		/*
		 * Flags that fit to the refcounts once these were right are not counted, as in
		 * qemu-img.
		 */
		ret->corruptions_fixed = m->n_fixed + m->n_edits +
					 difference(before.corruptions - n_flags,
						    c->result.corruptions - c->n_flags);
		ret->leaks_fixed = difference(before.leaks, c->result.leaks);
	}
	if (st == ST_OK && m->kept && problems != NULL)
		out_text(problems,
			 "Clusters without a reference were kept: what is corrupt may have "
			 "referred to it.\n");
	return st;
}

enum status qcow2_repair(struct image *image, enum repair what, struct out *problems,
			 struct check_result *ret, struct error *err)
{
	struct repair_run m = { .q = (struct qcow2_image *)image, .what = what, .told = problems };
	enum status st;

	m.check = begin_check(&m, problems, err);
	st = qcow2_check_counts(&m.check);
	/* Wrong flags are told as they are repaired, or at the end. */
	m.check.problems = NULL;
	if (st == ST_OK)
		st = qcow2_check_copied(&m.check);
	*ret = m.check.result;
	if (st == ST_OK && (ret->corruptions | ret->leaks | ret->check_errors) != 0)
		st = repair(&m, problems, ret);
	qcow2_check_end(&m.check);
	return st == ST_OK && ret->corruptions == 0 && ret->check_errors == 0 ? mark_sound(&m) : st;
}
