/*
 * Another backing file, other bitmaps: what is in the first cluster behind the fixed part of the header (sections "Header"
 * and "Header extensions"). All that is not known here stays as it is.
 *
 * A sector is written whole or not at all. Where all of the header fits into the first one, or only one sector
 * changes, that is written. Otherwise the first one decides:
 *
 *   1. the name of the backing file, into bytes that the old header does not use                            flush
 *   2. the first sector: the new extensions, without the table of feature names                             flush
 *   3. the rest of all extensions, which nothing refers to now                                              flush
 *   4. the first sector, with the table of feature names                                                    flush
 *
 * That table only serves error messages of programs that do not know a feature; after a power cut between 2 and 4 it is
 * missing, and where the first cluster has no room for it. A header whose other extensions do not fit into the first sector is refused.
 */
#include "base/memory.h"
#include "base/platform.h"
#include "base/range.h"
#include "base/text.h"
#include "format/qcow2/image.h"

enum { AT_VERSION = 4, AT_BACKING_OFFSET = 8, AT_BACKING_BYTES = 16, AT_AUTOCLEAR = 88, AT_HEADER_BYTES = 100,
       V2_HEADER_BYTES = 72 };
enum { EXTENSION_END = 0, EXTENSION_FEATURES = 0x6803f857, EXTENSION_BITMAPS = 0x23852875, EXTENSION_HEAD_BYTES = 8,
       FORMAT_BYTES_MAX = 15 };
#define EXTENSION_BACKING_FORMAT 0xe2792acau
enum { SECTOR_BYTES = 512 };

/* A header that is being changed: the first cluster as it is, and as it is to be. */
struct change {
	struct blk *file;
	size_t cluster_bytes;
	uint8_t *old, *new;
	size_t extensions_at, extensions_end;  /* of the old one, the end with its end mark */
	size_t old_name_at, old_name_bytes;
	bool has_features, has_replaced;
	size_t name_at;

	uint32_t replaced;                     /* the extension that changes, */
	const void *data;                      /* what it then has; NULL: it goes */
	size_t data_bytes;
	bool new_name;                         /* of the backing file: */
	const char *name;                      /* `name_bytes` of it; otherwise the old one, in `old` */
	size_t name_bytes;
	bool has_autoclear;
	uint64_t autoclear;
};

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
	c->extensions_at = bytes_from_be(c->old + AT_VERSION, 4) >= 3 ? (size_t)bytes_from_be(c->old + AT_HEADER_BYTES, 4)
								      : V2_HEADER_BYTES;
	limit = c->old_name_at != 0 ? c->old_name_at : c->cluster_bytes;
	c->extensions_end = c->extensions_at;
	while (range_ok(c->extensions_end, EXTENSION_HEAD_BYTES, limit)) {
		uint32_t type = extension_at(c, c->extensions_end, &bytes);

		if (type == EXTENSION_END) {
			c->extensions_end += EXTENSION_HEAD_BYTES;
			break;
		}
		c->has_features = c->has_features || type == EXTENSION_FEATURES;
		c->has_replaced = c->has_replaced || type == c->replaced;
		c->extensions_end = (size_t)min_u64(c->extensions_end + bytes, limit);
	}
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

/* Puts the extension that changes; its new place. */
static size_t put_replaced(struct change *c, size_t at)
{
	uint8_t head[EXTENSION_HEAD_BYTES];

	if (c->data == NULL)
		return at;
	bytes_to_be(head, 4, c->replaced);
	bytes_to_be(head + 4, 4, c->data_bytes);
	at = put(c, at, head, sizeof head);
	return (size_t)round_up(put(c, at, c->data, c->data_bytes), 8);
}

