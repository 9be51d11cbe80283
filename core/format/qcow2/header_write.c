/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Writing the header of an image: all of it for a new one, and groups of fields of one that there
 * is. A group lies in one sector of 512 bytes, so that it is on the medium as a whole or not at
 * all: that is the step by which commit.c, switch.c, resize.c and amend.c change from one state to
 * the next. What changes the length of the header is header_change.c.
 */
#include "format/qcow2/disk_header.h"

#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"

static const struct disk_feature feature_names[] = {
	{ 0, 0, "dirty bit" },
	{ 0, 1, "corrupt bit" },
	{ 0, 2, "external data file" },
	{ 0, 3, "compression type" },
	{ 0, 4, "extended L2 entries" },
	{ 1, 0, "lazy refcounts" },
	{ 2, 0, "bitmaps" },
	{ 2, 1, "raw external data" },
};

const void *qcow2_feature_names(size_t *ret_bytes)
{
	*ret_bytes = sizeof feature_names;
	return feature_names;
}

static size_t padded(size_t bytes)
{
	return (size_t)round_up(bytes, 8);
}

static size_t extension_bytes(size_t data_bytes)
{
	return sizeof(struct disk_extension) + padded(data_bytes);
}

static uint8_t *put_extension(uint8_t *to, uint32_t type, const void *data, size_t bytes)
{
	struct disk_extension extension = { be32_of(type), be32_of((uint32_t)bytes) };

	memcpy(to, &extension, sizeof extension);
	memcpy(to + sizeof extension, data, bytes);
	return to + extension_bytes(bytes);
}

static struct disk_header encode_fixed(const struct qcow2_header *h, size_t header_bytes)
{
	return (struct disk_header){
		.magic = be32_of(QCOW2_MAGIC),
		.version = be32_of(h->version),
		.cluster_bits = be32_of(h->cluster_bits),
		.size = be64_of(h->size),
		.crypt_method = be32_of(h->crypt_method),
		.l1_entries = be32_of(h->l1_entries),
		.l1_offset = be64_of(h->l1_offset),
		.reftable_offset = be64_of(h->reftable_offset),
		.reftable_clusters = be32_of(h->reftable_clusters),
		.n_snapshots = be32_of(h->n_snapshots),
		.snapshots_offset = be64_of(h->snapshots_offset),
		.incompatible = be64_of(h->incompatible),
		.compatible = be64_of(h->compatible),
		.autoclear = be64_of(h->autoclear),
		.refcount_order = be32_of(h->refcount_order),
		.header_bytes = be32_of((uint32_t)header_bytes),
		.compression_type = (uint8_t)h->compression_type,
	};
}

void qcow2_bitmaps_encode_place(const struct qcow2_bitmaps_place *place,
				uint8_t to[static QCOW2_BITMAPS_EXTENSION_BYTES])
{
	struct disk_bitmaps disk = {
		.n = be32_of(place->n),
		.directory_bytes = be64_of(place->directory_bytes),
		.directory_offset = be64_of(place->directory_offset),
	};

	memcpy(to, &disk, sizeof disk);
}

enum status qcow2_header_encode(const struct qcow2_header *h, uint8_t **ret, size_t *ret_bytes,
				struct error *err)
{
	size_t header_bytes = h->version >= 3 ? sizeof(struct disk_header) : V2_HEADER_BYTES;
	size_t backing_bytes = h->backing_name != NULL ? text_length(h->backing_name) : 0;
	size_t needed = header_bytes + sizeof(struct disk_extension), features_bytes = 0;
	struct disk_header disk = encode_fixed(h, header_bytes);
	uint8_t *buf, *to;

	/* a new image has neither */
	CHECK(h->crypt_method == QCOW2_CRYPT_NONE && h->bitmaps.n == 0);
	if (h->backing_format != NULL)
		needed += extension_bytes(text_length(h->backing_format));
	if (h->data_file != NULL)
		needed += extension_bytes(text_length(h->data_file));
	needed += backing_bytes;
	if (backing_bytes > QCOW2_BACKING_NAME_MAX || needed > qcow2_cluster_bytes(h))
		return fail(err, ST_TOO_LARGE,
			    "the names of the backing and data file are too long for the header "
			    "(%zu bytes; a name can have %d, all of it one cluster of %ju); use "
			    "shorter names or larger clusters",
			    needed, QCOW2_BACKING_NAME_MAX, qcow2_cluster_bytes(h));
	/* The table of feature names is a courtesy: it goes where there is no room for it. */
	if (h->version >= 3 &&
	    needed + extension_bytes(sizeof feature_names) <= qcow2_cluster_bytes(h))
		features_bytes = sizeof feature_names;
	needed += features_bytes > 0 ? extension_bytes(features_bytes) : 0;

