/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Takes descriptors apart.
 *
 * Lines end with LF or CR LF; letters count in either case; blanks around names and values do not
 * count. A line is empty, a comment, "name = value", or describes an extent:
 *
 *     ACCESS SECTORS TYPE ["FILE" [OFFSET]]
 *
 * Each line for an extent counts: one that was left out would shift all that follows, so that a
 * guest would find its file systems somewhere else. So what is not understood is refused, with the
 * line. Names of files come from whoever has made the image: only files in the descriptor's own
 * directory are accepted, or an image could make a copy of any file on the machine.
 */
#include "format/vmdk/descriptor.h"

#include "base/memory.h"
#include "base/range.h"
#include "base/size.h"
#include "base/text.h"
#include "format/vmdk/header.h"
#include "platform/path.h"

enum { LINES_MAX = 1 << 16, WORD_BYTES = 16 };

/* What is left of a line. */
struct cursor {
	char *at, *end;
};

struct parser {
	struct vmdk_descriptor *descriptor;
	unsigned number; /* of the line */
	size_t capacity; /* of the array of lines */
	bool has_cid, has_version, other_encoding;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static void skip_blanks(struct cursor *line)
{
	while (line->at < line->end && is_blank(*line->at))
		line->at++;
}

static void trim_end(struct cursor *line)
{
	while (line->end > line->at && (is_blank(line->end[-1]) || line->end[-1] == '\r'))
		line->end--;
}

/* Copies the line for messages, cut where it is long. */
static void quote(const struct cursor *line, char *ret, size_t bytes)
{
	size_t n = (size_t)min_u64((uint64_t)(line->end - line->at), bytes - 1);

	memcpy(ret, line->at, n);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)ret[i] < ' ')
			ret[i] = '?';
	ret[n] = '\0';
}

static enum status refuse(const struct parser *p, const struct cursor *line, enum status st,
			  const char *why, struct error *err)
{
	char words[80];

	quote(line, words, sizeof words);
	return fail(err, st, "its descriptor, line %u (%s): %s", p->number, words, why);
}

/* ---- extents ---- */

/* The next word, in capitals; false: it is empty or too long. */
static bool take_word(struct cursor *line, char ret[static WORD_BYTES])
{
	size_t n = 0;

	skip_blanks(line);
	for (; line->at < line->end && !is_blank(*line->at); line->at++) {
		if (n == WORD_BYTES - 1)
			return false;
		ret[n] = *line->at;
		if (ret[n] >= 'a' && ret[n] <= 'z')
			ret[n] = (char)(ret[n] - 'a' + 'A');
		n++;
	}
	ret[n] = '\0';
	return n > 0;
}

static bool take_number(struct cursor *line, uint64_t *ret)
{
	char digits[24];
	size_t n = 0;

	skip_blanks(line);
	for (; line->at < line->end && !is_blank(*line->at); line->at++) {
		if (n == sizeof digits - 1)
			return false;
		digits[n++] = *line->at;
	}
	digits[n] = '\0';
	return text_to_u64(digits, ret);
}

/* A name in quotes; *ret is NULL if the line ends here. */
static bool take_name(struct cursor *line, char **ret, bool *ret_memory)
{
	char *begin;

	*ret = NULL;
	*ret_memory = true;
	skip_blanks(line);
	if (line->at == line->end)
		return true;
	if (*line->at != '"')
		return false;
	begin = ++line->at;
	while (line->at < line->end && *line->at != '"')
		line->at++;
	if (line->at == line->end)
		return false;
	*ret = text_copy_n(begin, (size_t)(line->at - begin));
	*ret_memory = *ret != NULL;
	line->at++;
	return true;
}

static enum status add_line(struct parser *p, const struct vmdk_line *line, struct error *err)
{
	struct vmdk_descriptor *d = p->descriptor;

