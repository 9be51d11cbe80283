/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/image.h"

enum { CONTENTS_TEXT = 192 };

/* Why the bytes of a raw file are probably not, or not all of, those of a disk or a partition. */
enum doubt {
	DOUBT_NONE,
	DOUBT_NO_TABLE,  /* neither a partition table nor a file system; said of whole disks only */
	DOUBT_TRUNCATED, /* its table or file system reaches past its end */
};

/* What the disk in an image has at its beginning. */
struct disk_contents {
	bool table;   /* a partition table: GPT, MBR (a hybrid ISO has one) or Apple's */
	bool volume;  /* a file system, or what else fills a disk without a table */
	bool assumed; /* that it is a disk at all: the bytes of a raw file, which does not describe
			 itself */
	bool truncated;          /* what it has at its beginning reaches past its end */
	char odd[CONTENTS_TEXT]; /* what a person should know of it before it goes onto a disk; "":
				    nothing */
};

/*
 * Looks at the disk in a loaded image from byte `start` (< size) to its end, seen as a whole disk
 * or as a partition, which has no table of its own. A disk or partition, which is a source that a
 * person sees in `list`, is not looked at: it is neither odd nor assumed. Errors: those of reading,
 * ST_NO_MEMORY, with words that name the image.
 */
enum status disk_contents_look(struct image *, uint64_t start, bool whole,
			       struct disk_contents *ret, struct error *);

/* What has to be admitted before it goes onto a disk. */
enum doubt disk_contents_doubt(const struct disk_contents *);

struct target_plan;

/* Fills plan->source_odd and plan->doubt. Errors: those of disk_contents_look(). */
enum status target_contents_look(struct target_plan *, struct error *err);

/* Refuses a doubtful source without --no-table or --truncated. Errors: ST_REFUSED. */
enum status target_contents_check(const struct target_plan *, struct error *err);
