/*
 * Snapshots of version 2 for version 3: section "Snapshots" wants each to say how large its disk is. The new table is on
 * the medium before the header says where it is, in one sector; then the old one is given up.
 */
#include "base/memory.h"
#include "base/platform.h"
#include "base/range.h"
#include "format/qcow2/image.h"

enum { EXTRA_BYTES = 16 }; /* the size of the VM's state and of the disk */

struct new_table {
	uint8_t *old, *new;
	uint64_t bytes;                /* of the new one, so far */
	struct qcow2_snapshot *inner;
};

/* Puts the entry of snapshot `i` behind the others. */
static void put_entry(const struct qcow2_image *q, size_t i, struct new_table *t)
{
	const struct qcow2_snapshot *s = &q->snapshots[i];
	const uint8_t *from = t->old + s->table_at;
	uint8_t *to = t->new + t->bytes;
	struct qcow2_disk_snapshot disk;
	size_t had, rest;

	t->inner[i] = *s;
	t->inner[i].table_at = t->bytes;
	if (s->has_disk_bytes) {
		memcpy(to, from, s->table_bytes);
	} else {
		memcpy(&disk, from, sizeof disk);
		had = be32_get(disk.extra_bytes); /* less than EXTRA_BYTES */
		rest = (size_t)(bytes_from_be(disk.id_bytes, 2) + bytes_from_be(disk.name_bytes, 2));
		disk.extra_bytes = be32_of(EXTRA_BYTES);
		memcpy(to, &disk, sizeof disk);
		bytes_to_be(to + sizeof disk, 8, q->image.snapshots[i].vm_state_bytes);
		bytes_to_be(to + sizeof disk + 8, 8, q->image.size);
		memcpy(to + sizeof disk + EXTRA_BYTES, from + sizeof disk + had, rest);
		t->inner[i].has_disk_bytes = true;
		t->inner[i].disk_bytes = q->image.size;
		t->inner[i].table_bytes = round_up(sizeof disk + EXTRA_BYTES + rest, 8);
	}
	t->bytes += t->inner[i].table_bytes;
}

static enum status switch_table(struct qcow2_image *q, struct new_table *t)
{
	struct qcow2_header changed = q->header; /* its texts stay those of q->header */
	struct qcow2_snapshot *old = q->snapshots;
	uint64_t old_bytes = q->snapshots_bytes, old_offset = q->header.snapshots_offset;
	enum status st = qcow2_alloc(q, div_up(t->bytes, q->image.cluster_bytes), &changed.snapshots_offset);

	if (st == ST_OK)
		st = blk_write(q->image.file, changed.snapshots_offset, t->new, (size_t)t->bytes);
	if (st == ST_OK)
		st = qcow2_flush(q);
	if (st == ST_OK)
		st = qcow2_header_write_snapshots(q->image.file, &changed);
	if (st == ST_OK)
		st = blk_flush(q->image.file);
	if (st != ST_OK)
		return st;
	q->header.snapshots_offset = changed.snapshots_offset;
	q->snapshots_bytes = t->bytes;
	q->snapshots = t->inner;
	t->inner = old;
	st = qcow2_unref(q, old_offset, old_bytes);
	return st == ST_OK ? qcow2_flush(q) : st;
}

enum status qcow2_snapshots_complete(struct qcow2_image *q, struct error *err)
{
	size_t n = q->image.n_snapshots, incomplete = 0;
	struct new_table t = { 0 };
	enum status st;

	for (size_t i = 0; i < n; i++)
		incomplete += !q->snapshots[i].has_disk_bytes;
	if (incomplete == 0)
		return ST_OK;
	t.old = mem_alloc((size_t)q->snapshots_bytes); /* at most QCOW2_SNAPSHOT_TABLE_MAX */
	t.new = mem_alloc((size_t)q->snapshots_bytes + incomplete * EXTRA_BYTES);
	t.inner = mem_alloc(n * sizeof *t.inner);
	st = t.old != NULL && t.new != NULL && t.inner != NULL ? ST_OK : ST_NO_MEMORY;
	if (st == ST_OK)
		st = blk_read_padded(q->image.file, q->header.snapshots_offset, t.old, (size_t)q->snapshots_bytes);
	for (size_t i = 0; st == ST_OK && i < n; i++)
		put_entry(q, i, &t);
	if (st == ST_OK)
		st = t.bytes <= QCOW2_SNAPSHOT_TABLE_MAX ? switch_table(q, &t) : ST_TOO_LARGE;
	mem_free(t.old);
	mem_free(t.new);
	mem_free(t.inner);
	return st == ST_OK ? ST_OK : fail(err, st, "writing the sizes of the snapshots: %s", status_text(st));
}
