/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "engine/progress.h"
#include "format/image.h"

/* Giving an image another backing file. */
struct rebase_job {
	struct image *image;   /* loaded for writing; unless `unsafe`, with its old backing file */
	struct image *backing; /* the new one, loaded; NULL: none, or `unsafe` */
	const char *name;      /* as it is to stand in the image; NULL: none */
	const char *format;    /* NULL: none */
	bool unsafe;           /* only change the name: what shows through may change */
	bool compress;         /* what is copied */
	struct progress_sink *progress; /* NULL: none is reported */
};

/*
 * Copies what would show through differently into the image, then changes the name. Whatever
 * happens, the disk of the image, with the backing file that it names, is as it was; after an error
 * some of it may be stored in the image already. Errors: those of reading and writing,
 * ST_UNSUPPORTED, ST_CANCELLED, with words that name the file.
 */
enum status rebase_run(const struct rebase_job *, struct error *);
