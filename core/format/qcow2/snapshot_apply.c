/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Applying a snapshot: section "Snapshots". The disk becomes what it was when the snapshot was
 * made; the snapshot stays.
 *
 *   1. the refcounts of all that the snapshot refers to, one more each; a new L1 table, to which
 *      nothing refers yet
 *   2. COPIED cleared in the snapshot's L2 tables, where the specification lets it be wrong  flush
 *   3. header: size and L1 table of the disk, in one sector                                  flush
 *   4. the refcounts of all that the old L1 table refers to lowered, and that table released
 *
 * The header's sector decides: before it the disk is as it was, after it as it will be. When the
 * power goes before, what was raised is more than there are users, and when it goes after, what was
 * not lowered yet is: clusters are lost, nothing else. COPIED fits to the refcounts at every
 * moment: only what the snapshot refers to is raised, of which the disk has no COPIED entry, and
 * nothing of that is lowered to one user.
 *
 * All references are looked at before anything changes. What fails later, but before the header, is
 * undone as far as the medium allows.
 */
#include "format/qcow2/snapshot_parts.h"

#include "base/memory.h"
#include "format/qcow2/entry.h"

/* The L1 table that the disk will have. */
struct new_disk {
	uint64_t *l1, offset, bytes; /* bytes: of the disk */
	uint32_t n;
};

/*
 * Lowers what was raised and releases what was allocated. The failure before it is what counts: if
 * this fails as well, clusters are lost.
 */
static void undo(struct qcow2_image *q, const struct qcow2_walk *raised,
		 const struct new_disk *disk)
{
	struct qcow2_walk lower = { .q = q,
				    .visit = qcow2_release_one,
				    .limit = raised->n_visited };
	enum status st = qcow2_walk_l1(&lower, disk->l1, disk->n);

	if (st == ST_OK && disk->offset != 0)
		st = qcow2_snapshot_release(q, disk->offset, (uint64_t)disk->n * 8);
	if (st == ST_OK)
		st = qcow2_flush(q);
	(void)st;
}

/* Everything that will be raised or lowered can be. */
static enum status look_at_both(struct qcow2_image *q, const struct new_disk *disk)
{
	struct qcow2_walk raise = {
		.q = q, .visit = qcow2_has_room, .can_stop = true, .limit = UINT64_MAX
	};
	struct qcow2_walk lower = {
		.q = q, .visit = qcow2_has_users, .can_stop = true, .limit = UINT64_MAX
	};
	enum status st = qcow2_walk_l1(&raise, disk->l1, disk->n);

	return st == ST_OK ? qcow2_walk_l1(&lower, q->l1, q->header.l1_entries) : st;
}

/* Step 3. The old L1 table is then in *disk. */
static enum status switch_disk(struct qcow2_image *q, struct new_disk *disk)
{
	struct qcow2_header changed = q->header;
	struct new_disk old = { .l1 = q->l1,
				.offset = q->header.l1_offset,
				.n = q->header.l1_entries };
	enum status st;

	if (disk->bytes != q->image.size)
		changed.size = disk->bytes;
	changed.l1_offset = disk->offset;
	changed.l1_entries = disk->n;
	st = qcow2_header_write_disk(q->file, &changed);
	if (st == ST_OK)
		st = qcow2_barrier(q);
	if (st != ST_OK)
		return st;
	q->header.size = changed.size;
	q->header.l1_offset = disk->offset;
	q->header.l1_entries = disk->n;
	q->l1 = disk->l1;
	for (uint32_t i = 0; i < disk->n; i++)
		q->l1[i] &= ~QCOW2_COPIED;
	q->image.size = q->image.blk.size = disk->bytes;
	q->cluster_entry = UINT64_MAX;
	q->pack_offset = 0; /* its cluster may not be in use for long */
	*disk = old;
	return ST_OK;
}

static enum status apply(struct qcow2_image *q, struct new_disk *disk, struct error *err)
{
	const char *what = "applying the snapshot";
	struct qcow2_walk raised = {
		.q = q, .visit = qcow2_ref, .can_stop = true, .limit = UINT64_MAX
	};
	enum status st = look_at_both(q, disk);

	if (st != ST_OK)
		return qcow2_snapshot_failed(q, st, what, err);
	st = qcow2_snapshot_write_l1(q, disk->l1, disk->n, &disk->offset);
	if (st == ST_OK)
		st = qcow2_walk_l1(&raised, disk->l1, disk->n);
	if (st == ST_OK)
		st = qcow2_clear_copied(q, disk->l1, disk->n);
	if (st == ST_OK)
		st = qcow2_flush(q);
	if (st != ST_OK) {
		undo(q, &raised, disk);
		return qcow2_snapshot_failed(q, st, what, err);
	}
	st = switch_disk(q, disk);
	if (st != ST_OK)
		return qcow2_snapshot_failed(q, st, what, err);
	st = qcow2_snapshot_release_l1(q, disk->offset, disk->l1, disk->n);
	if (st == ST_OK)
		st = qcow2_flush(q);
	return st == ST_OK ? ST_OK : qcow2_snapshot_half_done(st, what, err);
}

enum status qcow2_snapshot_apply(struct image *image, size_t index, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	struct new_disk disk = { 0 };
	enum status st = qcow2_snapshot_refuse(q, err);

	if (st == ST_OK && image->n_bitmaps > 0)
		st = fail(err, ST_UNSUPPORTED,
			  "it has bitmaps of what was written to its disk, which would no longer "
			  "be true; `efi-img bitmap --remove` deletes them");
	if (st == ST_OK)
		st = qcow2_snapshot_l1(q, index, &disk.l1, &disk.n, &disk.bytes, err);
	if (st != ST_OK)
		return st;
	st = qcow2_changed(q, apply(q, &disk, err));
	mem_free(disk.l1);
	return st;
}
