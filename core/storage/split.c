/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * An image in several files. How the bytes are divided among them, and in which order they are
 * written so that a power failure leaves a set that can be told from a damaged one, is in
 * blk/concat.c; how a set is recognised is in split.h. Here are the files: their names, when the
 * next one is made and the last one is removed, and what is wrong with a set that is not complete.
 *
 * While it grows: the next file is made, empty and flushed, before the last one becomes full. While
 * it shrinks: the files after the new end are emptied and flushed, then removed from the last on.
 */
#include "storage/split.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/range.h"
#include "base/text.h"
#include "blk/concat.h"
#include "platform/path.h"

struct split {
	struct blk blk; /* first: a struct blk * that comes in is a struct split * */
	char *name;
	uint64_t part_bytes;
	struct blk *parts; /* as one (blk/concat.h) */
	size_t n;
};

static struct split *split_of(struct blk *blk)
{
	return (struct split *)blk;
}

uint64_t split_part_bytes(uint64_t limit)
{
	return limit < SPLIT_MARK ? 0 : round_down(limit - SPLIT_MARK, SPLIT_UNIT) + SPLIT_MARK;
}

char *split_name(const char *name, unsigned part)
{
	return out_new("%s.%03u", name, part);
}

/* ---- reading and writing ---- */

static enum status split_read(struct blk *blk, uint64_t offset, void *buf, size_t len)
{
	return blk_read(split_of(blk)->parts, offset, buf, len);
}

/* Takes the next part, on failure too. */
static enum status take_part(struct split *split, struct blk *part)
{
	const struct concat_part next = { .blk = part, .limit = split->part_bytes };
	enum status st = concat_append(split->parts, &next);

	if (st != ST_OK) {
		blk_close(part);
		return st;
	}
	split->n++;
	split->blk.size = split->parts->size;
	return ST_OK;
}

/* Makes the next part, which is empty. */
static enum status add_part(struct split *split)
{
	struct error ignored; /* a blk reports a status only */
	struct blk *part;
	char *name = split_name(split->name, (unsigned)split->n);
	enum status st = name != NULL ? platform_create(name, false, &part, &ignored)
				      : ST_NO_MEMORY;

	mem_free(name);
	if (st == ST_OK)
		st = take_part(split, part);
	return st == ST_OK ? blk_flush(part) : st;
}

/* Before the set grows to `end`: creates the part after each one that becomes full. */
static enum status add_parts(struct split *split, uint64_t end)
{
	enum status st = ST_OK;

	if (end / split->part_bytes >= SPLIT_PARTS_MAX)
		return ST_TOO_LARGE;
	while (st == ST_OK && end / split->part_bytes >= split->n)
		st = add_part(split);
	return st;
}

static enum status split_write(struct blk *blk, uint64_t offset, const void *buf, size_t len)
{
	struct split *split = split_of(blk);
	enum status st = add_parts(split, max_u64(offset + len, blk->size));

	if (st == ST_OK)
		st = blk_write(split->parts, offset, buf, len);
	blk->size = split->parts->size;
	return st;
}

static enum status split_zero(struct blk *blk, uint64_t offset, uint64_t len)
{
	struct split *split = split_of(blk);
	enum status st = add_parts(split, max_u64(offset + len, blk->size));

	if (st == ST_OK)
		st = blk_write_zeros(split->parts, offset, len);
	blk->size = split->parts->size;
	return st;
}

static enum status split_flush(struct blk *blk)
{
	return blk_flush(split_of(blk)->parts);
}

/* Removes the last part, which is empty. */
static enum status drop_last(struct split *split)
{
	struct error ignored;
	char *name = split_name(split->name, (unsigned)split->n - 1);
	enum status st;

	if (name == NULL)
		return ST_NO_MEMORY;
	concat_drop_last(split->parts);
	split->n--;
	st = platform_remove(name, &ignored);
	mem_free(name);
	return st;
}

static enum status split_resize(struct blk *blk, uint64_t size, enum prealloc prealloc)
{
	struct split *split = split_of(blk);
	bool shrinks = size < blk->size;
	enum status st = shrinks ? ST_OK : add_parts(split, size);

	if (st == ST_OK)
		st = blk_resize(split->parts, size, prealloc);
	blk->size = split->parts->size;
	while (st == ST_OK && shrinks && split->n > size / split->part_bytes + 1)
		st = drop_last(split);
	return st;
}

static enum status split_extent(struct blk *blk, uint64_t offset, uint64_t len, struct extent *ret)
{
	return blk_extent(split_of(blk)->parts, offset, len, ret);
}

static enum status split_allocated(struct blk *blk, uint64_t *ret)
{
	return blk_allocated(split_of(blk)->parts, ret);
}

