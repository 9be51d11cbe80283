/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading the header of an image: sections "Header" and "Header extensions". Everything that the
 * fields can claim is compared with what an image can have before any other file of this folder
 * uses it: sizes and offsets of the tables, features, lengths of names. An incompatible feature
 * that the specification does not have is refused, and named if the image has a table of feature
 * names.
 *
 * Extensions that are not known are skipped, as the specification has it. Neither the L1 table nor
 * any other table is read here.
 */
#include "format/qcow2/disk_header.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"

const char *const qcow2_compression_names[] = {
	[QCOW2_COMPRESSION_ZLIB] = "zlib",
	[QCOW2_COMPRESSION_ZSTD] = "zstd",
	NULL,
};

void qcow2_header_free(struct qcow2_header *header)
{
	mem_free(header->backing_name);
	mem_free(header->backing_format);
	mem_free(header->data_file);
	*header = (struct qcow2_header){ 0 };
}

/* ---- reading ---- */

static enum status read_failed(struct error *err, enum status st, const char *what)
{
	return fail(err, st, "reading the %s: %s", what, status_text(st));
}

/*
 * A table of `bytes` at `offset` must begin at a cluster. Whether it is in the file, and where
 * entries could refer to, is for those to ask who read it: an image that is damaged so can still be
 * described and checked.
 */
static enum status check_table(const struct qcow2_header *h, const char *what, uint64_t offset,
			       uint64_t bytes, struct error *err)
{
	if (offset % qcow2_cluster_bytes(h) != 0)
		return fail(err, ST_CORRUPT,
			    "the offset of the %s, 0x%jx, is not a multiple of the cluster size",
			    what, offset);
	if (!range_ok(offset, bytes, INT64_MAX))
		return fail(err, ST_CORRUPT,
			    "the %s, %ju bytes at 0x%jx, lies beyond what a file can have", what,
			    bytes, offset);
	return ST_OK;
}

static enum status check_features(const struct qcow2_header *h, struct error *err)
{
	bool compressed_by_type = (h->incompatible & QCOW2_INCOMPAT_COMPRESSION) != 0;

	if (compressed_by_type != (h->compression_type != QCOW2_COMPRESSION_ZLIB))
		return fail(err, ST_CORRUPT,
			    "the compression type %u contradicts the feature bit for it",
			    h->compression_type);
	if (h->compression_type >= N_QCOW2_COMPRESSIONS)
		return fail(err, ST_UNSUPPORTED, "compression type %u is not known here",
			    h->compression_type);
	if ((h->incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0 &&
	    h->cluster_bits < QCOW2_CLUSTER_BITS_EXTENDED_MIN)
		return fail(err, ST_CORRUPT,
			    "clusters of %ju bytes are too small for extended L2 entries",
			    qcow2_cluster_bytes(h));
	if (h->refcount_order > QCOW2_REFCOUNT_ORDER_MAX)
		return fail(err, ST_CORRUPT, "the refcount order %u is more than %d (64 bits)",
			    h->refcount_order, QCOW2_REFCOUNT_ORDER_MAX);
	if (h->crypt_method >= N_QCOW2_CRYPTS)
		return fail(err, ST_UNSUPPORTED, "encryption method %u is not known here",
			    h->crypt_method);
	return ST_OK;
}

static enum status check_tables(const struct qcow2_header *h, struct error *err)
{
	uint64_t reftable_bytes = (uint64_t)h->reftable_clusters << h->cluster_bits;
	enum status st;

