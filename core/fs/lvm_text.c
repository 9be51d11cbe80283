/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The metadata of LVM2: sections in braces, and "key = value" of numbers, strings in quotation
 * marks, and arrays (lvm2, lib/format_text/). It describes a volume group with its physical volumes
 * and logical volumes.
 *
 * Each key, status and flag has to be known here, and to mean that the extents of a logical volume
 * are those bytes of this physical volume, and that no other extent has any. So there is one
 * physical volume, and every segment is of the type "striped" with one stripe, which is LVM's word
 * for linear. Snapshots, thin volumes, caches, RAID and moves in progress have other types, or
 * flags.
 */
#include "base/memory.h"
#include "base/out.h"
#include "base/printable.h"
#include "base/range.h"
#include "base/text.h"
#include "fs/lvm.h"

enum { WORD_COLUMNS = 40 };

struct lvm_text {
	const char *at;
	struct lvm_group *group;
	struct error *why;
	char disk[LVM_NAME]; /* the name of the physical volume in this text; "": not yet read */
	bool is_visible, is_text, is_version_1;
	uint64_t n_segments;                     /* of the volume; UINT64_MAX: not read */
	uint64_t first, n, at_extent, n_stripes; /* the segment */
};

/* Takes the value or section of a key. */
typedef enum status lvm_entry(struct lvm_text *, const char *key, bool is_section);

enum status lvm_damaged(struct error *why)
{
	return fail(why, ST_UNSUPPORTED, "its metadata is damaged: run vgck");
}

static enum status damaged(const struct lvm_text *t)
{
	return lvm_damaged(t->why);
}

/* `what` may be a string of any bytes. */
static enum status unknown(const struct lvm_text *t, const char *where, const char *what)
{
	char text[64];
	struct out_buffer shown;

	out_buffer_init(&shown, text, sizeof text);
	out_printable(&shown.out, what, WORD_COLUMNS);
	return fail(t->why, ST_UNSUPPORTED, "its %s has \"%s\", which this program does not know",
		    where, text);
}

/* ---- Words ---- */

static void skip_blanks(struct lvm_text *t)
{
	bool comment = false;

	for (; *t->at != '\0'; t->at++) {
		comment = (comment || *t->at == '#') && *t->at != '\n';
		if (!comment && *t->at != ' ' && *t->at != '\t' && *t->at != '\n')
			return;
	}
}

static bool take(struct lvm_text *t, char c)
{
	skip_blanks(t);
	if (*t->at != c)
		return false;
	t->at++;
	return true;
}

static bool is_word(char c)
{
	return text_is_digit(c) || (text_lower(c) >= 'a' && text_lower(c) <= 'z') || c == '_' ||
	       c == '.' || c == '+' || c == '-';
}

/* Takes a key, a name or a number. */
static bool take_word(struct lvm_text *t, char to[static LVM_NAME])
{
	size_t n = 0;

	skip_blanks(t);
	while (n < LVM_NAME - 1 && is_word(*t->at))
		to[n++] = *t->at++;
	to[n] = '\0';
	return n > 0 && !is_word(*t->at);
}

/* Takes a string; what does not fit into `to` is cut. */
static bool take_string(struct lvm_text *t, char to[static LVM_NAME])
{
	size_t n = 0;

	if (!take(t, '"'))
		return false;
	for (; *t->at != '"'; t->at++) {
		if (*t->at == '\\')
			t->at++;
		if (*t->at == '\0')
			return false;
		if (n < LVM_NAME - 1)
			to[n++] = *t->at;
	}
	to[n] = '\0';
	t->at++;
	return true;
}

/* Takes a number that was not there yet. */
static enum status take_number(struct lvm_text *t, uint64_t *ret)
{
	char word[LVM_NAME];

	if (*ret != UINT64_MAX || !take_word(t, word) || !text_to_u64(word, ret) ||
	    *ret == UINT64_MAX)
		return damaged(t);
	return ST_OK;
}

