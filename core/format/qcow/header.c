/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The header of a qcow image of version 1. All fields are big-endian; what they claim is compared
 * with what an image can have before anything else uses it. There are no feature bits, and the
 * format of the backing file is not stored: it is probed.
 *
 * Another backing file: where the new name has room between the header and the L1 table, and within
 * the first sector, both are one write. Otherwise
 *
 *   1. the name, and after it a copy of the L1 table, go to the end of the file          flush
 *   2. the header, which refers to both                                                  flush
 *
 * The table moves along because QEMU cuts the file after it when it commits the image; a name
 * behind it would be lost.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "format/qcow/image.h"
#include "platform/person.h"

enum { COPY_BYTES = 1 << 20 };

struct disk_header {
	be32 magic;
	be32 version;
	be64 backing_at;
	be32 backing_bytes;
	be32 mtime;
	be64 size;
	uint8_t cluster_bits;
	uint8_t l2_bits;
	uint8_t padding[2];
	be32 crypt;
	be64 l1_offset;
};
_Static_assert(sizeof(struct disk_header) == QCOW_HEADER_BYTES, "block/qcow.c: QCowHeader");
_Static_assert(offsetof(struct disk_header, l1_offset) == 40, "block/qcow.c: QCowHeader");

/* ---- reading ---- */

static enum status check_tables(const struct qcow_image *q, struct error *err)
{
	const struct qcow_header *h = &q->header;
	uint64_t n = qcow_l1_entries(h), bytes = n * QCOW_ENTRY_BYTES;

	if (h->size <= 1 || h->size > SIZE_LIMIT || n > QCOW_L1_ENTRIES_MAX)
		return fail(err, ST_CORRUPT,
			    "the size of the disk, %ju bytes, is not one from 2 bytes to what %d "
			    "entries of an L1 table can map",
			    h->size, QCOW_L1_ENTRIES_MAX);
	if (h->l1_offset < QCOW_HEADER_BYTES)
		return fail(err, ST_CORRUPT,
			    "the offset of the L1 table, 0x%jx, is inside the header of %d bytes",
			    h->l1_offset, QCOW_HEADER_BYTES);
	if (!range_ok(h->l1_offset, bytes, q->file->size))
		return fail(err, ST_CORRUPT,
			    "the L1 table, %ju bytes at 0x%jx, lies past the end of the file (%ju "
			    "bytes): the file was cut short",
			    bytes, h->l1_offset, q->file->size);
	return ST_OK;
}

static enum status decode(struct qcow_image *q, const struct disk_header *disk, struct error *err)
{
	struct qcow_header *h = &q->header;

	if (be32_get(disk->magic) != QCOW_MAGIC)
		return fail(err, ST_CORRUPT,
			    "this is not a qcow image: it does not begin with the bytes "
			    "\"QFI\\xfb\"");
	if (be32_get(disk->version) != 1)
		return fail(err, ST_UNSUPPORTED,
			    "version %u is not that of the format qcow, which is 1 (qcow2 has 2 "
			    "and 3)",
			    be32_get(disk->version));
	*h = (struct qcow_header){
		.backing_at = be64_get(disk->backing_at),
		.backing_bytes = be32_get(disk->backing_bytes),
		.mtime = be32_get(disk->mtime),
		.size = be64_get(disk->size),
		.cluster_bits = disk->cluster_bits,
		.l2_bits = disk->l2_bits,
		.crypt = be32_get(disk->crypt),
		.l1_offset = be64_get(disk->l1_offset),
	};
	if (h->cluster_bits < QCOW_CLUSTER_BITS_MIN || h->cluster_bits > QCOW_CLUSTER_BITS_MAX)
		return fail(err, ST_CORRUPT,
			    "the cluster size of 2^%u bytes is not one from 512 bytes to 64 KiB",
			    h->cluster_bits);
	if (h->l2_bits < QCOW_L2_BITS_MIN || h->l2_bits > QCOW_L2_BITS_MAX)
		return fail(err, ST_CORRUPT,
			    "L2 tables of 2^%u entries are not tables of 512 bytes to 64 KiB",
			    h->l2_bits);
	if (h->crypt > QCOW_CRYPT_AES)
		return fail(err, ST_UNSUPPORTED, "encryption method %u is not known here",
			    h->crypt);
	return check_tables(q, err);
}

static enum status read_backing(struct qcow_image *q, struct error *err)
{
	const struct qcow_header *h = &q->header;
	char *name;
	enum status st;

	if (h->backing_at == 0)
		return ST_OK;
	if (h->backing_bytes > QCOW_BACKING_NAME_MAX ||
	    !range_ok(h->backing_at, h->backing_bytes, q->file->size))
		return fail(err, ST_CORRUPT,
			    "the name of the backing file, %u bytes at 0x%jx, is too long or not "
			    "in "
			    "the file",
			    h->backing_bytes, h->backing_at);
	name = mem_alloc(h->backing_bytes + 1u);
	if (name == NULL)
		return fail_no_memory(err);
	st = blk_read(q->file, h->backing_at, name, h->backing_bytes);
	if (st == ST_OK && name[0] != '\0') {
		q->image.backing_name = name;
		return ST_OK;
	}
	mem_free(name); /* an empty name is none, as for QEMU */
	return st == ST_OK
		       ? ST_OK
		       : fail(err, st, "reading the name of the backing file: %s", status_text(st));
}

