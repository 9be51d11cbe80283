/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/block_map.h"
#include "format/image.h"
#include "format/table_cache.h"
#include "format/vmdk/descriptor.h"
#include "format/vmdk/header.h"

/* An opened VMDK: for the files of this folder. vmdk.c has the overview. */

enum {
	VMDK_EXTENTS_MAX = 1 << 16,
	VMDK_TABLE_BYTES = VMDK_TABLE_ENTRIES * 4,
};

/*
 * Each file has a range of this length in image->data, however long it is: no extent is longer, and
 * offsets stay true while files grow.
 */
#define VMDK_FILE_SPAN (UINT64_C(1) << 46)

enum vmdk_kind { VMDK_FLAT, VMDK_ZEROS, VMDK_SPARSE, VMDK_COWD, VMDK_SE_SPARSE };

struct vmdk_image;

/* A part of the disk. */
struct vmdk_extent {
	struct block_map map; /* first; of the kinds with grains, once the disk is loaded */
	struct vmdk_image *vmdk;
	enum vmdk_kind kind;
	bool read_only;                /* the descriptor says so */
	size_t file;                   /* its index in image->file; not of ZEROS */
	uint64_t disk_offset, size;    /* bytes of the disk */
	uint64_t flat_offset;          /* of FLAT: where in the file its bytes begin */
	struct vmdk_sparse sparse;     /* of the kinds with grains */
	uint32_t *directory;           /* sector of each grain table, 0: there is none */
	uint32_t *redundant_directory; /* the same of the copies; NULL: there are none */
	uint64_t next;                 /* bytes: where in the file the next grain goes */
	bool unclean; /* its header says so on the medium; the next flush ends it */
	bool changed; /* something was written that is not flushed */
};

struct vmdk_image {
	struct image image; /* first */
	struct vmdk_descriptor descriptor;
	uint64_t descriptor_offset; /* of the text in file[0] */
	bool has_descriptor;        /* false: an extent that was opened by itself */
	struct vmdk_extent *extent;
	size_t n_extents;
	struct table_cache tables; /* of all extents: offsets count in image->data */
	struct codec *codec;       /* for compressed grains */
	uint8_t *packed;           /* has room for the longest compressed grain */
	bool cid_changed; /* a new CID is in the descriptor, as it has to be after a write */
	struct vmdk_stream *stream; /* streamOptimized that is written; NULL: it is not */
};

static inline struct vmdk_image *vmdk_of(struct image *image)
{
	return (struct vmdk_image *)image;
}

static inline const struct vmdk_image *const_vmdk(const struct image *image)
{
	return (const struct vmdk_image *)image;
}

static inline struct blk *vmdk_file(const struct vmdk_extent *extent)
{
	return extent->vmdk->image.file[extent->file].blk;
}

/* Where the file of an extent begins in image->data. */
static inline uint64_t vmdk_data_offset(const struct vmdk_extent *extent)
{
	return extent->vmdk->image.file[extent->file].data_offset;
}

/* ---- open.c ---- */

enum status vmdk_open(struct image *, struct error *);
void vmdk_close(struct image *);

/* The index of an extent before `i` that has bytes of the same file as that flat one; `i`: none. */
size_t vmdk_shares_bytes(const struct vmdk_image *, size_t i);

/* Opens the files of all extents and reads their grain directories, if that was not done. */
enum status vmdk_read_directories(struct vmdk_image *, struct error *);

/* ---- sparse.c ---- */

extern const struct block_ops vmdk_sparse_ops;

/*
 * The entry for a grain, of the copy if `redundant`; 0 where there is no table. The table is one of
 * `tables`.
 */
enum status vmdk_read_entry(struct vmdk_extent *, bool redundant, uint64_t index, uint32_t *ret);

/* Sets the entry for a grain, which has tables, in both copies; sparse_commit() writes them. */
enum status vmdk_set_entry(struct vmdk_extent *, uint64_t index, uint32_t entry);

/* What an entry says of the grain: in ret->offset, if it is STORED or PACKED, where. */
enum status vmdk_entry_state(const struct vmdk_extent *, uint32_t entry, struct block_run *ret);

/* ---- se_sparse.c ---- */

extern const struct block_ops vmdk_se_sparse_ops;

/* ---- disk.c ---- */

enum status vmdk_load(struct image *, struct error *);
uint64_t vmdk_step(const struct image *, uint64_t offset);

/* Reads the directories and makes the maps, if that was not done: all that `check` needs. */
enum status vmdk_prepare_maps(struct vmdk_image *, struct error *);

/* Notes on the medium that an extent is being changed, before it is. */
enum status vmdk_begin_change(struct vmdk_extent *);
enum status vmdk_write_unclean(struct vmdk_extent *, bool unclean);

/* ---- stream.c ---- */

enum status vmdk_stream_open(struct vmdk_image *, struct error *);
void vmdk_stream_close(struct vmdk_image *);
enum status vmdk_stream_write(struct vmdk_image *, uint64_t offset, const void *buf, size_t len);
enum status vmdk_stream_zero(struct vmdk_image *, uint64_t offset, uint64_t len);
enum status vmdk_stream_write_compressed(struct image *, uint64_t offset, const void *packed,
					 size_t n);

/* Writes the grain that is being filled: what was written can be read. */
enum status vmdk_stream_settle(struct vmdk_image *);
enum status vmdk_stream_flush(struct vmdk_image *);

/* The table for a grain, if it is one that is not in the file yet; otherwise NULL. */
uint8_t *vmdk_stream_table(const struct vmdk_extent *, uint64_t index);

/* Writes what follows the grains of an empty stream; *ret_end is the length of the file. */
enum status vmdk_stream_write_empty(struct blk *file, const struct vmdk_sparse *,
				    uint64_t *ret_end);

/* ---- create.c ---- */

extern const struct create_option vmdk_create_options[];
bool vmdk_resumable(const struct create_values *);
uint64_t vmdk_changed_end_bytes(const struct create_request *);
enum status vmdk_plan(const struct create_request *, struct create_plan *ret, struct error *);
enum status vmdk_measure(const struct create_request *, const struct image *source,
			 struct image_measure *ret, struct error *);
enum status vmdk_write_files(const struct create_request *, struct blk *const file[],
			     struct error *);

/* ---- tables.c ---- */

/*
 * Finds a grain table, of either copy of an extent that is written in place, that does not lie in
 * the metadata, or lies on another table, a directory, the descriptor or the header: *ret is its
 * sector, or that of the directory; 0: there is none. ST_NO_MEMORY.
 */
enum status vmdk_find_misplaced_table(const struct vmdk_extent *, uint32_t *ret);

/* ---- check.c, repair.c ---- */

enum status vmdk_check(struct image *, struct out *problems, struct check_result *ret,
		       struct error *);
enum status vmdk_repair(struct image *, enum repair, struct out *problems, struct check_result *ret,
			struct error *);

/* Makes both copies of the grain tables alike where a power cut has left them different. */
enum status vmdk_repair_tables(struct vmdk_image *, uint64_t *ret_repaired, struct error *);

/* ---- describe.c ---- */

void vmdk_describe(const struct image *, struct tree *);
