/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading snapshots: their table, their L1 tables, their disks. Changing them: snapshot_write.c. */
#include "base/memory.h"
#include "base/range.h"
#include "format/qcow2/image.h"

static enum status read_text(struct blk *file, uint64_t offset, size_t bytes, char **ret)
{
	*ret = mem_alloc(bytes + 1);
	return *ret != NULL ? blk_read_padded(file, offset, *ret, bytes) : ST_NO_MEMORY;
}

/* Reads the entry at `*at` and moves on to the next. */
static enum status read_entry(struct blk *file, uint64_t *at, struct snapshot *snapshot,
			      struct qcow2_snapshot *inner, struct error *err)
{
	struct qcow2_disk_snapshot disk;
	struct qcow2_disk_snapshot_extra extra;
	uint32_t extra_bytes;
	size_t id_bytes, name_bytes;
	enum status st = blk_read_padded(file, *at, &disk, sizeof disk);

	if (st != ST_OK)
		return fail(err, st, "reading the snapshot table: %s", status_text(st));
	extra_bytes = be32_get(disk.extra_bytes);
	id_bytes = (size_t)bytes_from_be(disk.id_bytes, 2);
	name_bytes = (size_t)bytes_from_be(disk.name_bytes, 2);
	if (extra_bytes > QCOW2_SNAPSHOT_EXTRA_MAX)
		return fail(err, ST_CORRUPT,
			    "the snapshot table has an entry with %u bytes of extra data; %d are "
			    "allowed",
			    extra_bytes, QCOW2_SNAPSHOT_EXTRA_MAX);
	st = blk_read_padded(file, *at + sizeof disk, &extra, sizeof extra);
	*at += sizeof disk + extra_bytes;
	if (st == ST_OK)
		st = read_text(file, *at, id_bytes, &snapshot->id);
	if (st == ST_OK)
		st = read_text(file, *at + id_bytes, name_bytes, &snapshot->name);
	if (st != ST_OK)
		return fail(err, st, "reading the snapshot table: %s", status_text(st));
	*at = round_up(*at + id_bytes + name_bytes, 8);

	snapshot->date_seconds = be32_get(disk.date_seconds);
	snapshot->date_nanoseconds = be32_get(disk.date_nanoseconds);
	snapshot->clock_nanoseconds = be64_get(disk.clock_nanoseconds);
	snapshot->vm_state_bytes = extra_bytes >= 8 ? be64_get(extra.vm_state_bytes)
						    : be32_get(disk.vm_state_bytes);
	snapshot->icount = extra_bytes >= sizeof extra ? be64_get(extra.icount) : UINT64_MAX;
	inner->l1_offset = be64_get(disk.l1_offset);
	inner->l1_entries = be32_get(disk.l1_entries);
	inner->has_disk_bytes = extra_bytes >= 16;
	inner->disk_bytes = inner->has_disk_bytes ? be64_get(extra.disk_bytes) : 0;
	return ST_OK;
}

enum status qcow2_snapshots_read(struct qcow2_image *q, struct error *err)
{
	struct image *image = &q->image;
	const struct qcow2_header *header = &q->header;
	uint64_t at = header->snapshots_offset;

	if (header->n_snapshots == 0)
		return ST_OK;
	/* at most 65536 */
	image->snapshots = mem_alloc(header->n_snapshots * sizeof *image->snapshots);
	q->snapshots = mem_alloc(header->n_snapshots * sizeof *q->snapshots);
	if (image->snapshots == NULL || q->snapshots == NULL)
		return fail_no_memory(err);
	while (image->n_snapshots < header->n_snapshots) {
		struct qcow2_snapshot *inner = &q->snapshots[image->n_snapshots];
		enum status st;

		inner->table_at = at - header->snapshots_offset;
		st = read_entry(q->file, &at, &image->snapshots[image->n_snapshots++], inner, err);
		if (st != ST_OK)
			return st;
		inner->table_bytes = at - header->snapshots_offset - inner->table_at;
		if (at - header->snapshots_offset > QCOW2_SNAPSHOT_TABLE_MAX)
			return fail(err, ST_CORRUPT, "the snapshot table is longer than %d bytes",
				    QCOW2_SNAPSHOT_TABLE_MAX);
	}
	q->snapshots_bytes = at - header->snapshots_offset;
	return ST_OK;
}

/* ---- the table with nothing left out ---- */

/*
 * Puts entry `index` after the `*bytes` of the new table that there are so far, with all extra
 * data that is known here.
 */