	buf = mem_alloc(needed);
	if (buf == NULL)
		return fail_no_memory(err);
	to = buf + header_bytes;
	if (h->backing_format != NULL)
		to = put_extension(to, EXTENSION_BACKING_FORMAT, h->backing_format,
				   text_length(h->backing_format));
	if (h->data_file != NULL)
		to = put_extension(to, EXTENSION_DATA_FILE, h->data_file,
				   text_length(h->data_file));
	if (features_bytes > 0)
		to = put_extension(to, EXTENSION_FEATURES, feature_names, sizeof feature_names);
	to = put_extension(to, EXTENSION_END, "", 0);
	if (backing_bytes > 0) {
		disk.backing_offset = be64_of((uint64_t)(to - buf));
		disk.backing_bytes = be32_of((uint32_t)backing_bytes);
		memcpy(to, h->backing_name, backing_bytes);
	}
	memcpy(buf, &disk, header_bytes);
	*ret = buf;
	*ret_bytes = needed;
	return ST_OK;
}

enum status qcow2_header_write_autoclear(struct blk *file, uint64_t autoclear)
{
	be64 field = be64_of(autoclear);

	return blk_write(file, offsetof(struct disk_header, autoclear), &field, sizeof field);
}

enum status qcow2_header_write_incompatible(struct blk *file, uint64_t incompatible)
{
	be64 field = be64_of(incompatible);

	return blk_write(file, offsetof(struct disk_header, incompatible), &field, sizeof field);
}

enum status qcow2_header_write_reftable(struct blk *file, uint64_t offset, uint32_t n_clusters)
{
	struct {
		be64 offset;
		be32 n_clusters;
	} fields = { be64_of(offset), be32_of(n_clusters) };

	_Static_assert(sizeof fields == 12, "");
	return blk_write(file, offsetof(struct disk_header, reftable_offset), &fields,
			 sizeof fields);
}

enum status qcow2_header_write_features(struct blk *file, const struct qcow2_header *h)
{
	struct disk_header disk = encode_fixed(h, 0);
	const size_t first = offsetof(struct disk_header, reftable_offset),
		     end = offsetof(struct disk_header, header_bytes);

	return blk_write(file, first, (const uint8_t *)&disk + first, end - first);
}

enum status qcow2_header_write_disk(struct blk *file, const struct qcow2_header *h)
{
	struct {
		be64 size;
		be32 crypt_method, l1_entries;
		be64 l1_offset;
	} fields = { be64_of(h->size), be32_of(h->crypt_method), be32_of(h->l1_entries),
		     be64_of(h->l1_offset) };

	_Static_assert(sizeof fields == offsetof(struct disk_header, reftable_offset) -
						offsetof(struct disk_header, size),
		       "");
	return blk_write(file, offsetof(struct disk_header, size), &fields, sizeof fields);
}

enum status qcow2_header_write_tables(struct blk *file, const struct qcow2_header *h)
{
	struct {
		be32 l1_entries;
		be64 l1_offset, reftable_offset;
		be32 reftable_clusters, n_snapshots;
		be64 snapshots_offset;
	} fields = { be32_of(h->l1_entries),      be64_of(h->l1_offset),
		     be64_of(h->reftable_offset), be32_of(h->reftable_clusters),
		     be32_of(h->n_snapshots),     be64_of(h->snapshots_offset) };

	_Static_assert(sizeof fields == V2_HEADER_BYTES - offsetof(struct disk_header, l1_entries),
		       "");
	return blk_write(file, offsetof(struct disk_header, l1_entries), &fields, sizeof fields);
}

enum status qcow2_header_write_snapshots(struct blk *file, const struct qcow2_header *h)
{
	struct {
		be32 n;
		be64 offset;
	} fields = { be32_of(h->n_snapshots), be64_of(h->snapshots_offset) };

	_Static_assert(sizeof fields == 12, "");
	return blk_write(file, offsetof(struct disk_header, n_snapshots), &fields, sizeof fields);
}
