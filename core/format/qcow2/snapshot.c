#include "base/memory.h"
#include "base/platform.h"
#include "base/range.h"
#include "format/qcow2/qcow2.h"

/* Section "Snapshots": followed by extra data, the id and the name, and padded to a multiple of 8 bytes. */
struct disk_snapshot {
	be64 l1_offset;
	be32 l1_entries;
	uint8_t id_bytes[2], name_bytes[2];
	be32 date_seconds, date_nanoseconds;
	be64 clock_nanoseconds;
	be32 vm_state_bytes;
	be32 extra_bytes;
};
_Static_assert(sizeof(struct disk_snapshot) == 40, "");
_Static_assert(offsetof(struct disk_snapshot, date_seconds) == 16, "");
_Static_assert(offsetof(struct disk_snapshot, clock_nanoseconds) == 24, "");
_Static_assert(offsetof(struct disk_snapshot, extra_bytes) == 36, "");

struct disk_snapshot_extra {
	be64 vm_state_bytes, disk_bytes, icount;
};

enum { EXTRA_BYTES_MAX = 1024, TABLE_BYTES_MAX = 64 << 20 };

static enum status read_text(struct blk *file, uint64_t offset, size_t bytes, char **ret)
{
	*ret = mem_alloc(bytes + 1);
	return *ret != NULL ? blk_read_padded(file, offset, *ret, bytes) : ST_NO_MEMORY;
}

/* Reads the entry at `*at` and moves on to the next. */
static enum status read_entry(struct blk *file, uint64_t *at, struct snapshot *snapshot, struct error *err)
{
	struct disk_snapshot disk;
	struct disk_snapshot_extra extra;
	uint32_t extra_bytes;
	size_t id_bytes, name_bytes;
	enum status st = blk_read_padded(file, *at, &disk, sizeof disk);

	if (st != ST_OK)
		return fail(err, st, "reading the snapshot table: %s", status_text(st));
	extra_bytes = be32_get(disk.extra_bytes);
	id_bytes = bytes_from_be(disk.id_bytes, 2);
	name_bytes = bytes_from_be(disk.name_bytes, 2);
	if (extra_bytes > EXTRA_BYTES_MAX)
		return fail(err, ST_CORRUPT, "the snapshot table has an entry with %u bytes of extra data; %d are allowed",
			    extra_bytes, EXTRA_BYTES_MAX);
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
	snapshot->vm_state_bytes = extra_bytes >= 8 ? be64_get(extra.vm_state_bytes) : be32_get(disk.vm_state_bytes);
	snapshot->icount = extra_bytes >= sizeof extra ? be64_get(extra.icount) : UINT64_MAX;
	return ST_OK;
}

enum status qcow2_snapshots_read(struct image *image, const struct qcow2_header *header, struct error *err)
{
	uint64_t at = header->snapshots_offset;

	if (header->n_snapshots == 0)
		return ST_OK;
	image->snapshots = mem_alloc(header->n_snapshots * sizeof *image->snapshots); /* at most 65536 */
	if (image->snapshots == NULL)
		return fail_no_memory(err);
	while (image->n_snapshots < header->n_snapshots) {
		enum status st = read_entry(image->file, &at, &image->snapshots[image->n_snapshots++], err);

		if (st != ST_OK)
			return st;
		if (at - header->snapshots_offset > TABLE_BYTES_MAX)
			return fail(err, ST_CORRUPT, "the snapshot table is longer than %d bytes", TABLE_BYTES_MAX);
	}
	return ST_OK;
}
