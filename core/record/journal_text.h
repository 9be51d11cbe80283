/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/out.h"
#include "blk/hold.h"
#include "blk/mark.h"
#include "disk/selector.h"

/*
 * The journal of a copy as a file: its name, and the text in it. record/journal.h keeps it while a
 * copy runs.
 *
 * The journal of a capture is IMAGE.resume. That of a restore is IMAGE.restore-XXXXXXXX, with eight
 * hexadecimal digits of the SHA-256 of the disk's selector: so restoring an image touches neither
 * the journal of its capture nor that of its restore onto another disk.
 */

enum { JOURNAL_OPTIONS_BYTES = 512, JOURNAL_UNUSED_BYTES = 32, JOURNAL_TEXT_BYTES_MAX = 1 << 16 };

/* Which copy it is. A journal continues only the very same one. */
struct journal_facts {
	char disk[SELECTOR_BYTES];           /* the disk or partition, by its selector */
	bool to_disk;                        /* a restore; otherwise a capture */
	uint64_t size;                       /* bytes that are copied */
	char options[JOURNAL_OPTIONS_BYTES]; /* that decide what the target becomes */
	/* a digest of what is left out because nothing uses it; "": nothing is */
	char unused[JOURNAL_UNUSED_BYTES];
};

struct journal_text {
	struct journal_facts facts;
	uint8_t id[MARK_ID_BYTES];       /* of a capture: what the mark of the image has, too */
	uint64_t done;                   /* up to here it is copied for certain */
	uint8_t first[HOLD_IMAGE_BYTES]; /* what the target keeps back of its beginning, as it was
					    then */
};

/* What every journal begins with. */
extern const char journal_text_head[];

/* The name of a journal; NULL: no memory. `facts` needs disk and to_disk. The caller frees it. */
char *journal_name(const struct journal_facts *facts, const char *image);

/* Whether a file of that name is a journal, or the side file of one, as far as names say it. */
bool journal_is_name(const char *name);

/* `name` is for the words. ST_CORRUPT; ST_UNSUPPORTED: it is of another version. */
enum status journal_text_parse(const char *name, const char *text, size_t n,
			       struct journal_text *ret, struct error *);

void journal_text_print(const struct journal_text *, struct out *);
