/*
 * Another backing file, data file or version: names and formats are in the first cluster, behind the fixed part of the
 * header, which is longer in version 3 (sections "Header" and "Header extensions"). All that is not known here stays
 * as it is.
 *
 * A sector is written whole or not at all, and so the first one decides. Where all of the header fits into it, it is
 * written once. Otherwise:
 *
 *   1. the new name, into bytes that the old header does not use                                            flush
 *   2. the first sector: all that is new, all extensions but the table of feature names                     flush
 *   3. the rest of all extensions, which nothing refers to now                                              flush
 *   4. the first sector, with the table of feature names                                                    flush
 *
 * That table only serves error messages of programs that do not know a feature; after a power cut between 2 and 4 it is
 * missing. A header whose other extensions do not fit into the first sector is refused.
 */
#include "base/memory.h"
#include "base/platform.h"
#include "base/range.h"
#include "base/text.h"
#include "format/qcow2/image.h"

enum { AT_VERSION = 4, AT_BACKING_OFFSET = 8, AT_BACKING_BYTES = 16, AT_REFCOUNT_ORDER = 96, AT_HEADER_BYTES = 100 };
enum { V2_HEADER_BYTES = 72, V3_HEADER_BYTES = 112 };
enum { EXTENSION_END = 0, EXTENSION_DATA_FILE = 0x44415441, EXTENSION_FEATURES = 0x6803f857 };
enum { EXTENSION_HEAD_BYTES = 8, FORMAT_BYTES_MAX = 15 };
#define EXTENSION_BACKING_FORMAT 0xe2792acau
enum { SECTOR_BYTES = 512 };

/* A header that is being changed: the first cluster as it is, and as it is to be. */
struct change {
	struct blk *file;
	size_t cluster_bytes;
	uint8_t *old, *new;
	uint32_t old_version;
	size_t extensions_at, extensions_end;  /* of the old one, the end with its end mark */
	size_t old_name_at, old_name_bytes;
	const struct qcow2_header_change *to;
	bool has_features;                     /* the new header has the table of feature names */
	size_t name_at;
};

static size_t name_bytes(const struct change *c)
{
	return c->to->backing_name != NULL ? text_length(c->to->backing_name) : 0;
}

/* An extension of the old header: its type, and *ret_bytes with head and padding. */
static uint32_t extension_at(const struct change *c, size_t at, size_t *ret_bytes)
{
	*ret_bytes = EXTENSION_HEAD_BYTES + (size_t)round_up(bytes_from_be(c->old + at + 4, 4), 8);
	return (uint32_t)bytes_from_be(c->old + at, 4);
}

static enum status read_old(struct change *c, struct error *err)
{
	enum status st = blk_read_padded(c->file, 0, c->old, c->cluster_bytes);
	size_t limit, bytes;

	if (st != ST_OK)
		return fail(err, st, "reading the header: %s", status_text(st));
	c->old_name_at = (size_t)bytes_from_be(c->old + AT_BACKING_OFFSET, 8); /* checked when it was opened, as all of it */
	c->old_name_bytes = c->old_name_at != 0 ? (size_t)bytes_from_be(c->old + AT_BACKING_BYTES, 4) : 0;
	c->old_version = (uint32_t)bytes_from_be(c->old + AT_VERSION, 4);
	c->extensions_at = c->old_version >= 3 ? (size_t)bytes_from_be(c->old + AT_HEADER_BYTES, 4) : V2_HEADER_BYTES;
	limit = c->old_name_at != 0 ? c->old_name_at : c->cluster_bytes;
	c->extensions_end = c->extensions_at;
	while (range_ok(c->extensions_end, EXTENSION_HEAD_BYTES, limit)) {
		uint32_t type = extension_at(c, c->extensions_end, &bytes);

		if (type == EXTENSION_END) {
			c->extensions_end += EXTENSION_HEAD_BYTES;
			break;
		}
		c->has_features = c->has_features || type == EXTENSION_FEATURES;
		c->extensions_end = (size_t)min_u64(c->extensions_end + bytes, limit);
	}
	return ST_OK;
}

/* Puts `n` bytes into the new header, if there is room; what they take in either case. */
static size_t put(struct change *c, size_t at, const void *bytes, size_t n)
{
	if (range_ok(at, n, c->cluster_bytes))
		memcpy(c->new + at, bytes, n);
	return at + n;
}

static size_t put_extension(struct change *c, size_t at, uint32_t type, const void *data, size_t n)
{
	uint8_t head[EXTENSION_HEAD_BYTES];

	bytes_to_be(head, 4, type);
	bytes_to_be(head + 4, 4, n);
	return (size_t)round_up(put(c, put(c, at, head, sizeof head), data, n), 8);
}

/* The part of the header before its extensions; returns where these begin. */
static size_t build_fixed(struct change *c)
{
	bool changes = c->to->version != c->old_version;

	memset(c->new, 0, c->cluster_bytes);
	memcpy(c->new, c->old, changes ? V2_HEADER_BYTES : c->extensions_at);
	bytes_to_be(c->new + AT_VERSION, 4, c->to->version);
	bytes_to_be(c->new + AT_BACKING_OFFSET, 8, c->to->backing_name != NULL ? c->name_at : 0);
	bytes_to_be(c->new + AT_BACKING_BYTES, 4, name_bytes(c));
	if (!changes)
		return c->extensions_at;
	if (c->to->version < 3)
		return V2_HEADER_BYTES;
	bytes_to_be(c->new + AT_REFCOUNT_ORDER, 4, 4);
	bytes_to_be(c->new + AT_HEADER_BYTES, 4, V3_HEADER_BYTES);
	return V3_HEADER_BYTES;
}

