/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * A record is written twice: first into the side file, then into the file itself, each flushed
 * before the next step, after which the side file is removed. Each of the two begins with the mark
 * of an unfinished record until all of it is on the medium (blk/hold.h). So one of them is complete
 * at any moment from the first record on.
 *
 * One state cannot be told from somebody else's file: FAT may show, after a power failure, the old
 * contents of a cluster in the first sector of a file that had just been made. In the side file
 * that is refused, and the person removes it.
 */
#include "record/record.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "base/zero.h"
#include "blk/hold.h"
#include "blk/mark.h"
#include "blk/out_file.h"
#include "platform/files.h"
#include "record/finished.h"

static const char side_ending[] = ".new";

/* ---- looking ---- */

static enum record_state state_of(const uint8_t first[static MARK_BYTES], uint64_t size,
				  const char *head)
{
	size_t n = text_length(head);
	uint8_t mark[MARK_BYTES], id[MARK_ID_BYTES];

	if (size <= MARK_BYTES && is_zero(first, MARK_BYTES))
		return RECORD_EMPTY;
	/* Of a record that is shorter, the first bytes of the mark may be left. */
	mark_make(MARK_RECORD, NULL, mark);
	if (mark_parse(first, MARK_RECORD, id) ||
	    (size < MARK_BYTES && memcmp(first, mark, (size_t)size) == 0))
		return RECORD_EMPTY;
	return size >= n && memcmp(first, head, n) == 0 ? RECORD_WHOLE : RECORD_FOREIGN;
}

static enum status look(const char *name, const char *head, enum record_state *ret,
			uint64_t *ret_size, struct error *err)
{
	uint8_t first[MARK_BYTES];
	struct place place;
	struct blk *blk;
	enum status st = platform_look(name, &place, err);

	*ret = RECORD_ABSENT;
	*ret_size = 0;
	if (st != ST_OK || !place.exists)
		return st;
	st = platform_open(name, OPEN_READ, &blk, err);
	if (st != ST_OK)
		return st;
	*ret_size = blk->size;
	st = blk_read_padded(blk, 0, first, sizeof first);
	blk_close(blk);
	if (st != ST_OK)
		return fail(err, st, "%s: reading it: %s", name, status_text(st));
	*ret = state_of(first, *ret_size, head);
	return ST_OK;
}

enum status record_open(struct record *record, const char *name, const char *head,
			struct error *err)
{
	size_t n = text_length(name);
	uint64_t side_size;
	enum status st;

	*record = (struct record){ .name = name, .side_name = mem_alloc(n + sizeof side_ending) };
	if (record->side_name == NULL)
		return fail_no_memory(err);
	memcpy(record->side_name, name, n);
	memcpy(record->side_name + n, side_ending, sizeof side_ending);
	/* What cannot be written is known now. */
	st = look(name, head, &record->state, &record->size, err);
	if (st == ST_OK)
		st = look(record->side_name, head, &record->side_state, &side_size, err);
	if (st == ST_OK && record->side_state == RECORD_FOREIGN)
		return fail(err, ST_EXISTS,
			    "%s: %s is written here first, and this is another file, or one that a "
			    "power cut left unfinished: rename or remove it",
			    record->side_name, record->name);
	return st;
}

enum status record_use(const struct record *record, struct storage *storage, enum access_role role,
		       struct error *err)
{
	enum status st = storage_use(storage, role, ACCESS_CREATE, record->name, err);

	return st == ST_OK ? storage_use(storage, role, ACCESS_CREATE, record->side_name, err) : st;
}

void record_close(struct record *record)
{
	mem_free(record->side_name);
	*record = (struct record){ 0 };
}

/* ---- reading ---- */

enum status record_read(const struct record *record, bool side, size_t most, char **ret_text,
			size_t *ret_n, struct error *err)
{
	const char *name = side ? record->side_name : record->name;
	enum record_state state = side ? record->side_state : record->state;
	struct blk *blk;
	enum status st;

	*ret_text = NULL;
	*ret_n = 0;
	if (state == RECORD_ABSENT || state == RECORD_EMPTY)
		return ST_OK;
	st = platform_open(name, OPEN_READ, &blk, err);
	if (st != ST_OK)
		return st;
	if (blk->size > most)
		st = fail(err, ST_INVALID, "%s: %ju bytes are too many for a file of its kind",
			  name, blk->size);
	if (st == ST_OK) {
		*ret_n = (size_t)blk->size;
		*ret_text = mem_alloc(*ret_n);
		st = *ret_text != NULL ? blk_read(blk, 0, *ret_text, *ret_n) : ST_NO_MEMORY;
		if (st != ST_OK)
			error_set(err, "%s: reading it: %s", name, status_text(st));
	}
	blk_close(blk);
	if (st != ST_OK) {
		mem_free(*ret_text);
		*ret_text = NULL;
		*ret_n = 0;
	}
	return st;
}

/* ---- writing ---- */

static enum status write(const char *name, enum record_state *state,
			 void (*print)(const void *user, struct out *), const void *user,
			 struct error *err)
{
	struct finished finished = { 0 };
	uint8_t mark[MARK_BYTES];
	struct out_file to;
	struct blk *file, *held;
	enum status st = platform_check_rewrite(name, err);

	if (st == ST_OK)
		st = platform_create(name, *state != RECORD_ABSENT, &file, err);
	if (st != ST_OK)
		return st;
	*state = RECORD_EMPTY;
	mark_make(MARK_RECORD, NULL, mark);
	st = hold_open(file, &(struct hold_kind){ .bytes = HOLD_IMAGE_BYTES, .mark = mark }, &held);
	if (st != ST_OK) {
		blk_close(file);
	} else {
		out_file_begin(&to, held);
		print(user, &to.out);
		st = out_file_end(&to);
		if (st == ST_OK)
			st = hold_release(held);
		if (st == ST_OK)
			st = finished_add(&finished, name, held, err);
		blk_close(held);
	}
	if (st != ST_OK) {
		finished_free(&finished);
		return fail(err, st, "%s: writing it: %s", name, status_text(st));
	}
	st = finished_check(&finished, err);
	if (st != ST_OK)
		return st;
	*state = RECORD_WHOLE;
	return ST_OK;
}

static enum status remove(const char *name, enum record_state *state, struct error *err)
{
	enum status st = *state == RECORD_EMPTY || *state == RECORD_WHOLE
				 ? platform_remove(name, err)
				 : ST_OK;

	if (st == ST_OK && *state != RECORD_FOREIGN)
		*state = RECORD_ABSENT;
	return st;
}

enum status record_write(struct record *record, void (*print)(const void *user, struct out *),
			 const void *user, struct error *err)
{
	struct error why;
	enum status st = write(record->side_name, &record->side_state, print, user, err);

	if (st != ST_OK)
		return st;
	st = write(record->name, &record->state, print, user, err);
	if (st == ST_OK)
		return remove(record->side_name, &record->side_state, err);
	why = *err;
	return fail(err, st, "%s; its new contents are in %s", why.text, record->side_name);
}

enum status record_remove(struct record *record, struct error *err)
{
	enum status st = remove(record->name, &record->state, err);

	return st == ST_OK ? remove(record->side_name, &record->side_state, err) : st;
}
