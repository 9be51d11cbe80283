/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/format.h"
#include "storage/storage.h"

/*
 * Renaming an image within its directory, with the parts of a split image, its manifest
 * and its block map.
 * The order of changes is in rename.c.
 */
enum { RENAME_USERS_MAX = 8 };

struct rename_step {
	char *from, *to;
};

struct renaming {
	struct rename_step *step; /* in order */
	size_t n;
	bool is_rest;  /* the image has the new name already */
	size_t n_done; /* parts that an interrupted run has renamed */
	/* NULL: the image has none; the text is that of the new one */
	char *manifest, *new_manifest, *manifest_text;
	size_t n_manifest_text;
	bool has_new_manifest; /* an interrupted run has begun to write it */
	const char *format;    /* of the image; NULL: not known */
	/* images beside it whose backing file it is; more of them are not looked for */
	char *user[RENAME_USERS_MAX];
	size_t n_users;
};

/*
 * Finds what is renamed, and adds it to the access set. Changes nothing. `name` has no directory.
 * The caller frees *ret with renaming_free(), on failure too. Errors: ST_INVALID, a disk, or no
 * name for a file; ST_NOT_FOUND; ST_EXISTS; ST_REFUSED, it is unfinished, other files go by its
 * name, or it names files that go by it; those of image_open(), manifest_text_renamed(),
 * platform_look() and storage_use().
 */
enum status renaming_plan(struct storage *, const char *image, const char *name,
			  struct renaming *ret, struct error *);

/*
 * Renames the files. After a failure, or a power failure, the same plan can be made again, and
 * completes it. Errors: those of platform_rename(), and of writing and removing a file.
 */
enum status renaming_run(const struct renaming *, struct error *);

void renaming_free(struct renaming *);
