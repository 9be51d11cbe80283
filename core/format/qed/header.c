/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of a QED image: section "Header". All fields are little-endian. What they claim is
 * compared with what an image can have before anything else uses it. An unknown feature bit is
 * refused; unknown compatible and autoclear bits are not, as the specification has it.
 *
 * A field is 8 bytes within the first sector, which is written whole or not at all. The name of the
 * backing file lies in the header's clusters. When it changes, the new one goes where the old one
 * is not, is flushed, and then the first sector refers to it; or, if both lie in that sector, it is
 * all one write. What else the header's clusters have after the first sector is no part of the
 * specification, and is written over where the name needs the place, as QEMU does.
 */
#include "format/qed/image.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"

struct disk_header {
	uint8_t magic[4];
	le32 cluster_bytes;
	le32 table_clusters;
	le32 header_clusters;
	le64 features;
	le64 compatible;
	le64 autoclear;
	le64 l1_offset;
	le64 size;
	le32 backing_at;
	le32 backing_bytes;
};
_Static_assert(sizeof(struct disk_header) == QED_HEADER_BYTES, "section \"Header\"");
_Static_assert(offsetof(struct disk_header, features) == QED_AT_FEATURES, "section \"Header\"");
_Static_assert(offsetof(struct disk_header, autoclear) == QED_AT_AUTOCLEAR, "section \"Header\"");
_Static_assert(offsetof(struct disk_header, size) == QED_AT_SIZE, "section \"Header\"");

static const uint8_t magic[4] = { 'Q', 'E', 'D', 0 };

uint64_t qed_size_max(uint64_t cluster_bytes, uint64_t table_bytes)
{
	uint64_t entries = table_bytes / QED_ENTRY_BYTES, most;

	if (!mul_ok(entries * entries, cluster_bytes, &most) || most > SIZE_LIMIT)
		return round_down(SIZE_LIMIT, QED_SECTOR_BYTES);
	return most;
}

/* ---- reading ---- */

static enum status check_sizes(const struct disk_header *disk, struct qed_header *h,
			       struct error *err)
{
	uint32_t cluster_bytes = le32_get(disk->cluster_bytes),
		 table_clusters = le32_get(disk->table_clusters),
		 header_clusters = le32_get(disk->header_clusters);

	if (!is_power_of_two(cluster_bytes) || cluster_bytes < QED_CLUSTER_BYTES_MIN ||
	    cluster_bytes > QED_CLUSTER_BYTES_MAX)
		return fail(err, ST_CORRUPT,
			    "the cluster size %u is not a power of two from 4096 bytes to 64 MiB",
			    cluster_bytes);
	if (!is_power_of_two(table_clusters) || table_clusters > QED_TABLE_CLUSTERS_MAX)
		return fail(err, ST_CORRUPT,
			    "the table size of %u clusters is not a power of two from 1 to 16",
			    table_clusters);
	if (header_clusters == 0 || header_clusters > UINT32_MAX / cluster_bytes)
		return fail(err, ST_CORRUPT,
			    "a header of %u clusters of %u bytes is none, or larger than 4 GiB",
			    header_clusters, cluster_bytes);
	h->cluster_bytes = cluster_bytes;
	h->table_bytes = (uint64_t)table_clusters * cluster_bytes;
	h->bytes = (uint64_t)header_clusters * cluster_bytes;
	return ST_OK;
}

static enum status check_l1(const struct qed_image *q, struct error *err)
{
	const struct qed_header *h = &q->header;

	if (h->l1_offset % h->cluster_bytes != 0)
		return fail(err, ST_CORRUPT,
			    "the offset of the L1 table, 0x%jx, is not a multiple of the cluster "
			    "size",
			    h->l1_offset);
	if (h->l1_offset < h->bytes)
		return fail(err, ST_CORRUPT,
			    "the offset of the L1 table, 0x%jx, is inside the header of %ju bytes",
			    h->l1_offset, h->bytes);
	if (!range_ok(h->l1_offset, h->table_bytes, q->file->size))
		return fail(err, ST_CORRUPT,
			    "the L1 table, %ju bytes at 0x%jx, lies past the end of the file (%ju "
			    "bytes): the file was cut short",
			    h->table_bytes, h->l1_offset, q->file->size);
	return ST_OK;
}

