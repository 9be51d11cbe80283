/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making the disk of an image ready to be read, or written.
 *
 * Reading needs the L1 table, a cache for L2 tables and room for two clusters; writing, the
 * refcount table and more caches (refcount.c, bitmap_write.c). An image that is to be written to
 * must be able to be: its tables lie in the file, it is not marked as damaged, and one that was not
 * closed cleanly is repaired before, since its refcounts lag behind.
 */
#include "base/memory.h"
#include "base/range.h"
#include "codec/codec.h"
#include "format/qcow2/image.h"

static enum status load_l1(struct qcow2_image *q, struct error *err)
{
	/* at most 32 MiB, checked with the header */
	size_t bytes = q->header.l1_entries * sizeof *q->l1;
	enum status st;

	if (bytes > 0 && !range_ok(q->header.l1_offset, bytes, QCOW2_OFFSET_LIMIT))
		return fail(err, ST_CORRUPT,
			    "the L1 table, %zu bytes at 0x%jx, lies beyond what an image can have",
			    bytes, q->header.l1_offset);
	q->l1 = mem_alloc(bytes);
	if (q->l1 == NULL)
		return fail_no_memory(err);
	st = blk_read_padded(q->file, q->header.l1_offset, q->l1, bytes);
	if (st != ST_OK)
		return fail(err, st, "reading the L1 table: %s", status_text(st));
	for (uint32_t i = 0; i < q->header.l1_entries; i++)
		q->l1[i] = bytes_from_be((const uint8_t *)&q->l1[i], sizeof q->l1[i]);
	return ST_OK;
}

/* Writing to a table past the end of the file would first fill the volume up to there. */
static enum status check_table_in_file(const struct qcow2_image *q, const char *what,
				       uint64_t offset, struct error *err)
{
	if (offset <= round_up(q->file->size, q->image.cluster_bytes))
		return ST_OK;
	return fail(err, ST_CORRUPT,
		    "its %s is at 0x%jx, but the file ends at 0x%jx: it was cut short, and cannot "
		    "be written to",
		    what, offset, q->file->size);
}

/* Whether the image may be written to: what would make its other contents wrong is refused. */
static enum status check_writable(const struct qcow2_image *q, struct error *err)
{
	enum status st = check_table_in_file(q, "refcount table", q->header.reftable_offset, err);

	if (st == ST_OK && q->header.l1_entries > 0)
		st = check_table_in_file(q, "L1 table", q->header.l1_offset, err);
	if (st != ST_OK)
		return st;
	if ((q->header.incompatible & QCOW2_INCOMPAT_CORRUPT) != 0)
		return fail(err, ST_CORRUPT,
			    "it is marked as damaged; it can be read, but before it is written to, "
			    "it must be repaired: "
			    "\"check -r all\"");
	return ST_OK;
}

/*
 * An image that was not closed cleanly: its refcounts lag behind, and are repaired before anything
 * relies on them.
 */
static enum status repair_dirty(struct qcow2_image *q, struct error *err)
{
	struct check_result result;
	struct error why;
	enum status st;

	if ((q->header.incompatible & QCOW2_INCOMPAT_DIRTY) == 0)
		return ST_OK;
	st = qcow2_repair(&q->image, REPAIR_ALL, NULL, &result, &why);
	if (st != ST_OK)
		return fail(err, st, "it was not closed cleanly, and repairing it failed: %s",
			    why.text);
	if (result.corruptions > 0 || result.check_errors > 0)
		return fail(err, ST_CORRUPT,
			    "it was not closed cleanly, and %ju errors in it cannot be repaired: "
			    "\"check\" lists them; it can be read, but not written to",
			    result.corruptions + result.check_errors);
	return ST_OK;
}

/* Tables that are to be changed must be there: see qcow2_count() for where a file may end. */
static enum status check_in_file(const struct qcow2_image *q, const char *what, uint64_t offset,
				 uint64_t bytes, struct error *err)
{
	uint64_t end = q->file->size + q->image.cluster_bytes - 1;

	if (bytes == 0 || range_ok(offset, bytes, end))
		return ST_OK;
	return fail(err, ST_CORRUPT,
		    "its %s, %ju bytes at 0x%jx, is past the end of the file; it cannot be "
		    "written to",
		    what, bytes, offset);
}

enum status qcow2_load_refcounts(struct qcow2_image *q, struct error *err)
{
	/* at most 8 MiB, checked with the header */
	uint64_t bytes = (uint64_t)q->header.reftable_clusters << q->header.cluster_bits;
	enum status st = check_in_file(q, "refcount table", q->header.reftable_offset, bytes, err);

	if (st != ST_OK)
		return st;
	q->reftable = mem_alloc((size_t)bytes);
	q->copy = mem_alloc(q->image.cluster_bytes);
	if (q->reftable == NULL || q->copy == NULL ||
	    table_cache_init(&q->refcount_cache, q->file, q->image.cluster_bytes) != ST_OK)
		return fail_no_memory(err);
	st = blk_read_padded(q->file, q->header.reftable_offset, q->reftable, (size_t)bytes);
	if (st != ST_OK)
		return fail(err, st, "reading the refcount table: %s", status_text(st));
	q->n_reftable = bytes / 8;
	for (uint64_t i = 0; i < q->n_reftable; i++)
		q->reftable[i] = bytes_from_be((const uint8_t *)&q->reftable[i], 8);
	q->next_cluster = div_up(q->file->size, q->image.cluster_bytes);
	return ST_OK;
}