	if (h->reftable_clusters == 0)
		return fail(err, ST_CORRUPT, "the image has no refcount table");
	if (reftable_bytes > QCOW2_REFTABLE_BYTES_MAX)
		return fail(err, ST_CORRUPT,
			    "the refcount table of %u clusters is more than %d bytes",
			    h->reftable_clusters, QCOW2_REFTABLE_BYTES_MAX);
	st = check_table(h, "refcount table", h->reftable_offset, reftable_bytes, err);
	if (st != ST_OK)
		return st;
	if (h->n_snapshots > QCOW2_SNAPSHOTS_MAX)
		return fail(err, ST_CORRUPT, "%u snapshots are more than %d", h->n_snapshots,
			    QCOW2_SNAPSHOTS_MAX);
	st = check_table(h, "snapshot table", h->snapshots_offset, 0, err);
	if (st != ST_OK)
		return st;
	if ((uint64_t)h->l1_entries * 8 > QCOW2_L1_BYTES_MAX)
		return fail(err, ST_CORRUPT, "an L1 table of %u entries is more than %d bytes",
			    h->l1_entries, QCOW2_L1_BYTES_MAX);
	if (h->l1_entries < div_up(h->size, qcow2_l2_coverage(h)))
		return fail(err, ST_CORRUPT,
			    "an L1 table of %u entries is too small for a disk of %ju bytes",
			    h->l1_entries, h->size);
	return check_table(h, "L1 table", h->l1_offset, (uint64_t)h->l1_entries * 8, err);
}

/* Fills everything but the extensions; *ret_extensions is where these begin. */
static enum status decode(const struct disk_header *disk, struct qcow2_header *h,
			  uint64_t *ret_extensions, struct error *err)
{
	uint64_t header_bytes = V2_HEADER_BYTES;

	if (be32_get(disk->magic) != QCOW2_MAGIC)
		return fail(err, ST_CORRUPT,
			    "this is not a qcow2 image: it does not begin with the bytes "
			    "\"QFI\\xfb\"");
	h->version = be32_get(disk->version);
	if (h->version != 2 && h->version != 3)
		return fail(err, ST_UNSUPPORTED, "qcow2 version %u is not known here (2 and 3 are)",
			    h->version);
	h->cluster_bits = be32_get(disk->cluster_bits);
	if (h->cluster_bits < QCOW2_CLUSTER_BITS_MIN || h->cluster_bits > QCOW2_CLUSTER_BITS_MAX)
		return fail(err, ST_CORRUPT,
			    "the cluster size of 2^%u bytes is not one from 512 bytes to 2 MiB",
			    h->cluster_bits);
	h->size = be64_get(disk->size);
	h->crypt_method = be32_get(disk->crypt_method);
	h->l1_entries = be32_get(disk->l1_entries);
	h->l1_offset = be64_get(disk->l1_offset);
	h->reftable_offset = be64_get(disk->reftable_offset);
	h->reftable_clusters = be32_get(disk->reftable_clusters);
	h->n_snapshots = be32_get(disk->n_snapshots);
	h->snapshots_offset = be64_get(disk->snapshots_offset);
	h->refcount_order = 4;
	if (h->version >= 3) {
		h->incompatible = be64_get(disk->incompatible);
		h->compatible = be64_get(disk->compatible);
		h->autoclear = be64_get(disk->autoclear);
		h->refcount_order = be32_get(disk->refcount_order);
		header_bytes = be32_get(disk->header_bytes);
		if (header_bytes < V3_HEADER_BYTES_MIN || header_bytes % 8 != 0 ||
		    header_bytes > qcow2_cluster_bytes(h))
			return fail(err, ST_CORRUPT,
				    "the header length %ju is not a multiple of 8 from %d to the "
				    "cluster size",
				    header_bytes, V3_HEADER_BYTES_MIN);
		if (header_bytes > V3_HEADER_BYTES_MIN)
			h->compression_type = disk->compression_type;
	}
	*ret_extensions = header_bytes;
	return ST_OK;
}

/* A text of `bytes` at `offset`, NUL-terminated, in memory of its own. */
static enum status read_text(struct blk *file, uint64_t offset, size_t bytes, const char *what,
			     char **ret, struct error *err)
{
	char *text = mem_alloc(bytes + 1);
	enum status st;

	if (text == NULL)
		return fail_no_memory(err);
	st = blk_read_padded(file, offset, text, bytes);
	if (st != ST_OK) {
		mem_free(text);
		return read_failed(err, st, what);
	}
	mem_free(*ret); /* an extension may be there twice: the last one counts */
	*ret = text;
	return ST_OK;
}

static enum status read_bitmaps_extension(struct blk *file, uint64_t offset, uint32_t bytes,
					  struct qcow2_header *h, struct error *err)
{
	struct disk_bitmaps disk;
	enum status st;

