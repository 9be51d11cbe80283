/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "engine/progress.h"
#include "format/image.h"

/* Comparing two disks: what can be read from them, and if `strict` also what is allocated. */
struct comparison {
	struct image *disk[2]; /* loaded, with their backing images */
	bool strict;
	struct progress *progress; /* counts bytes */
};

enum compare_outcome {
	COMPARE_SAME,
	COMPARE_CONTENT,    /* different bytes */
	COMPARE_ALLOCATION, /* strict: one has something allocated that the other has not */
	COMPARE_NO_MAP,     /* failed: the map of a disk could not be read */
	COMPARE_NO_DATA,    /* failed: a disk could not be read, or the person stopped it */
};

/*
 * Compares as far as both disks reach. *ret_offset: of the first 512-byte sector that differs
 * (COMPARE_CONTENT), or of what is allocated differently (COMPARE_ALLOCATION). Only where it
 * failed, the error has words, which name the file.
 */
enum compare_outcome compare_common(const struct comparison *, uint64_t *ret_offset,
				    struct error *);

/* Compares the longer disk with zeros from where the shorter one ends. */
enum compare_outcome compare_rest(const struct comparison *, uint64_t *ret_offset, struct error *);
