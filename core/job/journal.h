#pragma once

#include "blk/hold.h"
#include "format/image.h"
#include "job/record.h"
#include "part/selector.h"
#include "storage/storage.h"

/*
 * How far a copy between a disk and an image in a file has come: a JSON file beside the image, IMAGE.resume, from the
 * beginning of the copy until it is complete, so that it can be gone on with when it was interrupted.
 *
 * What the target had at the last checkpoint is on its medium for certain; what came after it may be, or may not.
 */
struct journal_facts {
	char disk[SELECTOR_BYTES]; /* the disk or partition, by its best name */
	bool to_disk;
	uint64_t size;             /* bytes that are copied */
	char options[512];         /* that decide what the target becomes */
};

struct journal {
	char *name;
	struct record file;
	struct journal_facts facts;
	bool found;                /* there was one, of this copy */
	bool used;                 /* the copy has begun */
	uint64_t begin;            /* what is below is written anew whatever there is, because the target keeps it back */
	uint64_t old;              /* up to here it was copied before: that is compared, not written. 0: nothing was */
	uint64_t copied;           /* up to here everything is written by now */
	uint64_t done;             /* the same at the last checkpoint */
	uint8_t first[HOLD_IMAGE_BYTES]; /* what the target keeps back of its beginning, as it was then */
	uint64_t written_ns;       /* when the journal was written */
	enum status st;            /* whether it could be; after a failure it is left alone */
	struct error why;
};

/*
 * The journal of a copy between the disk of that name and an image; of `facts`, all but the disk. Nothing is written.
 * `resume`: what its file says is taken over, if there is one. Where none can be written, and none is asked for, *ret is
 * NULL, and `notes` says so. The caller closes it, on failure too. Errors: those of selector_find(), record_open() and
 * record_read(); ST_EXISTS, the file is something else; those of journal_parse().
 */
enum status journal_open(struct storage *, const struct journal_facts *, const char *disk, const char *image, bool resume, struct out *notes,
			 struct journal **ret, struct error *);

/* Takes over what the text of a journal says. `name` is for the words. ST_CORRUPT; ST_REFUSED: it is about another copy, the words say in what. */
enum status journal_parse(struct journal *, const char *name, const char *text, size_t n, struct error *);

/* The copy begins, or is gone on with. That its journal cannot be written is remembered, here and later: the copy goes on without. */
void journal_begin(struct journal *);

/* The target is on its medium as far as it was copied, and the journal says so. Errors: those of flushing and reading. */
enum status journal_checkpoint(struct journal *, struct image *target);

/* Whether it is time for one. */
bool journal_is_due(const struct journal *);

/*
 * The copy into `target` ended in `st`, with its words in `err`. What cannot be gone on with needs no journal; otherwise
 * the words get how. Returns `st`. NULL is allowed.
 */
enum status journal_close(struct journal *, const char *target, enum status st, struct out *notes, struct error *err);