	if (d->n_lines == LINES_MAX)
		return fail(err, ST_UNSUPPORTED, "its descriptor has more than %d extents",
			    LINES_MAX);
	if (d->n_lines == p->capacity) {
		size_t capacity = p->capacity > 0 ? 2 * p->capacity : 16;
		struct vmdk_line *more = mem_alloc(capacity * sizeof *more);

		if (more == NULL)
			return fail_no_memory(err);
		if (d->n_lines > 0)
			memcpy(more, d->line, d->n_lines * sizeof *more);
		mem_free(d->line);
		d->line = more;
		p->capacity = capacity;
	}
	d->line[d->n_lines++] = *line;
	return ST_OK;
}

static enum status check_type(const struct parser *p, const struct cursor *line,
			      const struct vmdk_line *extent, struct error *err)
{
	static const char *const known[] = { "FLAT", "VMFS",       "SPARSE",
					     "ZERO", "VMFSSPARSE", "SESPARSE" };
	static const char *const devices[] = { "VMFSRAW", "VMFSRDM", "VMFSRDMP" };
	bool flat = text_equal(extent->type, "FLAT"), zero = text_equal(extent->type, "ZERO");

	for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++)
		if (text_equal(extent->type, devices[i]))
			return refuse(p, line, ST_UNSUPPORTED,
				      "an extent that is a disk of the machine cannot be opened",
				      err);
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (!text_equal(extent->type, known[i]))
			continue;
		if ((extent->name == NULL) != zero)
			return refuse(p, line, ST_CORRUPT,
				      zero ? "an extent of zeros has no file"
					   : "the name of its file is missing",
				      err);
		if (extent->has_offset != flat &&
		    !(extent->has_offset && extent->offset_sectors == 0))
			return refuse(p, line, ST_CORRUPT,
				      flat ? "the offset in its file is missing"
					   : "an extent of this type has no offset",
				      err);
		return ST_OK;
	}
	return refuse(p, line, ST_UNSUPPORTED, "the type of the extent is not known", err);
}

static enum status take_extent(struct parser *p, const struct cursor *whole, struct cursor line,
			       struct vmdk_line *extent, struct error *err)
{
	char word[WORD_BYTES];
	bool memory;

	if (!take_word(&line, word))
		return refuse(p, whole, ST_UNSUPPORTED, "it is not understood", err);
	if (text_equal(word, "NOACCESS"))
		return refuse(p, whole, ST_UNSUPPORTED, "the extent must not be read (NOACCESS)",
			      err);
	if (!text_equal(word, "RW") && !text_equal(word, "RDONLY"))
		return refuse(p, whole, ST_UNSUPPORTED, "it is not understood", err);
	extent->access = text_equal(word, "RW") ? VMDK_ACCESS_RW : VMDK_ACCESS_RDONLY;
	if (!take_number(&line, &extent->sectors) || extent->sectors > SIZE_LIMIT / VMDK_SECTOR)
		return refuse(p, whole, ST_CORRUPT, "the number of its sectors is absurd", err);
	if (!take_word(&line, extent->type))
		return refuse(p, whole, ST_UNSUPPORTED, "the type of the extent is not known", err);
	if (!take_name(&line, &extent->name, &memory))
		return refuse(p, whole, ST_CORRUPT, "the name of its file is not in quotes", err);
	if (!memory)
		return fail_no_memory(err);
	skip_blanks(&line);
	extent->has_offset = line.at < line.end;
	if (extent->has_offset && (!take_number(&line, &extent->offset_sectors) ||
				   extent->offset_sectors > SIZE_LIMIT / VMDK_SECTOR))
		return refuse(p, whole, ST_CORRUPT, "the offset in its file is absurd", err);
	skip_blanks(&line);
	/* VMware appends things about devices, which are refused anyway */
	if (line.at < line.end)
		return refuse(p, whole, ST_UNSUPPORTED, "what follows the offset is not understood",
			      err);
	return check_type(p, whole, extent, err);
}

static enum status parse_extent(struct parser *p, const struct cursor *line, struct error *err)
{
	struct vmdk_line extent = { 0 };
	enum status st = take_extent(p, line, *line, &extent, err);

	if (st == ST_OK)
		st = add_line(p, &extent, err);
	if (st != ST_OK)
		mem_free(extent.name);
	return st;
}

/* ---- names and values ---- */