static bool skip_scalar(struct lvm_text *t)
{
	char ignored[LVM_NAME];

	skip_blanks(t);
	return *t->at == '"' ? take_string(t, ignored) : take_word(t, ignored);
}

static enum status skip_value(struct lvm_text *t)
{
	if (!take(t, '['))
		return skip_scalar(t) ? ST_OK : damaged(t);
	while (!take(t, ']'))
		if (!skip_scalar(t) || (!take(t, ',') && *t->at != ']'))
			return damaged(t);
	return ST_OK;
}

static bool is_in(const char *const *list, const char *word)
{
	while (*list != NULL && !text_equal(*list, word))
		list++;
	return *list != NULL;
}

/* Takes a list of flags, all of which are to be known. */
static enum status take_flags(struct lvm_text *t, const char *where, const char *const *known)
{
	char word[LVM_NAME];

	if (!take(t, '['))
		return damaged(t);
	while (!take(t, ']')) {
		if (!take_string(t, word) || (!take(t, ',') && *t->at != ']'))
			return damaged(t);
		if (!is_in(known, word))
			return unknown(t, where, word);
		t->is_visible = t->is_visible || text_equal(word, "VISIBLE");
	}
	return ST_OK;
}

static enum status take_text(struct lvm_text *t, const char *where, const char *wanted)
{
	char word[LVM_NAME];

	if (!take_string(t, word))
		return damaged(t);
	return text_equal(word, wanted) ? ST_OK : unknown(t, where, word);
}

/* Takes the entries of a section up to its end, or up to the end of the text. */
static enum status take_entries(struct lvm_text *t, lvm_entry *entry, bool is_top)
{
	enum status st = ST_OK;
	char key[LVM_NAME];

	while (st == ST_OK && !(is_top ? take(t, '\0') : take(t, '}'))) {
		if (!take_word(t, key))
			return damaged(t);
		if (take(t, '{'))
			st = entry(t, key, true);
		else
			st = take(t, '=') ? entry(t, key, false) : damaged(t);
	}
	return st;
}

static const char *const no_flags[] = { NULL };

/* ---- Physical volumes ---- */

static enum status disk_entry(struct lvm_text *t, const char *key, bool is_section)
{
	static const char *const ignored[] = { "device",   "device_id", "device_id_type",
					       "ba_start", "ba_size",   "tags",
					       NULL };
	static const char *const known[] = { "ALLOCATABLE", NULL };
	static const char where[] = "physical volume";
	struct lvm_group *group = t->group;
	char id[LVM_NAME];

	if (is_section)
		return unknown(t, where, key);
	if (text_equal(key, "id")) {
		if (!take_string(t, id) || text_length(id) != LVM_ID - 1)
			return damaged(t);
		memcpy(group->disk_id, id, LVM_ID);
		return ST_OK;
	}
	if (text_equal(key, "status"))
		return take_flags(t, where, known);
	if (text_equal(key, "flags"))
		return take_flags(t, where, no_flags);
	if (text_equal(key, "dev_size"))
		return take_number(t, &group->disk_sectors);
	if (text_equal(key, "pe_start"))
		return take_number(t, &group->start_sector);
	if (text_equal(key, "pe_count"))
		return take_number(t, &group->n_extents);
	return is_in(ignored, key) ? skip_value(t) : unknown(t, where, key);
}

static enum status disks_entry(struct lvm_text *t, const char *key, bool is_section)
{
	if (!is_section)
		return unknown(t, "list of physical volumes", key);
	if (t->disk[0] != '\0')
		return fail(t->why, ST_UNSUPPORTED,
			    "its volume group \"%s\" is on more than one disk or partition",
			    t->group->name);
	memcpy(t->disk, key, text_length(key) + 1);
	return take_entries(t, disk_entry, false);
}

/* ---- Logical volumes ---- */

static struct lvm_volume *volume_of(struct lvm_text *t)
{
	return &t->group->volume[t->group->n_volumes - 1];
}

/* Adds a segment where it belongs in the order of the disk. */
static enum status add_segment(struct lvm_text *t)
{
	struct lvm_group *group = t->group;
	struct lvm_segment *segment = group->segment;
	size_t i = group->n_segments;

