/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "copy/request.h"
#include "copy/target_plan.h"
#include "edit/create.h"
#include "engine/progress.h"
#include "engine/used_blocks.h"
#include "record/bmap.h"
#include "record/manifest.h"
#include "record/rescue_map.h"

/*
 * What a copy will do, decided and checked before the first write, so that it can be printed
 * (--dry-run), or run (copy/run.h). A plan decides; run.c only does what it says.
 */

/* What the kind of target, and what an earlier run has left, mean for the copy. */
struct copy_mode {
	enum copy_kind kind;
	bool makes_image;  /* its first sector is written last; it is removed on failure */
	bool holds_head;   /* the first MiB of a disk is zeros until everything else is written */
	bool reads_zero;   /* the target reads as zeros where nothing was written */
	bool grows;        /* the target is a new file that ends with the last byte written */
	bool resumed;      /* what an earlier run has written is compared, not written */
	bool verify;       /* the target is read back */
	size_t keep_depth; /* as in struct copy_job */
	bool keeps_unused; /* the target keeps what it has where the source is unused */
};

struct copy_plan {
	const struct copy_request *request;
	uint64_t first_byte, n_bytes; /* of the disk that the sources make together */
	/* of them, what is written: without zeros that a smaller disk has no place for */
	uint64_t copy_bytes;
	struct copy_mode mode;
	struct used_blocks used;  /* of the source; empty: all is in use, or copied */
	struct create_job create; /* of kinds that make an image */
	/* Of kinds that write to a disk. */
	struct target_request disk_request;
	struct target_plan disk;

	/* The records, which observe the copy; open from copy_plan_open() to copy_plan_close(). */
	struct rescue_map map;
	struct manifest manifest;
	struct bmap bmap;
	bool has_map, has_manifest, has_bmap;
	struct journal *journal; /* NULL: the request cannot be resumed */
};

/*
 * Checks the sources, which are open, and opens the records. Writes nothing, except that unless the
 * request is a dry run the firmware writes out what it holds of source disks. The caller closes the
 * plan, on failure too, and before the sources. Errors: those of copy_request_check(),
 * source_disk_size(), source_settle(), used_blocks_of_disk(), rescue_map_open(), journal_open(),
 * manifest_plan(); ST_INVALID, ST_UNSUPPORTED, ST_CORRUPT.
 */
enum status copy_plan_open(struct copy_plan *, const struct copy_request *, struct error *);

/*
 * Decides everything else: the mode, and whether the target can be made or written over. Writes
 * nothing. Errors: those of target_plan_decide(), create_prepare() and journal_replaces().
 */
enum status copy_plan_decide(struct copy_plan *, struct error *);

/* Prints the plan as copy_plan_decide() has left it, which ended in `st` with `err`. */
void copy_plan_print(const struct copy_plan *, enum status st, const struct error *err, bool json,
		     struct out *);

/*
 * Ends the records after a copy that ended in `st` with its words in `err`, and frees the plan.
 * Returns `st`, or the status of a record that could not be written.
 */
enum status copy_plan_close(struct copy_plan *, enum status st, struct error *err);
