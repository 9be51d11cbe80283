/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The rescue map: which ranges of a disk are copied, bad, or not tried, in the mapfile format of
 * GNU ddrescue. What was known when it was opened (`all`) and what the copy has found since
 * (`done`, `bad`, `absent`) are kept apart and merged when the map is printed: so the ranges to
 * copy do not change during the copy. The text is untrusted; every number is checked.
 */
#include "record/rescue_map.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "platform/files.h"
#include "storage/storage.h"

enum {
	SECTOR_BYTES = 512,
	TEXT_BYTES_MAX = 16 << 20, /* of RESCUE_RANGES_MAX lines, and of comments */
};

static const char title[] = "# Mapfile. Created by efi-img";

/* ---- ranges ---- */

/* Makes room for one more. */
static enum status reserve(struct rescue_ranges *ranges)
{
	size_t capacity = (size_t)max_u64(2 * ranges->capacity, 64);
	struct rescue_range *more;

	if (ranges->n < ranges->capacity)
		return ST_OK;
	if (ranges->n >= RESCUE_RANGES_MAX)
		return ST_TOO_LARGE;
	more = mem_alloc(capacity * sizeof *more);
	if (more == NULL)
		return ST_NO_MEMORY;
	if (ranges->n > 0)
		memcpy(more, ranges->range, ranges->n * sizeof *more);
	mem_free(ranges->range);
	ranges->range = more;
	ranges->capacity = capacity;
	return ST_OK;
}

