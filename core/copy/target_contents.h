/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/image.h"

enum { CONTENTS_TEXT = 192 };

/* What the disk in an image has at its beginning, seen as a whole disk. */
struct disk_contents {
	bool table;   /* a partition table: GPT, MBR (a hybrid ISO has one) or Apple's */
	bool volume;  /* a file system, or what else fills a disk without a table */
	bool assumed; /* that it is a disk at all: the bytes of a raw file, which does not describe
			 itself */
	char odd[CONTENTS_TEXT]; /* what a person should know of it before it goes onto a disk; "":
				    nothing */
};

/*
 * Looks at [start, start + size) of the disk in a loaded image; the range lies in the disk. A disk
 * or partition, which is a source that a person sees in `list`, is not looked at: it is neither odd
 * nor assumed. Errors: those of reading, ST_NO_MEMORY, with words that name the image.
 */
enum status disk_contents_look(struct image *, uint64_t start, uint64_t size,
			       struct disk_contents *ret, struct error *);

/* Whether --no-table has to be given for it to go onto a whole disk. */
bool disk_contents_doubtful(const struct disk_contents *);

struct target_plan;

/* Fills plan->source_odd and plan->doubtful. Errors: those of disk_contents_look(). */
enum status target_contents_look(struct target_plan *, struct error *err);

/* Refuses a doubtful source without --no-table. Errors: ST_REFUSED. */
enum status target_contents_check(const struct target_plan *, struct error *err);
