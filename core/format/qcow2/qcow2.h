/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/error.h"
#include "base/tree.h"
#include "blk/blk.h"
#include "format/image.h"

/*
 * What the files of this folder share. Sections are those of docs/interop/qcow2.txt of QEMU 7.2
 * ("the specification"); on disk all numbers are big-endian.
 */

enum {
	QCOW2_MAGIC = 0x514649fb,
	QCOW2_CLUSTER_BITS_MIN = 9,
	QCOW2_CLUSTER_BITS_MAX = 21,
	QCOW2_CLUSTER_BITS_EXTENDED_MIN = 14, /* subclusters are at least 512 bytes */
	QCOW2_REFCOUNT_ORDER_MAX = 6,
	QCOW2_BACKING_NAME_MAX = 1023, /* bytes */
	QCOW2_SNAPSHOTS_MAX = 65536,
	QCOW2_BITMAPS_MAX = 65535,
	QCOW2_BITMAP_NAME_MAX = 1023, /* bytes */
	/* enough for 2 PiB with clusters of 64 KiB, 2 EiB with 2 MiB */
	QCOW2_L1_BYTES_MAX = 32 << 20,
	QCOW2_REFTABLE_BYTES_MAX = 8 << 20,
};

/* Host offsets in L1 and L2 entries have bits 9 to 55. */
#define QCOW2_OFFSET_LIMIT ((uint64_t)1 << 56)
#define QCOW2_COPIED       ((uint64_t)1 << 63)

/* Section "Header": feature bits. */
enum {
	QCOW2_INCOMPAT_DIRTY = 1,
	QCOW2_INCOMPAT_CORRUPT = 2,
	QCOW2_INCOMPAT_DATA_FILE = 4,
	QCOW2_INCOMPAT_COMPRESSION = 8,
	QCOW2_INCOMPAT_EXTENDED_L2 = 16,
	QCOW2_INCOMPAT_KNOWN = 31
};
enum { QCOW2_COMPAT_LAZY_REFCOUNTS = 1 };
enum { QCOW2_AUTOCLEAR_BITMAPS = 1, QCOW2_AUTOCLEAR_RAW_DATA = 2, QCOW2_AUTOCLEAR_KNOWN = 3 };

enum { QCOW2_CRYPT_NONE, QCOW2_CRYPT_AES, QCOW2_CRYPT_LUKS, N_QCOW2_CRYPTS };
enum { QCOW2_COMPRESSION_ZLIB, QCOW2_COMPRESSION_ZSTD, N_QCOW2_COMPRESSIONS };

/* The names of the compression types, by their number; ends with NULL. */
extern const char *const qcow2_compression_names[];

/* The header with its extensions, in host form. Texts are owned; NULL where the image has none. */
struct qcow2_header {
	uint32_t version; /* 2 or 3 */
	uint32_t cluster_bits;
	uint64_t size;
	uint32_t crypt_method;
	uint32_t l1_entries;
	uint64_t l1_offset;
	uint64_t reftable_offset;
	uint32_t reftable_clusters;
	uint32_t n_snapshots;
	uint64_t snapshots_offset;
	uint64_t incompatible, compatible, autoclear; /* 0 in version 2 */
	uint32_t refcount_order;                      /* 4 in version 2 */
	uint32_t compression_type;
	char *backing_name;
	char *backing_format;
	char *data_file;
	struct qcow2_bitmaps_place {
		uint32_t n;
		uint64_t directory_bytes, directory_offset;
	} bitmaps; /* n = 0: none */
	/*
	 * what the image says of bitmaps counts no more: somebody who does not know them has
	 * written to it
	 */
	bool has_stale_bitmaps;
	struct {
		uint64_t offset, bytes;
	} luks; /* where the LUKS header is; bytes = 0: none */
};

static inline uint64_t qcow2_cluster_bytes(const struct qcow2_header *header)
{
	return (uint64_t)1 << header->cluster_bits;
}

