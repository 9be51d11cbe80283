/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What must be on the medium before what: the one place that writes metadata.
 *
 *   1. data of the guest, new clusters of bitmaps (zeros, so that the file has them), and refcount
 *      blocks with the refcounts of everything that is new                                  flush
 *   2. the refcount table; if it has moved: all of it at its new place, flush,
 *      then the header                                                                      flush
 *   3. L2 tables, which refer to data; tables and clusters of bitmaps                       flush
 *   4. the L1 table, which refers to L2 tables                                              flush
 *   5. if bitmaps came, went or got other tables: the header's reference to their directory,
 *      which was written to a new place with 1                                              flush
 *      (a bitmap that only came has a table of zeros: the file has grown by these with the
 *      directory, and 3 needs no flush; one that got another table has released the old one, and
 *      that flushes)
 *   6. the refcounts of what nothing refers to any more; they go out with the next commit
 *
 * Bitmaps whose contents change, or who have to note what the guest writes, are marked in use in
 * their directory before 1 (flush), and as good again when all of it is on the medium (flush):
 * bitmap_write.c.
 *
 * Whenever the power goes, every reference that is on the medium leads to something that is there
 * too and that has its refcount. What can happen is that clusters have a refcount and no user: a
 * leak, which wastes space and harms nothing. Each flush is left out where nothing was written
 * since the last one.
 *
 * When a change fails, in the middle of whatever it does, the image can still be read, flushed and
 * closed, and nothing else; what then gets to the medium is as after a power cut:
 *
 *   - Every entry in memory still leads to something that has its refcount: operations raise a
 *     refcount before they set the entry that needs it, and release what an entry referred to when
 *     nothing more can fail before the entry is replaced. So a flush may write all tables that were
 *     changed (1 to 5), and returns ST_OK when what was written to the disk before the failed
 *     change is on the medium.
 *   - Nothing is released any more (6), whatever was to be: an operation that failed half-way may
 *     have released what is still referred to. These clusters stay in use until the image is opened
 *     anew, at worst as leaks.
 *   - Bitmaps that were marked in use stay so: they may lack what the failed change did, or its
 *     size.
 *   - Further changes are refused with the status of the one that failed.
 *   - A flush that failed may have lost what was written before it, even if the next one succeeds.
 *     From then on nothing is written, and flushes fail.
 */
#include "base/bytes.h"
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/image.h"

enum status qcow2_may_change(const struct qcow2_image *q, struct error *err)
{
	if (q->failed == ST_OK)
		return ST_OK;
	return fail(err, q->failed,
		    "a change before this one has failed (%s); close the image first",
		    status_text(q->failed));
}

enum status qcow2_changed(struct qcow2_image *q, enum status st)
{
	if (q->failed == ST_OK)
		q->failed = st;
	return st;
}

enum status qcow2_barrier(struct qcow2_image *q)
{
	if (q->not_durable == ST_OK && q->image.data != NULL && q->image.data != q->file)
		q->not_durable = blk_flush(q->image.data);
	if (q->not_durable == ST_OK)
		q->not_durable = blk_flush(q->file);
	return q->not_durable;
}

void qcow2_note_l1(struct qcow2_image *q, uint64_t index)
{
	if (q->l1_changed_end == 0)
		q->l1_changed_first = index;
	q->l1_changed_first = min_u64(q->l1_changed_first, index);
	q->l1_changed_end = max_u64(q->l1_changed_end, index + 1);
}

enum status qcow2_write_table(struct qcow2_image *q, uint64_t offset, const uint64_t *table,
			      uint64_t first, uint64_t n)
{
	enum { PIECE = 256 };
	be64 piece[PIECE];
	enum status st = ST_OK;

	for (uint64_t i = 0; st == ST_OK && i < n; i += PIECE) {
		uint64_t count = min_u64(n - i, PIECE);

		for (uint64_t j = 0; j < count; j++)
			piece[j] = be64_of(table[first + i + j]);
		st = blk_write(q->file, offset + (first + i) * 8, piece, (size_t)(count * 8));
	}
	return st;
}

enum status qcow2_place_reftable(struct qcow2_image *q, uint64_t *ret_offset,
				 uint32_t *ret_clusters)
{
	for (;;) {
		uint64_t n = q->n_reftable * 8 >> q->header.cluster_bits;
		enum status st = qcow2_alloc(q, n, ret_offset);

		*ret_clusters = (uint32_t)n;
		if (st != ST_OK || n == q->n_reftable * 8 >> q->header.cluster_bits)
			return st;
		/* It has grown once more by being given a place. */
		st = qcow2_unref(q, *ret_offset, n << q->header.cluster_bits);
		if (st != ST_OK)
			return st;
	}
}

/* Steps 1 and 2 where the table has grown out of its place. */
static enum status move_reftable(struct qcow2_image *q)
{
	uint64_t old_offset = q->header.reftable_offset, old_clusters = q->header.reftable_clusters,
		 offset;
	uint32_t n_clusters;
	enum status st = qcow2_place_reftable(q, &offset, &n_clusters);

	if (st == ST_OK)
		st = table_cache_write(&q->refcount_cache);
	if (st == ST_OK)
		st = qcow2_write_table(q, offset, q->reftable, 0, q->n_reftable);
	if (st == ST_OK)
		st = qcow2_barrier(q);
	if (st == ST_OK)
		st = qcow2_header_write_reftable(q->file, offset, n_clusters);
	if (st == ST_OK)
		st = qcow2_barrier(q);
	if (st != ST_OK)
		return st;
	q->header.reftable_offset = offset;
	q->header.reftable_clusters = n_clusters;
	q->reftable_moves = q->reftable_changed = false;
	return qcow2_unref(q, old_offset, old_clusters << q->header.cluster_bits);
}