/* A number of 32 bits in hexadecimal digits, and where it is. */
static bool take_id(const struct parser *p, const struct cursor *value, uint32_t *ret,
		    size_t *ret_at, size_t *ret_digits)
{
	size_t n = (size_t)(value->end - value->at);

	*ret = 0;
	if (n < 1 || n > 8)
		return false;
	for (size_t i = 0; i < n; i++) {
		int digit = text_hex_digit(value->at[i]);

		if (digit < 0)
			return false;
		*ret = *ret << 4 | (uint32_t)digit;
	}
	*ret_at = (size_t)(value->at - p->descriptor->text);
	*ret_digits = n;
	return true;
}

static void strip_quotes(struct cursor *value)
{
	if (value->end - value->at >= 2 && *value->at == '"' && value->end[-1] == '"') {
		value->at++;
		value->end--;
	}
}

static bool starts_with_nocase(const char *s, const char *prefix)
{
	while (*prefix != '\0' && text_lower(*s) == *prefix) {
		s++;
		prefix++;
	}
	return *prefix == '\0';
}

/* What changes the meaning of all the rest. */
static enum status check_name_of_value(const struct parser *p, const char *name,
				       const struct cursor *line, struct error *err)
{
	static const char *const encryption[] = { "encrypt",     "ddb.encrypt", "keysafe",
						  "ddb.keysafe", "keyid",       "dataencrypt" };

	for (size_t i = 0; i < sizeof encryption / sizeof encryption[0]; i++)
		if (starts_with_nocase(name, encryption[i]))
			return refuse(p, line, ST_UNSUPPORTED,
				      "the disk is encrypted, and efi-img cannot decrypt it", err);
	return ST_OK;
}

static enum status take_version(struct parser *p, const struct cursor *line,
				const struct cursor *value, struct error *err)
{
	if (value->end - value->at != 1 || *value->at < '1' || *value->at > '3')
		return refuse(p, line, ST_UNSUPPORTED,
			      "this version is not known (only 1, 2 and 3)", err);
	p->has_version = true;
	return ST_OK;
}

static enum status take_create_type(struct parser *p, const struct cursor *line,
				    const struct cursor *value, struct error *err)
{
	size_t n = (size_t)(value->end - value->at);

	if (n >= VMDK_CREATE_TYPE_BYTES)
		return refuse(p, line, ST_UNSUPPORTED, "this kind of image is not known", err);
	memcpy(p->descriptor->create_type, value->at, n);
	p->descriptor->create_type[n] = '\0';
	return ST_OK;
}

static enum status take_value(struct parser *p, const char *name, const struct cursor *line,
			      struct cursor value, struct error *err)
{
	struct vmdk_descriptor *d = p->descriptor;
	bool ok = true;

	strip_quotes(&value);
	if (text_equal_nocase(name, "version"))
		return take_version(p, line, &value, err);
	if (text_equal_nocase(name, "CID")) {
		ok = take_id(p, &value, &d->cid, &d->cid_at, &d->cid_digits);
		p->has_cid = ok;
	} else if (text_equal_nocase(name, "parentCID")) {
		ok = take_id(p, &value, &d->parent_cid, &d->parent_cid_at, &d->parent_cid_digits);
	} else if (text_equal_nocase(name, "createType")) {
		return take_create_type(p, line, &value, err);
	} else if (text_equal_nocase(name, "parentFileNameHint")) {
		mem_free(d->parent_name);
		d->parent_name = text_copy_n(value.at, (size_t)(value.end - value.at));
		if (d->parent_name == NULL)
			return fail_no_memory(err);
	} else if (text_equal_nocase(name, "changeTrackPath")) {
		d->tracks_changes = true;
	} else if (text_equal_nocase(name, "encoding")) {
		p->other_encoding = value.end - value.at != 5 ||
				    !starts_with_nocase(value.at, "utf-8");
	} else {
		return check_name_of_value(p, name, line, err);
	}
	return ok ? ST_OK
		  : refuse(p, line, ST_CORRUPT, "it is not a number of 1 to 8 hexadecimal digits",
			   err);
}

