/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"
#include "platform/files.h"

/*
 * An image in several files, for volumes on which a file cannot be as large as it: pc.qcow2,
 * pc.qcow2.001, pc.qcow2.002 ... Put behind each other, as `cat` does, they are the image; there is
 * nothing else in them.
 *
 * How they are told from a whole image with other files beside it:
 *
 * - All parts but the last have the same length, and the length itself is the mark: SPLIT_MARK
 *   behind a whole number of MiB. Images do not end there, because their files are made of sectors.
 *   So a file of any other length is whole, whatever is called .001 beside it, and nothing is ever
 *   appended to it.
 * - Behind a part of that length there is another one: the last part is shorter, if need be empty.
 *   So a missing part is an error, which names it, and never makes a short image. So is a part that
 *   is too long, or one with something in it behind a short one.
 *
 * While it grows, this holds at every moment: the next file is made, empty, before a part becomes
 * full, and a full part is on the medium before anything is written to the next one. While it
 * shrinks, files are emptied from the last one on.
 */
enum {
	SPLIT_UNIT = 1 << 20,
	/* of SPLIT_UNIT; no multiple of 512, but one of what devices want buffers aligned to */
	SPLIT_MARK = 0xf6a48,
	SPLIT_PARTS_MAX = 1000,
};

/* The length of parts that have at most `limit` bytes. 0: that is too little. */
uint64_t split_part_bytes(uint64_t limit);

/* The name of a part, 1 ...; NULL: no memory. The caller frees it. */
char *split_name(const char *name, unsigned part);

/* How many files a blk of split_open() consists of; any other blk: 1. */
unsigned split_files_of(const struct blk *);

/*
 * How many files the image of that name consists of: 1 if it is whole, or not there. Errors: those
 * of platform_open().
 */
enum status split_count(const char *name, unsigned *ret, struct error *);

/*
 * What platform_open() has opened under a name, with the parts that belong to it; `file` itself
 * where it is whole. It takes `file`, on failure too. Errors: ST_CORRUPT, ST_NOT_FOUND,
 * ST_NO_MEMORY, and those of platform_open().
 */
enum status split_open(const char *name, enum open_mode, struct blk *file, struct blk **ret,
		       struct error *);

/*
 * The same for one that is being made, of parts of `part_bytes`, of which even the first may not be
 * full yet: it is split as it grows.
 */
enum status split_reopen(const char *name, uint64_t part_bytes, struct blk *file, struct blk **ret,
			 struct error *);

/*
 * Makes an empty image that is split as it grows. `replace`: parts of an older one go. Errors:
 * those of platform_create() and platform_remove(); ST_EXISTS.
 */
enum status split_create(const char *name, uint64_t part_bytes, bool replace, struct blk **ret,
			 struct error *);

/*
 * Calls `each` with the name of every file that is there and is called like a part of `name`, .001
 * to .999, whether others are missing between them or not, from the last one on, until it fails.
 * Errors: those of platform_list().
 */
enum status split_each_part(const char *name,
			    enum status (*each)(void *user, const char *part, struct error *),
			    void *user, struct error *);

/* Removes the parts below .`end` that are there. */
enum status split_remove(const char *name, unsigned end, struct error *);
