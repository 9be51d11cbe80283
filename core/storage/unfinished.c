/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An unfinished image is not an image. Its first sector says so (blk/mark.h), and this is where
 * that is read: without looking for other files, which a chain of many backing files on a slow
 * volume would feel. How far the image has come, and what completes it, is in its journal
 * (record/unfinished.h); 'efi-img info' prints it.
 */
#include "storage/unfinished.h"

#include "blk/blk.h"
#include "blk/mark.h"

enum status unfinished_refuse(struct blk *file, const char *name, struct error *err)
{
	uint8_t id[MARK_ID_BYTES];
	bool marked;
	enum status st = mark_read(file, MARK_IMAGE, &marked, id);

	if (st != ST_OK && st != ST_IO)
		return fail(err, st, "%s: reading its beginning: %s", name, status_text(st));
	if (!marked)
		return ST_OK;
	return fail(err, ST_REFUSED,
		    "%s: this disk image is unfinished: it is still being written, or the writing "
		    "was interrupted; 'efi-img info %s' prints how to complete it",
		    name, name);
}
