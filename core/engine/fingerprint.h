/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/error.h"
#include "engine/observer.h"

/*
 * A summary of the data that was read, in little memory: to find out whether what is read back
 * later is the same, and if not, about where. For each range of the disk it is the sum of the
 * checksums of its 512-byte blocks, which depend on their place. Zeros count nothing, so that it
 * does not matter in which pieces and in which order a disk is gone through, and holes cost
 * nothing. A block that changed goes unnoticed once in 2^64 times.
 */
struct fingerprint {
	struct observer observer; /* of a copy: gets what is read to be written */
	uint64_t size, range_bytes;
	uint64_t *sum;
	size_t n;
};

enum {
	/* a piece is no longer than a range, so that it lies in two at most */
	FINGERPRINT_PIECE_BYTES = 4 << 20,
	FINGERPRINT_PARTS = 2,
};

/* For a disk of `size` bytes. ST_NO_MEMORY; at most 1 MiB is needed. */
enum status fingerprint_open(struct fingerprint *, uint64_t size, struct error *);
void fingerprint_close(struct fingerprint *);

/*
 * Adds to `part` what `n` bytes at `offset` count, for the range in which their piece begins, at
 * `piece`, and for the one after that. A piece has up to FINGERPRINT_PIECE_BYTES; offsets are
 * multiples of 512, and so is `n` unless the disk ends there. On any processor.
 */
void fingerprint_part(const struct fingerprint *, uint64_t piece, uint64_t offset,
		      const uint8_t *bytes, size_t n, uint64_t part[static FINGERPRINT_PARTS]);
void fingerprint_add(struct fingerprint *, uint64_t piece,
		     const uint64_t part[static FINGERPRINT_PARTS]);

/*
 * Both are of disks of the same size. False: *ret_offset is where the first range begins that
 * differs, of *ret_n bytes.
 */
bool fingerprint_same(const struct fingerprint *, const struct fingerprint *, uint64_t *ret_offset,
		      uint64_t *ret_n);
