/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of images in QEMU's notation. QEMU takes what precedes a ':' in a name for a protocol, and
 * "json:" for the options of a block device; libvirt, and QEMU itself after a migration or a block
 * job, store such names for backing files. What these say of files has a meaning here:
 *
 *   file:NAME
 *   json:{"driver": FORMAT, "file": {"driver": "file", "filename": NAME}}
 *   json:{"driver": FORMAT, "file.driver": "file", "file.filename": NAME}
 *
 * with options of caches, locks and node names, which have no effect. Everything else changes what
 * is read (offset, size, backing, other protocols), and is refused by its name. As in QEMU, a
 * relative NAME is not looked up beside the image that has it, but where the program is run.
 */
#include "format/image_name.h"

#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"

static const char file_prefix[] = "file:", json_prefix[] = "json:";

enum { KEY_BYTES = 64 };

/* What a name has said so far; the texts are parts of it. */
struct parsed {
	struct json driver, file_driver, filename; /* text NULL: not given */
};

const char *image_name_plain(const char *name)
{
	return text_starts_with(name, file_prefix) ? name + sizeof file_prefix - 1 : name;
}

static bool is_notation(const char *name)
{
	return text_starts_with(name, file_prefix) || text_starts_with(name, json_prefix);
}

/* Options of QEMU that do not change what is read. */
static bool has_no_effect(const char *key)
{
	static const char *const keys[] = {
		"aio",        "aio-max-batch", "auto-read-only",        "cache",   "detect-zeroes",
		"discard",    "drop-cache",    "force-share",           "locking", "node-name",
		"pr-manager", "read-only",     "x-check-cache-dropped",
	};

	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (text_equal(key, keys[i]))
			return true;
	return text_starts_with(key, "cache.");
}

static enum status parse_members(struct json object, bool is_file, struct parsed *parsed,
				 struct error *err);

static enum status parse_member(const char *key, struct json value, bool is_file,
				struct parsed *parsed, struct error *err)
{
	static const char of_file[] = "file.";

	if (!is_file && text_starts_with(key, of_file)) {
		is_file = true;
		key += sizeof of_file - 1;
	} else if (!is_file && text_equal(key, "file") && value.text[0] == '{') {
		return parse_members(value, true, parsed, err);
	}
	if (text_equal(key, "driver"))
		*(is_file ? &parsed->file_driver : &parsed->driver) = value;
	else if (is_file && text_equal(key, "filename"))
		parsed->filename = value;
	else if (!has_no_effect(key))
		return fail(err, ST_UNSUPPORTED,
			    "the member \"%s\" has no meaning here; \"driver\" and "
			    "\"file\" with \"driver\" and \"filename\" have",
			    key);
	return ST_OK;
}

static enum status parse_members(struct json object, bool is_file, struct parsed *parsed,
				 struct error *err)
{
	struct json name, value;
	char key[KEY_BYTES];
	enum status st = ST_OK;

	for (size_t at = 0; st == ST_OK && json_next_member(object, &at, &name, &value);) {
		if (!json_text(name, key, sizeof key))
			return fail(err, ST_UNSUPPORTED, "a member with a long name");
		st = parse_member(key, value, is_file, parsed, err);
	}
	return st;
}

/* The string that a member must be. */
static enum status get_text(struct json value, const char *what, char *ret, size_t capacity,
			    struct error *err)
{
	if (value.text == NULL)
		return fail(err, ST_INVALID, "%s is missing", what);
	return json_text(value, ret, capacity)
		       ? ST_OK
		       : fail(err, ST_INVALID, "%s is not a string, or too long", what);
}

static enum status get_format(struct json driver, const struct image_format **ret,
			      struct error *err)
{
	char name[KEY_BYTES];
	enum status st = get_text(driver, "\"driver\"", name, sizeof name, err);

	return st == ST_OK ? image_format_get(name, "\"driver\"", ret, err) : st;
}

static enum status get_file(const struct parsed *parsed, char **ret, struct error *err)
{
	size_t capacity = parsed->filename.n + 1; /* the text without quotation marks fits */
	char driver[KEY_BYTES] = "file", *file;
	enum status st = ST_OK;

	if (parsed->file_driver.text != NULL)
		st = get_text(parsed->file_driver, "\"driver\" of \"file\"", driver, sizeof driver,
			      err);
	if (st == ST_OK && !text_equal(driver, "file"))
		st = fail(err, ST_UNSUPPORTED,
			  "QEMU's driver \"%s\" has no meaning here; \"file\" has", driver);
	if (st != ST_OK)
		return st;
	file = mem_alloc(2 + capacity);
	if (file == NULL)
		return fail_no_memory(err);
	file[0] = '.';
	file[1] = '/';
	st = get_text(parsed->filename, "\"filename\"", file + 2, capacity, err);
	if (st == ST_OK) {
		/* A file that is called so must not be taken for a name of this kind. */
		*ret = text_copy(is_notation(file + 2) ? file : file + 2);
		st = *ret != NULL ? ST_OK : fail_no_memory(err);
	}
	mem_free(file);
	return st;
}

static enum status resolve_json(const char *text, char **ret_file, const struct image_format **ret,
				struct error *err)
{
	struct parsed parsed = { 0 };
	struct json object;
	enum status st;

	if (!json_read(text, text_length(text), &object) || object.text[0] != '{')
		return fail(err, ST_INVALID, "what follows \"json:\" is not a JSON object");
	st = parse_members(object, false, &parsed, err);
	if (st == ST_OK && parsed.driver.text != NULL)
		st = get_format(parsed.driver, ret, err);
	return st == ST_OK ? get_file(&parsed, ret_file, err) : st;
}

enum status image_name_resolve(const char *name, char **ret_file, const struct image_format **ret,
			       struct error *err)
{
	struct error why;
	enum status st;

	*ret = NULL;
	if (!text_starts_with(name, json_prefix)) {
		*ret_file = text_copy(image_name_plain(name));
		return *ret_file != NULL ? ST_OK : fail_no_memory(err);
	}
	st = resolve_json(name + sizeof json_prefix - 1, ret_file, ret, &why);
	return st == ST_OK ? ST_OK : fail(err, st, "%s: %s", name, why.text);
}
