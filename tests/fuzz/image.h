/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The image in an input. Images of some formats have megabytes of zeros between what describes
 * them, so an input is either an image as it is, or the pieces of one:
 *
 *   0   "efi-img pieces\n" and a zero
 *   16  u32 LE: how long the image is, in sectors of 512 bytes, at most FUZZ_IMAGE_BYTES in all
 *   20  12 bytes: what is to be done with it, up to the first 0xff (change_image.c)
 *   32  pieces: u32 LE the sector, u32 LE the number of sectors, and their bytes; with
 *       FUZZ_EXTENT_PIECE in the sector, of the file "extent", which ends with the last of them
 *
 * Checksums of files in pieces are put right: those of VHD and VHDX would otherwise keep every
 * changed byte from being looked at. tests/fuzz/seeds makes such inputs.
 */
enum { FUZZ_IMAGE_BYTES = 12 << 20, FUZZ_CHANGES_MAX = 16 };
#define FUZZ_EXTENT_PIECE UINT32_C(0x80000000)

struct fuzz_image {
	const uint8_t *bytes; /* until the next one is taken */
	size_t n;
	const uint8_t *extent; /* a parent or an extent of the image */
	size_t n_extent;       /* 0: the one of fuzz_volume() */
	const uint8_t *changes;
	size_t n_changes; /* at most FUZZ_CHANGES_MAX */
};

/*
 * Takes an input apart. Of one that is an image as it is, up to FUZZ_CHANGES_MAX bytes after the
 * last whole sector are the changes if `with_changes`.
 */
struct fuzz_image fuzz_image_of(const uint8_t *data, size_t n, bool with_changes);

/* Makes a volume with its files "image" and "extent". */
void fuzz_image_volume(const struct fuzz_image *);