	if (bytes != sizeof disk)
		return fail(err, ST_CORRUPT, "the bitmaps extension has %u bytes instead of %zu",
			    bytes, sizeof disk);
	/*
	 * Somebody who knows nothing of bitmaps has written to the image since: they no longer say
	 * the truth.
	 */
	h->has_stale_bitmaps = (h->autoclear & QCOW2_AUTOCLEAR_BITMAPS) == 0;
	if (h->has_stale_bitmaps)
		return ST_OK;
	st = blk_read_padded(file, offset, &disk, sizeof disk);
	if (st != ST_OK)
		return read_failed(err, st, "bitmaps extension");
	h->bitmaps.n = be32_get(disk.n);
	h->bitmaps.directory_bytes = be64_get(disk.directory_bytes);
	h->bitmaps.directory_offset = be64_get(disk.directory_offset);
	if (h->bitmaps.n == 0 || h->bitmaps.n > QCOW2_BITMAPS_MAX)
		return fail(err, ST_CORRUPT,
			    "the bitmaps extension counts %u bitmaps; 1 to %d are allowed",
			    h->bitmaps.n, QCOW2_BITMAPS_MAX);
	return check_table(h, "bitmap directory", h->bitmaps.directory_offset,
			   h->bitmaps.directory_bytes, err);
}

static enum status read_crypto_extension(struct blk *file, uint64_t offset, uint32_t bytes,
					 struct qcow2_header *h, struct error *err)
{
	struct disk_crypto disk;
	enum status st;

	if (bytes != sizeof disk || h->crypt_method != QCOW2_CRYPT_LUKS)
		return fail(err, ST_CORRUPT,
			    "an encryption extension of %u bytes does not fit to encryption method "
			    "%u",
			    bytes, h->crypt_method);
	st = blk_read_padded(file, offset, &disk, sizeof disk);
	if (st != ST_OK)
		return read_failed(err, st, "encryption extension");
	h->luks.offset = be64_get(disk.offset);
	h->luks.bytes = be64_get(disk.bytes);
	return check_table(h, "encryption header", h->luks.offset, h->luks.bytes, err);
}

/*
 * Fails if the image needs a feature that is not known here, with the name that its feature table
 * may have for it.
 */
static enum status check_incompatible(struct blk *file, const struct qcow2_header *h,
				      uint64_t table, uint32_t table_bytes, struct error *err)
{
	uint64_t unknown = h->incompatible & ~(uint64_t)QCOW2_INCOMPAT_KNOWN;
	struct disk_feature feature;
	unsigned bit = 0;

	if (unknown == 0)
		return ST_OK;
	while ((unknown >> bit & 1) == 0)
		bit++;
	for (uint32_t at = 0; range_ok(at, sizeof feature, table_bytes);
	     at += (uint32_t)sizeof feature) {
		enum status st = blk_read_padded(file, table + at, &feature, sizeof feature);

		if (st != ST_OK)
			return read_failed(err, st, "feature name table");
		if (feature.type == 0 && feature.bit == bit)
			return fail(err, ST_UNSUPPORTED,
				    "the image needs a feature that is not known here: \"%.46s\" "
				    "(incompatible feature bit %u)",
				    feature.name, bit);
	}
	return fail(err, ST_UNSUPPORTED,
		    "the image needs a feature that is not known here: incompatible feature bit %u",
		    bit);
}

/* Walks the extensions in [at, end). */
static enum status read_extensions(struct blk *file, uint64_t at, uint64_t end,
				   struct qcow2_header *h, struct error *err)
{
	uint64_t features = 0;
	uint32_t features_bytes = 0;

