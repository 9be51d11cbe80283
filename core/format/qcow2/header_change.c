/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Another backing file, data file, version, other bitmaps: what is in the first cluster after the
 * fixed part of the header, which is longer in version 3 (sections "Header" and "Header
 * extensions"). All that is not known here stays as it is.
 *
 * A sector is written whole or not at all. Where all of the header fits into the first one, or only
 * one sector changes, that is written. Otherwise the first one decides:
 *
 *   1. the name of the backing file, into bytes that the old header does not use            flush
 *   2. the first sector: all that is new, all extensions but the table of feature names     flush
 *   3. the rest of all extensions, which nothing refers to now                              flush
 *   4. the first sector, with the table of feature names                                    flush
 *
 * That table only serves error messages of programs that do not know a feature; after a power cut
 * between 2 and 4 it is missing, and where the first cluster has no room for it. A header whose
 * other extensions do not fit into the first sector is refused.
 */
#include "base/check.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "format/qcow2/image.h"

enum {
	AT_VERSION = 4,
	AT_BACKING_OFFSET = 8,
	AT_BACKING_BYTES = 16,
	AT_AUTOCLEAR = 88,
	AT_REFCOUNT_ORDER = 96,
	AT_HEADER_BYTES = 100
};
enum { V2_HEADER_BYTES = 72, V3_HEADER_BYTES = 112 };
enum {
	EXTENSION_END = 0,
	EXTENSION_DATA_FILE = 0x44415441,
	EXTENSION_FEATURES = 0x6803f857,
	EXTENSION_BITMAPS = 0x23852875
};
enum { EXTENSION_HEAD_BYTES = 8, FORMAT_BYTES_MAX = 15 };
#define EXTENSION_BACKING_FORMAT 0xe2792acau
enum { SECTOR_BYTES = 512 };

/* An extension that changes. */
struct replaced {
	uint32_t type;
	const void *data; /* what it then has; NULL: it goes */
	size_t bytes;
	bool is_old; /* the old header has it */
	bool placed; /* the new one has it already */
};

enum { REPLACED_MAX = 3 };

/* A header that is being changed: the first cluster as it is, and as it is to be. */
struct change {
	struct qcow2_image *q;
	struct blk *file;
	size_t cluster_bytes;
	uint8_t *old, *new;
	uint32_t old_version, version;
	size_t extensions_at, extensions_end; /* of the old one, the end with its end mark */
	size_t old_name_at, old_name_bytes;
	bool has_features; /* the new header has the table of feature names */
	struct replaced replaced[REPLACED_MAX];
	size_t n_replaced;
	bool new_name; /* of the backing file: */
	/* `name_bytes` of it; otherwise the old one, in `old` */
	const char *name;
	size_t name_bytes, name_at;
	bool has_autoclear;
	uint64_t autoclear;
};

/* An extension of the old header: its type, and *ret_bytes with head and padding. */
static uint32_t extension_at(const struct change *c, size_t at, size_t *ret_bytes)
{
	*ret_bytes = EXTENSION_HEAD_BYTES + (size_t)round_up(bytes_from_be(c->old + at + 4, 4), 8);
	return (uint32_t)bytes_from_be(c->old + at, 4);
}

/* NULL: an extension of this type stays as it is. */
static struct replaced *replaced_of(struct change *c, uint32_t type)
{
	for (size_t i = 0; i < c->n_replaced; i++)
		if (c->replaced[i].type == type)
			return &c->replaced[i];
	return NULL;
}

static void look_at_extensions(struct change *c)
{
	size_t limit = c->old_name_at != 0 ? c->old_name_at : c->cluster_bytes, bytes;

	c->extensions_end = c->extensions_at;
	while (range_ok(c->extensions_end, EXTENSION_HEAD_BYTES, limit)) {
		uint32_t type = extension_at(c, c->extensions_end, &bytes);
		struct replaced *replaced = replaced_of(c, type);

		if (type == EXTENSION_END) {
			c->extensions_end += EXTENSION_HEAD_BYTES;
			return;
		}
		c->has_features = c->has_features || type == EXTENSION_FEATURES;
		if (replaced != NULL)
			replaced->is_old = true;
		c->extensions_end = (size_t)min_u64(c->extensions_end + bytes, limit);
	}
}

static enum status read_old(struct change *c, struct error *err)
{
	enum status st = blk_read_padded(c->file, 0, c->old, c->cluster_bytes);

	if (st != ST_OK)
		return fail(err, st, "reading the header: %s", status_text(st));
	/* checked when it was opened, as all of it */
	c->old_name_at = (size_t)bytes_from_be(c->old + AT_BACKING_OFFSET, 8);
	c->old_name_bytes = c->old_name_at != 0
				    ? (size_t)bytes_from_be(c->old + AT_BACKING_BYTES, 4)
				    : 0;
	c->old_version = (uint32_t)bytes_from_be(c->old + AT_VERSION, 4);
	if (c->version == 0)
		c->version = c->old_version;
	c->extensions_at = c->old_version >= 3 ? (size_t)bytes_from_be(c->old + AT_HEADER_BYTES, 4)
					       : V2_HEADER_BYTES;
	look_at_extensions(c);
	if (!c->new_name && c->old_name_bytes > 0) {
		c->name = (const char *)c->old + c->old_name_at;
		c->name_bytes = c->old_name_bytes;
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

/* Puts an extension that changes, once; its end. */
static size_t put_replaced(struct change *c, size_t at, struct replaced *replaced)
{
	if (replaced->placed || replaced->data == NULL)
		return at;
	replaced->placed = true;
	return put_extension(c, at, replaced->type, replaced->data, replaced->bytes);
}

/* The part of the header before its extensions; returns where these begin. */
static size_t build_fixed(struct change *c)
{
	bool changes = c->version != c->old_version;

	memset(c->new, 0, c->cluster_bytes);
	memcpy(c->new, c->old, changes ? V2_HEADER_BYTES : c->extensions_at);
	bytes_to_be(c->new + AT_VERSION, 4, c->version);
	bytes_to_be(c->new + AT_BACKING_OFFSET, 8, c->name_bytes > 0 ? c->name_at : 0);
	bytes_to_be(c->new + AT_BACKING_BYTES, 4, c->name_bytes);
	if (c->has_autoclear)
		bytes_to_be(c->new + AT_AUTOCLEAR, 8, c->autoclear);
	if (!changes)
		return c->extensions_at;
	if (c->version < 3)
		return V2_HEADER_BYTES;
	bytes_to_be(c->new + AT_REFCOUNT_ORDER, 4, 4);
	bytes_to_be(c->new + AT_HEADER_BYTES, 4, V3_HEADER_BYTES);
	return V3_HEADER_BYTES;
}

/* Makes the new header; returns where its extensions end. More than a cluster: they do not fit. */
static size_t build(struct change *c, bool with_features)
{
	size_t at = build_fixed(c), bytes;

	/*
	 * Where it is, an extension stays, so that little changes; new ones go before what may be
	 * too long for the first sector.
	 */
	for (size_t i = 0; i < c->n_replaced; i++) {
		c->replaced[i].placed = false;
		if (!c->replaced[i].is_old)
			at = put_replaced(c, at, &c->replaced[i]);
	}
	for (size_t from = c->extensions_at; from + EXTENSION_HEAD_BYTES <= c->extensions_end;
	     from += bytes) {
		uint32_t type = extension_at(c, from, &bytes);
		struct replaced *replaced = replaced_of(c, type);

		if (type == EXTENSION_END)
			break;
		bytes = (size_t)min_u64(bytes, c->extensions_end - from);
		if (replaced != NULL)
			at = put_replaced(c, at, replaced);
		else if (type != EXTENSION_FEATURES || with_features)
			at = (size_t)round_up(put(c, at, c->old + from, bytes), 8);
	}
	if (with_features && c->old_version < 3) {
		const void *names = qcow2_feature_names(&bytes);

		at = put_extension(c, at, EXTENSION_FEATURES, names, bytes);
	}
	at = put(c, at, (const uint8_t[EXTENSION_HEAD_BYTES]){ 0 }, EXTENSION_HEAD_BYTES);
	if (c->name_at >= at)
		(void)put(c, c->name_at, c->name, c->name_bytes);
	return at;
}

/* Whether what is new is in one sector, *ret_at. */
static bool one_sector(const struct change *c, size_t *ret_at)
{
	size_t n = 0;

	for (size_t at = 0; at < c->cluster_bytes; at += SECTOR_BYTES)
		if (memcmp(c->old + at, c->new + at, SECTOR_BYTES) != 0) {
			*ret_at = at;
			n++;
		}
	return n == 1;
}

/* Finds the place of the name: in the first sector, or where neither header has anything else. */
static enum status place_name(struct change *c, struct error *err)
{
	size_t end = build(c, c->has_features), n = c->name_bytes, at = end, sector;

	if (end + n > SECTOR_BYTES && n > 0) {
		at = (size_t)max_u64(max_u64(end, c->extensions_end), SECTOR_BYTES);
		if (!c->new_name && c->old_name_at >= end)
			at = c->old_name_at;
		else if (at < c->old_name_at + c->old_name_bytes && c->old_name_at < at + n)
			at = c->old_name_at + c->old_name_bytes;
	}
	if (at + n > c->cluster_bytes && c->has_features) {
		c->has_features = false; /* the table goes where there is no room for it */
		return place_name(c, err);
	}
	if (at + n > c->cluster_bytes)
		return fail(err, ST_TOO_LARGE,
			    "the first cluster, of %zu bytes, has no room for the names and "
			    "extensions of the header",
			    c->cluster_bytes);
	c->name_at = at;
	(void)build(c, c->has_features);
	if (end + n > SECTOR_BYTES && !one_sector(c, &sector) && build(c, false) > SECTOR_BYTES)
		return fail(err, ST_UNSUPPORTED,
			    "its header is too full to be changed in a way that no power failure "
			    "can harm");
	return ST_OK;
}

static enum status write_flushed(struct change *c, size_t at, size_t n)
{
	enum status st = n > 0 ? blk_write(c->file, at, c->new + at, n) : ST_OK;

	return st == ST_OK ? qcow2_barrier(c->q) : st;
}

static enum status write_new(struct change *c)
{
	size_t end = build(c, c->has_features), n = c->name_bytes, sector;
	enum status st;

	if (end + n <= SECTOR_BYTES)
		return write_flushed(c, 0, SECTOR_BYTES);
	if (one_sector(c, &sector))
		return write_flushed(c, sector, SECTOR_BYTES);
	st = write_flushed(c, c->name_at, n);
	if (st == ST_OK && end > SECTOR_BYTES) {
		(void)build(c, false); /* that it fits was seen before */
		st = write_flushed(c, 0, SECTOR_BYTES);
		(void)build(c, c->has_features);
		if (st == ST_OK)
			st = write_flushed(c, SECTOR_BYTES, end - SECTOR_BYTES);
	}
	return st == ST_OK ? write_flushed(c, 0, SECTOR_BYTES) : st;
}

static enum status apply(struct change *c, bool write, struct error *err)
{
	enum status st;

	c->old = mem_alloc(c->cluster_bytes);
	c->new = mem_alloc(c->cluster_bytes);
	if (c->old != NULL && c->new != NULL)
		st = read_old(c, err);
	else
		st = fail_no_memory(err);
	if (st == ST_OK) {
		/* what did not fit before is left out, as in a new image */
		if (c->version != c->old_version)
			c->has_features = c->version >= 3;
		st = place_name(c, err);
	}
	if (st == ST_OK && write) {
		st = write_new(c);
		if (st != ST_OK)
			error_set(err, "writing the header: %s", status_text(st));
	}
	mem_free(c->old);
	mem_free(c->new);
	return st;
}

static void replace(struct change *c, uint32_t type, const void *data, size_t n)
{
	c->replaced[c->n_replaced++] = (struct replaced){ .type = type, .data = data, .bytes = n };
}

static size_t length_of(const char *name)
{
	return name != NULL ? text_length(name) : 0;
}

enum status qcow2_change_header(struct qcow2_image *q, const struct qcow2_header_change *to,
				bool write, struct error *err)
{
	uint8_t bitmaps[QCOW2_BITMAPS_EXTENSION_BYTES];
	struct change change = {
		.q = q,
		.file = q->file,
		.cluster_bytes = q->image.cluster_bytes,
		.version = to->version,
		.new_name = to->has_names,
		.name = to->backing_name,
		.name_bytes = length_of(to->backing_name),
		.has_autoclear = to->bitmaps != NULL && q->header.version >= 3,
		.autoclear = q->header.autoclear & ~(uint64_t)QCOW2_AUTOCLEAR_BITMAPS,
	};
	enum status st;

	if (change.name_bytes > QCOW2_BACKING_NAME_MAX ||
	    length_of(to->data_file) > QCOW2_BACKING_NAME_MAX)
		return fail(err, ST_TOO_LARGE,
			    "the name of a backing or data file can have %d bytes",
			    QCOW2_BACKING_NAME_MAX);
	CHECK(length_of(to->backing_format) <= FORMAT_BYTES_MAX); /* it is one of ours */
	if (to->has_names)
		replace(&change, EXTENSION_BACKING_FORMAT, to->backing_format,
			length_of(to->backing_format));
	if (to->data_file != NULL)
		replace(&change, EXTENSION_DATA_FILE, to->data_file, length_of(to->data_file));
	if (to->bitmaps != NULL) {
		qcow2_bitmaps_encode_place(to->bitmaps, bitmaps);
		replace(&change, EXTENSION_BITMAPS, to->bitmaps->n > 0 ? bitmaps : NULL,
			sizeof bitmaps);
		change.autoclear |= to->bitmaps->n > 0 ? QCOW2_AUTOCLEAR_BITMAPS : 0;
	}
	st = apply(&change, write, err);
	if (st == ST_OK && write && to->bitmaps != NULL) {
		q->header.bitmaps = *to->bitmaps;
		q->header.autoclear = change.autoclear;
		q->header.has_stale_bitmaps = false;
	}
	return st;
}

enum status qcow2_set_backing(struct image *image, const char *name, const char *backing_format,
			      bool write, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	const struct qcow2_header_change to = { .has_names = true,
						.backing_name = name,
						.backing_format = backing_format };

	enum status st = qcow2_may_change(q, err);

	if (st != ST_OK)
		return st;
	if (name != NULL && (q->header.autoclear & QCOW2_AUTOCLEAR_RAW_DATA) != 0)
		return fail(err, ST_INVALID,
			    "its data file is a raw image of the disk, which cannot have a backing "
			    "file");
	st = qcow2_change_header(q, &to, write, err);
	return write ? qcow2_changed(q, st) : st;
}

enum status qcow2_set_bitmaps(struct qcow2_image *q, const struct qcow2_bitmaps_place *place,
			      bool write, struct error *err)
{
	const struct qcow2_header_change to = { .bitmaps = place };

	return qcow2_change_header(q, &to, write, err);
}
