/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The parent of a differencing disk: where it is, and whether it is the right one.
 *
 * The header names it up to nine times: by a file name (in practice the last part of a path of
 * Windows), and by locators for several platforms. The relative path of Windows (W2ru) is what
 * means something on another machine; then the file name; of an absolute path (W2ku), its last
 * part. A parent that is not where the relative path says, but beside the child, is taken from
 * there: that is what people get who copy both to a stick. No other file is opened here.
 *
 * Names prove nothing, so the UUID of the parent's footer is compared with the one in the child. A
 * program that changes the parent changes neither; that the parent still has the same contents is
 * not known.
 *
 * The specification does not say in which byte order the locators are: programs write them in
 * little-endian UTF-16, and the name in big-endian.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "base/utf.h"
#include "format/vpc/vpc.h"
#include "platform/files.h"
#include "platform/path.h"

enum { LOCATOR_BYTES_MAX = 65534 }; /* the longest path of Windows, in UTF-16 */

extern const struct image_format format_vpc;

/* Makes UTF-8 of UTF-16 up to its first NUL; NULL: no memory. The caller frees it. */
static char *text_of(const uint8_t *bytes, size_t n_bytes, bool little)
{
	size_t n = 0;
	uint16_t *units = mem_alloc(n_bytes + sizeof *units);
	char *text;

	if (units == NULL)
		return NULL;
	while (n < n_bytes / 2) {
		units[n] = (uint16_t)(little ? bytes_from_le(bytes + 2 * n, 2)
					     : bytes_from_be(bytes + 2 * n, 2));
		if (units[n] == 0)
			break;
		n++;
	}
	text = mem_alloc(utf8_length_of_utf16(units, n) + 1);
	if (text != NULL)
		utf8_from_utf16(text, units, n);
	mem_free(units);
	return text;
}

/* The path of a locator; *ret is NULL if there is no locator of that kind. */
static enum status read_locator(struct vpc_image *v, const char *code, char **ret,
				struct error *err)
{
	const struct vpc_locator *locator = NULL;
	uint64_t offset, file_bytes = vpc_file(v)->size;
	uint8_t *bytes;
	uint32_t n;
	enum status st;

	*ret = NULL;
	for (size_t i = 0; i < VPC_N_LOCATORS && locator == NULL; i++)
		if (memcmp(v->header.locator[i].code, code, sizeof locator->code) == 0)
			locator = &v->header.locator[i];
	if (locator == NULL)
		return ST_OK;
	offset = be64_get(locator->offset);
	n = be32_get(locator->bytes);
	if (n > LOCATOR_BYTES_MAX || !range_ok(offset, n, file_bytes))
		return fail(err, ST_CORRUPT,
			    "its parent locator %s of %u bytes at offset %ju is too long, or lies "
			    "past the end of the file (%ju bytes)",
			    code, n, offset, file_bytes);
	bytes = mem_alloc((size_t)n + 1);
	if (bytes == NULL)
		return fail_no_memory(err);
	st = n > 0 ? blk_read(vpc_file(v), offset, bytes, n) : ST_OK;
	if (st == ST_OK)
		*ret = text_of(bytes, n, true);
	mem_free(bytes);
	if (st != ST_OK)
		return fail(err, st, "reading its parent locator %s: %s", code, status_text(st));
	return *ret != NULL ? ST_OK : fail_no_memory(err);
}

/* With '/' between its parts, and without "./" at its beginning. */
static char *to_path(const char *text)
{
	char *path;

	while (text[0] == '.' && (text[1] == '\\' || text[1] == '/'))
		text += 2;
	path = text_copy(text);
	for (char *c = path; c != NULL && *c != '\0'; c++)
		if (*c == '\\')
			*c = '/';
	return path;
}

/* Whether a file of that name is where the image would look for it. */
static bool is_there(const struct vpc_image *v, const char *name)
{
	char *path = path_relative_to(v->image.name, name);
	struct place place = { 0 };
	struct error ignored; /* whoever opens the file is told */
	bool found = path != NULL && platform_look(path, &place, &ignored) == ST_OK && place.exists;

	mem_free(path);
	return found;
}

/* Takes `text`, what the header calls the parent; `relative`: its directories mean something. */
static enum status take_name(struct vpc_image *v, char *text, bool relative, struct error *err)
{
	char *path = to_path(text), *leaf = path != NULL ? text_copy(path_leaf(path)) : NULL;
	enum status st = ST_OK;

	mem_free(text);
	if (leaf == NULL || path == NULL) {
		st = fail_no_memory(err);
	} else if (leaf[0] == '\0') {
		st = fail(err, ST_CORRUPT, "the name of its parent, \"%s\", is not that of a file",
			  path);
	} else {
		bool whole = relative && (is_there(v, path) || !is_there(v, leaf));

		v->image.backing_name = whole ? path : leaf;
		path = whole ? NULL : path;
		leaf = whole ? leaf : NULL;
	}
	mem_free(path);
	mem_free(leaf);
	return st;
}

enum status vpc_find_parent(struct vpc_image *v, struct error *err)
{
	char *name;
	enum status st;

	v->image.backing_format = text_copy(format_vpc.name);
	if (v->image.backing_format == NULL)
		return fail_no_memory(err);
	st = read_locator(v, "W2ru", &name, err);
	if (st != ST_OK)
		return st;
	if (name != NULL && name[0] != '\0')
		return take_name(v, name, true, err);
	mem_free(name);
	name = text_of(v->header.parent_name, sizeof v->header.parent_name, false);
	if (name == NULL)
		return fail_no_memory(err);
	if (name[0] != '\0')
		return take_name(v, name, false, err);
	mem_free(name);
	st = read_locator(v, "W2ku", &name, err);
	if (st != ST_OK)
		return st;
	if (name != NULL)
		return take_name(v, name, false, err);
	return fail(err, ST_CORRUPT, "it is a differencing disk that does not name its parent");
}

enum status vpc_check_parent(const struct vpc_image *v, struct error *err)
{
	const struct image *backing = v->image.backing;
	const struct vpc_image *parent = (const struct vpc_image *)backing;

	if (backing == NULL)
		return fail(err, ST_UNSUPPORTED,
			    "it is a differencing disk, which cannot be read without its parent, "
			    "%s",
			    v->image.backing_name);
	if (backing->format != &format_vpc)
		return fail(err, ST_UNSUPPORTED, "its parent, %s, is a %s image, and no VHD",
			    backing->name, backing->format->name);
	if (memcmp(parent->footer.uuid, v->header.parent_uuid, sizeof parent->footer.uuid) != 0)
		return fail(err, ST_CORRUPT,
			    "%s is not its parent, but another image of that name: the UUID "
			    "differs",
			    backing->name);
	return ST_OK;
}