/* Makes the new header; returns where its extensions end. More than a cluster: they do not fit. */
static size_t build(struct change *c, bool with_features)
{
	size_t at = c->extensions_at, bytes;
	bool replaced = false;

	memset(c->new, 0, c->cluster_bytes);
	memcpy(c->new, c->old, c->extensions_at);
	bytes_to_be(c->new + AT_BACKING_OFFSET, 8, c->name_bytes > 0 ? c->name_at : 0);
	bytes_to_be(c->new + AT_BACKING_BYTES, 4, c->name_bytes);
	if (c->has_autoclear)
		bytes_to_be(c->new + AT_AUTOCLEAR, 8, c->autoclear);
	/* Where it is, it stays, so that little changes; a new one goes before what may be too long for the first sector. */
	if (!c->has_replaced)
		at = put_replaced(c, at);
	for (size_t from = c->extensions_at; from + EXTENSION_HEAD_BYTES <= c->extensions_end; from += bytes) {
		uint32_t type = extension_at(c, from, &bytes);

		if (type == EXTENSION_END)
			break;
		bytes = (size_t)min_u64(bytes, c->extensions_end - from);
		if (type == c->replaced) {
			at = replaced ? at : put_replaced(c, at);
			replaced = true;
		} else if (type != EXTENSION_FEATURES || with_features) {
			at = (size_t)round_up(put(c, at, c->old + from, bytes), 8);
		}
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
		return fail(err, ST_TOO_LARGE, "the first cluster, of %zu bytes, has no room for the names and extensions of "
			    "the header", c->cluster_bytes);
	c->name_at = at;
	(void)build(c, c->has_features);
	if (end + n > SECTOR_BYTES && !one_sector(c, &sector) && build(c, false) > SECTOR_BYTES)
		return fail(err, ST_UNSUPPORTED, "its header is too full to be changed in a way that no power failure can harm");
	return ST_OK;
}

static enum status write_flushed(struct change *c, size_t at, size_t n)
{
	enum status st = n > 0 ? blk_write(c->file, at, c->new + at, n) : ST_OK;

	return st == ST_OK ? blk_flush(c->file) : st;
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

static enum status apply(struct qcow2_image *q, struct change *c, bool write, struct error *err)
{
	enum status st;

	c->file = q->image.file;
	c->cluster_bytes = q->image.cluster_bytes;
	c->old = mem_alloc(c->cluster_bytes);
	c->new = mem_alloc(c->cluster_bytes);
	if (c->old != NULL && c->new != NULL)
		st = read_old(c, err);
	else
		st = fail_no_memory(err);
	if (st == ST_OK)
		st = place_name(c, err);
	if (st == ST_OK && write) {
		st = write_new(c);
		if (st != ST_OK)
			error_set(err, "writing the header: %s", status_text(st));
	}
	mem_free(c->old);
	mem_free(c->new);
	return st;
}

enum status qcow2_set_backing(struct image *image, const char *name, const char *backing_format, bool write, struct error *err)
{
	struct qcow2_image *q = (struct qcow2_image *)image;
	struct change change = {
		.replaced = EXTENSION_BACKING_FORMAT,
		.data = backing_format,
		.data_bytes = backing_format != NULL ? text_length(backing_format) : 0,
		.new_name = true,
		.name = name,
		.name_bytes = name != NULL ? text_length(name) : 0,
	};

	if (change.name_bytes > QCOW2_BACKING_NAME_MAX)
		return fail(err, ST_TOO_LARGE, "the name of a backing file can have %d bytes", QCOW2_BACKING_NAME_MAX);
	if (change.data_bytes > FORMAT_BYTES_MAX)
		return fail(err, ST_TOO_LARGE, "the name of the backing file's format can have %d bytes", FORMAT_BYTES_MAX);
	if (name != NULL && (q->header.autoclear & QCOW2_AUTOCLEAR_RAW_DATA) != 0)
		return fail(err, ST_INVALID, "its data file is a raw image of the disk, which cannot have a backing file");
	return apply(q, &change, write, err);
}

enum status qcow2_set_bitmaps(struct qcow2_image *q, const struct qcow2_bitmaps_place *place, bool write, struct error *err)
{
	uint64_t autoclear = q->header.autoclear & ~(uint64_t)QCOW2_AUTOCLEAR_BITMAPS;
	uint8_t data[QCOW2_BITMAPS_EXTENSION_BYTES];
	struct change change = {
		.replaced = EXTENSION_BITMAPS,
		.data = place->n > 0 ? data : NULL,
		.data_bytes = sizeof data,
		.has_autoclear = q->header.version >= 3,
		.autoclear = autoclear | (place->n > 0 ? QCOW2_AUTOCLEAR_BITMAPS : 0),
	};
	enum status st;

	qcow2_bitmaps_encode_place(place, data);
	st = apply(q, &change, write, err);
	if (st == ST_OK && write) {
		q->header.bitmaps = *place;
		q->header.autoclear = change.autoclear;
		q->header.has_stale_bitmaps = false;
	}
	return st;
}
