/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making, applying and deleting snapshots: section "Snapshots". What each does, in the order in
 * which it must be on the medium:
 *
 *   create   1. beside what there is, and with nothing that refers to it: the refcounts of all that
 * the disk refers to, one more each; the disk's tables without COPIED; the snapshot's L1 table, the
 * new snapshot table (switch.c) flush
 *            2. header: all of these, in one sector flush
 *            3. the old tables released
 *   apply    1. the refcounts of all that the snapshot refers to, one more each; a new L1 table, to
 * which nothing refers yet
 *            2. COPIED cleared in the snapshot's L2 tables, where the specification lets it be
 * wrong          flush
 *            3. header: size and L1 table of the disk, in one sector flush
 *            4. the refcounts of all that the old L1 table refers to lowered, and it given up
 *   remove   1. to 3. as in create: the refcounts of all that the snapshot refers to lowered, and
 * COPIED set in the disk's tables where it is the only user left complete 1. the new snapshot
 * table, to which nothing refers yet                                           flush
 *            2. header: the new snapshot table, in one sector flush
 *            3. the old snapshot table released
 *
 * The header's sector decides: before it everything is as it was, after it as it will be. When the
 * power goes before, what apply has raised is more than there are users, and when it goes after,
 * what was not lowered yet is: clusters are lost, nothing else. COPIED fits to the refcounts at
 * every moment: apply raises only what the snapshot refers to, of which the disk has no COPIED
 * entry, and lowers nothing of that to one user.
 *
 * All references are looked at before anything changes, so that a refcount that would be too large,
 * or an L2 table that cannot be one, stops it there. What fails later, but before the header, is
 * undone as far as the medium allows.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "format/qcow2/image.h"
#include "platform/clock.h"

enum {
	NAME_BYTES_MAX = 255, /* as QEMU has room for */
	ENTRY_BYTES_MAX = sizeof(struct qcow2_disk_snapshot) +
			  sizeof(struct qcow2_disk_snapshot_extra) + 20 + NAME_BYTES_MAX + 7,
};

static uint64_t n_clusters(const struct qcow2_image *q, uint64_t bytes)
{
	return div_up(bytes, q->image.cluster_bytes);
}

/* ---- giving up ---- */

/* Gives up what nothing on the medium refers to any more, or yet. */
static enum status release(struct qcow2_image *q, uint64_t offset, uint64_t bytes)
{
	struct qcow2_walk w = { .q = q, .visit = qcow2_release_one, .limit = UINT64_MAX };

	return bytes > 0 ? qcow2_walk_bytes(&w, offset, bytes) : ST_OK;
}

static enum status release_l1(struct qcow2_image *q, uint64_t offset, const uint64_t *l1,
			      uint64_t n)
{
	struct qcow2_walk w = { .q = q, .visit = qcow2_release_one, .limit = UINT64_MAX };
	enum status st = qcow2_walk_l1(&w, l1, n);

	return st == ST_OK ? release(q, offset, n * 8) : st;
}

/* ---- new tables ---- */

/* A copy of an L1 table, without COPIED, in new clusters; in none if it is empty. */
static enum status write_new_l1(struct qcow2_image *q, const uint64_t *l1, uint64_t n,
				uint64_t *ret_offset)
{
	uint64_t *copy;
	enum status st;

	*ret_offset = 0;
	if (n == 0)
		return ST_OK;
	copy = mem_alloc((size_t)n * 8);
	if (copy == NULL)
		return ST_NO_MEMORY;
	for (uint64_t i = 0; i < n; i++)
		copy[i] = l1[i] & ~QCOW2_COPIED;
	st = qcow2_alloc(q, n_clusters(q, n * 8), ret_offset);
	if (st == ST_OK)
		st = qcow2_write_table(q, *ret_offset, copy, 0, n);
	mem_free(copy);
	return st;
}

/* The snapshot table as it will be: a piece of the old one, another piece, and something new. */
struct new_table {
	/* of the old table, whose entries are kept as they are */
	uint64_t first_bytes, second_at, second_bytes;
	const uint8_t *entry;
	size_t entry_bytes;
	uint64_t offset, bytes; /* where it then is; 0: it is empty */
};

static enum status copy_bytes(struct qcow2_image *q, uint64_t from, uint64_t to, uint64_t bytes)
{
	enum status st = ST_OK;

