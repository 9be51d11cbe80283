/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/table_cache.h"
#include "format/qcow2/qcow2.h"

/* A qcow2 image that is open. */
struct qcow2_image {
	struct image image; /* first: a struct image * that comes in is a struct qcow2_image * */
	struct blk *file;   /* image.file[0]: has all but what is in a data file */
	struct qcow2_header header;
	struct qcow2_bitmap {
		uint64_t table_offset;
		uint32_t table_entries;
		uint32_t flags;       /* as they are on the medium */
		uint32_t extra_bytes; /* of data about it that is not known here */
		/* where in the file its flags are; 0: nowhere yet */
		uint64_t flags_at;
		/* marked in use on the medium, since what it has here is ahead of that */
		bool changing;
	} * bitmaps;             /* beside image.bitmaps */
	uint64_t directory_rest; /* bytes of the directory after the last bitmap; sound: 0 */
	struct qcow2_luks luks;
	struct qcow2_snapshot {
		uint64_t l1_offset;
		uint32_t l1_entries;
		/* false: nothing is said of the disk's size then; it is that of now */
		bool has_disk_bytes;
		uint64_t disk_bytes;
		uint64_t table_at, table_bytes; /* its entry in the snapshot table */
	} * snapshots;                          /* beside image.snapshots */
	uint64_t snapshots_bytes;               /* of the table */

	bool has_data_file;

	/* From here on: after load. */
	bool has_holes;       /* the file may have holes where clusters are: they read as zeros */
	uint64_t slice_bytes; /* QEMU looks at no more than the rest of such a piece at once */
	uint64_t *l1;         /* header.l1_entries */
	struct table_cache l2_cache;
	struct codec *codec;
	uint8_t *cluster;       /* one compressed cluster, decompressed; cluster_bytes */
	uint64_t cluster_entry; /* which: its offset in the file; UINT64_MAX: none */
	uint8_t *packed;        /* room for its compressed form: two clusters */

	/*
	 * From here on: where it was loaded for writing. Tables in memory are ahead of those in the
	 * file until qcow2_commit().
	 */
	uint64_t *reftable; /* n_reftable entries */
	uint64_t n_reftable;
	bool reftable_changed;
	bool reftable_moves;    /* it has outgrown its place in the file */
	const uint64_t *frozen; /* the first n_frozen entries of it on the medium: these blocks are
				   not changed (switch.c) */
	uint64_t n_frozen;
	struct table_cache refcount_cache;
	uint64_t next_cluster; /* where new clusters are looked for */
	/* L1 entries that the file does not have yet; end 0: none */
	uint64_t l1_changed_first, l1_changed_end;
	struct qcow2_run {
		uint64_t first, n; /* clusters */
	} * released;              /* released, but still referred to on the medium */
	size_t n_released, released_capacity;
	/* of bitmap tables and of the clusters of bitmaps; also for reading them */
	struct table_cache bitmap_cache;
	bool bitmaps_move; /* the file does not have the directory yet that the bitmaps need */
	/*
	 * where the next compressed cluster goes, inside of a cluster that has others; 0: none has
	 * room
	 */
	uint64_t pack_offset;
	uint8_t *copy;           /* one cluster, for what is kept of it when a part is written */
	enum status failed;      /* how the first change that failed ended; ST_OK: none has */
	enum status not_durable; /* the same of flushes of the file or the data file */
};

enum {
	QCOW2_FILES_MAX = 2,        /* the image, and a data file */
	QCOW2_RELEASED_MAX = 65536, /* runs; a commit is due then */
	/* clusters past the end of the file that may claim to be in use */
	QCOW2_SEARCH_MAX = 1 << 20,
};

/* ---- map.c ---- */

enum qcow2_mapping_kind { QCOW2_MAP_HOLE, QCOW2_MAP_ZERO, QCOW2_MAP_DATA, QCOW2_MAP_COMPRESSED };

struct qcow2_mapping {
	enum qcow2_mapping_kind kind;
	uint64_t length; /* bytes from the offset that was asked for, > 0 */
	/* DATA, and preallocated ZERO and HOLE: host clusters belong to it */
	bool has_offset;
	/* of its first byte in the data file; COMPRESSED: of the stream in the image */
	uint64_t offset;
	uint32_t compressed_bytes; /* COMPRESSED: at most this long */
};