static enum status parse_line(struct parser *p, struct cursor line, struct error *err)
{
	struct cursor value = line;
	char name[64], *end;
	size_t n;

	while (value.at < value.end && *value.at != '=' && *value.at != '"')
		value.at++;
	if (value.at == value.end || *value.at != '=')
		return parse_extent(p, &line, err);
	end = value.at++;
	while (end > line.at && is_blank(end[-1]))
		end--;
	n = (size_t)min_u64((uint64_t)(end - line.at), sizeof name - 1);
	memcpy(name, line.at, n);
	name[n] = '\0';
	skip_blanks(&value);
	return take_value(p, name, &line, value, err);
}

static enum status parse_lines(struct parser *p, struct error *err)
{
	struct vmdk_descriptor *d = p->descriptor;
	char *end = d->text + d->text_bytes;
	enum status st = ST_OK;

	/* the sectors that it does not need are zeros */
	for (char *at = d->text; at < end; at++)
		if (*at == '\0')
			end = at;
	for (char *at = d->text; st == ST_OK && at < end;) {
		struct cursor line = { at, at };

		p->number++;
		while (line.end < end && *line.end != '\n')
			line.end++;
		at = line.end + 1;
		skip_blanks(&line);
		trim_end(&line);
		if (line.at < line.end && *line.at != '#')
			st = parse_line(p, line, err);
	}
	return st;
}

/* ---- the whole ---- */

static bool is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s >= 0x80)
			return false;
	return true;
}

enum status vmdk_check_name(const char *name, const char *what, struct error *err)
{
	bool outside = name[0] == '\0' || text_equal(name, ".") || text_equal(name, "..");

	for (const char *s = name; *s != '\0'; s++)
		outside = outside || *s == '/' || *s == '\\' || *s == ':' ||
			  (unsigned char)*s < ' ';
	outside = outside || path_is_selector(name);
	return outside ? fail(err, ST_UNSUPPORTED,
			      "%s \"%s\" is not the name of a file in its own directory: put both "
			      "into one directory, and its plain name into the descriptor",
			      what, name)
		       : ST_OK;
}

static enum status check_names(const struct parser *p, struct error *err)
{
	const struct vmdk_descriptor *d = p->descriptor;
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i <= d->n_lines; i++) {
		const char *name = i < d->n_lines ? d->line[i].name : d->parent_name;

		if (name == NULL)
			continue;
		if (p->other_encoding && !is_ascii(name))
			return fail(err, ST_UNSUPPORTED,
				    "its descriptor is not in UTF-8, so that the name \"%s\" "
				    "cannot be read; rename the file to one of plain letters",
				    name);
		st = vmdk_check_name(name, i < d->n_lines ? "its extent" : "its parent", err);
	}
	return st;
}

enum status vmdk_descriptor_parse(char *text, size_t n, struct vmdk_descriptor *ret,
				  struct error *err)
{
	struct parser p = { .descriptor = ret };
	enum status st;

	*ret = (struct vmdk_descriptor){ .text = text,
					 .text_bytes = n,
					 .parent_cid = VMDK_NO_PARENT };
	st = parse_lines(&p, err);
	if (st == ST_OK && (!p.has_version || !p.has_cid || ret->create_type[0] == '\0'))
		st = fail(err, ST_CORRUPT, "its descriptor has no %s",
			  !p.has_version ? "version"
			  : !p.has_cid   ? "CID"
					 : "createType");
	if (st == ST_OK && (ret->parent_cid != VMDK_NO_PARENT) != (ret->parent_name != NULL))
		st = fail(err, ST_CORRUPT,
			  "its descriptor: parentCID is %08x, but it has %s parentFileNameHint",
			  ret->parent_cid, ret->parent_name != NULL ? "a" : "no");
	return st == ST_OK ? check_names(&p, err) : st;
}

void vmdk_descriptor_free(struct vmdk_descriptor *d)
{
	for (size_t i = 0; i < d->n_lines; i++)
		mem_free(d->line[i].name);
	mem_free(d->line);
	mem_free(d->parent_name);
	mem_free(d->text);
	*d = (struct vmdk_descriptor){ 0 };
}