/* Steps 1 and 2: what new references will rely on. */
static enum status write_refcounts(struct qcow2_image *q)
{
	enum status st = q->reftable_moves ? move_reftable(q) : ST_OK;

	if (st == ST_OK)
		st = table_cache_write(&q->refcount_cache);
	if (st == ST_OK)
		st = qcow2_barrier(q);
	if (st != ST_OK || !q->reftable_changed)
		return st;
	st = qcow2_write_table(q, q->header.reftable_offset, q->reftable, 0, q->n_reftable);
	if (st == ST_OK)
		st = qcow2_barrier(q);
	if (st == ST_OK)
		q->reftable_changed = false;
	return st;
}

/* Step 4. */
static enum status write_l1(struct qcow2_image *q)
{
	enum status st = qcow2_write_table(q, q->header.l1_offset, q->l1, q->l1_changed_first,
					   q->l1_changed_end - q->l1_changed_first);

	if (st == ST_OK)
		q->l1_changed_end = 0;
	return st;
}

/* Step 5. */
static enum status switch_bitmaps(struct qcow2_image *q, const struct qcow2_bitmaps_place *place)
{
	struct qcow2_bitmaps_place old = q->header.bitmaps;
	struct error why;
	enum status st = qcow2_set_bitmaps(q, place, true, &why);

	if (st != ST_OK)
		return st;
	q->bitmaps_move = false;
	return qcow2_bitmaps_moved(q, &old);
}

/* Step 6. Nothing on the medium refers to these any more, unless a change has failed: see above. */
static enum status release(struct qcow2_image *q)
{
	enum status st = ST_OK;

	if (q->failed != ST_OK)
		return ST_OK;
	while (st == ST_OK && q->n_released > 0) {
		struct qcow2_run *run = &q->released[q->n_released - 1];

		st = qcow2_release_one(q, run->first + run->n - 1);
		if (st == ST_OK && --run->n == 0)
			q->n_released--;
	}
	return st;
}

enum status qcow2_commit(struct qcow2_image *q)
{
	const bool tables = q->l2_cache.n_changed > 0 || q->bitmap_cache.n_changed > 0;
	struct qcow2_bitmaps_place bitmaps;
	enum status st = q->not_durable;

	if (st == ST_OK && q->bitmaps_move)
		st = qcow2_bitmaps_write_directory(q, &bitmaps);
	if (st == ST_OK && (q->refcount_cache.n_changed > 0 || q->reftable_changed ||
			    q->reftable_moves || tables || q->l1_changed_end > 0))
		st = write_refcounts(q);
	if (st == ST_OK && tables) {
		st = table_cache_write(&q->l2_cache);
		if (st == ST_OK)
			st = table_cache_write(&q->bitmap_cache);
		if (st == ST_OK && (q->l1_changed_end > 0 || q->n_released > 0))
			st = qcow2_barrier(q);
	}
	if (st == ST_OK && q->l1_changed_end > 0) {
		st = write_l1(q);
		if (st == ST_OK && q->n_released > 0)
			st = qcow2_barrier(q);
	}
	if (st == ST_OK && q->bitmaps_move)
		st = switch_bitmaps(q, &bitmaps);
	return st == ST_OK ? release(q) : st;
}

/*
 * The new table is on the medium, with its refcounts and all that it refers to, before the header
 * says where it is; only then the old one is released.
 */
enum status qcow2_grow_l1(struct qcow2_image *q, uint32_t n)
{
	size_t old_bytes = (size_t)q->header.l1_entries * 8;
	uint64_t offset = 0;
	struct qcow2_header header;
	uint64_t *l1 = mem_alloc(n * sizeof *l1);
	enum status st = l1 != NULL ? ST_OK : ST_NO_MEMORY;

	if (st == ST_OK)
		st = qcow2_alloc(q, div_up((uint64_t)n * 8, qcow2_cluster_bytes(&q->header)),
				 &offset);
	if (st == ST_OK)
		st = qcow2_commit(q);
	if (st == ST_OK) {
		memcpy(l1, q->l1, old_bytes);
		mem_free(q->l1);
		q->l1 = l1;
		l1 = NULL;
		st = qcow2_write_table(q, offset, q->l1, 0, n);
	}
	if (st == ST_OK)
		st = qcow2_barrier(q);
	header = q->header; /* its texts stay those of q->header */
	header.l1_offset = offset;
	header.l1_entries = n;
	if (st == ST_OK)
		st = qcow2_header_write_disk(q->file, &header);
	if (st == ST_OK)
		st = qcow2_barrier(q);
	mem_free(l1);
	if (st != ST_OK)
		return st;
	st = old_bytes > 0 ? qcow2_unref(q, q->header.l1_offset, old_bytes) : ST_OK;
	q->header = header;
	return st;
}

enum status qcow2_make_room(struct qcow2_image *q)
{
	return table_cache_is_full(&q->l2_cache) || q->n_released >= QCOW2_RELEASED_MAX
		       ? qcow2_commit(q)
		       : ST_OK;
}

/*
 * Compressed clusters are counted in sectors: other readers want the last of these to be there as a
 * whole.
 */
static enum status end_sector(struct qcow2_image *q)
{
	uint64_t size = q->file->size, end = round_up(size, 512);

	return size < end ? blk_resize(q->file, end, PREALLOC_OFF) : ST_OK;
}

enum status qcow2_flush(struct qcow2_image *q)
{
	enum status st = end_sector(q);

	if (st == ST_OK)
		st = qcow2_commit(q);
	if (st == ST_OK)
		st = table_cache_write(&q->refcount_cache); /* what step 5 has lowered */
	return st == ST_OK ? qcow2_barrier(q) : st;
}
