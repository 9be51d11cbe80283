/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The text of a journal: a JSON object, which a person can read, with all that is needed to resume
 * a copy. Everything in it is untrusted; what a copy does with it is checked against the source,
 * byte for byte (engine/copy_compare.c).
 *
 * Version 2 has the id of the mark (blk/mark.h). Version 1 had none, and was named .resume for
 * restores, too. It is refused.
 */
#include "record/journal_text.h"

#include "base/hex.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/tree.h"
#include "codec/sha256.h"

enum {
	FORMAT_VERSION = 2,
	FIRST_TEXT_BYTES = 2 * HOLD_IMAGE_BYTES + 1,
	ID_TEXT_BYTES = 2 * MARK_ID_BYTES + 1,
	DISK_HASH_BYTES = 4
};

const char journal_text_head[] = "{\n    \"journal-version\": ";

char *journal_name(const struct journal_facts *facts, const char *image)
{
	uint8_t hash[SHA256_BYTES];
	char digits[2 * DISK_HASH_BYTES + 1] = "";
	struct sha256 sha;

	if (facts->to_disk) {
		sha256_begin(&sha);
		sha256_add(&sha, facts->disk, text_length(facts->disk));
		sha256_end(&sha, hash);
		hex_text(hash, DISK_HASH_BYTES, digits);
	}
	return out_new("%s.%s%s", image, facts->to_disk ? "restore-" : "resume", digits);
}

/* Whether `name` ends so, in any case; each '#' stands for a hexadecimal digit. */
static bool ends_in(const char *name, const char *ending)
{
	size_t n = text_length(name), n_ending = text_length(ending);

	if (n <= n_ending)
		return false;
	for (name += n - n_ending; *ending != '\0'; name++, ending++) {
		char c = text_lower(*name);

		if (*ending == '#' ? !text_is_digit(c) && (c < 'a' || c > 'f') : c != *ending)
			return false;
	}
	return true;
}

bool journal_is_name(const char *name)
{
	return ends_in(name, ".resume") || ends_in(name, ".resume.new") ||
	       ends_in(name, ".restore-########") || ends_in(name, ".restore-########.new");
}

static enum status wrong_field(const char *name, const char *field, struct error *err)
{
	return fail(err, ST_CORRUPT,
		    "%s: the journal is damaged: its field \"%s\" is invalid; start again without "
		    "--resume",
		    name, field);
}

static bool text_member(struct json object, const char *field, char *ret, size_t ret_bytes)
{
	struct json value;

	return json_member(object, field, &value) && json_text(value, ret, ret_bytes);
}

static bool number_member(struct json object, const char *field, uint64_t *ret)
{
	struct json value;

	return json_member(object, field, &value) && json_number(value, ret);
}

/* A member of exactly `n` bytes, in hexadecimal digits. */
static bool bytes_member(struct json object, const char *field, uint8_t *ret, size_t n)
{
	char text[FIRST_TEXT_BYTES];

	return text_member(object, field, text, sizeof text) && hex_parse(text, ret, n);
}

static enum status parse_version(const char *name, struct json object, struct error *err)
{
	uint64_t version;

	if (!number_member(object, "journal-version", &version))
		return wrong_field(name, "journal-version", err);
	if (version == FORMAT_VERSION)
		return ST_OK;
	if (version < FORMAT_VERSION)
		return fail(err, ST_UNSUPPORTED,
			    "%s: an older efi-img has written this journal (version %ju, and this "
			    "one resumes version %d): start again without --resume",
			    name, version, FORMAT_VERSION);
	return fail(err, ST_UNSUPPORTED,
		    "%s: journals of version %ju are not supported, only version %d is", name,
		    version, FORMAT_VERSION);
}

enum status journal_text_parse(const char *name, const char *text, size_t n,
			       struct journal_text *ret, struct error *err)
{
	struct journal_facts *facts = &ret->facts;
	struct json object;
	char direction[16];
	enum status st;

	*ret = (struct journal_text){ 0 };
	if (!json_read(text, n, &object))
		return fail(err, ST_CORRUPT,
			    "%s: the journal is damaged: it is not JSON; start again without "
			    "--resume",
			    name);
	st = parse_version(name, object, err);
	if (st != ST_OK)
		return st;
	if (!text_member(object, "direction", direction, sizeof direction) ||
	    (!text_equal(direction, "to-disk") && !text_equal(direction, "from-disk")))
		return wrong_field(name, "direction", err);
	facts->to_disk = text_equal(direction, "to-disk");
	if (!bytes_member(object, "id", ret->id, sizeof ret->id))
		return wrong_field(name, "id", err);
	if (!text_member(object, "disk", facts->disk, sizeof facts->disk))
		return wrong_field(name, "disk", err);
	if (!number_member(object, "virtual-size", &facts->size))
		return wrong_field(name, "virtual-size", err);
	if (!text_member(object, "options", facts->options, sizeof facts->options))
		return wrong_field(name, "options", err);
	if (!text_member(object, "unused", facts->unused, sizeof facts->unused))
		return wrong_field(name, "unused", err);
	if (!number_member(object, "done", &ret->done) || ret->done > facts->size)
		return wrong_field(name, "done", err);
	if (!bytes_member(object, "first", ret->first, sizeof ret->first))
		return wrong_field(name, "first", err);
	return ST_OK;
}

void journal_text_print(const struct journal_text *journal, struct out *out)
{
	char first[FIRST_TEXT_BYTES], id[ID_TEXT_BYTES];
	struct tree tree;

	hex_text(journal->first, sizeof journal->first, first);
	hex_text(journal->id, sizeof journal->id, id);
	tree_init(&tree, out, TREE_JSON);
	tree_object(&tree, NULL);
	tree_number(&tree, "journal-version", FORMAT_VERSION);
	tree_text(&tree, "direction", journal->facts.to_disk ? "to-disk" : "from-disk");
	tree_text(&tree, "id", id);
	tree_text(&tree, "disk", journal->facts.disk);
	tree_number(&tree, "virtual-size", journal->facts.size);
	tree_text(&tree, "options", journal->facts.options);
	tree_text(&tree, "unused", journal->facts.unused);
	tree_number(&tree, "done", journal->done);
	tree_text(&tree, "first", first);
	tree_end(&tree);
}
