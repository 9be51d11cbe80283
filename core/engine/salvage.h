/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "engine/observer.h"
#include "engine/progress.h"
#include "engine/disk_map.h"

enum { SALVAGE_RETRIES = 3 }; /* of a block that the device cannot read */

/*
 * disk_map_at() for a disk whose map cannot be read everywhere: where it cannot, cluster by
 * cluster, the range is reported as data in one piece, so that the copy tries to read it.
 */
enum status salvage_map_at(struct image *, uint64_t offset, uint64_t len, struct disk_range *ret,
			   struct progress *);

/*
 * blk_read() of a disk. Transfers that fail are halved down to blocks, or the whole piece where it
 * is compressed, and these are tried again; what still cannot be read is zeros in `buf`, and
 * reported to the observers. Errors: those that are not about single places (no memory, the device
 * is gone), and ST_CANCELLED. Shows its progress meanwhile.
 */
enum status salvage_read(const struct observers *, struct image *, uint64_t offset, uint8_t *buf,
			 size_t len, struct progress *);

/*
 * The same, but the first block that cannot be read ends it: with that failure, and *ret says
 * where. Other failures leave ret->length 0.
 */
enum status salvage_read_strictly(struct image *, uint64_t offset, uint8_t *buf, size_t len,
				  struct progress *, struct lost_range *ret);

/* Whether a failure is about the place that was read, and others may well be readable. */
bool salvage_is_local(enum status);

/* "512 bytes at offset 1024", of a disk with the number of its first block as well. */
void salvage_print_place(const struct lost_range *, struct out *);