static enum status complete_entry(struct qcow2_image *q, size_t index, uint8_t *entries,
				  size_t *bytes)
{
	struct qcow2_snapshot *inner = &q->snapshots[index];
	uint64_t old = q->header.snapshots_offset + inner->table_at;
	uint8_t *to = entries + *bytes;
	struct qcow2_disk_snapshot_extra extra;
	struct qcow2_disk_snapshot disk;
	enum status st = blk_read_padded(q->file, old, &disk, sizeof disk);
	size_t extra_bytes = be32_get(disk.extra_bytes),
	       kept = (size_t)min_u64(extra_bytes, sizeof extra);
	/* read_entry() has found that it is no more than QCOW2_SNAPSHOT_EXTRA_MAX and two texts */
	size_t rest = extra_bytes - kept + (size_t)bytes_from_be(disk.id_bytes, 2) +
		      (size_t)bytes_from_be(disk.name_bytes, 2);

	if (!inner->has_disk_bytes)
		inner->disk_bytes = q->image.size;
	inner->has_disk_bytes = true;
	inner->table_at = *bytes;
	inner->table_bytes = round_up(sizeof disk + sizeof extra + rest, 8);
	*bytes += (size_t)inner->table_bytes;
	extra.vm_state_bytes = be64_of(q->image.snapshots[index].vm_state_bytes);
	extra.disk_bytes = be64_of(inner->disk_bytes);
	extra.icount = be64_of(q->image.snapshots[index].icount);
	disk.extra_bytes = be32_of((uint32_t)(extra_bytes - kept + sizeof extra));
	memcpy(to, &disk, sizeof disk);
	memcpy(to + sizeof disk, &extra, sizeof extra);
	/* What other programs know of, the id and the name stay as they are. */
	return st == ST_OK ? blk_read_padded(q->file, old + sizeof disk + kept,
					     to + sizeof disk + sizeof extra, rest)
			   : st;
}

enum status qcow2_snapshots_full(struct qcow2_image *q, uint8_t **ret, size_t *ret_bytes)
{
	enum status st = ST_OK;

	/* An entry becomes longer by the extra data at most. */
	*ret = mem_alloc((size_t)q->snapshots_bytes +
			 q->image.n_snapshots * (sizeof(struct qcow2_disk_snapshot_extra) + 8));
	*ret_bytes = 0;
	if (*ret == NULL)
		return ST_NO_MEMORY;
	for (size_t i = 0; st == ST_OK && i < q->image.n_snapshots; i++)
		st = complete_entry(q, i, *ret, ret_bytes);
	return st;
}

/* ---- the disk of a snapshot ---- */

enum status qcow2_snapshot_l1(struct qcow2_image *q, size_t index, uint64_t **ret, uint32_t *ret_n,
			      uint64_t *ret_disk_bytes, struct error *err)
{
	const struct qcow2_snapshot *s = &q->snapshots[index];
	uint64_t disk_bytes = s->has_disk_bytes ? s->disk_bytes : q->image.size;
	uint64_t n = max_u64(s->l1_entries, div_up(disk_bytes, qcow2_l2_coverage(&q->header))), *l1;
	enum status st;

	if (disk_bytes % 512 != 0 || n * 8 > QCOW2_L1_BYTES_MAX)
		return fail(err, ST_CORRUPT,
			    "the snapshot cannot have a disk of %ju bytes with an L1 table of %u "
			    "entries",
			    disk_bytes, s->l1_entries);
	if (s->l1_offset % q->image.cluster_bytes != 0 ||
	    !range_ok(s->l1_offset, n * 8, QCOW2_OFFSET_LIMIT))
		return fail(err, ST_CORRUPT, "the L1 table of the snapshot cannot be at 0x%jx",
			    s->l1_offset);
	l1 = mem_alloc((size_t)n * 8);
	if (l1 == NULL)
		return fail_no_memory(err);
	st = blk_read_padded(q->file, s->l1_offset, l1, (size_t)s->l1_entries * 8);
	if (st != ST_OK) {
		mem_free(l1);
		return fail(err, st, "reading the L1 table of the snapshot: %s", status_text(st));
	}
	for (uint32_t i = 0; i < s->l1_entries; i++)
		l1[i] = bytes_from_be((const uint8_t *)&l1[i], 8);
	*ret = l1;
	*ret_n = (uint32_t)n;
	*ret_disk_bytes = disk_bytes;
	return ST_OK;
}

enum status qcow2_snapshot_load(struct image *image, size_t index, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	uint64_t *l1, disk_bytes;
	uint32_t n;
	enum status st = qcow2_load(image, err);

	if (st == ST_OK)
		st = qcow2_snapshot_l1(q, index, &l1, &n, &disk_bytes, err);
	if (st != ST_OK)
		return st;
	mem_free(q->l1);
	q->l1 = l1;
	q->header.l1_entries = n;
	image->size = disk_bytes;
	return ST_OK;
}
