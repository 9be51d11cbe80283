/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "operation.h"

/*
 * What must hold at every state that a cut or a failure of an operation leaves:
 *
 *   - every image opens, and a check finds leaks at most; of qcow2: no cluster has more users than
 *     its refcount says, and COPIED is where it should be
 *   - what could be read before can be read: old or new, each image as a whole (snapshots always,
 *     and bitmaps that are not marked as in use); where data is written in place, byte by byte; of
 *     a guest, all that was flushed
 *   - a file that was not there before is complete, or no image; after a failure it is gone
 *   - what a cut leaves behind is in nobody's way: the image can be written to
 *   - `check -r all`, where the format has it, makes every image clean, changes nothing that can be
 *     read, and done again changes no byte
 */

/* Of one group of operations. */
struct figures {
	char group[32];
	unsigned operations, changes, states, distinct, failures, flushed;
};

/* Cuts the power at every change that the operation makes. */
void trial_cut(const struct operation *, struct figures *);

/*
 * Fails every allocation and every call to the volume, and stops it at every moment when that is
 * asked for. Each failure of an operation that changes a file is tried twice: the images are closed
 * as the operation leaves them, or flushed before, so that what the failed change left in memory is
 * on the medium.
 */
void trial_fail(const struct operation *, struct figures *);

/*
 * For the test that wraps image_close(): whether an open image is to be flushed now, before it is
 * closed.
 */
bool trial_wants_flush(void);

/*
 * Does that for all of `n` operations that are wanted; prints what was tried, group by group.
 * Returns the sum.
 */
struct figures trial_each(const struct operation *, size_t n,
			  void (*)(const struct operation *, struct figures *));
