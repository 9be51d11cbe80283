/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "storage/storage.h"

/*
 * Which image a file belongs to. A file that is a piece of an image is not renamed or removed by
 * itself, nor with another image.
 */

/*
 * Refuses a part of a split image, "a.raw.001" where there is a set "a.raw". `verb`: what is to be
 * done with that instead, for the words. Errors: ST_REFUSED; those of split_count(); ST_NO_MEMORY.
 */
enum status owner_check_part(const char *file, const char *verb, struct error *);

/*
 * Refuses if an image in the directory of `image`, and other than it, names one of `n` files as its
 * extent or its data file. What is opened for that stays among what is read (storage_forget_reads).
 * Errors: ST_REFUSED; those of platform_list(); ST_NO_MEMORY.
 */
enum status owner_check_named(struct storage *, const char *image, const char *const *file,
			      size_t n, struct error *);

/* The name of a file beside `path`. The caller frees it. NULL: no memory. */
char *owner_beside(const char *path, const char *name);

/*
 * Lists the directory of `path`. The caller frees the list with owner_free_list(), also after an
 * error. Errors: those of platform_list(); ST_NO_MEMORY.
 */
enum status owner_list(const char *path, struct file_list *ret, struct error *);
void owner_free_list(struct file_list *);