	while (st == ST_OK && bytes > 0) {
		size_t n = (size_t)min_u64(bytes, q->image.cluster_bytes);

		st = blk_read_padded(q->file, from, q->copy, n);
		if (st == ST_OK)
			st = blk_write(q->file, to, q->copy, n);
		from += n;
		to += n;
		bytes -= n;
	}
	return st;
}

static enum status write_new_table(struct qcow2_image *q, struct new_table *t)
{
	uint64_t old = q->header.snapshots_offset;
	enum status st;

	t->bytes = t->first_bytes + t->second_bytes + t->entry_bytes;
	if (t->bytes == 0)
		return ST_OK;
	if (t->bytes > QCOW2_SNAPSHOT_TABLE_MAX)
		return ST_TOO_LARGE;
	st = qcow2_alloc(q, n_clusters(q, t->bytes), &t->offset);
	if (st == ST_OK)
		st = copy_bytes(q, old, t->offset, t->first_bytes);
	if (st == ST_OK)
		st = copy_bytes(q, old + t->second_at, t->offset + t->first_bytes, t->second_bytes);
	if (st == ST_OK)
		st = blk_write(q->file, t->offset + t->first_bytes + t->second_bytes, t->entry,
			       t->entry_bytes);
	return st;
}

/* ---- what goes wrong ---- */

static enum status failed(const struct qcow2_image *q, enum status st, const char *what,
			  struct error *err)
{
	switch (st) {
	case ST_CORRUPT:
		return fail(err, st,
			    "%s: its tables refer to clusters that are not there, or not in use; "
			    "check the image",
			    what);
	case ST_TOO_LARGE:
		return fail(err, st,
			    "%s: a cluster would have more users than refcounts of %u bits can "
			    "count, or the image become too large",
			    what, 1u << q->header.refcount_order);
	default:
		return fail(err, st, "%s: %s", what, status_text(st));
	}
}

/* The change is made, but what is not needed any more was not given up. */
static enum status half_done(enum status st, const char *what, struct error *err)
{
	return fail(err, st,
		    "%s is done, but not all clusters that are free now could be marked so (%s); "
		    "\"check -r leaks\" does that",
		    what, status_text(st));
}

static enum status refuse(const struct qcow2_image *q, struct error *err)
{
	if (q->has_data_file)
		return fail(err, ST_UNSUPPORTED,
			    "its data is in another file, which has no snapshots");
	return qcow2_may_change(q, err);
}

/* ---- create ---- */

/* The number that an id begins with, 0 without one. */
static uint64_t id_number(const char *id)
{
	uint64_t number = 0;

	for (; text_is_digit(*id); id++)
		if (!mul_ok(number, 10, &number) || !add_ok(number, (uint64_t)(*id - '0'), &number))
			return UINT64_MAX;
	return number;
}

/* What is new with a snapshot. */
struct creation {
	struct snapshot snapshot;
	struct qcow2_snapshot inner;
	struct new_table table;
	uint8_t *entry;
};

static enum status name_snapshot(struct qcow2_image *q, const char *name, struct snapshot *s)
{
	struct out_buffer digits;
	uint64_t highest = 0;
	int64_t seconds;
	char id[24];

	for (size_t i = 0; i < q->image.n_snapshots; i++)
		highest = max_u64(highest, id_number(q->image.snapshots[i].id));
	if (highest == UINT64_MAX)
		return ST_TOO_LARGE;
	out_buffer_init(&digits, id, sizeof id);
	out_printf(&digits.out, "%ju", highest + 1);
	s->id = text_copy(id);
	s->name = text_copy(name);
	if (platform_time(&seconds, &s->date_nanoseconds) && seconds >= 0 && seconds <= UINT32_MAX)
		s->date_seconds = (uint32_t)seconds;
	return s->id != NULL && s->name != NULL ? ST_OK : ST_NO_MEMORY;
}

/* Room for one more in both lists of snapshots, so that nothing can fail once the image has it. */
static enum status make_place(struct qcow2_image *q)
{
	size_t n = q->image.n_snapshots;
	struct snapshot *snapshots = mem_alloc((n + 1) * sizeof *snapshots);
	struct qcow2_snapshot *inner = mem_alloc((n + 1) * sizeof *inner);

