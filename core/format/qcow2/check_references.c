/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What refers to the clusters of the file: sections "Header", "Cluster mapping", "Snapshots",
 * "Bitmaps" and "Full disk encryption header pointer".
 *
 * Told here, but not by qemu-img: the zero flag where it is a reserved bit, entries of an image
 * with a data file that lead to another offset than their own (QEMU reports an error when it reads
 * these), and faults of bitmaps (such images it does not open at all). An L1 entry that has flags
 * but no table is corrupt for both; it takes the header for the table.
 */
#include "base/printable.h"
#include "base/range.h"
#include "format/qcow2/check.h"
#include "format/qcow2/entry.h"

enum { SNAPSHOT_WORDS_BYTES = 600 }; /* an id and a name of up to 255 bytes are not cut */

#define LOW_HALF UINT64_C(0xffffffff)

static bool is_extended(const struct qcow2_check *c)
{
	return (c->q->header.incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0;
}

static bool has_data_file(const struct qcow2_check *c)
{
	return (c->q->header.incompatible & QCOW2_INCOMPAT_DATA_FILE) != 0;
}

bool qcow2_check_take_table(struct qcow2_check *c, uint64_t bytes)
{
	if (bytes > c->table_bytes_left) {
		qcow2_check_corrupt(c,
				    "ERROR a table of %ju bytes is not looked at: together they "
				    "are longer than the file",
				    bytes);
		return false;
	}
	c->table_bytes_left -= bytes;
	return true;
}

/* ---- L2 tables ---- */

/*
 * Where an L2 table of the active disk would continue without a gap. NULL: a snapshot's, whose
 * fragments do not count.
 */
struct layout {
	uint64_t next_offset; /* 0: nothing yet */
};

static void check_compressed(struct qcow2_check *c, uint64_t entry, uint64_t bitmap,
			     struct layout *layout)
{
	uint64_t offset;
	uint32_t bytes;

	qcow2_compressed_place(&c->q->header, entry, &offset, &bytes);
	if ((entry & QCOW2_COPIED) != 0)
		qcow2_check_corrupt(c,
				    "ERROR: coffset=0x%jx: copied flag must never be set for "
				    "compressed clusters",
				    offset);
	if (has_data_file(c)) {
		qcow2_check_corrupt(c, "ERROR compressed cluster %ju with data file, entry=0x%jx",
				    c->place.index, entry & ~QCOW2_COPIED);
		return;
	}
	if (bitmap != 0) {
		qcow2_check_corrupt(c,
				    "ERROR compressed cluster %ju with non-zero subcluster "
				    "allocation bitmap, entry=0x%jx",
				    c->place.index, entry & ~QCOW2_COPIED);
		return;
	}
	qcow2_count(c, QCOW2_USE_DATA, offset, bytes);
	if (layout != NULL) {
		c->result.allocated_clusters++;
		c->result.compressed_clusters++;
		c->result.fragmented_clusters++; /* packed ones count as such */
	}
}

bool qcow2_check_repairable(const struct qcow2_check *c, uint64_t entry, uint64_t bitmap)
{
	bool empty = is_extended(c) ? (bitmap & LOW_HALF) == 0
				    : c->q->header.version >= 3 && (entry & QCOW2_L2_ZERO) != 0;

	return empty && (entry & (QCOW2_L2_COMPRESSED | QCOW2_L2_RESERVED)) == 0 &&
	       (entry & QCOW2_ENTRY_OFFSET) % qcow2_cluster_bytes(&c->q->header) != 0;
}

/* A cluster that has a place, be it only a reserved one; `guest` is its offset on the disk. */
static void check_standard(struct qcow2_check *c, uint64_t entry, uint64_t guest, uint64_t bitmap,
			   struct layout *layout)
{
	uint64_t cluster_bytes = qcow2_cluster_bytes(&c->q->header),
		 offset = entry & QCOW2_ENTRY_OFFSET;

	if ((bitmap >> 32 & bitmap) != 0)
		qcow2_check_corrupt(c,
				    "ERROR offset=%jx: Allocated cluster has corrupted subcluster "
				    "allocation bitmap",
				    offset);
	if (offset % cluster_bytes != 0)
		qcow2_check_corrupt(c, QCOW2_UNALIGNED_WORDS, "ERROR", offset,
				    qcow2_check_repairable(c, entry, bitmap) ? "Preallocated"
									     : "Data");
	else if (!qcow2_entry_fits(&c->q->header, entry, guest))
		qcow2_check_corrupt(c,
				    "ERROR the offset 0x%jx in the data file is not that on the "
				    "disk, 0x%jx",
				    offset, guest);
	c->n_repairable += qcow2_check_repairable(c, entry, bitmap);
	if (layout != NULL) {
		c->result.allocated_clusters++;
		if (layout->next_offset != 0 && layout->next_offset != offset)
			c->result.fragmented_clusters++;
		layout->next_offset = offset + cluster_bytes;
	}
	if (!has_data_file(c))
		qcow2_count(c, QCOW2_USE_DATA, offset, cluster_bytes);
}

/*
 * Bit 0 is the zero flag only in version 3, and there not in extended entries, which have it for
 * each subcluster.
 */
static uint64_t reserved_bits(const struct qcow2_check *c)
{
	return is_extended(c) || c->q->header.version < 3 ? QCOW2_L2_RESERVED | QCOW2_L2_ZERO
							  : QCOW2_L2_RESERVED;
}

static void check_l2_entry(struct qcow2_check *c, uint64_t entry, uint64_t bitmap, uint64_t guest,
			   struct layout *layout)
{
	if ((entry & QCOW2_L2_COMPRESSED) != 0) {
		check_compressed(c, entry, bitmap, layout);
		return;
	}
	if ((entry & reserved_bits(c)) != 0)
		qcow2_check_corrupt(c, "ERROR found l2 entry with reserved bits set: %jx", entry);
	/*
	 * In a data file, cluster 0 is as good as any: there COPIED tells a mapped one from none.
	 */
	if ((entry & QCOW2_ENTRY_OFFSET) != 0 || (has_data_file(c) && (entry & QCOW2_COPIED) != 0 &&
						  ((entry & QCOW2_L2_ZERO) == 0 || is_extended(c))))
		check_standard(c, entry, guest, bitmap, layout);
	else if ((bitmap & LOW_HALF) != 0)
		qcow2_check_corrupt(c, "ERROR: Unallocated cluster has non-zero subcluster "
				       "allocation map");
}

/* The table in c->table, which maps the disk from `guest` on. */
static void check_l2(struct qcow2_check *c, uint64_t offset, uint64_t guest, bool active)
{
	size_t entry_bytes = (size_t)qcow2_l2_entry_bytes(&c->q->header),
	       n = c->q->image.cluster_bytes / entry_bytes;
	struct layout layout = { 0 };

	for (size_t i = 0; i < n; i++) {
		const uint8_t *at = c->table + i * entry_bytes;
		uint64_t entry = bytes_from_be(at, 8),
			 bitmap = entry_bytes > 8 ? bytes_from_be(at + 8, 8) : 0;

		if ((entry | bitmap) == 0)
			continue;
		c->place = (struct qcow2_place){ "L2 table", offset, i, entry };
		check_l2_entry(c, entry, bitmap, guest + (i << c->q->header.cluster_bits),
			       active ? &layout : NULL);
	}
}

/* ---- L1 tables ---- */

/* `*n_tables`: how many L2 tables this L1 table has had so far. */
static enum status check_l1_entry(struct qcow2_check *c, uint64_t entry, uint64_t index,
				  bool active, uint64_t *n_tables)
{
	uint64_t offset = entry & QCOW2_ENTRY_OFFSET;
	enum status st;

	if ((entry & QCOW2_L1_RESERVED) != 0)
		qcow2_check_corrupt(c, "ERROR found L1 entry with reserved bits set: %jx", entry);
	if (offset == 0) {
		if ((entry & QCOW2_COPIED) != 0)
			qcow2_check_corrupt(c, "ERROR an L1 entry is COPIED, but has no L2 table");
		return ST_OK;
	}
	qcow2_count(c, QCOW2_USE_L2, offset, qcow2_cluster_bytes(&c->q->header));
	if (offset % qcow2_cluster_bytes(&c->q->header) != 0)
		qcow2_check_corrupt(c,
				    "ERROR l2_offset=%jx: Table is not cluster aligned; L1 entry "
				    "corrupted",
				    offset);
	if (offset >= c->file->size)
		return ST_OK; /* zeros */
	if (++*n_tables > c->n_clusters) {
		if (*n_tables == c->n_clusters + 1)
			qcow2_check_corrupt(c, "ERROR L2 tables from here on are not looked at: "
					       "more than the file has clusters");
		return ST_OK;
	}
	st = qcow2_check_table(c, "L2 table", offset);
	if (st == ST_OK)
		check_l2(c, offset, index * qcow2_l2_coverage(&c->q->header), active);
	return st;
}

static enum status check_l1(struct qcow2_check *c, uint64_t offset, uint64_t n, bool active)
{
	const char *what = active ? "L1 table" : "L1 table of a snapshot";
	uint64_t n_tables = 0;

	c->place = (struct qcow2_place){ .table = NULL };
	qcow2_count(c, QCOW2_USE_OTHER, offset, n * 8);
	n = qcow2_check_in_file(c, offset, n);
	if (!qcow2_check_take_table(c, n * 8))
		return ST_OK;
	for (uint64_t first = 0, count; first < n; first += count) {
		enum status st = qcow2_check_piece(c, what, offset, first, n, &count);

		for (uint64_t i = 0; st == ST_OK && i < count; i++) {
			uint64_t entry = be64_get(c->piece[i]);

			if (entry == 0)
				continue;
			c->place = (struct qcow2_place){ what, offset, first + i, entry };
			st = check_l1_entry(c, entry, first + i, active, &n_tables);
		}
		if (st != ST_OK)
			return st;
	}
	return ST_OK;
}

/* ---- snapshots and bitmaps ---- */

/* "1 (NAME)", as far as it fits. */
static void print_snapshot(const struct snapshot *snapshot, char *text, size_t n)
{
	struct out_buffer buffer;

	out_buffer_init(&buffer, text, n);
	out_printable(&buffer.out, snapshot->id, SIZE_MAX);
	out_text(&buffer.out, " (");
	out_printable(&buffer.out, snapshot->name, SIZE_MAX);
	out_text(&buffer.out, ")");
}

static enum status check_snapshots(struct qcow2_check *c)
{
	const struct qcow2_header *header = &c->q->header;
	char name[SNAPSHOT_WORDS_BYTES];
	enum status st = ST_OK;

	if (has_data_file(c) && c->q->image.n_snapshots > 0)
		qcow2_check_corrupt(c, "ERROR %zu snapshots in image with data file",
				    c->q->image.n_snapshots);
	for (size_t i = 0; st == ST_OK && i < c->q->image.n_snapshots; i++) {
		const struct qcow2_snapshot *snapshot = &c->q->snapshots[i];

		c->place = (struct qcow2_place){ "snapshot table", header->snapshots_offset, i,
						 snapshot->l1_offset };
		if (header->version >= 3 && !snapshot->has_disk_bytes) {
			qcow2_check_corrupt(c, "ERROR a snapshot does not say the size of the "
					       "disk, as it must in version 3");
			c->n_incomplete++;
		}
		print_snapshot(&c->q->image.snapshots[i], name, sizeof name);
		if (snapshot->l1_offset % qcow2_cluster_bytes(header) != 0)
			qcow2_check_corrupt(c,
					    "ERROR snapshot %s l1_offset=0x%jx: L1 table is not "
					    "cluster aligned; snapshot table entry corrupted",
					    name, snapshot->l1_offset);
		else if (snapshot->l1_entries > QCOW2_L1_BYTES_MAX / 8)
			qcow2_check_corrupt(c,
					    "ERROR snapshot %s l1_size=0x%x: L1 table is too "
					    "large; snapshot table entry corrupted",
					    name, snapshot->l1_entries);
		else
			st = check_l1(c, snapshot->l1_offset, snapshot->l1_entries, false);
	}
	c->place = (struct qcow2_place){ .table = NULL };
	qcow2_count(c, QCOW2_USE_OTHER, header->snapshots_offset, c->q->snapshots_bytes);
	return st;
}

static enum status check_bitmap_table(struct qcow2_check *c, uint64_t table_offset, uint64_t n)
{
	static const char what[] = "bitmap table";
	uint64_t cluster_bytes = qcow2_cluster_bytes(&c->q->header);

	qcow2_count(c, QCOW2_USE_OTHER, table_offset, n * 8);
	n = qcow2_check_in_file(c, table_offset, n);
	if (!qcow2_check_take_table(c, n * 8))
		return ST_OK;
	for (uint64_t first = 0, count; first < n; first += count) {
		enum status st = qcow2_check_piece(c, what, table_offset, first, n, &count);

		if (st != ST_OK)
			return st;
		for (uint64_t i = 0; i < count; i++) {
			uint64_t entry = be64_get(c->piece[i]), offset = entry & QCOW2_ENTRY_OFFSET;

			c->place = (struct qcow2_place){ what, table_offset, first + i, entry };
			if ((entry & QCOW2_BITMAP_TABLE_RESERVED) != 0 ||
			    (offset != 0 && (entry & QCOW2_BITMAP_TABLE_ONES) != 0))
				qcow2_check_corrupt(c, "ERROR bitmap table entry with reserved "
						       "bits set");
			else if (offset % cluster_bytes != 0)
				qcow2_check_corrupt(c,
						    "ERROR offset=%jx: a part of a bitmap is not "
						    "cluster aligned",
						    offset);
			else if (offset != 0)
				qcow2_count(c, QCOW2_USE_OTHER, offset, cluster_bytes);
		}
	}
	return ST_OK;
}

static enum status check_bitmaps(struct qcow2_check *c)
{
	const struct qcow2_header *header = &c->q->header;
	enum status st = ST_OK;

	if (header->bitmaps.n > 0)
		qcow2_count(c, QCOW2_USE_OTHER, header->bitmaps.directory_offset,
			    header->bitmaps.directory_bytes);
	if (c->q->directory_rest > 0)
		qcow2_check_corrupt(c,
				    "ERROR the bitmap directory of %ju bytes has %ju more than its "
				    "%u bitmaps take",
				    header->bitmaps.directory_bytes, c->q->directory_rest,
				    header->bitmaps.n);
	for (uint32_t i = 0; st == ST_OK && i < header->bitmaps.n; i++) {
		const struct qcow2_bitmap *bitmap = &c->q->bitmaps[i];

		c->place = (struct qcow2_place){ "bitmap directory",
						 header->bitmaps.directory_offset, i,
						 bitmap->table_offset };
		if ((bitmap->flags & ~(uint32_t)QCOW2_BITMAP_FLAGS_KNOWN) != 0)
			qcow2_check_corrupt(c, "ERROR bitmap with reserved flags set: 0x%x",
					    bitmap->flags);
		if (bitmap->table_offset == 0 ||
		    bitmap->table_offset % qcow2_cluster_bytes(header) != 0)
			qcow2_check_corrupt(c, "ERROR the offset of a bitmap table is 0 or not "
					       "cluster aligned");
		else if (bitmap->table_entries == 0)
			qcow2_check_corrupt(c, "ERROR a bitmap table has no entries");
		else
			st = check_bitmap_table(c, bitmap->table_offset, bitmap->table_entries);
	}
	c->place = (struct qcow2_place){ .table = NULL };
	return st;
}

enum status qcow2_check_references(struct qcow2_check *c)
{
	const struct qcow2_header *header = &c->q->header;
	enum status st;

	qcow2_count(c, QCOW2_USE_OTHER, 0, qcow2_cluster_bytes(header));
	st = check_l1(c, header->l1_offset, header->l1_entries, true);
	c->place = (struct qcow2_place){ .table = NULL };
	if (st == ST_OK)
		st = check_snapshots(c);
	if (st != ST_OK)
		return st;
	qcow2_count(c, QCOW2_USE_OTHER, header->luks.offset, header->luks.bytes);
	return check_bitmaps(c);
}
