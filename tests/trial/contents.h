/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "format/format.h"
#include "volume.h"

/* All that can be read from the files of the volume: disks, snapshots, bitmaps. */

enum { SNAPSHOTS_MAX = 4, BITMAPS_MAX = 6, NAME_MAX_BYTES = 32 };

struct disk {
	char snapshot[NAME_MAX_BYTES]; /* that it is of; "": as it is now */
	uint8_t *bytes;                /* NULL: it cannot be read */
	uint64_t size;
};

struct marks {
	char name[NAME_MAX_BYTES];
	bool automatic, in_use;
	uint64_t granularity, n;
	uint8_t *bit; /* one byte for each of the `n`; NULL: in_use */
};

struct picture {
	char name[NAME_MAX_BYTES], backing[NAME_MAX_BYTES];
	const struct image_format *format;
	size_t n_disks, n_bitmaps;
	struct disk disk[1 + SNAPSHOTS_MAX]; /* [0] is as it is now */
	struct marks bitmap[BITMAPS_MAX];
};

struct contents {
	size_t n;
	struct picture file[SIM_FILES_MAX];
};

/*
 * The format that a file is probed as, by the formats themselves; raw if none claims it, and for
 * what is not complete and bears the mark.
 */
const struct image_format *format_of(const char *name);
bool is_image(const char *name); /* of any format but raw */

/*
 * Whether a file is a part of an image, which says what it is: a data file, an extent of a VMDK. It
 * is looked at through its image.
 */
bool is_part(const char *name);

/*
 * Whether a file is a rescue map, or what is written before it: these follow the copy and are no
 * contents.
 */
bool is_record(const char *name);

/*
 * An image that does not open fails the test; disks and bitmaps that cannot be read are in it as
 * such.
 */
struct contents contents_read(void);
void contents_free(struct contents *);

/* NULL: there is none of that name. */
const struct picture *contents_find(const struct contents *, const char *name);

/* What holds after the change of `before` into `after` was cut. */
struct expectation {
	const struct contents *before, *after;
	/* the files whose disks `mixture` looks at; the others are as a whole as before or after */
	const char *mixed;
	void (*mixture)(const struct disk *before, const struct disk *after, const struct disk *now,
			size_t cut);
	size_t cut;
};

/* Whether a file is in a list of names with blanks between them, or NULL. */
bool is_mixed(const char *mixed, const char *name);

/* Each byte that there was is as before or after. */
void assert_mixed(const struct disk *before, const struct disk *after, const struct disk *now,
		  size_t cut);

void assert_old_or_new(const struct expectation *, const struct contents *now);

/* What was not there or could not be read before, can be now. */
void assert_same_contents(const struct contents *before, const struct contents *now);
void assert_same_snapshots(const struct picture *before, const struct picture *now);

/* As far as both disks go, what the operation has not changed is the same. */
void assert_same_beginning(const struct picture *before, const struct picture *now);