	while (range_ok(at, sizeof(struct disk_extension), end)) {
		struct disk_extension extension;
		enum status st = blk_read_padded(file, at, &extension, sizeof extension);
		uint32_t type = be32_get(extension.type), bytes = be32_get(extension.bytes);

		if (st != ST_OK)
			return read_failed(err, st, "header extensions");
		at += sizeof extension;
		if (!range_ok(at, bytes, end))
			return fail(err, ST_CORRUPT,
				    "the header extension 0x%x of %u bytes at 0x%jx does not fit "
				    "into the header",
				    type, bytes, at);
		if (type == EXTENSION_END)
			break;
		switch (type) {
		case EXTENSION_BACKING_FORMAT:
			if (bytes >= 16)
				return fail(err, ST_CORRUPT,
					    "the name of the backing file's format has %u bytes",
					    bytes);
			st = read_text(file, at, bytes, "backing format", &h->backing_format, err);
			break;
		case EXTENSION_DATA_FILE:
			if (bytes > QCOW2_BACKING_NAME_MAX)
				return fail(err, ST_CORRUPT,
					    "the name of the data file has %u bytes", bytes);
			st = read_text(file, at, bytes, "data file name", &h->data_file, err);
			break;
		case EXTENSION_CRYPTO:
			st = read_crypto_extension(file, at, bytes, h, err);
			break;
		case EXTENSION_BITMAPS:
			st = read_bitmaps_extension(file, at, bytes, h, err);
			break;
		case EXTENSION_FEATURES:
			features = at;
			features_bytes = bytes;
			break;
		default:
			break; /* unknown extensions may be skipped */
		}
		if (st != ST_OK)
			return st;
		at += min_u64(round_up(bytes, 8), end - at);
	}
	return check_incompatible(file, h, features, features_bytes, err);
}

static enum status read_backing_name(struct blk *file, const struct disk_header *disk,
				     struct qcow2_header *h, struct error *err)
{
	uint64_t offset = be64_get(disk->backing_offset);
	uint32_t bytes = be32_get(disk->backing_bytes);

	if (bytes > QCOW2_BACKING_NAME_MAX || !range_ok(offset, bytes, qcow2_cluster_bytes(h)))
		return fail(err, ST_CORRUPT,
			    "the name of the backing file, %u bytes at 0x%jx, is too long or not "
			    "in the first cluster",
			    bytes, offset);
	return read_text(file, offset, bytes, "backing file name", &h->backing_name, err);
}

enum status qcow2_header_read(struct blk *file, struct qcow2_header *ret, struct error *err)
{
	struct disk_header disk;
	uint64_t extensions = 0, backing_offset;
	enum status st = blk_read_padded(file, 0, &disk, sizeof disk);

	*ret = (struct qcow2_header){ 0 };
	if (st != ST_OK)
		return read_failed(err, st, "qcow2 header");
	if (be32_get(disk.magic) == QCOW2_MAGIC &&
	    file->size < (be32_get(disk.version) >= 3 ? V3_HEADER_BYTES_MIN : V2_HEADER_BYTES))
		return fail(err, ST_CORRUPT,
			    "the file ends after %ju bytes, in the middle of its qcow2 header",
			    file->size);
	st = decode(&disk, ret, &extensions, err);
	if (st != ST_OK)
		return st;
	backing_offset = be64_get(disk.backing_offset);
	if (backing_offset > qcow2_cluster_bytes(ret))
		return fail(err, ST_CORRUPT,
			    "the name of the backing file at 0x%jx is not in the first cluster",
			    backing_offset);
	/*
	 * The extensions before the checks: they have the names of features that are not known
	 * here.
	 */
	st = read_extensions(file, extensions,
			     backing_offset != 0 ? backing_offset : qcow2_cluster_bytes(ret), ret,
			     err);
	if (st == ST_OK)
		st = check_features(ret, err);
	if (st == ST_OK)
		st = check_tables(ret, err);
	if (st == ST_OK && backing_offset != 0)
		st = read_backing_name(file, &disk, ret, err);
	if (st == ST_OK && ret->backing_name != NULL && ret->backing_name[0] == '\0') {
		mem_free(ret->backing_name); /* an empty name is none, as for QEMU */
		ret->backing_name = NULL;
	}
	return st;
}
