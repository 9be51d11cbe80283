/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "format/image.h"
#include "base/warnings.h"
#include "engine/observer.h"
#include "record/journal_text.h"
#include "record/record.h"
#include "storage/storage.h"

/*
 * How far a copy between a disk and an image in a file has come: a file beside the image
 * (record/journal_text.h), from the beginning of the copy until it is complete, so that the copy
 * can be resumed when it is interrupted.
 *
 * What the target had at the last checkpoint is on its medium for certain; what came after it may
 * be, or may not.
 */
struct journal {
	struct observer observer; /* of a copy: what follows is kept up to date by it alone */
	char *name;
	struct record file;
	struct warnings *warnings; /* of this copy; the caller's */
	struct journal_text text; /* `done` and `first`: at the last checkpoint that its file has */
	bool found;               /* there was one, of this copy, and the copy resumes */
	bool used;                /* the copy has started */
	bool kept;                /* its file exists: it was written once, or found */
	/* what is below is written anew whatever there is, because the target keeps it back */
	uint64_t begin;
	/* up to here it was copied before: that is compared, not written. 0: nothing was */
	uint64_t old;
	uint64_t copied;     /* up to here everything is written by now */
	uint64_t written_ns; /* when the journal was written */
	/* of writing it, or why there can be none; after a failure it is left alone */
	enum status st;
	struct error why;
};

/*
 * The journal of a copy between the disk of that name and an image; of `facts`, all but the disk.
 * Nothing is written. `resume`: its file is read, if there is one. Where no
 * journal can be kept, and `resume` does not ask for one, it is disabled. `warnings` are
 * used until the journal is closed. The caller closes it, on failure too. Errors: those of
 * selector_find(), record_open() and record_read(); ST_EXISTS, the file is something else; those of
 * journal_parse().
 */
enum status journal_open(struct storage *, const struct journal_facts *, const char *disk,
			 const char *image, bool resume, struct warnings *, struct journal **ret,
			 struct error *);

/* The copy will have no journal; a warning gives the reason when the copy starts. */
void journal_disable(struct journal *, enum status, const char *why);

/*
 * Reads the text of a journal. `name` is for messages. ST_CORRUPT; ST_REFUSED: it
 * is of another copy; the message has the difference.
 */
enum status journal_parse(struct journal *, const char *name, const char *text, size_t n,
			  struct error *);

/*
 * Whether a copy that begins anew may take the place of the journal there is: ST_EXISTS, unless
 * there is none.
 */
enum status journal_replaces(const struct journal *, struct error *);

/* Whether its file allows the copy to be resumed. */
bool journal_resumes(const struct journal *);

/*
 * The copy into `target` ended in `st`, with its words in `err`. What cannot be resumed needs no
 * journal; otherwise the words get how. Returns `st`. NULL is allowed.
 */
enum status journal_close(struct journal *, const char *target, enum status st, struct error *err);
