/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "base/warnings.h"
#include "engine/progress.h"
#include "engine/status.h"
#include "record/rescue_map.h"

enum {
	SALVAGE_RANGES_MAX = 100, /* that are told one by one */
	SALVAGE_RETRIES = 3,      /* of a block that the device cannot read */
};

/* What of disks could not be read. */
struct salvage {
	struct salvage_range {
		const struct image *image; /* whose disk it is of */
		uint64_t offset, length;
		enum status why;
		/*
	 * in the order in which they were met, adjoining ones as one; the last place is for the
	 * latest
	 */
	} range[SALVAGE_RANGES_MAX + 1];
	uint64_t n;             /* all that there were */
	uint64_t bytes;         /* of all of them */
	struct rescue_map *map; /* where they are noted too; NULL: nowhere */
};

/*
 * disk_status() for a disk of which not everything can be told: what cannot be, cluster by cluster,
 * is said to be data in one piece, so that it is tried to be read.
 */
enum status salvage_status(struct image *, uint64_t offset, uint64_t len, struct disk_status *ret,
			   struct progress *);

/*
 * blk_read() of a disk. Transfers that fail are halved down to blocks, or the whole piece where it
 * is compressed, and these are tried again; what still cannot be read is zeros in `buf`, and noted.
 * Errors: those that are not about single places (no memory, the device is gone), and ST_CANCELLED.
 * It shows meanwhile that it goes on, and how many places are lost.
 */
enum status salvage_read(struct salvage *, struct image *, uint64_t offset, uint8_t *buf,
			 size_t len, struct progress *);

/*
 * The same, but the first block that cannot be read ends it: with that failure, and *ret says
 * where. Other failures leave ret->length 0.
 */
enum status salvage_read_strictly(struct image *, uint64_t offset, uint8_t *buf, size_t len,
				  struct progress *, struct salvage_range *ret);

/* Whether a failure is about the place that was read, and others may well be readable. */
bool salvage_is_local(enum status);

/* "512 bytes at offset 1024", of a disk with the number of its first block as well. */
void salvage_print_place(const struct salvage_range *, struct out *);

/* Warns of what is lost, once for each range and once in all; not at all if nothing is. */
void salvage_warn(const struct salvage *, struct warnings *, const char *target);