static void split_close(struct blk *blk)
{
	struct split *split = split_of(blk);

	blk_close(split->parts);
	mem_free(split->name);
	mem_free(split);
}

/* ---- opening and making ---- */

static const struct blk_ops ops_for_reading = {
	.read = split_read,
	.extent = split_extent,
	.allocated = split_allocated,
	.close = split_close,
};
static const struct blk_ops ops_for_writing = {
	.read = split_read,
	.write = split_write,
	.zero = split_zero,
	.extent = split_extent,
	.flush = split_flush,
	.resize = split_resize,
	.allocated = split_allocated,
	.close = split_close,
};

/* Takes `first`, on failure too. */
static enum status make(const char *name, uint64_t part_bytes, struct blk *first,
			struct split **ret)
{
	struct split *split = mem_alloc(sizeof *split);
	char *copy = text_copy(name);
	const struct concat_part part = { .blk = first, .limit = part_bytes };

	if (split == NULL || copy == NULL || concat_open(&part, 1, &split->parts) != ST_OK) {
		blk_close(first);
		mem_free(copy);
		mem_free(split);
		return ST_NO_MEMORY;
	}
	split->blk = (struct blk){
		.ops = first->ops->write != NULL ? &ops_for_writing : &ops_for_reading,
		.size = first->size,
		.block_bytes = 1,
		.buffer_align = 1,
		.transfer_bytes = split->parts->transfer_bytes,
		.parallel_reads = split->parts->parallel_reads,
		.sequential = split->parts->sequential,
	};
	split->name = copy;
	split->part_bytes = part_bytes;
	split->n = 1;
	*ret = split;
	return ST_OK;
}

/* Opens the next part. ST_NOT_FOUND: the set is complete without one. */
static enum status open_next(struct split *split, enum open_mode mode, struct error *err)
{
	uint64_t start = (split->n - 1) * split->part_bytes,
		 before = split->blk.size > start ? split->blk.size - start : 0;
	bool full = before == split->part_bytes;
	char *name = split_name(split->name, (unsigned)split->n);
	struct blk *part;
	enum status st;

	if (name == NULL)
		return fail_no_memory(err);
	st = platform_open(name, mode, &part, err);
	if (st == ST_NOT_FOUND && full) {
		struct error why = *err;

		st = fail(err, ST_CORRUPT,
			  "%s: its length of %ju bytes says that it is split into parts, and part "
			  "%s is missing (%s); if it is not split, add a byte to it",
			  split->name, split->part_bytes, name, why.text);
	} else if (st == ST_OK && (part->size > split->part_bytes || (part->size > 0 && !full))) {
		st = fail(err, ST_CORRUPT,
			  "%s: part %s has %ju bytes, and the one before it %ju: they are not "
			  "parts of one image, or one is not complete",
			  split->name, name, part->size, before);
		blk_close(part);
	} else if (st == ST_OK) {
		st = take_part(split, part);
		if (st != ST_OK)
			(void)fail_no_memory(err);
	}
	mem_free(name);
	return st;
}

/* Takes `file`, on failure too. */
static enum status open_parts(const char *name, uint64_t part_bytes, enum open_mode mode,
			      struct blk *file, struct blk **ret, struct error *err)
{
	struct split *split;
	enum status st = make(name, part_bytes, file, &split);

	if (st != ST_OK)
		return fail_no_memory(err);
	while (st == ST_OK && split->n < SPLIT_PARTS_MAX)
		st = open_next(split, mode, err);
	if (st != ST_OK && st != ST_NOT_FOUND) {
		split_close(&split->blk);
		return st;
	}
	*ret = &split->blk;
	return ST_OK;
}

enum status split_open(const char *name, enum open_mode mode, struct blk *file, struct blk **ret,
		       struct error *err)
{
	*ret = file;
	if (file->device != NULL || file->size % SPLIT_UNIT != SPLIT_MARK)
		return ST_OK;
	return open_parts(name, file->size, mode, file, ret, err);
}

enum status split_reopen(const char *name, uint64_t part_bytes, struct blk *file, struct blk **ret,
			 struct error *err)
{
	if (file->size <= part_bytes)
		return open_parts(name, part_bytes, OPEN_WRITE, file, ret, err);
	blk_close(file);
	return fail(err, ST_CORRUPT,
		    "%s: it was begun in parts of %ju bytes, and this one is longer", name,
		    part_bytes);
}

enum status split_create(const char *name, uint64_t part_bytes, bool replace, struct blk **ret,
			 struct error *err)
{
	struct blk *first;
	struct split *split;
	struct error ignored;
	enum status st = replace ? split_remove(name, SPLIT_PARTS_MAX, err) : ST_OK;