	if (snapshots == NULL || inner == NULL) {
		mem_free(snapshots);
		mem_free(inner);
		return ST_NO_MEMORY;
	}
	if (n > 0) {
		memcpy(snapshots, q->image.snapshots, n * sizeof *snapshots);
		memcpy(inner, q->snapshots, n * sizeof *inner);
	}
	mem_free(q->image.snapshots);
	mem_free(q->snapshots);
	q->image.snapshots = snapshots;
	q->snapshots = inner;
	return ST_OK;
}

static enum status encode_entry(struct qcow2_image *q, struct creation *c)
{
	struct qcow2_disk_snapshot disk = {
		.l1_offset = be64_of(c->inner.l1_offset),
		.l1_entries = be32_of(c->inner.l1_entries),
		.date_seconds = be32_of(c->snapshot.date_seconds),
		.date_nanoseconds = be32_of(c->snapshot.date_nanoseconds),
		.extra_bytes = be32_of(sizeof(struct qcow2_disk_snapshot_extra)),
	};
	struct qcow2_disk_snapshot_extra extra = {
		.disk_bytes = be64_of(c->inner.disk_bytes),
		.icount = be64_of(c->snapshot.icount),
	};
	size_t id_bytes = text_length(c->snapshot.id), name_bytes = text_length(c->snapshot.name);
	size_t bytes = (size_t)round_up(sizeof disk + sizeof extra + id_bytes + name_bytes, 8);
	uint8_t *to = mem_alloc(bytes);

	if (to == NULL)
		return ST_NO_MEMORY;
	bytes_to_be(disk.id_bytes, 2, id_bytes);
	bytes_to_be(disk.name_bytes, 2, name_bytes);
	memcpy(to, &disk, sizeof disk);
	memcpy(to + sizeof disk, &extra, sizeof extra);
	memcpy(to + sizeof disk + sizeof extra, c->snapshot.id, id_bytes);
	memcpy(to + sizeof disk + sizeof extra + id_bytes, c->snapshot.name, name_bytes);
	c->entry = to;
	c->table = (struct new_table){ .first_bytes = q->snapshots_bytes,
				       .entry = to,
				       .entry_bytes = bytes };
	c->inner.table_at = q->snapshots_bytes;
	c->inner.table_bytes = bytes;
	return ST_OK;
}

/* The tables of the snapshot, which has the disk's `l1`. */
static enum status write_tables(struct qcow2_image *q, struct creation *c, const uint64_t *l1)
{
	enum status st;

	c->inner.l1_entries = q->header.l1_entries;
	c->inner.has_disk_bytes = true;
	c->inner.disk_bytes = q->image.size;
	st = write_new_l1(q, l1, q->header.l1_entries, &c->inner.l1_offset);
	if (st == ST_OK)
		st = encode_entry(q, c);
	return st == ST_OK ? write_new_table(q, &c->table) : st;
}

/* Steps 1 and 2. */
static enum status make(struct qcow2_image *q, struct creation *c, struct qcow2_switch *s)
{
	struct qcow2_walk raise = {
		.q = q, .visit = qcow2_ref, .can_stop = true, .limit = UINT64_MAX
	};
	enum status st = qcow2_switch_begin(q, s);

	if (st == ST_OK)
		st = qcow2_walk_l1(&raise, q->l1, q->header.l1_entries);
	if (st == ST_OK)
		st = qcow2_switch_share(q, s);
	if (st == ST_OK)
		st = write_tables(q, c, s->l1);
	if (st == ST_OK)
		st = qcow2_switch_commit(q, s, c->table.offset, q->header.n_snapshots + 1);
	return st;
}

static enum status create(struct qcow2_image *q, struct creation *c, struct error *err)
{
	const char *what = "making the snapshot";
	struct qcow2_walk look = {
		.q = q, .visit = qcow2_has_room, .can_stop = true, .limit = UINT64_MAX
	};
	uint64_t old_table = q->header.snapshots_offset, old_bytes = q->snapshots_bytes;
	struct qcow2_switch s = { 0 };
	enum status st = qcow2_walk_l1(&look, q->l1, q->header.l1_entries);