/*
 * Where the bytes from `offset` on are, for at most `len` > 0 of them and as far as they are alike;
 * the caller knows that they are on the disk. ST_CORRUPT: the tables contradict themselves.
 */
enum status qcow2_map(struct qcow2_image *, uint64_t offset, uint64_t len,
		      struct qcow2_mapping *ret);

/* ---- refcount.c ---- */

uint64_t qcow2_refcount_max(const struct qcow2_image *);
enum status qcow2_refcount_get(struct qcow2_image *, uint64_t cluster, uint64_t *ret);

/*
 * Allocates `n` > 0 clusters, one after the other; they have the refcount 1. ST_NO_MEMORY,
 * ST_TOO_LARGE, ST_IO.
 */
enum status qcow2_alloc(struct qcow2_image *, uint64_t n, uint64_t *ret_offset);

/*
 * One more user of a cluster that has some, or `n`. ST_TOO_LARGE: its refcount cannot be that high.
 */
enum status qcow2_ref(struct qcow2_image *, uint64_t cluster);
enum status qcow2_ref_more(struct qcow2_image *, uint64_t cluster, uint64_t n);

/*
 * Releases what lies in these bytes of the file, one user of each cluster that they touch: as soon
 * as the medium does not refer to it any more.
 */
enum status qcow2_unref(struct qcow2_image *, uint64_t offset, uint64_t bytes);

/*
 * Takes back all that was released since q->released had these `n` runs, the last of them `last_n`
 * clusters long.
 */
void qcow2_unref_undo(struct qcow2_image *, size_t n, uint64_t last_n);

/*
 * Takes refcount blocks that count nothing any more out of the refcount table, after a flush;
 * *ret_n of them. The blocks that counted these may be next, after another flush.
 */
enum status qcow2_drop_empty_blocks(struct qcow2_image *, uint64_t *ret_n);

/* For commit.c: lowers a refcount now. */
enum status qcow2_release_one(struct qcow2_image *, uint64_t cluster);

/* One part of a change of several, whose steps are told. */
struct qcow2_steps {
	struct change_progress *progress; /* NULL: nobody is told */
	unsigned part, n_parts;
};

static inline void qcow2_tell_step(const struct qcow2_steps *steps, uint64_t done, uint64_t total)
{
	if (steps->progress != NULL)
		steps->progress->step(steps->progress, steps->part * total + done,
				      steps->n_parts * total);
}

/* ---- refcount_width.c ---- */

/*
 * Changes the width of the refcounts to 2^order bits. When the power goes, it has the old or
 * the new ones. Planning looks at all of them, changes nothing, and says how many clusters it takes
 * for a time, at most. ST_TOO_LARGE, ST_CORRUPT, ST_CANCELLED, ST_IO, ST_NO_MEMORY.
 */
enum status qcow2_plan_refcount_order(struct qcow2_image *, unsigned order, uint64_t *ret_clusters,
				      struct error *);
enum status qcow2_change_refcount_order(struct qcow2_image *, unsigned order,
					const struct qcow2_steps *, struct error *);

/* ---- zero_clusters.c ---- */

/* What the tables of the disk and of all snapshots have that version 2 of the format does not. */
struct qcow2_survey {
	/* clusters that only say that they are zeros and need a place, at most */
	uint64_t n_zero;
	bool has_compressed;
};

/*
 * Looks at them; and makes entries of version 2 of those with the zero flag, which read the same.
 * When the power goes, some are as before. ST_CORRUPT, ST_TOO_LARGE, ST_CANCELLED, ST_IO,
 * ST_NO_MEMORY, ST_NO_SPACE.
 */
enum status qcow2_survey_zeros(struct qcow2_image *, struct qcow2_survey *ret, struct error *);
enum status qcow2_expand_zeros(struct qcow2_image *, const struct qcow2_steps *, struct error *);

/* ---- amend.c ---- */

enum status qcow2_plan_amend(struct image *, const struct create_values *, uint64_t ret[],
			     struct error *);
enum status qcow2_amend(struct image *, const struct create_values *, struct change_progress *,
			struct error *);

/* ---- walk.c ---- */

struct qcow2_walk {
	struct qcow2_image *q;
	enum status (*visit)(struct qcow2_image *, uint64_t cluster);
	bool can_stop;             /* when the person wants it to: ST_CANCELLED */
	uint64_t n_visited, limit; /* goes no further than this */
};

