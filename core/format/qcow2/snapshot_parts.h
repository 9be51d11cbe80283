/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/qcow2/image.h"

/* For snapshot_write.c and snapshot_apply.c. Errors, where nothing else is said: ST_CORRUPT, ST_IO,
 * ST_NO_MEMORY. */

/* Releases `bytes` of the file that nothing on the medium refers to any more, or yet. */
enum status qcow2_snapshot_release(struct qcow2_image *, uint64_t offset, uint64_t bytes);

/* The same for an L1 table of `n` entries at `offset`, and for all that it refers to. */
enum status qcow2_snapshot_release_l1(struct qcow2_image *, uint64_t offset, const uint64_t *l1,
				      uint64_t n);

/*
 * Writes a copy of an L1 table, without COPIED, to new clusters; *ret_offset is 0 for an empty one.
 * ST_TOO_LARGE as well.
 */
enum status qcow2_snapshot_write_l1(struct qcow2_image *, const uint64_t *l1, uint64_t n,
				    uint64_t *ret_offset);

/* Whether the image can have snapshots, and be changed. ST_UNSUPPORTED; that of a failed change. */
enum status qcow2_snapshot_refuse(const struct qcow2_image *, struct error *);

/* Says that `what` ("making the snapshot") has failed with `st`, and returns that. */
enum status qcow2_snapshot_failed(const struct qcow2_image *, enum status st, const char *what,
				  struct error *);

/* Says that `what` is done, but not all that was to be released is; and returns `st`. */
enum status qcow2_snapshot_half_done(enum status st, const char *what, struct error *);