	if (st == ST_OK)
		st = make(q, c, &s);
	if (st != ST_OK) {
		qcow2_switch_end(q, &s);
		return failed(q, st, what, err);
	}
	q->snapshots_bytes = c->table.bytes;
	q->snapshots[q->image.n_snapshots] = c->inner;
	q->image.snapshots[q->image.n_snapshots++] = c->snapshot;
	c->snapshot.id = c->snapshot.name = NULL; /* the image's from here on */
	st = old_bytes > 0 ? qcow2_unref(q, old_table, old_bytes) : ST_OK;
	if (st == ST_OK)
		st = qcow2_switch_release(q, &s);
	qcow2_switch_end(q, &s);
	return st == ST_OK ? ST_OK : half_done(st, what, err);
}

enum status qcow2_snapshot_create(struct image *image, const char *name, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	struct creation c = { 0 };
	enum status st = refuse(q, err);

	if (st != ST_OK)
		return st;
	if (text_length(name) > NAME_BYTES_MAX)
		return fail(err, ST_TOO_LARGE,
			    "a name of %zu bytes is too long for a snapshot; it can have %d",
			    text_length(name), NAME_BYTES_MAX);
	if (image->n_snapshots >= QCOW2_SNAPSHOTS_MAX)
		return fail(err, ST_TOO_LARGE, "it has %zu snapshots, and can have no more",
			    image->n_snapshots);
	if (q->snapshots_bytes > QCOW2_SNAPSHOT_TABLE_MAX - ENTRY_BYTES_MAX)
		return fail(err, ST_TOO_LARGE,
			    "its snapshot table of %ju bytes can have no more snapshots; remove "
			    "one",
			    q->snapshots_bytes);
	st = name_snapshot(q, name, &c.snapshot);
	if (st == ST_OK)
		st = make_place(q);
	if (st == ST_OK)
		st = qcow2_changed(q, create(q, &c, err));
	else
		error_set(err, "making the snapshot: %s",
			  st == ST_TOO_LARGE ? "no id is left for it" : status_text(st));
	mem_free(c.snapshot.id);
	mem_free(c.snapshot.name);
	mem_free(c.entry);
	return st;
}

/* ---- apply ---- */

/* The L1 table that the disk will have. */
struct new_disk {
	uint64_t *l1, offset, bytes; /* bytes: of the disk */
	uint32_t n;
};

/*
 * Lowers what was raised and gives up what was allocated. The failure before it is what counts: if
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
		st = release(q, disk->offset, (uint64_t)disk->n * 8);
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
		return failed(q, st, what, err);
	st = write_new_l1(q, disk->l1, disk->n, &disk->offset);
	if (st == ST_OK)
		st = qcow2_walk_l1(&raised, disk->l1, disk->n);
	if (st == ST_OK)
		st = qcow2_clear_copied(q, disk->l1, disk->n);
	if (st == ST_OK)
		st = qcow2_flush(q);
	if (st != ST_OK) {
		undo(q, &raised, disk);
		return failed(q, st, what, err);
	}
	st = switch_disk(q, disk);
	if (st != ST_OK)
		return failed(q, st, what, err);
	st = release_l1(q, disk->offset, disk->l1, disk->n);
	if (st == ST_OK)
		st = qcow2_flush(q);
	return st == ST_OK ? ST_OK : half_done(st, what, err);
}

enum status qcow2_snapshot_apply(struct image *image, size_t index, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	struct new_disk disk = { 0 };
	enum status st = refuse(q, err);

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

/* ---- remove ---- */

static void forget(struct qcow2_image *q, size_t index)
{
	struct image *image = &q->image;
	uint64_t bytes = q->snapshots[index].table_bytes;

	mem_free(image->snapshots[index].id);
	mem_free(image->snapshots[index].name);
	image->n_snapshots--;
	for (size_t i = index; i < image->n_snapshots; i++) {
		image->snapshots[i] = image->snapshots[i + 1];
		q->snapshots[i] = q->snapshots[i + 1];
		q->snapshots[i].table_at -= bytes;
	}
}