/*
 * Visits the L2 tables of an L1 table and the clusters that these refer to, each as often as it is
 * referred to; or the clusters that these bytes of the file touch. ST_CORRUPT: an entry that cannot
 * be one, or that is outside of the file.
 */
enum status qcow2_walk_l1(struct qcow2_walk *, const uint64_t *l1, uint64_t n);
enum status qcow2_walk_bytes(struct qcow2_walk *, uint64_t offset, uint64_t bytes);

/*
 * To visit with: the cluster is in use (ST_CORRUPT otherwise); and can have one more user
 * (ST_TOO_LARGE otherwise).
 */
enum status qcow2_has_users(struct qcow2_image *, uint64_t cluster);
enum status qcow2_has_room(struct qcow2_image *, uint64_t cluster);

/* Clears COPIED in the L2 tables of an L1 table, which was walked without a failure before. */
enum status qcow2_clear_copied(struct qcow2_image *, const uint64_t *l1, uint64_t n);

/* ---- snapshot.c ---- */

/* Reads the snapshot table into image.snapshots and snapshots. */
enum status qcow2_snapshots_read(struct qcow2_image *, struct error *);

/*
 * The L1 table of a snapshot, which the caller frees, with zeros past its end if a disk of its
 * size needs more entries; and that size. What the entries say was not looked at. ST_CORRUPT,
 * ST_IO, ST_NO_MEMORY.
 */
enum status qcow2_snapshot_l1(struct qcow2_image *, size_t index, uint64_t **ret, uint32_t *ret_n,
			      uint64_t *ret_disk_bytes, struct error *);

/*
 * The snapshot table as it should be, with all extra data in each entry, in memory that the caller
 * frees, on failure too; q->snapshots then fits to it, and not any more to the one in the file.
 */
enum status qcow2_snapshots_full(struct qcow2_image *, uint8_t **ret, size_t *ret_bytes);

enum status qcow2_snapshot_load(struct image *, size_t index, struct error *);

/* ---- snapshot_write.c ---- */

enum status qcow2_snapshot_create(struct image *, const char *name, struct error *);
enum status qcow2_snapshot_remove(struct image *, size_t index, struct error *);

/* ---- snapshot_apply.c ---- */

enum status qcow2_snapshot_apply(struct image *, size_t index, struct error *);

/* ---- switch.c ---- */

/* Tables and refcounts that are prepared beside those on the medium, and take their place in one
 * step. */
struct qcow2_switch {
	uint64_t *l1; /* the disk's L1 table as it will be */
	bool begun, decided, done;
	uint64_t *old_reftable, old_reftable_entries;
	uint64_t old_next_cluster, old_file_bytes;
	struct qcow2_header old_header; /* after qcow2_switch_commit() */
};

/*
 * Flushes the image. From here to qcow2_switch_commit(), what is allocated and each refcount that
 * changes are for the new state alone, and nothing else may be changed.
 */
enum status qcow2_switch_begin(struct qcow2_image *, struct qcow2_switch *);

/*
 * Takes COPIED from all that the disk refers to, after a second user of it was counted; and gives
 * it to all that has only the disk as user now. Both give the disk other L2 tables where entries
 * change. ST_CANCELLED, too.
 */
enum status qcow2_switch_share(struct qcow2_image *, struct qcow2_switch *);
enum status qcow2_switch_own(struct qcow2_image *, struct qcow2_switch *);

/* The step: the new state is on the medium, with this snapshot table, which was written. */
enum status qcow2_switch_commit(struct qcow2_image *, struct qcow2_switch *,
				uint64_t snapshots_offset, uint32_t n_snapshots);

/* Thereafter: releases the old tables, and flushes. */
enum status qcow2_switch_release(struct qcow2_image *, const struct qcow2_switch *);

/* Frees the memory; without the step, all in the image is as it was at the beginning. */
void qcow2_switch_end(struct qcow2_image *, struct qcow2_switch *);

/* ---- bitmap.c ---- */

/* Reads the bitmap directory into image.bitmaps and bitmaps. */
enum status qcow2_bitmaps_read(struct qcow2_image *, struct error *);

enum status qcow2_bitmap_check(const struct image *, size_t index, struct error *);
enum status qcow2_bitmap_run(struct image *, size_t index, uint64_t offset, bool *ret_set,
			     uint64_t *ret_bytes);

