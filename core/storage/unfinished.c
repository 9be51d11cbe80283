/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An unfinished image must not be used as one. Its first sector is a mark (blk/mark.h); here only
 * that sector is read, and no other file is looked for, because a chain of many backing files on a
 * slow volume would take long. How far the image is written, and which command completes it, is in
 * its journal (record/unfinished.h); 'efi-img info' prints both.
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