	if (i == LVM_SEGMENTS)
		return fail(t->why, ST_UNSUPPORTED, "its volumes have more than %d segments",
			    LVM_SEGMENTS);
	while (i > 0 && segment[i - 1].at > t->at_extent)
		i--;
	if ((i > 0 && t->at_extent - segment[i - 1].at < segment[i - 1].n) ||
	    (i < group->n_segments && segment[i].at - t->at_extent < t->n))
		return damaged(t);
	for (size_t k = group->n_segments++; k > i; k--)
		segment[k] = segment[k - 1];
	segment[i] = (struct lvm_segment){
		.volume = group->n_volumes - 1, .first = t->first, .at = t->at_extent, .n = t->n
	};
	return ST_OK;
}

/* Takes [ "NAME OF THE PHYSICAL VOLUME", EXTENT ]. */
static enum status take_stripes(struct lvm_text *t)
{
	char name[LVM_NAME];

	if (!take(t, '[') || !take_string(t, name) || !take(t, ','))
		return damaged(t);
	if (t->disk[0] == '\0' || !text_equal(name, t->disk))
		return unknown(t, "volume", name);
	if (take_number(t, &t->at_extent) != ST_OK || !take(t, ']'))
		return damaged(t);
	return ST_OK;
}

static enum status segment_entry(struct lvm_text *t, const char *key, bool is_section)
{
	const struct lvm_volume *volume = volume_of(t);
	char word[LVM_NAME];

	if (!is_section && text_equal(key, "start_extent"))
		return take_number(t, &t->first);
	if (!is_section && text_equal(key, "extent_count"))
		return take_number(t, &t->n);
	if (!is_section && text_equal(key, "stripe_count"))
		return take_number(t, &t->n_stripes);
	if (!is_section && text_equal(key, "tags"))
		return skip_value(t);
	if (!is_section && text_equal(key, "stripes") && t->n_stripes == 1)
		return take_stripes(t);
	if (!is_section && text_equal(key, "type")) {
		if (!take(t, '"') || !take_word(t, word) || !take(t, '"'))
			return damaged(t);
		if (text_equal(word, "striped"))
			return ST_OK;
		return fail(t->why, ST_UNSUPPORTED,
			    "its volume \"%s\" is of the type %s, which this program does not know",
			    volume->name, word);
	}
	if (t->n_stripes > 1 && t->n_stripes != UINT64_MAX)
		return fail(t->why, ST_UNSUPPORTED, "its volume \"%s\" is striped", volume->name);
	return unknown(t, "volume", key);
}

static enum status take_segment(struct lvm_text *t)
{
	struct lvm_volume *volume = volume_of(t);
	enum status st;

	t->first = t->n = t->at_extent = t->n_stripes = UINT64_MAX;
	st = take_entries(t, segment_entry, false);
	if (st != ST_OK)
		return st;
	/* the segments of a volume are in the order of the volume, and have no gaps */
	if (t->first != volume->n_extents || t->n == 0 || t->n_stripes != 1 ||
	    t->at_extent == UINT64_MAX || !range_ok(t->at_extent, t->n, t->group->n_extents) ||
	    t->group->n_extents == UINT64_MAX)
		return damaged(t);
	volume->n_extents += t->n;
	t->n_segments--;
	return add_segment(t);
}

static enum status volume_entry(struct lvm_text *t, const char *key, bool is_section)
{
	static const char *const known[] = { "READ", "WRITE", "VISIBLE", NULL };
	static const char *const ignored[] = { "id",
					       "creation_time",
					       "creation_host",
					       "tags",
					       "allocation_policy",
					       "read_ahead",
					       "profile",
					       NULL };

	if (is_section)
		return text_starts_with(key, "segment") ? take_segment(t)
							: unknown(t, "volume", key);
	if (text_equal(key, "status"))
		return take_flags(t, "volume", known);
	if (text_equal(key, "flags"))
		return take_flags(t, "volume", no_flags);
	if (text_equal(key, "segment_count"))
		return take_number(t, &t->n_segments);
	return is_in(ignored, key) ? skip_value(t) : unknown(t, "volume", key);
}

