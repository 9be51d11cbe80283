/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "storage/storage.h"

/*
 * Removing an image with all files that are its own: the parts of a split image, the files that the
 * image names as its extents or its data file, its manifest, its block map and its journals.
 * Backing files stay, and so do files that have the name of a record and are none.
 */
enum { REMOVAL_FILES_MAX = 2048 };

struct removal {
	char **name; /* in the order in which they are removed: the image first */
	size_t n;
	uint64_t bytes; /* that they occupy */
	/* it cannot be opened, so that its extents and its data file are not known: why */
	bool unopened;
	struct error why_unopened;
};

/*
 * Finds the files, and adds them to the access set. Changes nothing. The caller frees *ret with
 * removal_free(), on failure too. Errors: ST_INVALID, a disk; ST_UNSUPPORTED, the image is partly
 * on one, or has too many files; ST_NOT_FOUND; ST_REFUSED, a file that the image names is in
 * another directory, or one of them is a part or a file of another image; those of platform_look(),
 * platform_list() and storage_use().
 */
enum status removal_plan(struct storage *, const char *image, struct removal *ret, struct error *);

/*
 * Removes the files. On failure, with words that name the file, those after it are still there; if
 * that is the image itself, all are. Errors: those of platform_remove().
 */
enum status removal_run(const struct removal *, struct error *);

void removal_free(struct removal *);