/* The first of them that ends after `offset`; `n`: none does. */
static size_t find(const struct rescue_ranges *ranges, uint64_t offset)
{
	size_t low = 0, high = ranges->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges->range[middle].end <= offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool rescue_map_has_finished(const struct rescue_map *map, uint64_t end)
{
	for (size_t i = 0; i < map->all.n && map->all.range[i].offset < end; i++)
		if (map->all.range[i].status == RESCUE_FINISHED)
			return true;
	return false;
}

bool rescue_map_todo(const struct rescue_map *map, uint64_t *offset, uint64_t *ret_end)
{
	size_t i = find(&map->all, *offset);

	while (i < map->all.n && map->all.range[i].status == RESCUE_FINISHED)
		i++;
	if (i == map->all.n)
		return false;
	*offset = max_u64(*offset, map->all.range[i].offset);
	while (i < map->all.n && map->all.range[i].status != RESCUE_FINISHED)
		*ret_end = map->all.range[i++].end;
	return true;
}

/*
 * Where there is no room for another range, the one before it grows over what lies between them:
 * that will be read once more, perhaps.
 */
void rescue_map_bad(struct rescue_map *map, uint64_t offset, uint64_t n)
{
	struct rescue_ranges *bad = &map->bad;
	size_t i = find(bad, offset);

	if (i < bad->n && bad->range[i].offset <= offset && bad->range[i].end >= offset + n)
		return;
	if (i == bad->n && i > 0 && (bad->range[i - 1].end == offset || reserve(bad) != ST_OK)) {
		bad->range[i - 1].end = offset + n;
		return;
	}
	if (reserve(bad) != ST_OK)
		return; /* only after it was added twice, by reading it again */
	memmove(&bad->range[i + 1], &bad->range[i], (bad->n - i) * sizeof *bad->range);
	bad->range[i] = (struct rescue_range){ .offset = offset,
					       .end = offset + n,
					       .status = RESCUE_BAD };
	bad->n++;
}

/* ---- the copy ---- */

/* Before the copy begins: its file can be written when the copy ends. */
static enum status check(const struct observer *observer, struct error *err)
{
	return platform_check_rewrite(((const struct rescue_map *)observer)->file.name, err);
}

static bool next(const struct observer *map, uint64_t *offset, uint64_t *ret_end)
{
	return rescue_map_todo((const struct rescue_map *)map, offset, ret_end);
}

static void lost(struct observer *map, const struct lost_range *range)
{
	rescue_map_bad((struct rescue_map *)map, range->offset, range->length);
}

static enum status written(struct observer *map, uint64_t end, struct image *target)
{
	(void)target;
	((struct rescue_map *)map)->done = end;
	return ST_OK;
}

/* What the medium has is not known: everything is copied again. */
static void doubted(struct observer *map, enum status st)
{
	(void)st;
	((struct rescue_map *)map)->done = 0;
}

static void gone(struct observer *observer, uint64_t end)
{
	struct rescue_map *map = (struct rescue_map *)observer;

	map->absent = min_u64(map->size, max_u64(map->absent, end));
}

static const struct observer_ops ops = {
	.keeps_partial = true,
	.check = check,
	.next = next,
	.lost = lost,
	.written = written,
	.doubted = doubted,
	.gone = gone,
};

/* ---- what is known ---- */

/* What is known by now of the byte at `offset`, and how far that extends. */
static struct rescue_range at(const struct rescue_map *map, uint64_t offset)
{
	size_t i = find(&map->all, offset), k = find(&map->bad, offset);
	struct rescue_range ret = { .offset = offset,
				    .end = map->all.range[i].end,
				    .status = map->all.range[i].status };

	if (ret.status != RESCUE_FINISHED) {
		if (offset < map->done)
			ret.status = RESCUE_FINISHED;
		if (offset < map->done)
			ret.end = min_u64(ret.end, map->done);
		if (k < map->bad.n && map->bad.range[k].offset <= offset) {
			ret.status = RESCUE_BAD;
			ret.end = min_u64(ret.end, map->bad.range[k].end);
		} else if (k < map->bad.n) {
			ret.end = min_u64(ret.end, map->bad.range[k].offset);
		}
	}
	if (offset < map->absent) {
		ret.end = min_u64(ret.end, map->absent);
		if (ret.status == RESCUE_FINISHED)
			ret.status = RESCUE_UNTRIED;
	}
	return ret;
}

/* The same, as far as it goes. */
static struct rescue_range run_at(const struct rescue_map *map, uint64_t offset)
{
	struct rescue_range ret = at(map, offset);

	while (ret.end < map->size) {
		struct rescue_range next = at(map, ret.end);

		if (next.status != ret.status)
			break;
		ret.end = next.end;
	}
	return ret;
}

/* ---- text ---- */

/* What is left of the text, the number of its line, and the words for what is wrong in it. */
struct scanner {
	const char *name, *p, *end;
	unsigned line;
	struct error *err;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct scanner *s)
{
	while (s->p < s->end && is_blank(*s->p))
		s->p++;
}

/* Skips to the next line that is not empty. False: there is none. */
static bool next_line(struct scanner *s)
{
	for (; s->p < s->end; s->p++) {
		skip_blanks(s);
		if (s->p < s->end && *s->p == '#')
			while (s->p < s->end && *s->p != '\n')
				s->p++;
		if (s->p == s->end)
			break;
		if (*s->p != '\n')
			return true;
		s->line++;
	}
	return false;
}

static enum status wrong(const struct scanner *s, const char *what)
{
	return fail(s->err, ST_INVALID,
		    "%s, line %u: %s; this is not a map that ddrescue or efi-img wrote", s->name,
		    s->line, what);
}

/* A number as in C: decimal, 0x and hexadecimal, 0 and octal. */
static enum status take_number(struct scanner *s, uint64_t *ret)
{
	unsigned base = 10, digits = 0;
	uint64_t value = 0;

	skip_blanks(s);
	if (s->p < s->end && *s->p == '0') {
		base = s->end - s->p > 1 && text_lower(s->p[1]) == 'x' ? 16 : 8;
		s->p += base == 16 ? 2 : 0;
	}
	for (; s->p < s->end; s->p++, digits++) {
		char c = text_lower(*s->p);
		unsigned digit = text_is_digit(c)       ? (unsigned)(c - '0')
				 : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
							: 16;

		if (digit >= base)
			break;
		if (!mul_ok(value, base, &value) || !add_ok(value, digit, &value))
			return wrong(s, "a number is too large");
	}
	if (digits == 0 || (s->p < s->end && !is_blank(*s->p) && *s->p != '\n'))
		return wrong(s, "a number is expected");
	*ret = value;
	return ST_OK;
}

static enum status take_status(struct scanner *s, const char *allowed, char *ret)
{
	skip_blanks(s);
	if (s->p == s->end || *s->p == '\0' || text_find(allowed, *s->p) == NULL)
		return wrong(s, "a status is expected");
	*ret = *s->p++;
	return ST_OK;
}

static enum status end_line(struct scanner *s)
{
	skip_blanks(s);
	return s->p == s->end || *s->p == '\n' ? ST_OK
					       : wrong(s, "the line has more fields than expected");
}

/* Where ddrescue was, and what it was doing: it decides nothing. */
static enum status take_position(struct scanner *s)
{
	uint64_t ignored;
	char status;
	enum status st = next_line(s) ? take_number(s, &ignored) : wrong(s, "it is empty");

	if (st == ST_OK)
		st = take_status(s, "?*/-FG+", &status);
	skip_blanks(s);
	if (st == ST_OK && s->p < s->end && *s->p != '\n')
		st = take_number(s, &ignored);
	return st == ST_OK ? end_line(s) : st;
}

static enum status take_range(struct scanner *s, uint64_t at, struct rescue_range *ret)
{
	uint64_t offset, n;
	char status;
	enum status st = take_number(s, &offset);

	if (st == ST_OK)
		st = take_number(s, &n);
	if (st == ST_OK)
		st = take_status(s, "?*/-+", &status);
	if (st == ST_OK)
		st = end_line(s);
	if (st != ST_OK)
		return st;
	if (offset != at)
		return wrong(s, "the range does not begin where the previous one ends");
	if (n == 0 || offset % SECTOR_BYTES != 0 || n % SECTOR_BYTES != 0)
		return fail(s->err, ST_UNSUPPORTED,
			    "%s, line %u: the range does not consist of whole sectors of 512 "
			    "bytes, so that one of them would be finished in part (in ddrescue's "
			    "options, M is 1000000 bytes, and Mi 1048576)",
			    s->name, s->line);
	if (!add_ok(offset, n, &ret->end) || ret->end > SIZE_LIMIT)
		return wrong(s, "the range ends past the largest disk");
	ret->offset = offset;
	ret->status = (enum rescue_status)status;
	return ST_OK;
}

enum status rescue_map_parse(struct rescue_map *map, const char *name, const char *text, size_t n,
			     struct error *err)
{
	struct scanner s = { .name = name, .p = text, .end = text + n, .line = 1, .err = err };
	uint64_t end = 0;
	enum status st = take_position(&s);

	map->all.n = 0;
	while (st == ST_OK && next_line(&s)) {
		st = reserve(&map->all);
		if (st == ST_TOO_LARGE)
			return fail(err, st, "%s: it has more than %d ranges", name,
				    RESCUE_RANGES_MAX);
		if (st != ST_OK)
			return fail_no_memory(err);
		st = take_range(&s, end, &map->all.range[map->all.n]);
		end = map->all.range[map->all.n++].end;
	}
	if (st == ST_OK && end != map->size)
		st = fail(err, ST_UNSUPPORTED,
			  "%s: the map is of a disk of %ju bytes, and this one has %ju: it is the "
			  "map of another disk, or of a part of this one",
			  name, end, map->size);
	if (st != ST_OK)
		map->all.n = 0;
	return st;
}

void rescue_map_print(const struct rescue_map *map, struct out *out)
{
	static const char order[] = { RESCUE_UNTRIED, RESCUE_UNTRIMMED, RESCUE_UNSCRAPED,
				      RESCUE_BAD, RESCUE_FINISHED };
	size_t state = sizeof order - 1;
	struct rescue_range range;

	/* What ddrescue has to do next is what comes first in that order. */
	for (uint64_t offset = 0; offset < map->size; offset = range.end) {
		range = run_at(map, offset);
		for (size_t i = 0; i < state; i++)
			if (order[i] == (char)range.status)
				state = i;
	}
	out_printf(out,
		   "%s\n# current_pos  current_status  current_pass\n0x%08jX     %c               "
		   "1\n"
		   "#      pos        size  status\n",
		   title, map->absent > 0 ? 0 : map->done, order[state]);
	for (uint64_t offset = 0; offset < map->size; offset = range.end) {
		range = run_at(map, offset);
		out_printf(out, "0x%08jX  0x%08jX  %c\n", offset, range.end - offset,
			   (char)range.status);
	}
}

/* ---- files ---- */

/*
 * Reads one of its two files. What is not there, or was cut off while it was written, leaves
 * map->all empty.
 */
static enum status load(struct rescue_map *map, bool beside, struct error *err)
{
	const char *name = beside ? map->file.side_name : map->file.name;
	char *text;
	size_t n;
	enum status st = record_read(&map->file, beside, TEXT_BYTES_MAX, &text, &n, err);

	if (st == ST_OK && n > 0)
		st = rescue_map_parse(map, name, text, n, err);
	mem_free(text);
	return st;
}

static enum status begin(struct rescue_map *map, struct error *err)
{
	if (map->size > 0 && reserve(&map->all) != ST_OK)
		return fail_no_memory(err);
	map->all.n = map->size > 0;
	if (map->size > 0)
		map->all.range[0] = (struct rescue_range){ .end = map->size,
							   .status = RESCUE_UNTRIED };
	return ST_OK;
}

/* Where its file was cut off, or is not there yet, the one beside it counts, if that is whole. */
enum status rescue_map_open(struct rescue_map *map, struct storage *storage, const char *name,
			    uint64_t size, struct error *err)
{
	enum status st;

	*map = (struct rescue_map){ .observer = { &ops }, .size = size };
	if (reserve(&map->bad) != ST_OK)
		return fail_no_memory(err);
	st = record_open(&map->file, name, title, err);
	if (st == ST_OK)
		st = record_use(&map->file, storage, ROLE_MAP, err);
	if (st == ST_OK)
		st = load(map, false, err);
	if (st == ST_OK && map->all.n == 0 && map->file.state != RECORD_ABSENT && size > 0)
		st = fail(err, ST_INVALID, "%s: the file has no map in it", name);
	if ((st == ST_INVALID || (st == ST_OK && map->all.n == 0)) &&
	    map->file.side_state != RECORD_ABSENT) {
		struct error of_side;
		enum status beside = load(map, true, &of_side);

		if (beside == ST_OK && map->all.n > 0)
			st = ST_OK;
		/* otherwise it is not finished either */
		else if (beside != ST_OK && beside != ST_INVALID)
			st = fail(err, beside, "%s", of_side.text);
	}
	return st == ST_OK && map->all.n == 0 ? begin(map, err) : st;
}

void rescue_map_close(struct rescue_map *map)
{
	record_close(&map->file);
	mem_free(map->all.range);
	mem_free(map->bad.range);
	*map = (struct rescue_map){ 0 };
}

static void print(const void *map, struct out *out)
{
	rescue_map_print(map, out);
}

enum status rescue_map_save(struct rescue_map *map, struct error *err)
{
	return record_write(&map->file, print, map, err);
}

enum status rescue_map_end(struct rescue_map *map, const char *target, enum status st,
			   struct error *err)
{
	struct error why, of_map;
	enum status saved;

	if (map->done == 0 && map->bad.n == 0)
		return st;
	saved = rescue_map_save(map, &of_map);
	if (saved == ST_OK)
		return st;
	if (st == ST_OK)
		return fail(err, saved, "%s; the copy in %s is complete", of_map.text, target);
	why = *err;
	return fail(err, st, "%s\n%s", why.text, of_map.text);
}