static enum status decode(struct qed_image *q, const struct disk_header *disk, struct error *err)
{
	struct qed_header *h = &q->header;
	uint64_t most;
	enum status st;

	if (memcmp(disk->magic, magic, sizeof magic) != 0)
		return fail(err, ST_CORRUPT,
			    "this is not a QED image: it does not begin with the bytes \"QED\\0\"");
	h->features = le64_get(disk->features);
	h->autoclear = le64_get(disk->autoclear);
	if ((h->features & ~(uint64_t)QED_FEATURES_KNOWN) != 0)
		return fail(err, ST_UNSUPPORTED,
			    "the image needs a feature that is not known here: feature bits 0x%jx",
			    h->features & ~(uint64_t)QED_FEATURES_KNOWN);
	st = check_sizes(disk, h, err);
	if (st != ST_OK)
		return st;
	h->size = le64_get(disk->size);
	most = qed_size_max(h->cluster_bytes, h->table_bytes);
	if (h->size % QED_SECTOR_BYTES != 0 || h->size > most)
		return fail(err, ST_CORRUPT,
			    "the size of the disk, %ju bytes, is not a multiple of 512 up to %ju, "
			    "which its tables can map",
			    h->size, most);
	h->l1_offset = le64_get(disk->l1_offset);
	h->backing_at = le32_get(disk->backing_at);
	h->backing_bytes = le32_get(disk->backing_bytes);
	return check_l1(q, err);
}

static enum status read_backing(struct qed_image *q, struct error *err)
{
	const struct qed_header *h = &q->header;
	char *name;
	enum status st;

	if ((h->features & QED_BACKING) == 0)
		return ST_OK;
	if (h->backing_bytes > QED_BACKING_NAME_MAX ||
	    !range_ok(h->backing_at, h->backing_bytes, h->bytes))
		return fail(err, ST_CORRUPT,
			    "the name of the backing file, %u bytes at 0x%x, is too long or not in "
			    "the header",
			    h->backing_bytes, h->backing_at);
	name = mem_alloc(h->backing_bytes + 1u);
	if (name == NULL)
		return fail_no_memory(err);
	st = blk_read_padded(q->file, h->backing_at, name, h->backing_bytes);
	if (st != ST_OK) {
		mem_free(name);
		return fail(err, st, "reading the name of the backing file: %s", status_text(st));
	}
	if (name[0] == '\0') {
		mem_free(name); /* an empty name is none, as for QEMU */
		return ST_OK;
	}
	q->image.backing_name = name;
	if ((h->features & QED_BACKING_RAW) == 0)
		return ST_OK;
	q->image.backing_format = text_copy("raw");
	return q->image.backing_format != NULL ? ST_OK : fail_no_memory(err);
}

enum status qed_header_read(struct qed_image *q, struct error *err)
{
	struct disk_header disk;
	enum status st = blk_read_padded(q->file, 0, &disk, sizeof disk);

	if (st != ST_OK)
		return fail(err, st, "reading the QED header: %s", status_text(st));
	if (memcmp(disk.magic, magic, sizeof magic) == 0 && q->file->size < sizeof disk)
		return fail(err, ST_CORRUPT,
			    "the file ends after %ju bytes, in the middle of its QED header",
			    q->file->size);
	st = decode(q, &disk, err);
	return st == ST_OK ? read_backing(q, err) : st;
}

/* ---- writing ---- */

void qed_header_encode(const struct qed_header *h, uint8_t ret[static QED_HEADER_BYTES])
{
	struct disk_header disk = {
		.cluster_bytes = le32_of((uint32_t)h->cluster_bytes),
		.table_clusters = le32_of((uint32_t)(h->table_bytes / h->cluster_bytes)),
		.header_clusters = le32_of((uint32_t)(h->bytes / h->cluster_bytes)),
		.features = le64_of(h->features),
		.autoclear = le64_of(h->autoclear),
		.l1_offset = le64_of(h->l1_offset),
		.size = le64_of(h->size),
		.backing_at = le32_of(h->backing_at),
		.backing_bytes = le32_of(h->backing_bytes),
	};

	memcpy(disk.magic, magic, sizeof magic);
	memcpy(ret, &disk, sizeof disk);
}

enum status qed_write_field(struct qed_image *q, uint64_t at, uint64_t value)
{
	uint8_t bytes[8];
	enum status st;

