/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>

#include "blk/hold.h"
#include "blk/mark.h"
#include "engine/used_blocks.h"
#include "format/chain.h"
#include "platform/files.h"

/*
 * Making a new image, in two steps, so that everything that can be known is known, and reported,
 * before the first byte is written: create_prepare() checks and changes nothing, create_run()
 * writes.
 */
struct create_job {
	struct storage *storage;
	const struct image_format *format;
	const char *file_name;
	/* of the format; the job completes the size, and frees them */
	struct create_values options;
	bool trust_backing; /* do not open the backing file: it may not be there (yet) */
	bool replace;       /* an existing file may be overwritten */
	bool continued;     /* it is unfinished, and will be completed */
	bool fill;          /* the disk will be written at once */
	bool bitmaps;       /* the image will get some */
	bool compressed;    /* what is written to the disk will be compressed */
	/* with `fill`: all of it will be stored, and not compressed */
	bool dense;
	/* split_bytes is set where the volume's files may be too small for the image */
	bool may_split;
	/*
	 * the image goes into several files (storage/split.h), each of at most so many bytes; 0:
	 * into one
	 */
	uint64_t split_bytes;
	/* the image goes onto a disk of this size, from its beginning on; 0: into a file */
	uint64_t device_bytes;
	/* of the mark (blk/mark.h), until it is complete; NULL: none */
	const uint8_t *id;
	/* that disk, from create_open() or create_run() on; the caller's */
	struct blk *device;
	/* its volume truncates files, so that the image is written from front to back */
	bool forward;

	const struct used_blocks *used; /* of the source, for the plan; NULL: all of it is copied */

	struct create_request request;
	struct create_plan plan; /* its names are those that platform_create() takes */
	/* of the image; cluster_bytes 0: create_prepare() did not come so far */
	struct place place;
};

/*
 * Errors, besides those of platform_look() and of the backing file: ST_INVALID (what is asked for
 * makes no sense), ST_EXISTS, ST_NO_SPACE, ST_TOO_LARGE. The words name the file or the option, the
 * value, and the way out.
 */
enum status create_prepare(struct create_job *, struct error *);

/*
 * The plan of a new image in a file as create_prepare() has left it, which ended in `st` with
 * `err`; with the sources that will be copied into it.
 */
void create_print_text(const struct create_job *, const struct chain *source, size_t n,
		       enum status st, const struct error *err, struct out *);
void create_print_json(const struct create_job *, const struct chain *source, size_t n,
		       enum status st, const struct error *err, struct out *);

/*
 * The one check of what create_prepare() has left that may write: whether the volumes can keep the
 * files (platform_check_rewrite()), or the image can be written from front to back (job->forward).
 * create_run() and create_open() begin with it.
 */
enum status create_check_rewrite(struct create_job *, struct error *);

/*
 * Creates the files, and finishes them. On failure, ST_CANCELLED included, those that it made are
 * removed; if that fails too, the message names the one that remains. What is on a disk stays.
 */
enum status create_run(struct create_job *, struct error *);

/*
 * The same for an image that is to be written to at once: *ret is its file, whose first sector is
 * kept back (blk/hold.h), or its end (blk/forward.h). Nothing is an image until create_finish() and
 * then create_release() of it; where something fails before, the caller closes it and calls
 * create_remove().
 */
enum status create_open(struct create_job *, struct blk **ret, struct error *);

/*
 * The same for one file that an earlier job has made so and not finished: job->id is that of its
 * mark. What is kept back of it is `first` then. Nothing is written to it before the first write to
 * *ret, which the caller closes; the file stays. ST_EXISTS: as create_check_unfinished(); the
 * errors of storage_open().
 */
enum status create_reopen(const struct create_job *, const uint8_t first[static HOLD_IMAGE_BYTES],
			  struct blk **ret, struct error *);

/*
 * Flushes everything, then writes what the format keeps for the end, and flushes it. Only what is
 * kept back is missing then.
 */
enum status create_finish(const struct create_job *, struct blk *file, struct error *);

/*
 * Writes what is kept back, which makes the file an image, flushes it, and reads it back. After a
 * failure, *ret_exposed is whether the file may look complete all the same. Errors: those of
 * hold_release() and forward_release().
 */
enum status create_release(const struct create_job *, struct blk *file, bool *ret_exposed,
			   struct error *);

/*
 * Whether the file of that name is the unfinished image with that id. Errors: those of
 * platform_open(), ST_NOT_FOUND among them, and of reading; ST_EXISTS: it is something else.
 */
enum status create_check_unfinished(const char *name, const uint8_t id[static MARK_ID_BYTES],
				    struct error *);

/* Removes the files; adds to the words of the failure that is the reason if one remains. */
void create_remove(const struct create_job *, struct error *);

/* How many files the image consists of that the job has created. */
unsigned create_n_files(const struct create_job *);

void create_job_free(struct create_job *);
