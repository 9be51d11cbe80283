/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "fs/fs.h"

/*
 * What LVM2 says of a physical volume: where its extents are, and which logical volumes they belong
 * to. Shared by the files core/fs/lvm*.c.
 */

enum {
	LVM_SECTOR = 512,
	LVM_LABELS = 4, /* sectors that may have the label */
	LVM_NAME = FS_VOLUME_NAME,
	LVM_ID = 39, /* 32 characters in groups of 6-4-4-4-4-4-6, with a NUL */
	LVM_VOLUMES = 128,
	LVM_SEGMENTS = 4096,
	LVM_AREAS = 2, /* of metadata */
	LVM_TEXT = 256 << 10,
};

/* A range of extents of a logical volume. */
struct lvm_segment {
	size_t volume;
	uint64_t first; /* in the logical volume */
	uint64_t at;    /* on the physical volume */
	uint64_t n;
};

struct lvm_volume {
	char name[LVM_NAME];
	uint64_t n_extents; /* > 0 */
};

struct lvm_group {
	char name[LVM_NAME];
	char disk_id[LVM_ID];                /* of the physical volume */
	uint64_t disk_sectors, start_sector; /* its size, and its first extent */
	uint64_t extent_sectors, n_extents;
	size_t n_volumes, n_segments;
	struct lvm_volume volume[LVM_VOLUMES];
	struct lvm_segment segment[LVM_SEGMENTS]; /* sorted by `at`; no two overlap */
};

/* A range, in bytes. */
struct lvm_area {
	uint64_t start, length;
};

/* What the physical volume says of itself. */
struct lvm_header {
	char disk_id[LVM_ID];
	uint64_t disk_bytes;
	struct lvm_area data; /* length 0: up to the end */
	size_t n_metadata;    /* > 0 */
	struct lvm_area metadata[LVM_AREAS];
	struct lvm_area boot; /* length 0: none */
};

/* Returns the sector of the label among the first ones of `head`; LVM_LABELS: there is none. */
size_t lvm_find_label(const uint8_t *head);

/*
 * Reads the header of a physical volume, which has a label, and what it says of itself. `head` has
 * its first sectors. ST_UNSUPPORTED: it is not known here, or damaged, with the reason.
 */
enum status lvm_read_header(const uint8_t *head, struct lvm_header *ret, struct error *why);

/*
 * Reads the committed metadata, of which all copies have to be the same. *ret is of the caller's
 * memory. Statuses: ST_UNSUPPORTED with the reason, ST_NO_MEMORY, and those of reading.
 */
enum status lvm_read_group(struct blk *, const struct lvm_header *, struct lvm_group *ret,
			   struct error *why);

/*
 * Parses metadata: `n` bytes, and a NUL after them. The same statuses; what it refuses is all that
 * is not linear volumes of one physical volume, and all that it does not know.
 */
enum status lvm_parse(const char *text, size_t n, struct lvm_group *ret, struct error *why);

/* Sets the reason for metadata that contradicts itself. */
enum status lvm_damaged(struct error *why);