	if (st == ST_OK)
		st = platform_create(name, replace, &first, err);
	if (st != ST_OK)
		return st;
	st = make(name, part_bytes, first, &split);
	if (st == ST_OK) {
		*ret = &split->blk;
		return ST_OK;
	}
	(void)platform_remove(name, &ignored); /* it is empty */
	return fail_no_memory(err);
}

/* ---- files that have the name of a part ---- */

/* The number, 1 to 999, of the part of `leaf` that a file `entry` beside it is; 0: it is none. */
static unsigned part_number(const char *leaf, const char *entry)
{
	size_t n = text_length(leaf);
	uint64_t number;

	for (size_t i = 0; i < n; i++)
		if (text_lower(entry[i]) != text_lower(leaf[i]))
			return 0;
	if (entry[n] != '.' || text_length(entry + n) != sizeof ".001" - 1 ||
	    !text_to_u64(entry + n + 1, &number))
		return 0;
	return (unsigned)number;
}

/* A directory with more files than a list can have: looks up the name of every part. */
static enum status look_for_each(const char *name, bool found[static SPLIT_PARTS_MAX],
				 struct error *err)
{
	enum status st = ST_OK;

	for (unsigned i = 1; st == ST_OK && i < SPLIT_PARTS_MAX; i++) {
		char *part = split_name(name, i);
		struct place place = { 0 };

		if (part == NULL)
			return fail_no_memory(err);
		st = platform_look(part, &place, err);
		found[i] = st == ST_OK && place.exists;
		mem_free(part);
	}
	return st;
}

static enum status find_parts(const char *name, bool found[static SPLIT_PARTS_MAX],
			      struct error *err)
{
	const char *leaf = path_leaf(name);
	struct file_list list;
	char *directory = path_directory(name);
	enum status st;

	if (directory == NULL)
		return fail_no_memory(err);
	st = platform_list(directory, &list, err);
	for (size_t i = 0; list.entry != NULL && i < list.n; i++) {
		unsigned number = st == ST_OK ? part_number(leaf, list.entry[i].name) : 0;

		found[number] = number > 0 || found[number];
		mem_free(list.entry[i].name);
	}
	mem_free(list.entry);
	mem_free(directory);
	return st == ST_OK && list.more ? look_for_each(name, found, err) : st;
}

enum status split_each_part(const char *name,
			    enum status (*each)(void *user, const char *part, struct error *),
			    void *user, struct error *err)
{
	bool found[SPLIT_PARTS_MAX] = { false };
	enum status st = find_parts(name, found, err);

	for (unsigned i = SPLIT_PARTS_MAX; st == ST_OK && --i > 0;) {
		char *part;

		if (!found[i])
			continue;
		part = split_name(name, i);
		if (part == NULL)
			return fail_no_memory(err);
		st = each(user, part, err);
		mem_free(part);
	}
	return st;
}

struct parts_to_remove {
	const char *name;
	unsigned end;
};

static enum status remove_part(void *user, const char *part, struct error *err)
{
	const struct parts_to_remove *parts = user;

	return part_number(path_leaf(parts->name), path_leaf(part)) < parts->end
		       ? platform_remove(part, err)
		       : ST_OK;
}

enum status split_remove(const char *name, unsigned end, struct error *err)
{
	return split_each_part(name, remove_part, &(struct parts_to_remove){ name, end }, err);
}

/* Whether a file of that name exists. */
static enum status exists(const char *name, bool *ret, struct error *err)
{
	struct place place = { 0 };
	enum status st = platform_look(name, &place, err);

	*ret = st == ST_OK && place.exists;
	return st;
}

/* The number of the first part, from 1 on, that does not exist. */
static enum status end_of(const char *name, unsigned *ret, struct error *err)
{
	bool found = true;
	enum status st = ST_OK;

	for (*ret = 0; st == ST_OK && found && *ret < SPLIT_PARTS_MAX;) {
		char *part = split_name(name, ++*ret);

		if (part == NULL)
			return fail_no_memory(err);
		st = exists(part, &found, err);
		mem_free(part);
	}
	return st;
}

unsigned split_files_of(const struct blk *blk)
{
	return blk->ops == &ops_for_reading || blk->ops == &ops_for_writing
		       ? (unsigned)((const struct split *)blk)->n
		       : 1;
}

enum status split_count(const char *name, unsigned *ret, struct error *err)
{
	struct blk *file;
	enum status st = platform_open(name, OPEN_READ, &file, err);

	*ret = 1;
	if (st != ST_OK)
		return st == ST_NOT_FOUND ? ST_OK : st;
	if (file->device == NULL && file->size % SPLIT_UNIT == SPLIT_MARK)
		st = end_of(name, ret, err);
	blk_close(file);
	return st;
}
