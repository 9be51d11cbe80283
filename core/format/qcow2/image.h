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

	/* From here on: where it was loaded for writing. Tables in memory are ahead of those in the file until qcow2_commit(). */
	uint64_t *reftable;     /* n_reftable entries */
	uint64_t n_reftable;
	bool reftable_changed;
	bool reftable_moves;    /* it has outgrown its place in the file */
	struct qcow2_cache refcount_cache;
	uint64_t next_cluster;  /* where new clusters are looked for */
	uint64_t l1_changed_first, l1_changed_end; /* L1 entries that the file does not have yet; end 0: none */
	struct qcow2_run {
		uint64_t first, n; /* clusters */
	} *released;            /* given up, but still referred to on the medium */
	size_t n_released, released_capacity;
	uint64_t pack_offset;   /* where the next compressed cluster goes, inside of a cluster that has others; 0: none has room */
	uint8_t *copy;          /* one cluster, for what is kept of it when a part is written */
};

enum {
	QCOW2_RELEASED_MAX = 65536,  /* runs; a commit is due then */
	QCOW2_SEARCH_MAX = 1 << 20,  /* clusters behind the end of the file that may claim to be in use */
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

/* ---- refcount.c ---- */

uint64_t qcow2_refcount_max(const struct qcow2_image *);
enum status qcow2_refcount_get(struct qcow2_image *, uint64_t cluster, uint64_t *ret);

/*
 * Takes `n` > 0 clusters behind each other; they have the refcount 1. ST_NO_MEMORY, ST_TOO_LARGE, ST_IO.
 */
enum status qcow2_alloc(struct qcow2_image *, uint64_t n, uint64_t *ret_offset);

/* One more user of a cluster that has some. ST_TOO_LARGE: its refcount is at its maximum. */
enum status qcow2_ref(struct qcow2_image *, uint64_t cluster);

/* Gives up what lies in these bytes of the file, one user of each cluster that they touch: as soon as the medium does not refer to it any more. */
enum status qcow2_unref(struct qcow2_image *, uint64_t offset, uint64_t bytes);

/* For commit.c: lowers a refcount now. */
enum status qcow2_release_one(struct qcow2_image *, uint64_t cluster);

/* ---- commit.c ---- */

/* Before an operation: writes changed tables if there may not be room for those that it will change. */
enum status qcow2_make_room(struct qcow2_image *);
/* Writes all metadata in its order; qcow2_flush(): and sees to it that all of it is on the medium. */
enum status qcow2_commit(struct qcow2_image *);
enum status qcow2_flush(struct qcow2_image *);

/* ---- write.c ---- */

extern const struct blk_ops qcow2_write_ops;
enum status qcow2_write_compressed(struct image *, uint64_t offset, const void *packed, size_t n);

/* ---- read.c ---- */

enum status qcow2_read(struct blk *, uint64_t offset, void *buf, size_t len);
enum status qcow2_extent(struct blk *, uint64_t offset, uint64_t len, struct extent *ret);
enum status qcow2_load(struct image *, struct error *);
void qcow2_unload(struct qcow2_image *);