	bytes_to_le(bytes, sizeof bytes, value);
	st = blk_write(q->file, at, bytes, sizeof bytes);
	return st == ST_OK ? blk_flush(q->file) : st;
}

enum status qed_set_need_check(struct qed_image *q, bool on)
{
	uint64_t features = (q->header.features & ~(uint64_t)QED_NEED_CHECK) |
			    (on ? QED_NEED_CHECK : 0);
	enum status st = ST_OK;

	if (features != q->header.features)
		st = qed_write_field(q, QED_AT_FEATURES, features);
	if (st == ST_OK)
		q->header.features = features;
	return st;
}

/* ---- another backing file ---- */

/* A place for a name of `n` bytes that does not touch the one that is there now. */
static uint32_t place_for_name(const struct qed_header *old, size_t n)
{
	bool has_name = (old->features & QED_BACKING) != 0;
	uint64_t old_end = has_name ? (uint64_t)old->backing_at + old->backing_bytes : 0;

	if (n == 0)
		return 0;
	if (QED_HEADER_BYTES + n <= QED_SECTOR_BYTES &&
	    (!has_name || old_end <= QED_SECTOR_BYTES || old->backing_at >= QED_SECTOR_BYTES))
		return QED_HEADER_BYTES; /* one write changes both */
	if (!has_name || old_end <= QED_SECTOR_BYTES ||
	    old->backing_at >= QED_SECTOR_BYTES + QED_BACKING_NAME_MAX)
		return QED_SECTOR_BYTES;
	return (uint32_t)round_up(max_u64(old_end, 2 * QED_SECTOR_BYTES + QED_BACKING_NAME_MAX),
				  QED_SECTOR_BYTES);
}

/* Writes the name, unless it is in the first sector, and then that sector. */
static enum status write_names(struct qed_image *q, const struct qed_header *to, const char *name)
{
	uint8_t sector[QED_SECTOR_BYTES];
	enum status st = ST_OK;

	if (to->backing_bytes > 0 && to->backing_at >= QED_SECTOR_BYTES) {
		st = blk_write(q->file, to->backing_at, name, to->backing_bytes);
		if (st == ST_OK)
			st = blk_flush(q->file);
	}
	if (st == ST_OK)
		st = blk_read(q->file, 0, sector, sizeof sector);
	if (st != ST_OK)
		return st;
	/* compatible features, which are not known here, stay */
	bytes_to_le(sector + offsetof(struct disk_header, features), 8, to->features);
	bytes_to_le(sector + offsetof(struct disk_header, backing_at), 4, to->backing_at);
	bytes_to_le(sector + offsetof(struct disk_header, backing_bytes), 4, to->backing_bytes);
	if (to->backing_bytes > 0 && to->backing_at < QED_SECTOR_BYTES)
		memcpy(sector + to->backing_at, name, to->backing_bytes);
	st = blk_write(q->file, 0, sector, sizeof sector);
	return st == ST_OK ? blk_flush(q->file) : st;
}

enum status qed_set_backing(struct image *image, const char *name, const char *format, bool write,
			    struct error *err)
{
	struct qed_image *q = (struct qed_image *)image;
	size_t n = name != NULL ? text_length(name) : 0;
	struct qed_header to = q->header;
	enum status st = q->map.failed;

	if (st != ST_OK)
		return fail(err, st,
			    "a change before this one has failed (%s); close the image first",
			    status_text(st));
	if (n > QED_BACKING_NAME_MAX)
		return fail(err, ST_TOO_LARGE, "the name of a backing file can have %d bytes",
			    QED_BACKING_NAME_MAX);
	to.backing_at = place_for_name(&q->header, n);
	to.backing_bytes = (uint32_t)n;
	CHECK(to.backing_at + n <= QED_CLUSTER_BYTES_MIN); /* the smallest header there is */
	to.features &= ~(uint64_t)(QED_BACKING | QED_BACKING_RAW);
	if (n > 0)
		to.features |= QED_BACKING;
	if (n > 0 && format != NULL && text_equal(format, "raw"))
		to.features |= QED_BACKING_RAW;
	if (!write)
		return ST_OK;
	st = write_names(q, &to, name);
	if (st != ST_OK)
		return fail(err, st, "writing the header: %s", status_text(st));
	q->header = to;
	return ST_OK;
}