/* How many bits, and entries of its table, a bitmap of a disk of this size has. */
uint64_t qcow2_bitmap_bits(const struct bitmap *, uint64_t disk_bytes);
uint64_t qcow2_bitmap_entries(const struct qcow2_image *, const struct bitmap *,
			      uint64_t disk_bytes);

/* An entry of the table of a bitmap. ST_CORRUPT: it cannot be one. */
enum status qcow2_bitmap_entry(struct qcow2_image *, size_t bitmap, uint64_t index, uint64_t *ret);

/*
 * What copies of `n` bitmaps of a disk would take in an image with such clusters, if no part of
 * them were empty.
 */
uint64_t qcow2_bitmaps_bytes(const struct bitmap *, size_t n, uint64_t disk_bytes,
			     uint64_t cluster_bytes);

/* ---- bitmap_write.c ---- */

enum status qcow2_bitmap_mark(struct image *, size_t index, uint64_t offset, uint64_t len);
enum status qcow2_bitmap_add(struct image *, const char *name, uint64_t granularity_bytes,
			     bool automatic, bool write, struct error *);
enum status qcow2_bitmap_remove(struct image *, size_t index, struct error *);
enum status qcow2_bitmap_clear(struct image *, size_t index, struct error *);
enum status qcow2_bitmap_set_automatic(struct image *, size_t index, bool automatic,
				       struct error *);

/* When the image is loaded for writing: whether its bitmaps can be kept up to date. */
enum status qcow2_bitmaps_load(struct qcow2_image *, struct error *);

/* Before something of the disk is written: notes it in the automatic ones. */
enum status qcow2_bitmaps_note(struct qcow2_image *, uint64_t offset, uint64_t len);

/*
 * Before and after another size of the disk; and whether they can have it, and what that takes at
 * most.
 */
enum status qcow2_bitmaps_begin_resize(struct qcow2_image *);
enum status qcow2_bitmaps_resize(struct qcow2_image *, uint64_t disk_bytes);
enum status qcow2_bitmaps_plan_resize(const struct qcow2_image *, uint64_t disk_bytes,
				      uint64_t *ret_clusters, struct error *);

/* After everything is on the medium: the bitmaps there are what they should be again. */
enum status qcow2_bitmaps_store(struct qcow2_image *);

/* For commit.c: writes a directory of the bitmaps to a new place, to which nothing refers yet. */
enum status qcow2_bitmaps_write_directory(struct qcow2_image *, struct qcow2_bitmaps_place *ret);
/* The header refers to it now: releases the old one. */
enum status qcow2_bitmaps_moved(struct qcow2_image *, const struct qcow2_bitmaps_place *old);

/*
 * Rewrites the entries of all snapshots in full length: where one does not say how large the disk
 * was, as large as it is now. Only after qcow2_load_refcounts(). When the power goes, the old
 * entries are there or the new ones. After a failure the image can only be closed.
 */
enum status qcow2_snapshots_complete(struct qcow2_image *, struct error *);

/* ---- commit.c ---- */

/* Notes that the file does not have this entry of q->l1 yet. */
void qcow2_note_l1(struct qcow2_image *, uint64_t index);
/* Writes entries of a table to the one that begins at `offset` of the file. */
enum status qcow2_write_table(struct qcow2_image *, uint64_t offset, const uint64_t *table,
			      uint64_t first, uint64_t n);
/* Allocates a place for the refcount table as it is in memory, which is still to be written. */
enum status qcow2_place_reftable(struct qcow2_image *, uint64_t *ret_offset,
				 uint32_t *ret_clusters);
/*
 * Before an operation: writes changed tables if there may not be room for those that it will
 * change.
 */
enum status qcow2_make_room(struct qcow2_image *);
/*
 * Around each change of the image: qcow2_may_change() is ST_OK unless a change has failed before,
 * and then the status of that one; qcow2_changed() notes how the change has ended and returns it.
 * The first comment of commit.c says what a failure leaves.
 */
enum status qcow2_may_change(const struct qcow2_image *, struct error *);
enum status qcow2_changed(struct qcow2_image *, enum status);
/* All that was written so far is on the medium; once this has failed it fails always. */
enum status qcow2_barrier(struct qcow2_image *);
/*
 * Writes all metadata in its order; qcow2_flush(): and sees to it that all of it is on the medium.
 */
enum status qcow2_commit(struct qcow2_image *);
enum status qcow2_flush(struct qcow2_image *);