/* Bytes of one L2 entry, and of guest data that one L2 table maps. */
static inline uint64_t qcow2_l2_entry_bytes(const struct qcow2_header *header)
{
	return (header->incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0 ? 16 : 8;
}

/* Refcounts in one refcount block. */
static inline uint64_t qcow2_refcounts_per_block(const struct qcow2_header *header)
{
	return qcow2_cluster_bytes(header) * 8 >> header->refcount_order;
}

static inline uint64_t qcow2_l2_coverage(const struct qcow2_header *header)
{
	return qcow2_cluster_bytes(header) / qcow2_l2_entry_bytes(header) *
	       qcow2_cluster_bytes(header);
}

/* ---- header.c ---- */

/*
 * Reads and checks the header and its extensions. On failure *ret is to be freed as well.
 * ST_CORRUPT, ST_UNSUPPORTED, ST_IO, ST_NO_MEMORY.
 */
enum status qcow2_header_read(struct blk *file, struct qcow2_header *ret, struct error *);
void qcow2_header_free(struct qcow2_header *);

/*
 * The header, its extensions and the backing file's name as they stand in the first `*ret_bytes`
 * bytes of the image, in a buffer that the caller frees. ST_TOO_LARGE when they do not fit into the
 * first cluster.
 */
enum status qcow2_header_encode(const struct qcow2_header *, uint8_t **ret, size_t *ret_bytes,
				struct error *);

/* The data of the bitmaps extension. */
enum { QCOW2_BITMAPS_EXTENSION_BYTES = 24 };
void qcow2_bitmaps_encode_place(const struct qcow2_bitmaps_place *,
				uint8_t to[static QCOW2_BITMAPS_EXTENSION_BYTES]);

/* What a header extension says of feature bits: their names, in the form of the disk. */
const void *qcow2_feature_names(size_t *ret_bytes);

/* These change the autoclear and the incompatible feature bits of an image of version 3. */
enum status qcow2_header_write_autoclear(struct blk *file, uint64_t autoclear);
enum status qcow2_header_write_incompatible(struct blk *file, uint64_t incompatible);

/*
 * These change some fields that belong together, each with one write inside of one sector: where
 * the refcount table is,
 */
enum status qcow2_header_write_reftable(struct blk *file, uint64_t offset, uint32_t n_clusters);
/* that, the width of refcounts and all feature bits (version 3 only), */
enum status qcow2_header_write_features(struct blk *file, const struct qcow2_header *);
/* the size of the disk and where its L1 table is, where the snapshot table is, and where all three
 * tables are. */
enum status qcow2_header_write_disk(struct blk *file, const struct qcow2_header *);
enum status qcow2_header_write_tables(struct blk *file, const struct qcow2_header *);
enum status qcow2_header_write_snapshots(struct blk *file, const struct qcow2_header *);

/* ---- snapshots ---- */

/*
 * Section "Snapshots": followed by extra data, the id and the name, and padded to a multiple of 8
 * bytes.
 */
struct qcow2_disk_snapshot {
	be64 l1_offset;
	be32 l1_entries;
	uint8_t id_bytes[2], name_bytes[2];
	be32 date_seconds, date_nanoseconds;
	be64 clock_nanoseconds;
	be32 vm_state_bytes;
	be32 extra_bytes;
};
_Static_assert(sizeof(struct qcow2_disk_snapshot) == 40, "");
_Static_assert(offsetof(struct qcow2_disk_snapshot, date_seconds) == 16, "");
_Static_assert(offsetof(struct qcow2_disk_snapshot, clock_nanoseconds) == 24, "");
_Static_assert(offsetof(struct qcow2_disk_snapshot, extra_bytes) == 36, "");

struct qcow2_disk_snapshot_extra {
	be64 vm_state_bytes, disk_bytes, icount;
};
_Static_assert(sizeof(struct qcow2_disk_snapshot_extra) == 24, "");

enum { QCOW2_SNAPSHOT_EXTRA_MAX = 1024, QCOW2_SNAPSHOT_TABLE_MAX = 64 << 20 }; /* bytes */

/* ---- bitmaps ---- */

/*
 * Section "Bitmap directory": followed by extra data and the name, and padded to a multiple of 8
 * bytes.
 */
struct qcow2_disk_bitmap {
	be64 table_offset;
	be32 table_entries;
	be32 flags;
	uint8_t type;
	uint8_t granularity_bits;
	uint8_t name_bytes[2];
	be32 extra_bytes;
};
_Static_assert(sizeof(struct qcow2_disk_bitmap) == 24, "");
_Static_assert(offsetof(struct qcow2_disk_bitmap, flags) == 12, "");
_Static_assert(offsetof(struct qcow2_disk_bitmap, granularity_bits) == 17, "");

enum { QCOW2_BITMAP_FLAG_IN_USE = 1, QCOW2_BITMAP_FLAG_AUTO = 2, QCOW2_BITMAP_FLAGS_KNOWN = 7 };
enum {
	QCOW2_BITMAP_TYPE_DIRTY = 1,
	QCOW2_GRANULARITY_BITS_MIN = 9,
	QCOW2_GRANULARITY_BITS_MAX = 31,
	QCOW2_BITMAP_BYTES_MAX = 512 << 20 /* QEMU opens no image with a larger one */
};

/* ---- luks.c ---- */

enum { LUKS_SLOTS = 8 };

/* What the LUKS1 header of an encrypted image says, in QEMU's names. */
struct qcow2_luks {
	char cipher_alg[48], cipher_mode[33], ivgen_alg[33], ivgen_hash_alg[33], hash_alg[33],
		uuid[41];
	uint64_t payload_offset; /* bytes */
	uint32_t master_key_iters;
	struct {
		bool active;
		uint32_t iters, stripes;
		uint64_t key_offset; /* bytes */
	} slot[LUKS_SLOTS];
};

enum status qcow2_luks_read(struct blk *file, const struct qcow2_header *, struct qcow2_luks *ret,
			    struct error *);
void qcow2_luks_describe(const struct qcow2_luks *, struct tree *); /* the members of "encrypt" */

/* ---- refcounts_new.c ---- */

/*
 * All refcounts of a file in new clusters after everything that it has: blocks, then the table
 * that lists them.
 */
struct qcow2_new_refcounts {
	struct blk *file;
	uint32_t cluster_bits, refcount_order;
	uint64_t n_clusters; /* of the file without them */

	/*
	 * Puts the refcounts of `n` > 0 clusters from `first` on into the beginning of a block,
	 * which has zeros.
	 */
	enum status (*fill)(void *arg, uint64_t first, uint64_t n, uint8_t *block);
	void *arg;

	uint64_t n_blocks, n_table; /* clusters; after qcow2_new_refcounts_plan() */
};

/* Says how many clusters they take; needs neither `file` nor `fill`. ST_TOO_LARGE. */
enum status qcow2_new_refcounts_plan(struct qcow2_new_refcounts *);

static inline uint64_t qcow2_new_refcounts_table(const struct qcow2_new_refcounts *n)
{
	return (n->n_clusters + n->n_blocks) << n->cluster_bits;
}

static inline uint64_t qcow2_new_refcounts_end(const struct qcow2_new_refcounts *n)
{
	return (n->n_clusters + n->n_blocks + n->n_table) << n->cluster_bits;
}

/*
 * Writes and flushes them, as planned; `block` is room for one cluster. Nothing refers to them
 * before the caller makes the header do so, with one write: qcow2_new_refcounts_table() and
 * n_table. On failure the file may have become longer. Asks whether to stop: ST_CANCELLED.
 */
enum status qcow2_new_refcounts_write(const struct qcow2_new_refcounts *, uint8_t *block);

/* ---- create.c ---- */

/* What the options compat and refcount_bits, which were given, say. ST_INVALID. */
uint32_t qcow2_version_option(const struct create_values *);
enum status qcow2_refcount_option(const struct create_values *, uint32_t *ret_order,
				  struct error *);

extern const struct create_option qcow2_create_options[];
enum status qcow2_plan(const struct create_request *, struct create_plan *ret, struct error *);
enum status qcow2_measure(const struct create_request *, const struct image *source,
			  struct image_measure *ret, struct error *);
enum status qcow2_write_files(const struct create_request *, struct blk *const file[],
			      struct error *);
bool qcow2_resumable(const struct create_values *);
