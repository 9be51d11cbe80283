/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "copy/target_contents.h"
#include "disk/selector.h"
#include "engine/observer.h"
#include "engine/progress.h"
#include "format/chain.h"
#include "storage/storage.h"

/*
 * A disk or partition as the target of a copy: whether it may be overwritten, and the writing of
 * its beginning. All reasons to refuse are found before the first write, in target_decide(), which
 * --dry-run calls as well.
 *
 * Refused in any case: the disk efi-img was started from, or the one of the shell's current volume;
 * a disk that holds a file of the sources or of the target; a source, or a disk or partition that
 * overlaps it; one that is write-protected, too small, or has sectors of another size than the
 * partition table of the source. A target that contains anything is overwritten only if `erase` is
 * its best name (selector.h) without the part before "=". A raw file that does not look like a disk
 * is written to a whole disk only with `no_table` (target_contents.h).
 *
 * Its first MiB is zeroed before the copy and written after it, so that an incomplete disk is not
 * taken for a complete one. Only where the copy continues by a rescue map in which a part of that
 * MiB is finished, it stays: the disk cannot look more complete than it does already.
 */
/*
 * What the person wants of a GPT that was made for a smaller disk: its backup moved to the end; the
 * GPT as it is; nothing written.
 */
enum gpt_wish { GPT_MOVE, GPT_KEEP, GPT_REFUSE };

enum gpt_fate {
	GPT_FATE_NONE, /* nothing: there is none, or it fits */
	GPT_FATE_MOVED,
	GPT_FATE_KEPT,    /* it could be moved, but is not to be */
	GPT_FATE_ODD,     /* it cannot be moved, and is copied as it is */
	GPT_FATE_UNKNOWN, /* known only after the copy */
};

struct target_job {
	struct storage *storage;
	const char *name;
	const char *erase;            /* NULL: not given */
	const struct chain *source;   /* loaded */
	size_t n_sources;             /* 0: there is none, and anything will be written */
	uint64_t first_byte, n_bytes; /* what of the disk that they make is copied */
	/* of the image that is made on it; a flat one: the bytes of the disk themselves */
	const struct image_format *format;
	enum gpt_wish gpt;
	bool no_table; /* a raw file goes onto a whole disk even if it does not look like one */

	/* From target_decide() on, as far as it came. */
	const struct inventory *inventory; /* the storage's */
	struct selection selection;
	/*
	 * that is opened: the disk, where the firmware has no device for the partition. NULL: not
	 * found
	 */
	const struct device *device;
	uint64_t start_bytes; /* where the target begins on it */
	uint64_t size_bytes;  /* of the target */
	/* of a flat one: how much is written, `n_bytes` without zeros that it has no place for */
	uint64_t copy_bytes;
	char selector[SELECTOR_BYTES];  /* its best name */
	char contents[256];             /* what is on it, in words; "": nothing */
	char source_odd[CONTENTS_TEXT]; /* what disk_contents_look() finds odd; "": nothing */
	bool doubtful; /* the source is a file of bytes that do not look like a disk */
	/* of the source's GPT; after target_end(): what became of it */
	enum gpt_fate gpt_fate;
	char gpt_why[256]; /* the reason, in words */

	struct blk *disk; /* open; NULL: nothing was written */
	bool holds;       /* its first MiB is kept back */
	bool resumes;     /* the part that was copied is compared first */
};

/*
 * Looks at everything and changes nothing. Errors: ST_REFUSED, ST_SECTOR_SIZE, ST_TOO_LARGE,
 * ST_NO_MEDIUM, ST_CANCELLED; those of selector_find() and of reading.
 */
enum status target_decide(struct target_job *, struct error *);

/* The plan as target_decide() has left it, which ended in `st` with `err`. */
void target_print_text(const struct target_job *, enum status st, const struct error *err,
		       struct out *);
void target_print_json(const struct target_job *, enum status st, const struct error *err,
		       struct out *);

/*
 * Opens a disk or partition, after target_decide() has found nothing against it, to be written over
 * with anything: *ret is its bytes, which the caller closes, and target_close() then. Its first MiB
 * is zeros on the medium before that, so that nothing takes it for what it was. Nothing is kept
 * back.
 */
enum status target_open(struct target_job *, struct image **ret, struct error *);
void target_close(struct target_job *);

/*
 * Opens the target of a copy, after target_decide() has found nothing against it, and makes its
 * beginning zeros where job->holds. On success target_end() is due. Errors: ST_CANCELLED; those of
 * platform_open_target() and of writing.
 */
enum status target_begin(struct target_job *, struct error *);

/*
 * The bytes of the disk that target_begin() has opened, as an image, which the caller closes, on
 * failure too.
 */
enum status target_open_flat(const struct target_job *, struct image **ret, struct error *);

/*
 * Ends a copy to the open target, which ended in `st` with its words in `err`: moves the GPT,
 * writes the beginning and closes it. Returns `st`, or how that ended. On failure the beginning is
 * zeros, or unchanged if nothing was written; the message tells which.
 */
enum status target_end(struct target_job *, enum status st, const struct observers *,
		       struct progress *, struct error *);
