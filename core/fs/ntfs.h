/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"
#include "base/error.h"

/* What the files core/fs/ntfs*.c share: records of $MFT, and the runs of clusters in them. */

enum {
	NTFS_RECORD_MAX = 4096, /* bytes */
	NTFS_PAGE = 4096,       /* bytes, of the journal */
};

enum ntfs_file { NTFS_MFT, NTFS_LOGFILE, NTFS_BITMAP, NTFS_FILES };

struct ntfs {
	uint32_t cluster_shift, record_bytes;
	uint64_t sector_bytes, n_sectors, n_clusters;
	uint64_t mft_cluster, mirror_cluster;
	uint8_t record[NTFS_FILES][NTFS_RECORD_MAX];
	const uint8_t *data[NTFS_FILES]; /* their unnamed DATA attribute, not resident */
	uint8_t volume[NTFS_RECORD_MAX];
	uint8_t page[2][NTFS_PAGE];
};

/* Undoes the update sequence of a record or page. False: it was not written as a whole. */
bool ntfs_fix_up(uint8_t *bytes, uint32_t n);

/* Returns where the first attribute of a record is, for ntfs_attribute(). */
uint64_t ntfs_first_attribute(const uint8_t *record);

/*
 * Returns the attribute at *at, of a record of `n` bytes after ntfs_fix_up(), and moves *at to the
 * next one. Its header and its length are within the record. NULL: the end, and *ret_sound tells
 * whether the record ends as it should.
 */
const uint8_t *ntfs_attribute(const uint8_t *record, uint32_t n, uint64_t *at, bool *ret_sound);

/* A place in a run list: clusters [vcn, vcn + n) of a file are at `lcn`. */
struct ntfs_run {
	const uint8_t *next, *end;
	uint64_t vcn, lcn, n;
};

enum ntfs_step { NTFS_END, NTFS_DATA, NTFS_SPARSE, NTFS_DAMAGED };

/* Returns the place before the first run of an attribute that is not resident. */
struct ntfs_run ntfs_first_run(const uint8_t *attribute);

/* Advances to the next run. NTFS_DATA: it lies on the volume. NTFS_SPARSE: it has no `lcn`. */
enum ntfs_step ntfs_next_run(const struct ntfs *, struct ntfs_run *);

/* Reads bytes of a file by its run list. ST_CORRUPT: there are none, or they are sparse. */
enum status ntfs_read_data(const struct ntfs *, struct blk *, const uint8_t *attribute,
			   uint64_t offset, uint8_t *buf, size_t len);

/* Returns whether the bits [first, first + n) are all set. */
bool ntfs_all_set(const uint8_t *bits, uint64_t first, uint64_t n);

/*
 * Checks that $Bitmap has all clusters of all records of $MFT. Takes at most 32 MiB of memory.
 * ST_UNSUPPORTED: it has not, or a record is damaged, with the reason; ST_CANCELLED likewise;
 * ST_NO_MEMORY, and those of reading.
 */
enum status ntfs_check_files(const struct ntfs *, struct blk *, struct error *why);

/*
 * Sets *ret to whether the volume has shadow copies, or may have: its catalog is damaged, or on
 * another volume. Statuses: those of reading.
 */
enum status ntfs_look_shadows(struct blk *, bool *ret);
