/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "powercut.h"
#include "run.h"

/* One thing that is done to images, for which cuts and failures are enumerated. */

enum { SETUP = 8 };

struct bytes {
	uint8_t *at;
	uint64_t size;
};

struct operation {
	/* "resize/grow": figures are of all of a group, which comes first */
	const char *name;
	/* make the images, of the files in operation_files() */
	const char *setup[SETUP][WORDS];
	void (*damage)(const struct bytes *); /* of the image "a" thereafter */
	const char *words[WORDS];             /* the operation */
	unsigned guest;                       /* > 0: instead, a guest writes to "a" so often */
	int code;                             /* the exit code, if nothing fails */
	const char *says;                     /* printed only then */
	int repaired;                         /* that of a repair thereafter */
	/* files whose bytes are old or new each by itself; NULL: none */
	const char *mixed;
	bool replaces;       /* the disk is another one thereafter */
	bool large;          /* not for a cut at every change */
	uint64_t disk_bytes; /* > 0: the set-up begins with format_files() */
};

/* Of qcow2 and raw images. */
extern const struct operation operations[];
extern const size_t n_operations;

/*
 * The same few for each format that can create images but those, and for each kind of its images;
 * "vdi/static/write" is of the group "vdi" (formats.c).
 */
const struct operation *format_operations(size_t *ret_n);

/* Options of create for small images of the format; NULL: none. */
const char *small_options(const char *format);

/* Puts the files on the volume that all set-ups know, and those of formats with such disks. */
void operation_files(void), format_files(uint64_t disk_bytes);
bool is_format_file(const char *name); /* of the latter */

/* Makes a volume of that kind with what the operation begins with, and keeps that. */
struct sim_files operation_prepare(const struct operation *, const struct sim_volume_kind *);

/* What is wrong with images that are repaired (damage.c). */
void no_snapshots(const struct bytes *), low_refcounts(const struct bytes *),
	no_blocks(const struct bytes *), block_twice(const struct bytes *),
	not_copied(const struct bytes *), reserved_places(const struct bytes *),
	incomplete(const struct bytes *), lost(const struct bytes *), dirty(const struct bytes *),
	unknown_features(const struct bytes *), block_nowhere(const struct bytes *);
