/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/image.h"

/* What a disk has in a range: its image and the backing files together. */
struct disk_range {
	uint64_t length; /* bytes, > 0 */
	size_t depth;    /* of the deciding image: 0 is the first of the chain */
	/* an image of the chain has it; false: it is zeros because none does */
	bool present;
	bool zero; /* reads as zeros */
	bool data;
	bool compressed;
	bool has_offset;
	/* in the file of that image; for what is compressed too, as struct extent has it */
	uint64_t offset;
	uint32_t packed_bytes;
	struct image *image; /* the one at `depth` */
};

/*
 * What is at `offset` of the disk whose first image this is (loaded, with its backing images),
 * looking at up to `len` > 0 bytes that lie on the disk. Zeros that only the file system knows of
 * (holes of the file) are seen too.
 */
enum status disk_map_at(struct image *, uint64_t offset, uint64_t len, struct disk_range *ret);

/* The same, for at most as much as qemu-img reports at once: to find the same disks different. */
enum status disk_map_at_sliced(struct image *, uint64_t offset, uint64_t len,
			       struct disk_range *ret);
