/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/chain.h"

/*
 * Files that a job has written, as the next program sees them that opens them. Entries are added
 * while the files are still open, after everything was flushed; finished_check() comes after they
 * are closed.
 */
struct finished_file;

struct finished {
	struct finished_file *file;
	size_t n;
};

/* Adds a file, or a split image, by the name that platform_open() takes. Errors: ST_NO_MEMORY. */
enum status finished_add(struct finished *, const char *name, struct blk *file, struct error *);

/* Adds one that is closed already, of which only the size is known. */
enum status finished_add_size(struct finished *, const char *name, uint64_t size, struct error *);

/* Adds the files of an image that is open for writing; of another one, nothing. */
enum status finished_add_image(struct finished *, const struct image *, struct error *);

/*
 * Opens each file, and compares its size, and its first and last block, with what they were when it
 * was added. Frees the entries, in any case. ST_MISMATCH: they differ, with words that say how; the
 * errors of opening and reading.
 */
enum status finished_check(struct finished *, struct error *);

/* Frees the entries without a look. */
void finished_free(struct finished *);

/*
 * Closes what was changed in place by a job that ended in `st`, and then checks it as above, if
 * that is ST_OK. The caller's error is kept otherwise.
 */
enum status finished_close_image(struct image *, enum status st, struct error *);
enum status finished_close_chain(struct chain *, enum status st, struct error *);
