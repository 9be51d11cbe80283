/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What will be on a whole disk after a restore, found out before it is erased: whether the source
 * is an image of a disk at all.
 *
 * A raw file does not describe itself: a text, a file of an unknown format or half a download is as
 * good a raw image as any. The only evidence that its bytes are those of a disk is at their
 * beginning: a partition table (the one of a hybrid ISO, too) or a file system. Where there is
 * neither, it does not go onto a whole disk unless --no-table confirms it. An image of another
 * format is known to hold a disk: a blank or an encrypted one is restored without further ado, and
 * the plan shows what it lacks. A partition is written over with any file, since it has no table of
 * its own; and of a disk that is cloned, `list` has shown what is on it.
 *
 * An ISO 9660 file system without a partition table is an image of an optical disc: firmware does
 * not look for El Torito's boot catalog on a disk with sectors of 512 bytes. The plan shows that;
 * it is not refused, since the files can be read.
 */
#include "copy/target_contents.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "blk/window.h"
#include "copy/target_plan.h"
#include "disk/part.h"
#include "disk/volume.h"

enum { SECTOR_BYTES = 512 };

/*
 * Tables that part_table_read() does not know here: Apple's (Inside Macintosh: Devices, a driver
 * descriptor and the first entry of the map after it), and a GPT for sectors of 4096 bytes without
 * a protective MBR.
 */
static enum status has_other_table(struct blk *blk, bool *ret)
{
	uint8_t head[2 * SECTOR_BYTES], gpt[8];
	enum status st = blk_read_padded(blk, 0, head, sizeof head);

	if (st == ST_OK)
		st = blk_read_padded(blk, 4096, gpt, sizeof gpt);
	*ret = st == ST_OK &&
	       (memcmp(gpt, "EFI PART", 8) == 0 ||
		(memcmp(head, "ER", 2) == 0 && memcmp(head + SECTOR_BYTES, "PM\0", 4) == 0));
	return st;
}

static enum status has_table(struct blk *blk, bool *ret, struct error *err)
{
	struct part_table table;
	enum status st = part_table_read(blk, &table, err);

	if (st != ST_OK)
		return st;
	*ret = table.kind != PART_NONE || table.note[0] != '\0';
	part_table_free(&table);
	if (!*ret)
		st = has_other_table(blk, ret);
	return st == ST_OK ? ST_OK : fail(err, st, "%s", status_text(st));
}

/* What is odd about a disk without a table. */
static void describe_odd(struct disk_contents *contents, const struct volume *volume)
{
	struct out_buffer out;

	out_buffer_init(&out, contents->odd, sizeof contents->odd);
	if (text_equal(volume->type, "ISO 9660"))
		out_text(&out.out, "ISO 9660 without a partition table: an image of an optical "
				   "disc, not a hybrid one; firmware does not boot it from a disk");
	else if (!contents->volume)
		out_printf(&out.out, "no partition table and no known file system%s",
			   contents->assumed ? ": probably not an image of a disk" : "");
}

static enum status look(struct blk *blk, struct disk_contents *ret, struct error *err)
{
	struct volume volume = { .type = "" };
	enum status st = has_table(blk, &ret->table, err);

	if (st != ST_OK || ret->table)
		return st;
	st = volume_recognise(blk, 0, blk->size, &volume);
	if (st != ST_OK)
		return fail(err, st, "%s", status_text(st));
	/* An image in an image is the usual mistake, made with -f raw. */
	ret->volume = volume.type[0] != '\0' && !text_equal(volume.type, "qcow2 image");
	describe_odd(ret, &volume);
	return ST_OK;
}

enum status disk_contents_look(struct image *image, uint64_t start, uint64_t size,
			       struct disk_contents *ret, struct error *err)
{
	struct window_kind range = { .start = start, .size = size, .limit = size };
	struct error why;
	struct blk *blk;
	enum status st;

	*ret = (struct disk_contents){ 0 };
	if (size == 0 || image->file[0].blk->device != NULL)
		return ST_OK;
	ret->assumed = image->format->flat;
	blk = window_open(&image->blk, &range);
	if (blk == NULL)
		return fail_no_memory(err);
	st = look(blk, ret, &why);
	blk_close(blk);
	return st == ST_OK ? ST_OK
			   : fail(err, st, "%s: reading its beginning: %s", image->name, why.text);
}

bool disk_contents_doubtful(const struct disk_contents *contents)
{
	return contents->assumed && !contents->table && !contents->volume;
}

enum status target_contents_look(struct target_plan *plan, struct error *err)
{
	const struct target_request *request = plan->request;
	struct image *image = request->n_sources > 0 ? request->source[0].link[0].image : NULL;
	struct disk_contents contents;
	struct out_buffer out;
	uint64_t size;
	enum status st;

	if (image == NULL || !request->format->flat || plan->selection.part != NULL ||
	    request->first_byte >= image->size)
		return ST_OK;
	size = min_u64(request->n_bytes, image->size - request->first_byte);
	st = disk_contents_look(image, request->first_byte, size, &contents, err);
	if (st != ST_OK)
		return request->no_table && st == ST_IO ? ST_OK : st; /* the copy finds it again */
	out_buffer_init(&out, plan->source_odd, sizeof plan->source_odd);
	out_text(&out.out, contents.odd);
	plan->doubtful = disk_contents_doubtful(&contents);
	return ST_OK;
}

enum status target_contents_check(const struct target_plan *plan, struct error *err)
{
	const struct target_request *request = plan->request;

	if (!plan->doubtful || request->no_table)
		return ST_OK;
	return fail(err, ST_REFUSED,
		    "%s: %s has neither a partition table (GPT, MBR, Apple's; a hybrid ISO has "
		    "one) nor a known file system: it is probably not an image of a disk; to write "
		    "it to the whole disk nevertheless, add --no-table",
		    request->name, request->source[0].link[0].image->name);
}
