/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making and deleting snapshots, and giving them entries of the full length: section "Snapshots".
 * (Applying one is snapshot_apply.c.)
 *
 * Making one:
 *
 *   1. beside what there is, and with nothing that refers to it: the refcounts of all that the disk
 *      refers to, one more each; the disk's tables without COPIED; the snapshot's L1 table, the new
 *      snapshot table (switch.c)                                                            flush
 *   2. header: all of these, in one sector                                                  flush
 *   3. the old tables released
 *
 * Deleting one: the same, with the refcounts of all that the snapshot refers to lowered, and COPIED
 * set in the disk's tables where the disk is the only user left.
 *
 * Completing the entries:
 *
 *   1. the new snapshot table, to which nothing refers yet                                  flush
 *   2. header: the new snapshot table, in one sector                                        flush
 *   3. the old snapshot table released
 *
 * The header's sector decides: before it everything is as it was, after it as it will be. When the
 * power goes after it, what was not released yet is lost space, nothing else.
 *
 * All references are looked at before anything changes, so that a refcount that would be too large,
 * or an L2 table that cannot be one, stops it there. What fails later, but before the header, is
 * undone as far as the medium allows.
 */
#include "format/qcow2/snapshot_parts.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "format/qcow2/entry.h"
#include "platform/clock.h"

enum {
	NAME_BYTES_MAX = 255, /* as QEMU has room for */
	ENTRY_BYTES_MAX = sizeof(struct qcow2_disk_snapshot) +
			  sizeof(struct qcow2_disk_snapshot_extra) + 20 + NAME_BYTES_MAX + 7,
};

/* ---- new tables ---- */

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
	st = qcow2_alloc(q, div_up(t->bytes, q->image.cluster_bytes), &t->offset);
	if (st == ST_OK)
		st = copy_bytes(q, old, t->offset, t->first_bytes);
	if (st == ST_OK)
		st = copy_bytes(q, old + t->second_at, t->offset + t->first_bytes, t->second_bytes);
	if (st == ST_OK)
		st = blk_write(q->file, t->offset + t->first_bytes + t->second_bytes, t->entry,
			       t->entry_bytes);
	return st;
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
	st = qcow2_snapshot_write_l1(q, l1, q->header.l1_entries, &c->inner.l1_offset);
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
		return qcow2_snapshot_failed(q, st, what, err);
	}
	q->snapshots_bytes = c->table.bytes;
	q->snapshots[q->image.n_snapshots] = c->inner;
	q->image.snapshots[q->image.n_snapshots++] = c->snapshot;
	c->snapshot.id = c->snapshot.name = NULL; /* the image's from here on */
	st = old_bytes > 0 ? qcow2_unref(q, old_table, old_bytes) : ST_OK;
	if (st == ST_OK)
		st = qcow2_switch_release(q, &s);
	qcow2_switch_end(q, &s);
	return st == ST_OK ? ST_OK : qcow2_snapshot_half_done(st, what, err);
}

enum status qcow2_snapshot_create(struct image *image, const char *name, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	struct creation c = { 0 };
	enum status st = qcow2_snapshot_refuse(q, err);

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
		st = qcow2_snapshot_release(q, snapshot->l1_offset,
					    (uint64_t)snapshot->l1_entries * 8);
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
		return qcow2_snapshot_failed(q, st, what, err);
	}
	q->snapshots_bytes = table.bytes;
	q->pack_offset = 0; /* its cluster may not be in use any more */
	forget(q, index);
	st = qcow2_unref(q, old_table, old_bytes);
	if (st == ST_OK)
		st = qcow2_switch_release(q, &s);
	qcow2_switch_end(q, &s);
	return st == ST_OK ? ST_OK : qcow2_snapshot_half_done(st, what, err);
}

enum status qcow2_snapshot_remove(struct image *image, size_t index, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	uint64_t *l1, disk_bytes;
	uint32_t n;
	enum status st = qcow2_snapshot_refuse(q, err);

	if (st == ST_OK)
		st = qcow2_snapshot_l1(q, index, &l1, &n, &disk_bytes, err);
	if (st != ST_OK)
		return st;
	st = qcow2_changed(q, remove(q, index, l1, err));
	mem_free(l1);
	return st;
}

/* ---- complete ---- */

/* Steps 1 and 2. */
static enum status replace_table(struct qcow2_image *q, struct new_table *table)
{
	struct qcow2_header changed = q->header;
	enum status st = write_new_table(q, table);

	if (st == ST_OK)
		st = qcow2_flush(q);
	if (st != ST_OK) {
		if (table->offset != 0 &&
		    qcow2_snapshot_release(q, table->offset, table->bytes) == ST_OK)
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
		return qcow2_snapshot_failed(q, st, what, err);
	st = qcow2_snapshot_release(q, old_table, old_bytes);
	if (st == ST_OK)
		st = qcow2_flush(q);
	return st == ST_OK ? ST_OK : qcow2_snapshot_half_done(st, what, err);
}
