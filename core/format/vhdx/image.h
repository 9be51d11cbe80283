/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "format/block_map.h"
#include "format/image.h"
#include "format/table_cache.h"
#include "format/vhdx/disk_layout.h"

/* A header, decoded. */
struct vhdx_header {
	uint64_t sequence;
	struct guid file_write, data_write, log;
	uint16_t log_version, version;
	uint32_t log_bytes;
	uint64_t log_offset;
};

/* A part of the file that is no block: the header section, the log, a region. */
struct vhdx_part {
	const char *name;
	uint64_t offset, bytes;
};

/* One of the changes that the log holds. */
struct vhdx_record {
	uint64_t offset, bytes; /* that are changed, in the file */
	uint64_t from;          /* where in the file the data sector is; 0: zeros */
	uint8_t leading[8], trailing[4];
};

/* The active sequence of the log. */
struct vhdx_replay {
	struct vhdx_record *record; /* in the order in which they are to be applied */
	size_t n, capacity;
	uint64_t flushed_bytes, last_bytes;
};

struct vhdx_image {
	struct image image; /* first */
	/*
	 * The file, as it is when the log has been replayed: image.file[0].blk, which has the
	 * records of the log over it while there are some.
	 */
	struct blk *file;
	struct vhdx_header header;
	unsigned current; /* which of the two headers that is: 0 or 1 */
	bool bad_header[2];
	bool bad_regions[2], regions_differ;
	bool pending;   /* the log holds changes that are not in their places */
	bool empty_log; /* it is to be replayed, but has no valid sequence */
	struct vhdx_part *part;
	size_t n_parts;
	struct vhdx_part bat, metadata; /* .bytes 0: not found */

	/* of the metadata items */
	uint64_t size_at; /* in the file, where the size of the disk is */
	uint32_t block_bytes, sector_bytes;
	bool leaves_allocated; /* a fixed image */
	bool has_parent;
	struct guid linkage[2]; /* DataWriteGuids that the parent may have; 0: none */

	uint64_t n_blocks;     /* of the disk */
	uint64_t chunk_blocks; /* BAT entries before each that is of a sector bitmap */
	uint64_t n_entries;    /* of the BAT */

	/* below: after load */
	struct block_map map;
	struct table_cache cache; /* of sectors of the BAT, sector bitmaps, metadata */
	uint64_t end;             /* where the next block goes */
	bool session;             /* the headers say that the image is being written to */
	enum status failed;       /* of metadata: nothing more is written */
	/* the log: where the next entry goes, its sequence number, room for it */
	uint64_t log_at, log_sequence;
	uint8_t *log_entry;
	size_t log_entry_bytes;
};

/* The largest file that entries of the BAT and of the log can be about, for us. */
#define VHDX_FILE_MAX (UINT64_C(1) << 47)

/* header.c */

/*
 * Reads the identifier and both headers, and chooses the current one. ST_CORRUPT, ST_UNSUPPORTED.
 */
enum status vhdx_headers_read(struct vhdx_image *, struct error *);
/*
 * Makes `next` the header, in both places one after the other, each flushed. On failure the medium
 * has the old header, or the new one.
 */
enum status vhdx_header_write(struct vhdx_image *, const struct vhdx_header *next);
/* The bytes of a header, VHDX_HEADER_BYTES. */
void vhdx_header_encode(const struct vhdx_header *, uint8_t *ret);
/*
 * Before the first change since the image was opened: the headers get new GUIDs, as [MS-VHDX]
 * 2.2.2.1 wants it; `data` if what the disk holds may change.
 */
enum status vhdx_session_begin(struct vhdx_image *, bool data);

/* regions.c */

/* Reads the region tables, and finds the regions in the file. */
enum status vhdx_regions_read(struct vhdx_image *, struct error *);
/* Adds a part that nothing else may overlap. */
enum status vhdx_part_add(struct vhdx_image *, const char *name, uint64_t offset, uint64_t bytes,
			  struct error *);