/* Whether an extension of the old header stays in the new one. */
static bool is_kept(const struct change *c, uint32_t type, bool with_features)
{
	switch (type) {
	case EXTENSION_BACKING_FORMAT: return false;
	case EXTENSION_DATA_FILE:      return c->to->data_file == NULL;
	case EXTENSION_FEATURES:       return with_features;
	default:                       return true;
	}
}

/* Makes the new header; returns where its extensions end. More than a cluster: they do not fit. */
static size_t build(struct change *c, bool with_features)
{
	const char *format = c->to->backing_format, *data_file = c->to->data_file;
	size_t at = build_fixed(c), bytes;

	if (format != NULL)
		at = put_extension(c, at, EXTENSION_BACKING_FORMAT, format, text_length(format));
	if (data_file != NULL)
		at = put_extension(c, at, EXTENSION_DATA_FILE, data_file, text_length(data_file));
	for (size_t from = c->extensions_at; from + EXTENSION_HEAD_BYTES <= c->extensions_end; from += bytes) {
		uint32_t type = extension_at(c, from, &bytes);

		if (type == EXTENSION_END)
			break;
		bytes = (size_t)min_u64(bytes, c->extensions_end - from);
		if (is_kept(c, type, with_features))
			at = (size_t)round_up(put(c, at, c->old + from, bytes), 8);
	}
	if (with_features && c->old_version < 3) {
		const void *names = qcow2_feature_names(&bytes);

		at = put_extension(c, at, EXTENSION_FEATURES, names, bytes);
	}
	return put(c, at, (const uint8_t[EXTENSION_HEAD_BYTES]){ 0 }, EXTENSION_HEAD_BYTES);
}

/* Finds the place of the new name: in the first sector, or where neither header has anything else. */
static enum status place_name(struct change *c, struct error *err)
{
	size_t end, n = name_bytes(c), at;

	if (c->to->version != c->old_version) /* what did not fit before is left out, as in a new image */
		c->has_features = c->to->version >= 3 && build(c, true) + n <= c->cluster_bytes;
	at = end = build(c, c->has_features);
	if (end + n > SECTOR_BYTES) {
		at = (size_t)max_u64(max_u64(end, c->extensions_end), SECTOR_BYTES);
		if (at < c->old_name_at + c->old_name_bytes && c->old_name_at < at + n)
			at = c->old_name_at + c->old_name_bytes;
		if (build(c, false) > SECTOR_BYTES)
			return fail(err, ST_UNSUPPORTED, "its header is too full to be changed in a way that no power failure can harm");
	}
	if (at + n > c->cluster_bytes)
		return fail(err, ST_TOO_LARGE, "the first cluster, of %zu bytes, has no room for the names of the backing and data file; use "
			    "shorter ones", c->cluster_bytes);
	c->name_at = at;
	return ST_OK;
}

static enum status write_flushed(struct change *c, size_t at, size_t n)
{
	enum status st = n > 0 ? blk_write(c->file, at, c->new + at, n) : ST_OK;

	return st == ST_OK ? blk_flush(c->file) : st;
}

static enum status write_new(struct change *c)
{
	size_t end = build(c, c->has_features), n = name_bytes(c);
	enum status st;

	if (n > 0)
		memcpy(c->new + c->name_at, c->to->backing_name, n);
	if (end + n <= SECTOR_BYTES)
		return write_flushed(c, 0, SECTOR_BYTES);
	st = write_flushed(c, c->name_at, n);
	if (st == ST_OK && end > SECTOR_BYTES) {
		(void)build(c, false); /* that it fits was seen before */
		st = write_flushed(c, 0, SECTOR_BYTES);
		(void)build(c, true);
		if (st == ST_OK)
			st = write_flushed(c, SECTOR_BYTES, end - SECTOR_BYTES);
	}
	return st == ST_OK ? write_flushed(c, 0, SECTOR_BYTES) : st;
}

enum status qcow2_change_header(struct qcow2_image *q, const struct qcow2_header_change *to, bool write, struct error *err)
{
	struct change change = { .file = q->image.file, .cluster_bytes = q->image.cluster_bytes, .to = to };
	enum status st;

	if (name_bytes(&change) > QCOW2_BACKING_NAME_MAX || (to->data_file != NULL && text_length(to->data_file) > QCOW2_BACKING_NAME_MAX))
		return fail(err, ST_TOO_LARGE, "the name of a backing or data file can have %d bytes", QCOW2_BACKING_NAME_MAX);
	if (to->backing_format != NULL && text_length(to->backing_format) > FORMAT_BYTES_MAX)
		return fail(err, ST_TOO_LARGE, "the name of the backing file's format can have %d bytes", FORMAT_BYTES_MAX);
	change.old = mem_alloc(change.cluster_bytes);
	change.new = mem_alloc(change.cluster_bytes);
	if (change.old != NULL && change.new != NULL)
		st = read_old(&change, err);
	else
		st = fail_no_memory(err);
	if (st == ST_OK)
		st = place_name(&change, err);
	if (st == ST_OK && write) {
		st = write_new(&change);
		if (st != ST_OK)
			error_set(err, "writing the header: %s", status_text(st));
	}
	mem_free(change.old);
	mem_free(change.new);
	return st;
}

enum status qcow2_set_backing(struct image *image, const char *name, const char *backing_format, bool write, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	const struct qcow2_header_change to = { q->header.version, name, backing_format, NULL };

	if (name != NULL && (q->header.autoclear & QCOW2_AUTOCLEAR_RAW_DATA) != 0)
		return fail(err, ST_INVALID, "its data file is a raw image of the disk, which cannot have a backing file");
	return qcow2_change_header(q, &to, write, err);
}