static enum status volumes_entry(struct lvm_text *t, const char *key, bool is_section)
{
	struct lvm_group *group = t->group;
	enum status st;

	if (!is_section)
		return unknown(t, "list of volumes", key);
	if (group->n_volumes == LVM_VOLUMES)
		return fail(t->why, ST_UNSUPPORTED, "it has more than %d volumes", LVM_VOLUMES);
	memcpy(group->volume[group->n_volumes++].name, key, text_length(key) + 1);
	t->is_visible = false;
	t->n_segments = UINT64_MAX;
	st = take_entries(t, volume_entry, false);
	if (st == ST_OK && !t->is_visible)
		return fail(t->why, ST_UNSUPPORTED, "its volume \"%s\" is part of another one",
			    key);
	return st == ST_OK && (t->n_segments != 0 || volume_of(t)->n_extents == 0) ? damaged(t)
										   : st;
}

/* ---- The volume group ---- */

static enum status group_entry(struct lvm_text *t, const char *key, bool is_section)
{
	static const char *const known[] = { "RESIZEABLE", "READ", "WRITE", NULL };
	static const char *const ignored[] = {
		"id",   "seqno",   "max_lv",    "max_pv",        "metadata_copies",
		"tags", "profile", "system_id", "creation_host", "allocation_policy",
		NULL,
	};
	static const char where[] = "volume group";

	if (is_section && text_equal(key, "physical_volumes"))
		return take_entries(t, disks_entry, false);
	if (is_section && text_equal(key, "logical_volumes"))
		return take_entries(t, volumes_entry, false);
	if (is_section)
		return unknown(t, where, key);
	if (text_equal(key, "format"))
		return take_text(t, where, "lvm2");
	if (text_equal(key, "lock_type"))
		return take_text(t, where, "none");
	if (text_equal(key, "status"))
		return take_flags(t, where, known);
	if (text_equal(key, "flags"))
		return take_flags(t, where, no_flags);
	if (text_equal(key, "extent_size"))
		return take_number(t, &t->group->extent_sectors);
	return is_in(ignored, key) ? skip_value(t) : unknown(t, where, key);
}

static enum status top_entry(struct lvm_text *t, const char *key, bool is_section)
{
	static const char *const ignored[] = { "description", "creation_host", "creation_time",
					       NULL };
	uint64_t version = UINT64_MAX;
	enum status st;

	if (is_section) {
		if (t->group->name[0] != '\0')
			return damaged(t);
		memcpy(t->group->name, key, text_length(key) + 1);
		return take_entries(t, group_entry, false);
	}
	if (text_equal(key, "contents")) {
		t->is_text = true;
		return take_text(t, "metadata", "Text Format Volume Group");
	}
	if (text_equal(key, "version")) {
		st = take_number(t, &version);
		t->is_version_1 = version == 1;
		return st;
	}
	return is_in(ignored, key) ? skip_value(t) : unknown(t, "metadata", key);
}

enum status lvm_parse(const char *text, size_t n, struct lvm_group *ret, struct error *why)
{
	struct lvm_text t = { .at = text, .group = ret, .why = why };
	enum status st;

	memset(ret, 0, sizeof *ret);
	ret->disk_sectors = ret->start_sector = UINT64_MAX;
	ret->extent_sectors = ret->n_extents = UINT64_MAX;
	st = take_entries(&t, top_entry, true);
	/* a NUL may end it */
	if (st == ST_OK &&
	    ((size_t)(t.at - text) < n || !t.is_text || !t.is_version_1 || t.disk[0] == '\0' ||
	     ret->extent_sectors == UINT64_MAX || ret->start_sector == UINT64_MAX ||
	     ret->disk_sectors == UINT64_MAX || ret->n_extents == UINT64_MAX))
		return damaged(&t);
	return st;
}
