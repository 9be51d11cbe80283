/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * What will be on a disk after a restore, found out before it is erased: whether the source is an
 * image of a disk at all, and all of one.
 *
 * A raw file does not describe itself: a text, a file of an unknown format or half a download is as
 * good a raw image as any. The only evidence that its bytes are those of a disk is at their
 * beginning: a partition table (the one of a hybrid ISO, too) or a file system. Where there is
 * neither, it does not go onto a whole disk unless --no-table confirms it. Where there is one, it
 * also tells how long the disk was: if a partition or the file system ends after the file does, the
 * file was cut off, and --truncated has to confirm it. An image of another format is known to hold
 * a whole disk: a blank or an encrypted one is restored without further ado, and the plan shows
 * what it lacks. A partition is written over with any file, since it has no table of its own; only
 * a file system without its end is refused. And of a disk that is cloned, `list` has shown what is
 * on it.
 *
 * An ISO 9660 file system without a partition table is an image of an optical disc: firmware does
 * not look for El Torito's boot catalog on a disk with sectors of 512 bytes. The plan shows that;
 * it is not refused, since the files can be read.
 */
#include "copy/target_contents.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "blk/window.h"
#include "copy/target_plan.h"
#include "disk/part.h"
#include "fs/fs.h"

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

/* *ret_parts: it is divided, and not one volume that begins with an MBR without partitions. */
static enum status look_at_table(struct blk *blk, struct disk_contents *ret, bool *ret_parts,
				 struct error *err)
{
	struct part_table table;
	struct out_buffer odd;
	enum status st = part_table_read(blk, &table, err);

	if (st != ST_OK)
		return st;
	ret->table = table.kind != PART_NONE || table.note[0] != '\0';
	ret->truncated = table.past_end;
	*ret_parts = table.kind == PART_GPT || table.n > 0 || table.past_end;
	part_table_free(&table);
	if (!ret->table)
		st = has_other_table(blk, &ret->table);
	if (ret->truncated) {
		out_buffer_init(&odd, ret->odd, sizeof ret->odd);
		out_text(&odd.out, "partitions that end after ");
		size_print(&odd.out, blk->size);
		out_text(&odd.out, ", where the file ends: probably truncated");
	}
	return st == ST_OK ? ST_OK : fail(err, st, "%s", status_text(st));
}

/* What is odd about what fills a disk without a table, or a partition. */
static void describe_odd(struct disk_contents *contents, const struct fs *volume, uint64_t size,
			 bool whole)
{
	struct out_buffer out;

	out_buffer_init(&out, contents->odd, sizeof contents->odd);
	if (contents->truncated) {
		out_printf(&out.out, "%s of ", volume->type);
		size_print(&out.out, volume->size);
		out_text(&out.out, ", of which only ");
		size_print(&out.out, size);
		out_text(&out.out, " are there: probably truncated");
		return;
	}
	if (!whole || contents->table)
		return;
	if (text_equal(volume->type, "ISO 9660")) {
		out_text(&out.out, "ISO 9660 without a partition table: an image of an optical "
				   "disc, not a hybrid one; firmware does not boot it from a disk");
	} else if (!contents->volume) {
		out_printf(&out.out, "no partition table and no known file system%s",
			   contents->assumed ? ": probably not an image of a disk" : "");
	}
}

static enum status look(struct blk *blk, bool whole, struct disk_contents *ret, struct error *err)
{
	struct fs volume = { .type = "" };
	bool parts = false;
	enum status st = whole ? look_at_table(blk, ret, &parts, err) : ST_OK;

	if (st != ST_OK || parts)
		return st;
	st = fs_look(blk, &volume);
	if (st != ST_OK)
		return fail(err, st, "%s", status_text(st));
	/* An image in an image is the usual mistake, made with -f raw. */
	ret->volume = volume.type[0] != '\0' && !text_equal(volume.type, "qcow2 image");
	ret->truncated = ret->volume && volume.size > blk->size;
	describe_odd(ret, &volume, blk->size, whole);
	return ST_OK;
}

enum status disk_contents_look(struct image *image, uint64_t start, bool whole,
			       struct disk_contents *ret, struct error *err)
{
	struct window_kind range = { .start = start };
	struct error why;
	struct blk *blk;
	enum status st;

	*ret = (struct disk_contents){ 0 };
	if (image->size == 0 || image->file[0].blk->device != NULL)
		return ST_OK;
	range.size = range.limit = image->size - start;
	ret->assumed = image->format->flat;
	blk = window_open(&image->blk, &range);
	if (blk == NULL)
		return fail_no_memory(err);
	st = look(blk, whole, ret, &why);
	blk_close(blk);
	return st == ST_OK ? ST_OK
			   : fail(err, st, "%s: reading its beginning: %s", image->name, why.text);
}

enum doubt disk_contents_doubt(const struct disk_contents *contents)
{
	if (!contents->assumed)
		return DOUBT_NONE;
	if (contents->truncated)
		return DOUBT_TRUNCATED;
	return contents->table || contents->volume ? DOUBT_NONE : DOUBT_NO_TABLE;
}

enum status target_contents_look(struct target_plan *plan, struct error *err)
{
	const struct target_request *request = plan->request;
	struct image *image = request->n_sources > 0 ? request->source[0].link[0].image : NULL;
	bool whole = plan->selection.part == NULL, all;
	struct disk_contents contents;
	struct out_buffer out;
	enum status st;

	if (image == NULL || !request->format->flat || request->n_bytes == 0 ||
	    request->first_byte >= image->size)
		return ST_OK;
	st = disk_contents_look(image, request->first_byte, whole, &contents, err);
	if (st != ST_OK)
		return request->no_table && st == ST_IO ? ST_OK : st; /* the copy finds it again */
	/* the end of what dd was told to copy, or of the first of several files, is no mistake */
	all = request->n_sources == 1 && request->n_bytes >= image->size - request->first_byte;
	if (contents.truncated && !all)
		return ST_OK;
	plan->doubt = disk_contents_doubt(&contents);
	if (!whole && plan->doubt == DOUBT_NO_TABLE)
		plan->doubt = DOUBT_NONE;
	out_buffer_init(&out, plan->source_odd, sizeof plan->source_odd);
	out_text(&out.out, contents.odd);
	return ST_OK;
}

enum status target_contents_check(const struct target_plan *plan, struct error *err)
{
	const struct target_request *request = plan->request;
	const char *target = request->name;

	if (plan->doubt == DOUBT_TRUNCATED && !request->truncated)
		return fail(err, ST_REFUSED,
			    "%s: %s contains %s; copy it again from where it is whole, or add "
			    "--truncated to write what there is of it",
			    target, request->source[0].link[0].image->name, plan->source_odd);
	if (plan->doubt == DOUBT_NO_TABLE && !request->no_table)
		return fail(err, ST_REFUSED,
			    "%s: %s has neither a partition table (GPT, MBR, Apple's; a hybrid "
			    "ISO has one) nor a known file system: it is probably not an image of "
			    "a disk; to write it to the whole disk nevertheless, add --no-table",
			    target, request->source[0].link[0].image->name);
	return ST_OK;
}
