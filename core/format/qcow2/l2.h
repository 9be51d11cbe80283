/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/qcow2/image.h"

/* One entry of an L2 table that is about to change. */

/* The bitmap of an extended entry all of whose subclusters have data; << 32: are zeros. */
#define QCOW2_ALL_SUBCLUSTERS UINT64_C(0xffffffff)

/* Its place in the cache: until the next table is looked at. */
struct qcow2_slot {
	uint8_t *entry;
	uint64_t table_offset;
};

static inline bool qcow2_is_extended(const struct qcow2_image *q)
{
	return (q->header.incompatible & QCOW2_INCOMPAT_EXTENDED_L2) != 0;
}

/*
 * Finds the entry of the cluster that has the byte `guest` of the disk, in a table that is this
 * disk's alone: a new one, or a copy of a snapshot's, where it is not. ST_NO_MEMORY, ST_TOO_LARGE,
 * ST_CORRUPT, ST_IO.
 */
enum status qcow2_find_slot(struct qcow2_image *, uint64_t guest, struct qcow2_slot *ret);

/* Sets it, with its bitmap of subclusters where the image has such. */
void qcow2_set_entry(struct qcow2_image *, const struct qcow2_slot *, uint64_t entry,
		     uint64_t bitmap);

/*
 * Releases what an entry refers to, which is about to be replaced. ST_CORRUPT, ST_IO, ST_NO_MEMORY.
 */
enum status qcow2_release_entry(struct qcow2_image *, uint64_t entry);

/*
 * How many of the next `n` clusters from `guest` on lie in one L2 table and can be allocated at
 * once.
 */
uint64_t qcow2_run_length(const struct qcow2_image *, uint64_t guest, uint64_t n);
