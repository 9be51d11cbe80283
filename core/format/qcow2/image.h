#pragma once

#include "format/qcow2/cache.h"
#include "format/qcow2/qcow2.h"

/* A qcow2 image that is open. */
struct qcow2_image {
	struct image image; /* first: a struct image * that comes in is a struct qcow2_image * */
	struct qcow2_header header;
	struct qcow2_bitmap *bitmaps;
	struct qcow2_luks luks;

	/* From here on: after load. */
	bool has_data_file;
	uint64_t *l1;           /* header.l1_entries */
	struct qcow2_cache l2_cache;
	struct codec *codec;
	uint8_t *cluster;       /* one compressed cluster, decompressed; cluster_bytes */
	uint64_t cluster_entry; /* which: its offset in the file; UINT64_MAX: none */
	uint8_t *packed;        /* room for its compressed form: two clusters */
};

/* ---- map.c ---- */

enum qcow2_mapping_kind { QCOW2_MAP_HOLE, QCOW2_MAP_ZERO, QCOW2_MAP_DATA, QCOW2_MAP_COMPRESSED };

struct qcow2_mapping {
	enum qcow2_mapping_kind kind;
	uint64_t length;           /* bytes from the offset that was asked for, > 0 */
	bool has_offset;           /* DATA, and preallocated ZERO and HOLE: host clusters belong to it */
	uint64_t offset;           /* of its first byte in the data file; COMPRESSED: of the stream in the image */
	uint32_t compressed_bytes; /* COMPRESSED: at most this long */
};

/*
 * Where the bytes from `offset` on are, for at most `len` > 0 of them and as far as they are alike; the caller knows that they are
 * on the disk. ST_CORRUPT: the tables contradict themselves.
 */
enum status qcow2_map(struct qcow2_image *, uint64_t offset, uint64_t len, struct qcow2_mapping *ret);

/* ---- read.c ---- */

extern const struct blk_ops qcow2_read_ops;
enum status qcow2_load(struct image *, struct error *);
void qcow2_unload(struct qcow2_image *);
