#include "job/record.h"

#include "base/memory.h"
#include "base/platform.h"
#include "base/text.h"
#include "blk/hold.h"
#include "blk/out_file.h"

static const char side_ending[] = ".new";

/* What the name of the file beside it leads to must be such a file. */
static enum status look_beside(const struct record *record, const char *wanted, struct error *err)
{
	size_t n = text_length(wanted);
	char *head = mem_alloc(n);
	struct blk *blk;
	enum status st;

	if (head == NULL)
		return fail_no_memory(err);
	st = platform_open(record->side_name, OPEN_READ, &blk, err);
	if (st == ST_OK) {
		st = blk_read_padded(blk, 0, head, n);
		if (st != ST_OK)
			st = fail(err, st, "%s: reading it: %s", record->side_name, status_text(st));
		else if (head[0] != '\0' && memcmp(head, wanted, n) != 0)
			st = fail(err, ST_EXISTS, "%s: %s is written here first, and this is something else, or what a power cut left unfinished: "
				  "rename or remove it", record->side_name, record->name);
		blk_close(blk);
	}
	mem_free(head);
	return st;
}

static enum status look(const char *name, bool *ret_exists, struct error *err)
{
	struct place place;
	enum status st = platform_look(name, &place, err);

	*ret_exists = st == ST_OK && place.exists;
	return st;
}

enum status record_open(struct record *record, const char *name, const char *head, struct error *err)
{
	size_t n = text_length(name);
	enum status st;

	*record = (struct record){ .name = name, .side_name = mem_alloc(n + sizeof side_ending) };
	if (record->side_name == NULL)
		return fail_no_memory(err);
	memcpy(record->side_name, name, n);
	memcpy(record->side_name + n, side_ending, sizeof side_ending);
	st = look(name, &record->exists, err); /* so that what cannot be written is known now */
	if (st == ST_OK)
		st = look(record->side_name, &record->side_exists, err);
	return st == ST_OK && record->side_exists && head != NULL ? look_beside(record, head, err) : st;
}

void record_close(struct record *record)
{
	mem_free(record->side_name);
	*record = (struct record){ 0 };
}

enum status record_read(const struct record *record, bool beside, size_t most, char **ret_text, size_t *ret_n, struct error *err)
{
	const char *name = beside ? record->side_name : record->name;
	struct blk *blk;
	enum status st;

	*ret_text = NULL;
	*ret_n = 0;
	if (!(beside ? record->side_exists : record->exists))
		return ST_OK;
	st = platform_open(name, OPEN_READ, &blk, err);
	if (st != ST_OK)
		return st;
	if (blk->size > most)
		st = fail(err, ST_INVALID, "%s: %ju bytes are too many for a file of its kind", name, blk->size);
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
	}
	/* Its first bytes are zeros until all of it is on the medium. */
	if (st != ST_OK || *ret_n == 0 || (*ret_text)[0] == '\0')
		*ret_n = 0;
	return st;
}

static enum status write(const char *name, bool replace, void (*print)(const void *user, struct out *), const void *user, struct error *err)
{
	struct out_file to;
	struct blk *file, *held;
	enum status st = platform_create(name, replace, &file, err);

	if (st != ST_OK)
		return st;
	st = hold_open(file, HOLD_IMAGE_BYTES, &held);
	if (st != ST_OK) {
		blk_close(file);
	} else {
		out_file_begin(&to, held);
		print(user, &to.out);
		st = out_file_end(&to);
		if (st == ST_OK)
			st = hold_release(held);
		blk_close(held);
	}
	return st == ST_OK ? ST_OK : fail(err, st, "%s: writing it: %s", name, status_text(st));
}

enum status record_write(struct record *record, void (*print)(const void *user, struct out *), const void *user, struct error *err)
{
	struct error why;
	enum status st = write(record->side_name, record->side_exists, print, user, err);

	if (st != ST_OK)
		return st;
	record->side_exists = true;
	st = write(record->name, record->exists, print, user, err);
	if (st == ST_OK) {
		record->exists = true;
		st = platform_remove(record->side_name, err);
		record->side_exists = st != ST_OK;
		return st;
	}
	why = *err;
	return fail(err, st, "%s; what it was to be is in %s", why.text, record->side_name);
}

enum status record_remove(struct record *record, struct error *err)
{
	enum status st = record->exists ? platform_remove(record->name, err) : ST_OK;

	record->exists = record->exists && st != ST_OK;
	if (st == ST_OK && record->side_exists) {
		st = platform_remove(record->side_name, err);
		record->side_exists = st != ST_OK;
	}
	return st;
}
