/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Exit codes of copies with a disk on either side: a script must be able to tell a full disk from a
 * broken one without reading messages. The numbers are an interface and do not change.
 */
#include "record/outcome.h"

enum outcome outcome_of(enum status st)
{
	switch (st) {
	case ST_OK:
		return OUTCOME_DONE;
	case ST_MISMATCH:
		return OUTCOME_MISMATCH;
	case ST_REFUSED:
		return OUTCOME_REFUSED;
	case ST_READ_ONLY:
		return OUTCOME_REFUSED;
	case ST_NO_SPACE:
		return OUTCOME_NO_SPACE;
	case ST_TOO_LARGE:
		return OUTCOME_NO_SPACE;
	case ST_NO_MEDIUM:
		return OUTCOME_MEDIUM_GONE;
	case ST_MEDIUM_CHANGED:
		return OUTCOME_MEDIUM_GONE;
	case ST_CANCELLED:
		return OUTCOME_STOPPED;
	case ST_SECTOR_SIZE:
		return OUTCOME_SECTOR_SIZE;
	case ST_CORRUPT:
		return OUTCOME_BAD_INPUT;
	case ST_IO:
		return OUTCOME_DEVICE_ERROR;
	default:
		return OUTCOME_FAILED;
	}
}

void outcome_print_all(struct out *out)
{
	static const struct {
		enum outcome code;
		const char *words;
	} table[] = {
		{ OUTCOME_DONE,
		  "done: all data is on the medium, and verified unless --no-verify" },
		{ OUTCOME_FAILED, "another failure, or a wrong command line" },
		{ OUTCOME_LOST, "complete except for unreadable ranges (--salvage)" },
		{ OUTCOME_MISMATCH, "verification failed: the target differs from the source" },
		{ OUTCOME_REFUSED, "refused to protect data; nothing was written" },
		{ OUTCOME_NO_SPACE, "no space: the target, or its volume, is too small" },
		{ OUTCOME_MEDIUM_GONE, "a disk was removed, or its medium was changed" },
		{ OUTCOME_STOPPED,
		  "stopped by the user; the message tells whether --resume can continue" },
		{ OUTCOME_SECTOR_SIZE,
		  "the disk in the source has sectors of another size; nothing was written" },
		{ OUTCOME_BAD_INPUT, "the source is damaged" },
		{ OUTCOME_DEVICE_ERROR,
		  "a device reports an error: a block cannot be read, written or flushed" },
	};

	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
		out_printf(out, "  %2d  %s\n", (int)table[i].code, table[i].words);
}