enum status qcow_header_read(struct qcow_image *q, struct error *err)
{
	struct disk_header disk;
	enum status st = blk_read_padded(q->file, 0, &disk, sizeof disk);

	if (st != ST_OK)
		return fail(err, st, "reading the qcow header: %s", status_text(st));
	if (be32_get(disk.magic) == QCOW_MAGIC && q->file->size < sizeof disk)
		return fail(err, ST_CORRUPT,
			    "the file ends after %ju bytes, in the middle of its qcow header",
			    q->file->size);
	st = decode(q, &disk, err);
	return st == ST_OK ? read_backing(q, err) : st;
}

/* ---- writing ---- */

void qcow_header_encode(const struct qcow_header *h, uint8_t ret[static QCOW_HEADER_BYTES])
{
	const struct disk_header disk = {
		.magic = be32_of(QCOW_MAGIC),
		.version = be32_of(1),
		.backing_at = be64_of(h->backing_at),
		.backing_bytes = be32_of(h->backing_bytes),
		.mtime = be32_of(h->mtime),
		.size = be64_of(h->size),
		.cluster_bits = h->cluster_bits,
		.l2_bits = h->l2_bits,
		.crypt = be32_of(h->crypt),
		.l1_offset = be64_of(h->l1_offset),
	};

	memcpy(ret, &disk, sizeof disk);
}

/* ---- another backing file ---- */

/* Whether the name and the header can be one write, which touches nothing else that is in use. */
static bool fits_before_l1(const struct qcow_header *h, uint64_t n)
{
	uint64_t end = QCOW_HEADER_BYTES + n, old_end = h->backing_at + h->backing_bytes;

	return n == 0 ||
	       (end <= h->l1_offset && end <= QCOW_SECTOR_BYTES &&
		(h->backing_at == 0 || old_end <= QCOW_SECTOR_BYTES || h->backing_at >= end));
}

/* Copies the L1 table to another place. */
static enum status copy_l1(struct qcow_image *q, uint64_t to)
{
	uint64_t from = q->header.l1_offset, left = qcow_l1_entries(&q->header) * QCOW_ENTRY_BYTES;
	size_t piece = (size_t)min_u64(left, COPY_BYTES), n;
	uint8_t *buf = io_alloc(piece);
	enum status st = buf != NULL ? ST_OK : ST_NO_MEMORY;

	for (; st == ST_OK && left > 0; from += n, to += n, left -= n) {
		n = (size_t)min_u64(left, piece);
		st = platform_cancelled() ? ST_CANCELLED : blk_read(q->file, from, buf, n);
		if (st == ST_OK)
			st = blk_write(q->file, to, buf, n);
	}
	io_free(buf, piece);
	return st;
}

/* Step 1, where there is no room before the L1 table. */
static enum status write_at_end(struct qcow_image *q, struct qcow_header *to, const char *name)
{
	enum status st;

	to->backing_at = round_up(q->end, QCOW_SECTOR_BYTES);
	to->l1_offset = round_up(to->backing_at + to->backing_bytes, QCOW_ENTRY_BYTES);
	st = blk_write(q->file, to->backing_at, name, to->backing_bytes);
	if (st == ST_OK)
		st = copy_l1(q, to->l1_offset);
	if (st == ST_OK)
		st = blk_flush(q->file);
	if (st == ST_OK)
		q->end = to->l1_offset + qcow_l1_entries(to) * QCOW_ENTRY_BYTES;
	return st;
}

static enum status write_names(struct qcow_image *q, struct qcow_header *to, const char *name)
{
	uint8_t sector[QCOW_SECTOR_BYTES];
	size_t n = QCOW_HEADER_BYTES;
	enum status st = ST_OK;

	if (!fits_before_l1(&q->header, to->backing_bytes)) {
		st = write_at_end(q, to, name);
	} else if (to->backing_bytes > 0) {
		to->backing_at = n;
		memcpy(sector + n, name, to->backing_bytes);
		n += to->backing_bytes;
	}
	if (st != ST_OK)
		return st;
	qcow_header_encode(to, sector);
	st = blk_write(q->file, 0, sector, n);
	return st == ST_OK ? blk_flush(q->file) : st;
}

enum status qcow_set_backing(struct image *image, const char *name, const char *format, bool write,
			     struct error *err)
{
	struct qcow_image *q = (struct qcow_image *)image;
	size_t n = name != NULL ? text_length(name) : 0;
	struct qcow_header to = q->header;
	enum status st = q->map.failed;

	(void)format;
	if (st != ST_OK)
		return fail(err, st,
			    "a change before this one has failed (%s); close the image first",
			    status_text(st));
	if (n > QCOW_BACKING_NAME_MAX)
		return fail(err, ST_TOO_LARGE, "the name of a backing file can have %d bytes",
			    QCOW_BACKING_NAME_MAX);
	if (!write)
		return ST_OK;
	to.backing_at = 0;
	to.backing_bytes = (uint32_t)n;
	st = write_names(q, &to, name);
	if (st != ST_OK) {
		q->map.failed = st; /* which L1 table is in use is not known */
		return fail(err, st, "writing the header: %s", status_text(st));
	}
	q->header = to;
	two_level_set_l1(&q->tables, to.l1_offset, qcow_l1_entries(&to));
	return ST_OK;
}
