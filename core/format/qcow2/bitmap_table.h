/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/qcow2/image.h"

/*
 * For bitmap_write.c. Errors, where nothing else is said: ST_CORRUPT, ST_IO, ST_NO_MEMORY, and
 * where something is allocated ST_TOO_LARGE.
 */

/* How many bits of a bitmap one cluster has. */
uint64_t qcow2_bitmap_bits_per_cluster(const struct qcow2_image *);

/* Whether a place in the file has one user, and so may be written to. ST_CORRUPT: it has not. */
enum status qcow2_bitmap_is_own(struct qcow2_image *, uint64_t offset);

/*
 * Before tables or clusters are changed: makes the cache have room for them, by writing what it
 * has. Nothing may have been released then that the medium still refers to.
 */
enum status qcow2_bitmap_make_room(struct qcow2_image *);

/* Allocates a table, all of whose entries are 0. */
enum status qcow2_bitmap_new_table(struct qcow2_image *, uint64_t n_entries, uint64_t *ret_offset);

/* Sets an entry of a table, which has room in the cache. */
enum status qcow2_bitmap_set_entry(struct qcow2_image *, uint64_t table, uint64_t index,
				   uint64_t entry);

/* Sets or clears the bits [first, end) of a cluster. */
void qcow2_bitmap_set_bits(uint8_t *bytes, uint64_t first, uint64_t end, bool set);

/*
 * Finds the cluster of an entry of the table of a bitmap, to be changed: *ret, in the
 * cache; a new one if the entry has none.
 */
enum status qcow2_bitmap_change_cluster(struct qcow2_image *, size_t bitmap, uint64_t index,
					uint8_t **ret);

/*
 * Releases what the entries of the table of a bitmap from `first` on refer to; `look`: only says
 * whether that can be done.
 */
enum status qcow2_bitmap_release_clusters(struct qcow2_image *, size_t bitmap, uint64_t first,
					  bool look);

/* Releases the table of a bitmap. */
enum status qcow2_bitmap_release_table(struct qcow2_image *, size_t bitmap);
