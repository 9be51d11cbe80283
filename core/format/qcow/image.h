/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/bytes.h"
#include "codec/codec.h"
#include "format/block_map.h"
#include "format/create.h"
#include "format/image.h"
#include "format/two_level.h"

/* What the files of this folder share. */

#define QCOW_COMPRESSED (UINT64_C(1) << 63) /* of an L2 entry */

enum {
	QCOW_MAGIC = 0x514649fb,
	QCOW_HEADER_BYTES = 48,
	QCOW_SECTOR_BYTES = 512, /* that are written whole or not at all */
	QCOW_CLUSTER_BITS_MIN = 9,
	QCOW_CLUSTER_BITS_MAX = 16,
	QCOW_L2_BITS_MIN = 6,
	QCOW_L2_BITS_MAX = 13,
	QCOW_BACKING_NAME_MAX = 1023,
	QCOW_ENTRY_BYTES = 8,
	QCOW_L1_ENTRIES_MAX = INT32_MAX / QCOW_ENTRY_BYTES, /* as QEMU */
};

enum { QCOW_CRYPT_NONE = 0, QCOW_CRYPT_AES = 1 };

struct qcow_header {
	uint64_t backing_at; /* 0: there is no backing file */
	uint32_t backing_bytes;
	uint32_t mtime; /* kept as it is */
	uint64_t size;  /* of the disk, bytes */
	uint8_t cluster_bits;
	uint8_t l2_bits; /* of the number of entries of an L2 table */
	uint32_t crypt;
	uint64_t l1_offset;
};

static inline uint64_t qcow_cluster_bytes(const struct qcow_header *h)
{
	return UINT64_C(1) << h->cluster_bits;
}

static inline uint64_t qcow_l2_bytes(const struct qcow_header *h)
{
	return (uint64_t)QCOW_ENTRY_BYTES << h->l2_bits;
}

/* How many entries the L1 table has, for this size of the disk. */
static inline uint64_t qcow_l1_entries(const struct qcow_header *h)
{
	unsigned bits = (unsigned)h->cluster_bits + h->l2_bits;

	return (h->size >> bits) + ((h->size & ((UINT64_C(1) << bits) - 1)) != 0);
}

struct qcow_image {
	struct image image; /* first */
	struct blk *file;   /* image.file[0].blk */
	struct qcow_header header;
	uint64_t end; /* nothing is in use from here on */
	struct two_level tables;
	struct block_map map;
	struct codec *codec;
	uint8_t *packed; /* the bytes of a compressed cluster */
};

static inline struct qcow_image *qcow_of(struct blk *blk)
{
	return (struct qcow_image *)blk;
}

/* ---- header.c ---- */

/* Reads and checks the header, and the name of the backing file into the image. */
enum status qcow_header_read(struct qcow_image *, struct error *);
void qcow_header_encode(const struct qcow_header *, uint8_t ret[static QCOW_HEADER_BYTES]);

/* A change_ops' set_backing. */
enum status qcow_set_backing(struct image *, const char *name, const char *format, bool write,
			     struct error *);

/* ---- qcow.c ---- */

/* Members of blk_ops, block_ops and two_level_ops. */
enum status qcow_read(struct blk *, uint64_t offset, void *buf, size_t len);
enum status qcow_extent(struct blk *, uint64_t offset, uint64_t len, struct extent *ret);
enum status qcow_find(struct block_map *, uint64_t offset, uint64_t len, struct block_run *ret);
enum status qcow_unpack(struct block_map *, uint64_t offset, const struct block_run *, void *ret);
enum status qcow_check_table(const struct two_level *, uint64_t offset);

/* What an entry of an L2 table says of its cluster; ST_CORRUPT if it does not lie before `end`. */
enum status qcow_decode(const struct qcow_header *, uint64_t entry, uint64_t end,
			struct block_run *ret);

/* ---- write.c ---- */

extern const struct block_ops qcow_block_ops;
extern const struct two_level_ops qcow_table_ops;

enum status qcow_load_for_writing(struct qcow_image *, struct error *);

/* change_ops' members. */
enum status qcow_make_empty(struct image *);
enum status qcow_store_zeros(struct image *, uint64_t offset, uint64_t len);
enum status qcow_write_compressed(struct image *, uint64_t offset, const void *packed, size_t n);

/* ---- check.c ---- */

enum status qcow_check(struct image *, struct out *problems, struct check_result *ret,
		       struct error *);

/* ---- create.c ---- */

extern const struct create_option qcow_create_options[];
enum status qcow_plan(const struct create_request *, struct create_plan *ret, struct error *);
enum status qcow_measure(const struct create_request *, const struct image *source,
			 struct image_measure *ret, struct error *);
enum status qcow_write_files(const struct create_request *, struct blk *const file[],
			     struct error *);