void qcow2_unload_refcounts(struct qcow2_image *q)
{
	table_cache_free(&q->refcount_cache);
	mem_free(q->reftable);
	mem_free(q->released);
	mem_free(q->copy);
	q->reftable = NULL;
	q->released = NULL;
	q->n_released = q->released_capacity = 0;
	q->copy = NULL;
}

static enum status load_for_writing(struct qcow2_image *q, struct error *err)
{
	enum status st = check_in_file(q, "L1 table", q->header.l1_offset,
				       (uint64_t)q->header.l1_entries * 8, err);

	if (st == ST_OK)
		st = qcow2_load_refcounts(q, err);
	if (st != ST_OK)
		return st;
	/*
	 * Section "Header", autoclear features: what is not known here would no longer be true once
	 * something is written.
	 */
	if ((q->header.autoclear & ~(uint64_t)QCOW2_AUTOCLEAR_KNOWN) != 0) {
		q->header.autoclear &= QCOW2_AUTOCLEAR_KNOWN;
		st = qcow2_header_write_autoclear(q->file, q->header.autoclear);
		if (st != ST_OK)
			return fail(err, st, "clearing feature bits: %s", status_text(st));
	}
	return qcow2_bitmaps_load(q, err);
}

/*
 * Whether it is worth asking the file for holes: if it occupies clearly less than its length, its
 * clusters were preallocated and not written. The bound is QEMU's, so that `map` says the same.
 */
static enum status look_for_holes(struct qcow2_image *q, struct error *err)
{
	uint64_t allocated, occupied, cluster_bytes = q->image.cluster_bytes;
	enum status st = blk_allocated(q->file, &allocated);

	if (st != ST_OK)
		return fail(err, st, "asking how much space it takes: %s", status_text(st));
	occupied = allocated / cluster_bytes;
	/* The last cluster counts, though the file may end in it. */
	q->has_holes = div_up(q->file->size, cluster_bytes) >=
		       max_u64(occupied + occupied / 9, occupied + 2);
	return ST_OK;
}

/*
 * QEMU has parts of L2 tables in memory, instead of whole ones, where those of the whole disk are
 * more than it keeps.
 */
static uint64_t slice_bytes(const struct image *image, const struct qcow2_header *header)
{
	const uint64_t kept_bytes = 32 << 20, part_bytes = 4096;
	uint64_t entry_bytes = qcow2_l2_entry_bytes(header);

	if (div_up(image->size, image->cluster_bytes) * entry_bytes <= kept_bytes)
		return qcow2_l2_coverage(header);
	return min_u64(part_bytes, image->cluster_bytes) / entry_bytes * image->cluster_bytes;
}

uint64_t qcow2_step(const struct image *image, uint64_t offset)
{
	uint64_t slice = ((const struct qcow2_image *)image)->slice_bytes;

	return slice - offset % slice;
}

enum status qcow2_load(struct image *image, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	enum status st;

	if (image->encrypted)
		return fail(err, ST_UNSUPPORTED,
			    "it is encrypted (%s); efi-img cannot read encrypted images",
			    q->header.crypt_method == QCOW2_CRYPT_LUKS ? "LUKS" : "AES");
	image->blk.ops = image->mode == OPEN_WRITE ? &qcow2_write_ops : &qcow2_read_ops;
	q->slice_bytes = slice_bytes(image, &q->header);
	q->cluster_entry = UINT64_MAX;
	if (q->has_data_file && image->n_files == 1)
		return fail(err, ST_CORRUPT,
			    "its data is in another file, but it does not say in which");
	st = image->mode == OPEN_WRITE ? check_writable(q, err) : ST_OK;
	if (st == ST_OK && image->mode == OPEN_WRITE)
		st = repair_dirty(q, err);
	if (st == ST_OK)
		st = look_for_holes(q, err);
	if (st == ST_OK)
		st = load_l1(q, err);
	if (st != ST_OK)
		return st;
	q->cluster = mem_alloc(image->cluster_bytes);
	q->packed = mem_alloc(2 * (size_t)image->cluster_bytes + 512);
	image->has_packed = true;
	image->compression = q->header.compression_type == QCOW2_COMPRESSION_ZSTD ? CODEC_ZSTD
										  : CODEC_DEFLATE;
	q->codec = codec_open(image->compression, CODEC_ONLY_DECOMPRESS);
	if (q->cluster == NULL || q->packed == NULL || q->codec == NULL ||
	    table_cache_init(&q->l2_cache, q->file, image->cluster_bytes) != ST_OK)
		return fail_no_memory(err);
	return image->mode == OPEN_WRITE ? load_for_writing(q, err) : ST_OK;
}

void qcow2_unload(struct qcow2_image *q)
{
	table_cache_free(&q->l2_cache);
	codec_close(q->codec);
	mem_free(q->snapshots);
	mem_free(q->l1);
	mem_free(q->cluster);
	mem_free(q->packed);
	table_cache_free(&q->bitmap_cache);
	qcow2_unload_refcounts(q);
}
