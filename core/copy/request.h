/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/warnings.h"
#include "copy/target_request.h"
#include "format/create_options.h"
#include "record/journal.h"
#include "record/losses.h"

struct copy_plan;
struct observer;

/* Takes a plan as copy_plan_decide() has left it, which ended in `st` with `err`. */
struct copy_plan_sink {
	void (*take)(struct copy_plan_sink *, const struct copy_plan *, enum status st,
		     const struct error *err);
};

/*
 * A copy as a person asks for it: `convert` and `dd` fill it from their options, and decide
 * nothing. copy/plan.h decides. Texts, sources and sinks are the caller's.
 */
struct copy_request {
	struct storage *storage;
	char *const *source_name;
	size_t n_sources;
	const struct chain *source; /* loaded; NULL: not opened yet */
	bool snapshot;              /* the source is the disk as it was at a snapshot */
	/* copy only `n_bytes` from `first_byte` on of the disk that the sources make together */
	bool part;
	uint64_t first_byte, n_bytes;

	const char *target; /* a file, a disk or a partition */
	const struct image_format
		*format;              /* of the target; a flat one on a disk: the disk itself */
	bool has_options;             /* for a new image: -o, -B */
	struct create_values options; /* initialised if copy_makes_image() */
	bool no_create;               /* -n: the target exists and is written over */
	bool target_is_zero;          /* with no_create: it reads as zeros everywhere */
	bool force;                   /* an existing file may be replaced */
	bool may_split;               /* into files that the volume can keep */
	bool has_split;
	uint64_t split_bytes; /* of each file at most; 0: one file */

	bool compress;
	uint64_t sparse_bytes; /* runs of zeros of this length are not stored; 0: everything is */
	bool bitmaps, skip_broken_bitmaps;

	/* for a disk or partition as target: see struct target_request */
	const char *erase;
	bool no_table, truncated, has_gpt;
	enum gpt_wish gpt;
	bool no_verify; /* do not read the target back where a disk is on either side */

	/*
	 * Leave out what a source that is a disk does not use (engine/used_blocks.h): it is zeros
	 * in an image, and a disk keeps what it had there. Of an image that is copied onto a disk:
	 * what its bitmap has as unused.
	 */
	bool used_only;

	struct losses
		*losses; /* what cannot be read becomes zeros, and is added; NULL: it is an error */
	const char *map; /* the file of a rescue map; NULL: none */
	const char *manifest; /* the file of a manifest; NULL: none */
	/*
	 * The file of a block map (record/bmap.h): of the new raw image that is made, or of the one
	 * that is copied onto a disk. NULL: none, unless `finds_bmap`: then one that is beside that
	 * image.
	 */
	const char *bmap;
	bool finds_bmap;
	bool keeps_journal; /* the command can continue an interrupted copy */
	bool resume;
	/*
	 * the options that decide what is written, for the journal; NULL: longer than it can hold
	 */
	const char *deciding;

	bool dry_run;                /* ends with the plan */
	struct copy_plan_sink *sink; /* gets the plan, once it is decided; NULL: none */
	struct observer *watcher;    /* follows the copy besides the records; NULL: none */
	struct warnings *warnings;
};

/* What a target is to a copy. */
enum copy_kind {
	COPY_TO_NEW_FILE,   /* an image in a new file */
	COPY_TO_IMAGE,      /* an image that exists */
	COPY_TO_DISK,       /* the bytes of a disk or partition themselves */
	COPY_TO_DISK_IMAGE, /* an image on a disk or partition */
};

enum copy_kind copy_kind(const struct copy_request *);

/* Whether the copy makes an image, which has options. */
bool copy_makes_image(const struct copy_request *);

/* Whether a disk or partition is a source or the target. */
bool copy_has_disk(const struct copy_request *);

/* Whether the new image has a backing file, so that only what that does not have is copied. */
bool copy_has_backing(const struct copy_request *);

/* Whether an interrupted copy of that kind can be continued: then it has a journal. */
bool copy_can_resume(const struct copy_request *);

/*
 * Whether everything that is asked for goes together, as far as it can be known before the sources
 * are opened. ST_INVALID, ST_UNSUPPORTED, with words that name the options.
 */
enum status copy_request_check(const struct copy_request *, struct error *);
