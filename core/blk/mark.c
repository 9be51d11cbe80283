/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The first sector of a file that efi-img has not finished: new images (edit/create.c) and records
 * (record/record.c).
 *
 * A new file gets this sector before anything else, and loses it after everything else is on the
 * medium (blk/hold.c). So at any power failure the file is empty, or begins with the mark, or is
 * complete. Zeros would not do: an ext4 file system, and so a complete raw image of one, begins
 * with zeros too, and every program takes zeros for a raw disk.
 *
 * Layout, 512 bytes of ASCII: a line that says the kind of file, a line with the id (32 hexadecimal
 * digits), an explanation, then spaces up to a newline in the last byte. Only the first two lines
 * are compared, so that a later version may word the explanation differently. Offsets 510 and 511
 * are not 55h AAh, so no firmware boots from it.
 *
 * The id links the file to the journal of the copy that writes it (record/journal.h). It is not a
 * secret.
 */
#include "blk/mark.h"

#include "base/hex.h"
#include "base/memory.h"
#include "base/text.h"
#include "blk/blk.h"

enum { ID_TEXT_BYTES = 2 * MARK_ID_BYTES };

static const char *const lines[] = {
	[MARK_IMAGE] = "efi-img: this disk image is not finished\nid ",
	[MARK_RECORD] = "efi-img: this record of a job is not finished\nid ",
};

static const char explanation[] =
	"\n\nThe file was still being written when you read it, or the writing was\n"
	"interrupted. It cannot be used as it is, whatever its name says. If there\n"
	"is a file with .resume added to this name, 'efi-img info' prints the\n"
	"command that completes it. Otherwise delete it, and make it anew.\n";

_Static_assert(sizeof explanation + 80 + ID_TEXT_BYTES < MARK_BYTES,
	       "the explanation does not fit");

void mark_make(enum mark_kind kind, const uint8_t *id, uint8_t ret[static MARK_BYTES])
{
	static const uint8_t none[MARK_ID_BYTES];
	size_t n = text_length(lines[kind]);
	char text[ID_TEXT_BYTES + 1];

	hex_text(id != NULL ? id : none, MARK_ID_BYTES, text);
	memset(ret, ' ', MARK_BYTES);
	memcpy(ret, lines[kind], n);
	memcpy(ret + n, text, ID_TEXT_BYTES);
	memcpy(ret + n + ID_TEXT_BYTES, explanation, sizeof explanation - 1);
	ret[MARK_BYTES - 1] = '\n';
}

bool mark_parse(const uint8_t sector[static MARK_BYTES], enum mark_kind kind,
		uint8_t ret_id[static MARK_ID_BYTES])
{
	size_t n = text_length(lines[kind]);
	uint8_t id[MARK_ID_BYTES];
	char text[ID_TEXT_BYTES + 1] = { 0 };

	if (memcmp(sector, lines[kind], n) != 0 || sector[n + ID_TEXT_BYTES] != '\n')
		return false;
	memcpy(text, sector + n, ID_TEXT_BYTES);
	if (!hex_parse(text, id, MARK_ID_BYTES))
		return false;
	memcpy(ret_id, id, MARK_ID_BYTES);
	return true;
}

enum status mark_read(struct blk *file, enum mark_kind kind, bool *ret_marked,
		      uint8_t ret_id[static MARK_ID_BYTES])
{
	uint8_t sector[MARK_BYTES];
	enum status st = ST_OK;

	*ret_marked = false;
	if (file->size < MARK_BYTES)
		return ST_OK;
	st = blk_read_padded(file, 0, sector, sizeof sector);
	*ret_marked = st == ST_OK && mark_parse(sector, kind, ret_id);
	return st;
}
