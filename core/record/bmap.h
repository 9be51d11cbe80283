/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/out.h"
#include "blk/used_map.h"
#include "codec/sha256.h"
#include "engine/observer.h"
#include "storage/storage.h"

/* The usual name is that of the image with this after it. */
#define BMAP_ENDING ".bmap"

/*
 * A block map as bmaptool reads and writes it, version 2.0: an XML file beside a raw image that
 * names the ranges that are to be copied, with the SHA-256 of each. docs/SPEC.md has the format.
 *
 * What is not mapped, nobody reads. In a map of this program that is what no file system uses
 * (`unused`), and a disk may keep what it has there. In the maps of others it is what the image's
 * file had as holes, which are zeros that may matter: it is to be written as zeros.
 */
struct bmap_range {
	uint64_t offset, length; /* bytes, length > 0; of the image */
	uint8_t hash[SHA256_BYTES];
};

struct bmap {
	struct observer observer; /* of a copy: what it reads is hashed, or checked */
	uint64_t size;            /* of the image, in bytes */
	uint32_t block_bytes;     /* ranges consist of such blocks, but for the image's end */
	bool unused;              /* what is not mapped is unused; false: it is zeros */
	struct bmap_range *range; /* sorted, with something between each two, or nothing */
	size_t n;
	char *file; /* of one that was read */

	/* while a copy reads */
	bool checks;   /* the hashes are known; false: they are found */
	bool differs;  /* range[at] has another one */
	size_t at;     /* the first range that has not ended */
	uint64_t done; /* bytes of the image that have come */
	struct sha256 sha;
};

/*
 * Begins the map of a new image of `size` bytes, a multiple of 512. `used`: what is unused of it,
 * and zeros; NULL: all of it is mapped. ST_NO_MEMORY; closed on failure too.
 */
enum status bmap_open(struct bmap *, uint64_t size, const struct used_map *used, struct error *);

/*
 * Reads a map, and checks it against itself and the size of its image, whose name is for messages.
 * Errors: ST_CORRUPT, it is damaged or of another image, with the field; ST_UNSUPPORTED, a version
 * or checksum that is not known; those of opening and reading; ST_NO_MEMORY. Closed on failure too.
 */
enum status bmap_read(struct bmap *, const char *file, const char *image, uint64_t size,
		      struct error *);

void bmap_close(struct bmap *);

/*
 * Finds the map of an image as bmaptool does: "disk.img.xz" has "disk.img.xz.bmap",
 * "disk.img.bmap" or "disk.bmap". The caller frees *ret; NULL: there is none. ST_NO_MEMORY.
 */
enum status bmap_find(const char *image, char **ret, struct error *);

/* As mask_kind->unused: whether `offset` is in no range. `bmap` is the struct. */
bool bmap_unmapped(void *bmap, uint64_t offset, uint64_t *ret_length);

/*
 * Everything that comes to the end of the image is zeros: a smaller disk has no room for it. Once,
 * after the copy has read the rest. ST_CORRUPT as while it reads: a range has another hash.
 */
enum status bmap_end(struct bmap *, struct error *);

/* Whether the file can be written: refused if it is there, unless `replace`. Changes nothing. */
enum status bmap_plan(struct storage *, const char *file, bool replace, struct error *);

/*
 * Writes the map, after bmap_end(), over another file only if `replace`. What cannot be written
 * completely is removed.
 */
enum status bmap_write(const struct bmap *, const char *file, bool replace, struct error *);
