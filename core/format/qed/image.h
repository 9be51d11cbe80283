/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/bytes.h"
#include "format/block_map.h"
#include "format/create.h"
#include "format/image.h"
#include "format/two_level.h"

/* What the files of this folder share. Sections are those of docs/interop/qed_spec.txt of QEMU. */

enum {
	QED_CLUSTER_BYTES_MIN = 4096,
	QED_CLUSTER_BYTES_MAX = 64 << 20,
	QED_TABLE_CLUSTERS_MAX = 16,
	QED_HEADER_BYTES = 64,
	QED_SECTOR_BYTES = 512,      /* that are written whole or not at all */
	QED_BACKING_NAME_MAX = 1023, /* bytes, as for QEMU */
	QED_ENTRY_BYTES = 8,
	QED_ENTRY_ZERO = 1, /* section "Data cluster lookup": an entry of an L2 table */
};

enum {
	QED_BACKING = 1,     /* there is a backing file */
	QED_NEED_CHECK = 2,  /* was not closed cleanly */
	QED_BACKING_RAW = 4, /* it is raw, and is not probed */
	QED_FEATURES_KNOWN = 7,
};

/* Places of fields that are written alone. */
enum { QED_AT_FEATURES = 16, QED_AT_AUTOCLEAR = 32, QED_AT_SIZE = 48 };

/* Section "Header", as far as it is needed. */
struct qed_header {
	uint64_t cluster_bytes;
	uint64_t table_bytes; /* of an L1 or L2 table, whole clusters */
	uint64_t bytes;       /* of the header, whole clusters */
	uint64_t features, autoclear;
	uint64_t l1_offset;
	uint64_t size; /* of the disk, bytes */
	uint32_t backing_at, backing_bytes;
};

static inline uint64_t qed_table_entries(const struct qed_header *h)
{
	return h->table_bytes / QED_ENTRY_BYTES;
}

/* The bytes of the disk that one L2 table maps. At most 2^53. */
static inline uint64_t qed_l2_coverage(const struct qed_header *h)
{
	return qed_table_entries(h) * h->cluster_bytes;
}

struct qed_image {
	struct image image; /* first */
	struct blk *file;   /* image.file[0].blk */
	struct qed_header header;
	/* no cluster is in use from here on: a multiple of the cluster size */
	uint64_t end;
	struct two_level tables;
	struct block_map map;
};

static inline struct qed_image *qed_of(struct blk *blk)
{
	return (struct qed_image *)blk;
}

/* ---- header.c ---- */

/* Largest disk that tables of this size can map, a multiple of 512. */
uint64_t qed_size_max(uint64_t cluster_bytes, uint64_t table_bytes);

/* Reads and checks the header, and the name of the backing file into the image. */
enum status qed_header_read(struct qed_image *, struct error *);

/*
 * Makes the first bytes of a header: QED_HEADER_BYTES, and the name where it begins in the first
 * sector.
 */
void qed_header_encode(const struct qed_header *, uint8_t ret[static QED_HEADER_BYTES]);

/* Writes one field of 8 bytes, and flushes. */
enum status qed_write_field(struct qed_image *, uint64_t at, uint64_t value);

/* Sets the feature QED_NEED_CHECK on the medium, before anything is allocated; or clears it. */
enum status qed_set_need_check(struct qed_image *, bool on);

/* A change_ops' set_backing. */
enum status qed_set_backing(struct image *, const char *name, const char *format, bool write,
			    struct error *);

/* ---- qed.c ---- */

/* Members of blk_ops, block_ops and two_level_ops. */
enum status qed_read(struct blk *, uint64_t offset, void *buf, size_t len);
enum status qed_extent(struct blk *, uint64_t offset, uint64_t len, struct extent *ret);
enum status qed_find(struct block_map *, uint64_t offset, uint64_t len, struct block_run *ret);
enum status qed_check_table(const struct two_level *, uint64_t offset);

/* Whether a cluster of data, or an L2 table, can be at `offset` of a file that ends at `end`. */
bool qed_cluster_fits(const struct qed_header *, uint64_t offset, uint64_t end);
bool qed_table_fits(const struct qed_header *, uint64_t offset, uint64_t end);

/* ---- write.c ---- */

extern const struct block_ops qed_block_ops;
extern const struct two_level_ops qed_table_ops;
extern const struct blk_ops qed_write_ops;

enum status qed_load_for_writing(struct qed_image *, struct error *);

/* change_ops' members. */
enum status qed_plan_resize(const struct image *, uint64_t size, enum prealloc, uint64_t ret[],
			    struct error *);
enum status qed_make_empty(struct image *);
enum status qed_store_zeros(struct image *, uint64_t offset, uint64_t len);

/* ---- check.c ---- */

enum status qed_check(struct image *, struct out *problems, struct check_result *ret,
		      struct error *);
enum status qed_repair(struct image *, enum repair, struct out *problems, struct check_result *ret,
		       struct error *);

/*
 * Checks the image, and says where the last cluster that is in use ends. ST_CORRUPT: there are
 * corruptions, so that it cannot be written to.
 */
enum status qed_find_end(struct qed_image *, uint64_t *ret_end, struct error *);

/* ---- create.c ---- */

extern const struct create_option qed_create_options[];
enum status qed_plan(const struct create_request *, struct create_plan *ret, struct error *);
enum status qed_measure(const struct create_request *, const struct image *source,
			struct image_measure *ret, struct error *);
enum status qed_write_files(const struct create_request *, struct blk *const file[],
			    struct error *);