/* Steps 1 and 2 of deleting a snapshot, whose L1 table this is. */
static enum status drop(struct qcow2_image *q, const struct qcow2_snapshot *snapshot,
			const uint64_t *l1, struct new_table *table, struct qcow2_switch *s)
{
	struct qcow2_walk lower = {
		.q = q, .visit = qcow2_release_one, .can_stop = true, .limit = UINT64_MAX
	};
	enum status st = qcow2_switch_begin(q, s);

	if (st == ST_OK)
		st = qcow2_walk_l1(&lower, l1, snapshot->l1_entries);
	if (st == ST_OK)
		st = release(q, snapshot->l1_offset, (uint64_t)snapshot->l1_entries * 8);
	if (st == ST_OK)
		st = qcow2_switch_own(q, s);
	if (st == ST_OK)
		st = write_new_table(q, table);
	if (st == ST_OK)
		st = qcow2_switch_commit(q, s, table->offset, q->header.n_snapshots - 1);
	return st;
}

static enum status remove(struct qcow2_image *q, size_t index, const uint64_t *l1,
			  struct error *err)
{
	const char *what = "deleting the snapshot";
	const struct qcow2_snapshot snapshot = q->snapshots[index];
	struct qcow2_walk look = {
		.q = q, .visit = qcow2_has_users, .can_stop = true, .limit = UINT64_MAX
	};
	struct new_table table = {
		.first_bytes = snapshot.table_at,
		.second_at = snapshot.table_at + snapshot.table_bytes,
	};
	uint64_t old_table = q->header.snapshots_offset, old_bytes = q->snapshots_bytes;
	struct qcow2_switch s = { 0 };
	enum status st = qcow2_walk_l1(&look, l1, snapshot.l1_entries);

	table.second_bytes = old_bytes - table.second_at;
	if (st == ST_OK)
		st = drop(q, &snapshot, l1, &table, &s);
	if (st != ST_OK) {
		qcow2_switch_end(q, &s);
		return failed(q, st, what, err);
	}
	q->snapshots_bytes = table.bytes;
	q->pack_offset = 0; /* its cluster may not be in use any more */
	forget(q, index);
	st = qcow2_unref(q, old_table, old_bytes);
	if (st == ST_OK)
		st = qcow2_switch_release(q, &s);
	qcow2_switch_end(q, &s);
	return st == ST_OK ? ST_OK : half_done(st, what, err);
}

enum status qcow2_snapshot_remove(struct image *image, size_t index, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	uint64_t *l1, disk_bytes;
	uint32_t n;
	enum status st = refuse(q, err);

	if (st == ST_OK)
		st = qcow2_snapshot_l1(q, index, &l1, &n, &disk_bytes, err);
	if (st != ST_OK)
		return st;
	st = qcow2_changed(q, remove(q, index, l1, err));
	mem_free(l1);
	return st;
}

/* ---- complete ----------------------------------------------------------------------------------
 */

/* Steps 1 and 2. */
static enum status replace_table(struct qcow2_image *q, struct new_table *table)
{
	struct qcow2_header changed = q->header;
	enum status st = write_new_table(q, table);

	if (st == ST_OK)
		st = qcow2_flush(q);
	if (st != ST_OK) {
		if (table->offset != 0 && release(q, table->offset, table->bytes) == ST_OK)
			(void)qcow2_flush(q); /* otherwise the cluster is lost */
		return st;
	}
	changed.snapshots_offset = table->offset;
	st = qcow2_header_write_snapshots(q->file, &changed);
	if (st == ST_OK)
		st = qcow2_barrier(q);
	if (st != ST_OK)
		return st;
	q->header.snapshots_offset = table->offset;
	q->snapshots_bytes = table->bytes;
	return ST_OK;
}

enum status qcow2_snapshots_complete(struct qcow2_image *q, struct error *err)
{
	const char *what = "completing the snapshots";
	uint64_t old_table = q->header.snapshots_offset, old_bytes = q->snapshots_bytes;
	struct new_table table = { 0 };
	uint8_t *entries = NULL;
	size_t incomplete = 0;
	enum status st;

	for (size_t i = 0; i < q->image.n_snapshots; i++)
		incomplete += !q->snapshots[i].has_disk_bytes;
	if (incomplete == 0)
		return ST_OK;
	st = qcow2_snapshots_full(q, &entries, &table.entry_bytes);
	table.entry = entries;
	if (st == ST_OK)
		st = replace_table(q, &table);
	mem_free(entries);
	if (st != ST_OK)
		return failed(q, st, what, err);
	st = release(q, old_table, old_bytes);
	if (st == ST_OK)
		st = qcow2_flush(q);
	return st == ST_OK ? ST_OK : half_done(st, what, err);
}