/* Moves the L1 table to a place of `n` entries; the new ones refer to nothing. */
enum status qcow2_grow_l1(struct qcow2_image *, uint32_t n);

/* ---- write.c ---- */

extern const struct blk_ops qcow2_write_ops;

/*
 * Makes part of the disk zeros; it is not noted in bitmaps. `store`: where a hole shows zeros, too.
 */
enum status qcow2_write_zeros(struct qcow2_image *, uint64_t offset, uint64_t len, bool store);
enum status qcow2_store_zeros(struct image *, uint64_t offset, uint64_t len);
/* Writes zeros to part of one cluster as data, so that the cluster is stored; not noted either. */
enum status qcow2_write_zero_bytes(struct qcow2_image *, uint64_t offset, uint64_t len);

/* ---- write_compressed.c ---- */

enum status qcow2_write_compressed(struct image *, uint64_t offset, const void *packed, size_t n);

/* ---- release.c ---- */

/*
 * Releases what the disk has stored from `guest` on, the beginning of a cluster, with the entries
 * and tables that refer to it.
 */
enum status qcow2_release_from(struct qcow2_image *, uint64_t guest);

/* ---- preallocate.c ---- */

/* Allocates a host cluster for each cluster of [guest, end) that has none; it reads as zeros. */
enum status qcow2_preallocate(struct qcow2_image *, uint64_t guest, uint64_t end, enum prealloc);

/* ---- resize.c ---- */

enum status qcow2_plan_resize(const struct image *, uint64_t size, enum prealloc, uint64_t ret[],
			      struct error *);

/* The same for an image that will have that version. */
enum status qcow2_plan_resize_as(const struct image *, uint32_t version, uint64_t size,
				 enum prealloc, uint64_t ret[], struct error *);
enum status qcow2_resize(struct blk *, uint64_t size, enum prealloc);

enum status qcow2_make_empty(struct image *);

/* Makes the file end with its last cluster that is in use. */
enum status qcow2_trim(struct qcow2_image *);

/* ---- header_change.c ---- */

/*
 * What changes the header beyond a field. The features of another version are those that it has
 * without any being used: for a lower one, nothing needs them any more.
 */
struct qcow2_header_change {
	uint32_t version;                          /* 0: as before */
	bool has_names;                            /* those of the backing file change as well: */
	const char *backing_name, *backing_format; /* NULL: none */
	const char *data_file;                     /* NULL: as before */
	/* NULL: as before; an empty one: the extension goes */
	const struct qcow2_bitmaps_place *bitmaps;
};

/*
 * Changes the header on the medium; all else that was written is there. When the power goes, the
 * image has the old or the new header. Unless `write`, it only says whether that can be done.
 * ST_TOO_LARGE, ST_UNSUPPORTED, ST_IO, ST_NO_MEMORY.
 */
enum status qcow2_change_header(struct qcow2_image *, const struct qcow2_header_change *,
				bool write, struct error *);

enum status qcow2_set_backing(struct image *, const char *name, const char *backing_format,
			      bool write, struct error *);

/*
 * The bitmap directory that the header refers to (n = 0: none), and whether it counts, in one step;
 * all of the directory is on the medium. Unless `write`, only whether the header has room for it.
 */
enum status qcow2_set_bitmaps(struct qcow2_image *, const struct qcow2_bitmaps_place *, bool write,
			      struct error *);

/* ---- check.c ---- */

enum status qcow2_check(struct image *, struct out *problems, struct check_result *ret,
			struct error *);

/* ---- repair.c ---- */

/* `problems` may be NULL. */
enum status qcow2_repair(struct image *, enum repair, struct out *problems,
			 struct check_result *ret, struct error *);

/* ---- read.c ---- */

enum status qcow2_read(struct blk *, uint64_t offset, void *buf, size_t len);
enum status qcow2_extent(struct blk *, uint64_t offset, uint64_t len, struct extent *ret);
extern const struct blk_ops qcow2_read_ops;

/* ---- load.c ---- */

uint64_t qcow2_step(const struct image *, uint64_t offset);
enum status qcow2_load(struct image *, struct error *);
void qcow2_unload(struct qcow2_image *);

/* The part of loading for writing that qcow2_alloc() and its like need. */
enum status qcow2_load_refcounts(struct qcow2_image *, struct error *);
void qcow2_unload_refcounts(struct qcow2_image *);
