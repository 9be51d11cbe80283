/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "format/image.h"

/* Requests of one size to a disk, one after the other. */
struct speed_job {
	struct image *image; /* loaded; for writing if `write` */
	bool write;
	uint8_t pattern; /* the bytes that are written */
	uint64_t count;
	/* of the first request; from one to the next, beginning anew at the end of the disk */
	uint64_t offset, step;
	size_t bytes;         /* of each, > 0 */
	uint64_t flush_every; /* requests; 0: no flushes */
	uint64_t limit_ns;    /* no request begins later than that; 0: no limit */
};

struct speed {
	uint64_t count, nanoseconds;
};

/*
 * Fails with words that name the file. ST_INVALID: a request is larger than the disk; ST_CANCELLED;
 * errors of reading and writing.
 */
enum status speed_run(const struct speed_job *, struct speed *ret, struct error *);
