/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "copy/target_contents.h"
#include "copy/target_gpt.h"
#include "copy/target_request.h"
#include "disk/selector.h"

/*
 * A disk or partition as the target of a copy: whether it may be overwritten. All reasons to refuse
 * are found before the first write, in target_plan_decide(), which --dry-run calls as well.
 *
 * Refused in any case: the disk efi-img was started from, or the one of the shell's current volume;
 * a disk that holds a file of the sources or of the target; a source, or a disk or partition that
 * overlaps it; one that is write-protected, too small, or has sectors of another size than the
 * partition table of the source. A target that contains anything is overwritten only if `erase` is
 * its best name (selector.h) without the part before "=". A raw file that does not look like a disk
 * is written to a whole disk only with `no_table`, and one whose end is missing to a disk or a
 * partition only with `truncated` (target_contents.h).
 */
struct target_plan {
	const struct target_request *request; /* set by the caller, who sets nothing else */

	/* From target_plan_decide() on, as far as it came. */
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
	enum doubt doubt;      /* the source is a file of bytes that do not look like a disk */
	struct target_gpt gpt; /* what will become of the GPT of the source */
};

/*
 * Looks at everything and changes nothing. Errors: ST_REFUSED, ST_SECTOR_SIZE, ST_TOO_LARGE,
 * ST_NO_MEDIUM, ST_CANCELLED; those of selector_find() and of reading.
 */
enum status target_plan_decide(struct target_plan *, struct error *);

/* Prints the plan as target_plan_decide() has left it, which ended in `st` with `err`. */
void target_plan_print_text(const struct target_plan *, enum status st, const struct error *err,
			    struct out *);
void target_plan_print_json(const struct target_plan *, enum status st, const struct error *err,
			    struct out *);
