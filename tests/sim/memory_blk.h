/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"

/* A blk over memory, which holds its callers to the contract of blk_ops and fails when told to. */
struct memory_blk_kind {
	uint64_t size;
	uint32_t block_bytes;    /* 0: 1 */
	uint32_t buffer_align;   /* 0: 1 */
	uint32_t transfer_bytes; /* 0: 64 KiB */
	bool writable;
	/* > 0: it is of fixed size, and zeros runs of that length or more without a write */
	uint32_t zero_bytes;
	uint64_t limit; /* > 0: it can be resized up to this; more is ST_NO_SPACE */
};

struct memory_blk {
	struct blk blk;
	uint8_t *bytes; /* `size` of them, then garbage up to `limit` */
	uint64_t limit;
	unsigned n_reads, n_writes, n_zeros, n_flushes, n_resizes;
	/* The read or write after this many further ones, and all after it, end in `status`. */
	unsigned calls_to_failure; /* 1: the next one; 0: never */
	enum status status;
};

/* Zeros, to be filled by the test. Closed by blk_close(&...->blk). */
struct memory_blk *memory_blk_new(const struct memory_blk_kind *);
