/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"

/*
 * A blk that can be read from its beginning to its end and is costly to read in any other order,
 * as a compressed stream is: reading before the end of the last read begins anew at offset 0.
 */

/* Owns `below`, and reads it. */
struct blk *sequential_open(struct blk *below);

/*
 * From now on, all such blks together may begin anew `n` times; a read that would be one more is
 * ST_UNSUPPORTED.
 */
void sequential_allow(unsigned n);

/* How many times they have begun anew since then, the refused ones among them. */
unsigned sequential_restarts(void);
