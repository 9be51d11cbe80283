/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"

/*
 * A blk that can be read from its beginning to its end and is costly to read in any other order,
 * as a compressed stream is: reading before the end of the last read begins anew at offset 0. What
 * counts is how many bytes pass by, read or skipped.
 */

/* Owns `below`, and reads it. */
struct blk *sequential_open(struct blk *below);

/*
 * From now on, `n` bytes may pass by in all such blks together; a read that would take more is
 * ST_UNSUPPORTED.
 */
void sequential_allow(uint64_t n);

/* How many bytes have passed by since then, those of refused reads among them. */
uint64_t sequential_passed(void);
