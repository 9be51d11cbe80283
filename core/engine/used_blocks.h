/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"
#include "blk/used_map.h"
#include "disk/part.h"
#include "format/image.h"
#include "fs/fs.h"

/*
 * What of a source is in use, for a copy that leaves out the rest: of a disk, what the file systems
 * in its partitions use, and everything else; of an image that was made so, what its bitmap says,
 * or the block map beside it.
 *
 * The bitmap of used granules in such an image. It is enabled: whatever writes to the image and
 * knows bitmaps keeps it true; what does not know them makes it invalid. Its name has the size of
 * the disk after this, in decimal: whatever grows the image grows the bitmap by bits that are not
 * set, which nobody has found to be unused.
 */
#define USED_BITMAP "efi-img.used."

enum { USED_BITMAP_NAME_BYTES = sizeof USED_BITMAP + 20 };

/* A partition, or a disk without a table, and why what it does not use is copied nevertheless. */
struct used_part {
	uint32_t number; /* 0: all of the source */
	uint64_t start, size;
	const char *pieces; /* the type of a partition by part_is_in_pieces(); NULL: another one */
	struct fs fs;
	/*
	 * "": nothing that is known is in it, or it has a map; with a map: what of it is copied as
	 * a whole, and why
	 */
	struct error why;
	struct blk *window;
	struct fs_map *map; /* NULL: all of it is copied */
};

struct used_blocks {
	struct image *image; /* the source; NULL: closed */
	struct used_part *part;
	size_t n;
	char why[640]; /* why all of the disk is copied, whatever is in it; "": that is not so */
	struct used_map map; /* closed: everything is in use */
	uint64_t
		unused_bytes; /* granules in `map`, and what else is unused, which reads as zeros */
	bool of_image;        /* it was decided when the image was made */
	bool keeps; /* a target may keep what it has there; false: it is to become zeros */
	/* the source's own blk, while what is not in use is left out of it (blk/mask.h) */
	struct blk *below, *mask;
};

/*
 * Finds what of a disk or partition is in use, and has it read without the rest from here on: its
 * image is flat, and loaded. `volume`: the partition that it is, and no table is looked for; NULL:
 * a disk. What cannot be found out is in use, with the reason. Errors: ST_NO_MEMORY, ST_CANCELLED;
 * closed on failure too.
 */
enum status used_blocks_of_disk(struct used_blocks *, struct image *, const struct part *volume,
				struct error *);

/*
 * The same of an image that has the bitmap, by itself alone, of the whole disk, and valid;
 * otherwise all of it is in use, with the reason, if it has one at all. It is read as before.
 */
enum status used_blocks_of_image(struct used_blocks *, struct image *, struct error *);

/*
 * The same of a raw image of which `unused`, as mask_kind->unused with `user`, tells what is not to
 * be read: that reads as zeros from here on. The image's size is that of its file. `keeps`: it is
 * unused, and not only zeros.
 */
enum status used_blocks_of_ranges(struct used_blocks *, struct image *,
				  bool (*unused)(void *user, uint64_t offset, uint64_t *ret_length),
				  void *user, bool keeps, struct error *);

/* The source is read as a whole again. Before it is closed. */
void used_blocks_close(struct used_blocks *);

/* Whether anything is left out. */
bool used_blocks_any(const struct used_blocks *);

/*
 * Prints a number that is another one if the map is: what an interrupted copy has left out must be
 * what its continuation leaves out.
 */
void used_blocks_print_digest(const struct used_blocks *, struct out *);

/* Sets the name of the bitmap for a disk of `size` bytes. */
void used_blocks_name(uint64_t size, char ret[static USED_BITMAP_NAME_BYTES]);

/* Gives an image, loaded for writing, the bitmap. Errors: those of adding and flushing it. */
enum status used_blocks_store(const struct used_blocks *, struct image *target, struct error *);