/* The part that overlaps these bytes; NULL: none. */
const struct vhdx_part *vhdx_part_over(const struct vhdx_image *, uint64_t offset, uint64_t bytes);

/* metadata.c, parent.c */
enum status vhdx_metadata_read(struct vhdx_image *, struct error *);
enum status vhdx_locator_read(struct vhdx_image *, const uint8_t *item, size_t n, struct error *);
/* Whether the image's backing file is the parent that it was made for. */
enum status vhdx_parent_check(const struct vhdx_image *, struct error *);

/* log.c, log_replay.c, log_write.c */

/*
 * Finds the active sequence of the log ([MS-VHDX] 2.3.3). ret->n is 0 and *ret_found false where
 * there is none. The caller frees ret->record.
 */
enum status vhdx_log_find(struct vhdx_image *, struct vhdx_replay *ret, bool *ret_found,
			  struct error *);
/* If the log is to be replayed: shows the file as it is thereafter. Writes nothing. */
enum status vhdx_log_show(struct vhdx_image *, struct error *);
/* Does it: the file is changed, and the headers say that the log is empty. */
enum status vhdx_log_apply(struct vhdx_image *, struct error *);
/* Notes how a change of metadata ended: after one that failed, `failed` says so. Returns `st`. */
enum status vhdx_changed(struct vhdx_image *, enum status st);
/* How many sectors an entry of the log may change. */
size_t vhdx_log_capacity(const struct vhdx_image *);
/* Writes all changed tables of the cache, through the log. The caller flushes the file. */
enum status vhdx_log_commit(struct vhdx_image *);
/* What was committed is flushed: the headers say that the log is empty. */
enum status vhdx_log_end(struct vhdx_image *);

/* bat.c */
extern const struct block_ops vhdx_block_ops;
/* The number of the entry of a block, or that of the sector bitmap that has its bits. */
uint64_t vhdx_entry_of(const struct vhdx_image *, uint64_t block);
uint64_t vhdx_bitmap_entry_of(const struct vhdx_image *, uint64_t block);
bool vhdx_is_bitmap_entry(const struct vhdx_image *, uint64_t entry);
/* Sets an entry in the cache. */
enum status vhdx_entry_set(struct vhdx_image *, uint64_t entry, uint64_t value);
/* How many entries the BAT of such a disk has. */
uint64_t vhdx_entries(uint64_t n_blocks, uint64_t chunk_blocks, bool has_parent);
/*
 * Calls `look` for each entry of the BAT in the file, with the byte that it is at. Stops at the
 * first failure.
 */
typedef enum status vhdx_look(void *user, uint64_t entry, uint64_t value, struct error *);
enum status vhdx_bat_each(struct vhdx_image *, vhdx_look *, void *user, struct error *);
/*
 * Marks the `n` bytes of a block at `offset` in `used`, which has a bit for each MiB of the file.
 * False: another block has some of them.
 */
bool vhdx_take_place(uint8_t *used, uint64_t offset, uint64_t n);

/* vhdx.c */
enum status vhdx_write_metadata(struct vhdx_image *, uint64_t offset, const void *bytes, size_t n);

/* create.c, check.c, resize.c */
extern const struct create_option vhdx_create_options[];
enum status vhdx_plan(const struct create_request *, struct create_plan *ret, struct error *);
enum status vhdx_measure(const struct create_request *, const struct image *source,
			 struct image_measure *ret, struct error *);
enum status vhdx_write_files(const struct create_request *, struct blk *const file[],
			     struct error *);
enum status vhdx_check(struct image *, struct out *problems, struct check_result *ret,
		       struct error *);
enum status vhdx_repair(struct image *, enum repair, struct out *problems, struct check_result *ret,
			struct error *);
enum status vhdx_plan_resize(const struct image *, uint64_t size, enum prealloc, uint64_t ret[],
			     struct error *);
enum status vhdx_resize(struct blk *, uint64_t size, enum prealloc);
