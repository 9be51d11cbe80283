/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "blk/blk.h"
#include "platform/files.h"

/*
 * A split set: an image in several files, for volumes on which a file cannot be as long as the
 * image: pc.qcow2, pc.qcow2.001, pc.qcow2.002 ... Concatenated, as by `cat`, they are the image;
 * they contain nothing else.
 *
 * A set is told from a whole image with other files beside it as follows:
 *
 * - All parts but the last have the same length, and the length itself is the mark: a whole number
 *   of MiB and SPLIT_MARK bytes. No image has such a length, because images consist of sectors. So
 *   a file of any other length is a whole image, even if a file with .001 added to its name exists,
 *   and nothing is ever appended to it.
 * - A part of that length is followed by another one: the last part is shorter, and may be empty.
 *   So a missing part is an error, which names the part, and never makes a short image. A part that
 *   is too long, or that has contents and follows a short one, is an error, too.
 *
 * This holds at every moment while a set grows: the next file is created, empty, before a part
 * becomes full, and a full part is flushed before anything is written to the next one. While a set
 * shrinks, files are emptied from the last one on.
 */
enum {
	SPLIT_UNIT = 1 << 20,
	/* bytes; not a multiple of 512, but one of 8, to which devices want buffers aligned */
	SPLIT_MARK = 0xf6a48,
	SPLIT_PARTS_MAX = 1000,
};

/* The length of parts of at most `limit` bytes, for a new set. 0: `limit` is too small. */
uint64_t split_part_bytes(uint64_t limit);

/*
 * The name of part 1 ... SPLIT_PARTS_MAX - 1 of the image `name`. The caller frees it with
 * mem_free(). NULL: no memory.
 */
char *split_name(const char *name, unsigned part);

/* The number of files of a blk of this file's; of any other blk, 1. */
unsigned split_files_of(const struct blk *);

/*
 * Counts the files of the image `name`: 1 if it is whole or does not exist. Errors: those of
 * platform_open().
 */
enum status split_count(const char *name, unsigned *ret, struct error *);

/*
 * Opens the parts that belong to `file`, which platform_open() has opened as `name`: *ret is the
 * image, which owns `file`, or `file` itself where it is whole. Closes `file` on failure. Errors:
 * ST_CORRUPT, the set is not complete; ST_NO_MEMORY; those of platform_open().
 */
enum status split_open(const char *name, enum open_mode, struct blk *file, struct blk **ret,
		       struct error *);

/*
 * The same for writing a set of parts of `part_bytes` that is not finished: even its first part may
 * not be full. It is split as it grows.
 */
enum status split_reopen(const char *name, uint64_t part_bytes, struct blk *file, struct blk **ret,
			 struct error *);

/*
 * Creates an empty image that is split into parts of `part_bytes` as it grows. `replace`: removes
 * the parts of an older image of that name. Errors: those of platform_create() and
 * platform_remove(), ST_EXISTS among them.
 */
enum status split_create(const char *name, uint64_t part_bytes, bool replace, struct blk **ret,
			 struct error *);

/*
 * Calls `each` with the name of every existing file that has the name of a part of `name`, .001 to
 * .999, even if others between them are missing, from the last one to the first, until it fails.
 * Errors: those of `each` and platform_list().
 */
enum status split_each_part(const char *name,
			    enum status (*each)(void *user, const char *part, struct error *),
			    void *user, struct error *);

/* Removes the existing parts below .`end`. Errors: those of platform_remove(). */
enum status split_remove(const char *name, unsigned end, struct error *);
