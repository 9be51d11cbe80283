/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical volume of LVM2 (lvm2, lib/format_text/layout.h and lib/label/label.h): a label in
 * one of the first four sectors, a header after it with the areas of data and metadata, and in each
 * area of metadata a header with the place of the committed text. All sectors have 512 bytes. The
 * text is in a ring: what does not fit before the end of the area continues after the area's
 * header.
 *
 * Everything has a checksum, and each area has to have the same text. An area that is ignored, or
 * that has a text prepared but not committed, means that the text may be about to change elsewhere.
 */
#include "base/bytes.h"
#include "base/crc32.h"
#include "base/memory.h"
#include "base/range.h"
#include "fs/lvm.h"

enum {
	LABEL_SUMMED = 20, /* from here to the end of the sector */
	HEADER_AT = 32,    /* in the sector of the label */
	HEADER_AREAS = 40, /* in the header */
	ID_CHARACTERS = 32,
	EXTENSION_KNOWN = 2,
	FLAGS_KNOWN = 1, /* in use by a volume group */
	AREA_HEADER = 512,
	AREA_IGNORED = 1,
};

struct label {
	uint8_t id[8];
	le64 sector;
	le32 crc;
	le32 header_at;
	uint8_t type[8];
};

/* A place in an area of metadata. */
struct place {
	le64 offset, length;
	le32 crc, flags;
};

struct area_header {
	le32 crc; /* of what follows */
	uint8_t magic[16];
	le32 version;
	le64 start, length;
	struct place committed, prepared, after;
};

static const char label_id[] = "LABELONE", label_type[] = "LVM2 001",
		  area_magic[] = " LVM2 x[5A%r0N*>";

/* The polynomial is that of CRC-32. The first value differs, and nothing is inverted. */
static uint32_t continue_crc(uint32_t crc, const uint8_t *bytes, size_t n)
{
	return ~crc32(~crc, bytes, n);
}

static uint32_t crc_of(const uint8_t *bytes, size_t n)
{
	return continue_crc(0xf597a6cf, bytes, n);
}

size_t lvm_find_label(const uint8_t *head)
{
	size_t i = 0;

	while (i < LVM_LABELS && memcmp(head + i * LVM_SECTOR, label_id, sizeof label_id - 1) != 0)
		i++;
	return i;
}

/* ---- The label and the header ---- */

/* Takes a list of areas up to one at 0. False: it leaves the sector, or has more than `n_most`. */
static bool take_areas(const uint8_t *sector, size_t *at, struct lvm_area *ret, size_t n_most,
		       size_t *ret_n)
{
	for (*ret_n = 0; *at + 16 <= LVM_SECTOR; ++*ret_n) {
		uint64_t start = bytes_from_le(sector + *at, 8);

		*at += 16;
		if (start == 0)
			return true;
		if (*ret_n == n_most)
			return false;
		ret[*ret_n] = (struct lvm_area){ start, bytes_from_le(sector + *at - 8, 8) };
	}
	return false;
}

/* Writes the id as LVM does elsewhere. False: it is none. */
static bool take_id(const uint8_t *id, char to[static LVM_ID])
{
	for (size_t i = 0; i < ID_CHARACTERS; i++) {
		if (id[i] <= ' ' || id[i] > '~')
			return false;
		if (i >= 6 && i % 4 == 2 && i < ID_CHARACTERS - 2)
			*to++ = '-';
		*to++ = (char)id[i];
	}
	*to = '\0';
	return true;
}

/* Takes what newer versions have after the areas. False: it is not known here. */
static bool take_extension(const uint8_t *sector, size_t at, struct lvm_header *ret)
{
	uint64_t version, flags;
	size_t n;

	if (at + 8 > LVM_SECTOR)
		return true;
	version = bytes_from_le(sector + at, 4);
	flags = bytes_from_le(sector + at + 4, 4);
	at += 8;
	if (version == 0)
		return true;
	return version <= EXTENSION_KNOWN && (flags & ~(uint64_t)FLAGS_KNOWN) == 0 &&
	       take_areas(sector, &at, &ret->boot, 1, &n);
}

enum status lvm_read_header(const uint8_t *head, struct lvm_header *ret, struct error *why)
{
	size_t which = lvm_find_label(head), at = HEADER_AT + HEADER_AREAS, n_data;
	const uint8_t *sector = head + which * LVM_SECTOR;
	const struct label *label = (const struct label *)sector;

	*ret = (struct lvm_header){ 0 };
	for (size_t i = which + 1; i < LVM_LABELS; i++)
		if (memcmp(head + i * LVM_SECTOR, label_id, sizeof label_id - 1) == 0)
			return fail(why, ST_UNSUPPORTED, "it has more than one label");
	if (le64_get(label->sector) != which || le32_get(label->header_at) != HEADER_AT ||
	    memcmp(label->type, label_type, sizeof label_type - 1) != 0 ||
	    le32_get(label->crc) != crc_of(sector + LABEL_SUMMED, LVM_SECTOR - LABEL_SUMMED))
		return fail(why, ST_UNSUPPORTED, "its label is damaged: run pvck");
	if (!take_id(sector + HEADER_AT, ret->disk_id)) {
		ret->disk_id[0] = '\0';
		return fail(why, ST_UNSUPPORTED, "its label is damaged: run pvck");
	}
	ret->disk_bytes = bytes_from_le(sector + HEADER_AT + ID_CHARACTERS, 8);
	if (!take_areas(sector, &at, &ret->data, 1, &n_data) || n_data != 1 ||
	    !take_areas(sector, &at, ret->metadata, LVM_AREAS, &ret->n_metadata) ||
	    !take_extension(sector, at, ret))
		return fail(why, ST_UNSUPPORTED,
			    "its header has something that this program does not know");
	if (ret->n_metadata == 0)
		return fail(why, ST_UNSUPPORTED, "its metadata is on another disk or partition");
	return ST_OK;
}

/* ---- Metadata ---- */

static enum status take_area(struct blk *blk, const struct lvm_area *area, struct area_header *ret,
			     struct error *why)
{
	uint8_t bytes[AREA_HEADER];
	enum status st;

	if (area->length <= AREA_HEADER || !range_ok(area->start, area->length, blk->size))
		return lvm_damaged(why);
	st = blk_read(blk, area->start, bytes, sizeof bytes);
	if (st != ST_OK)
		return st;
	memcpy(ret, bytes, sizeof *ret);
	if (le32_get(ret->crc) != crc_of(bytes + 4, sizeof bytes - 4) ||
	    memcmp(ret->magic, area_magic, sizeof ret->magic) != 0 || le32_get(ret->version) != 1 ||
	    le64_get(ret->start) != area->start || le64_get(ret->length) != area->length)
		return lvm_damaged(why);
	if (le64_get(ret->committed.offset) == 0 && le32_get(ret->committed.flags) == 0)
		return fail(why, ST_UNSUPPORTED, "it belongs to no volume group");
	if (le32_get(ret->committed.flags) != 0)
		return fail(why, ST_UNSUPPORTED, "its metadata is on another disk or partition");
	if (le64_get(ret->prepared.offset) != 0)
		return fail(why, ST_UNSUPPORTED, "its metadata was being changed: run vgck");
	return le64_get(ret->after.offset) == 0 ? ST_OK : lvm_damaged(why);
}

/* Reads the text of an area to `text`, of LVM_TEXT + 1 bytes. */
static enum status read_text(struct blk *blk, const struct lvm_area *area,
			     const struct place *place, uint8_t *text, struct error *why)
{
	uint64_t offset = le64_get(place->offset), n = le64_get(place->length), first;
	enum status st;

	if (n > LVM_TEXT)
		return fail(why, ST_UNSUPPORTED, "its metadata has more than %d bytes", LVM_TEXT);
	if (offset < AREA_HEADER || offset >= area->length || n > area->length - AREA_HEADER)
		return lvm_damaged(why);
	first = min_u64(n, area->length - offset);
	st = blk_read(blk, area->start + offset, text, (size_t)first);
	if (st == ST_OK)
		st = blk_read(blk, area->start + AREA_HEADER, text + first, (size_t)(n - first));
	if (st != ST_OK)
		return st;
	text[n] = '\0';
	return crc_of(text, (size_t)n) == le32_get(place->crc) ? ST_OK : lvm_damaged(why);
}

/* Sets *ret to where the extents are. False: they do not fit. */
static bool find_extents(const struct lvm_header *header, const struct lvm_group *group,
			 struct lvm_area *ret)
{
	uint64_t extent, end;

	return mul_ok(group->start_sector, LVM_SECTOR, &ret->start) &&
	       mul_ok(group->extent_sectors, LVM_SECTOR, &extent) && extent > 0 &&
	       mul_ok(group->n_extents, extent, &ret->length) &&
	       add_ok(ret->start, ret->length, &end) && end <= header->disk_bytes &&
	       end / LVM_SECTOR <= group->disk_sectors;
}

/* Both areas are on the disk. */
static bool overlap(const struct lvm_area *a, const struct lvm_area *b)
{
	return a->length > 0 && a->start < b->start + b->length && b->start < a->start + a->length;
}

/* What the text says of the physical volume agrees with the header. */
static enum status check_group(const struct lvm_header *header, const struct lvm_group *group,
			       struct error *why)
{
	const struct lvm_area *data = &header->data, *boot = &header->boot;
	struct lvm_area extents = { 0 };
	bool good = memcmp(header->disk_id, group->disk_id, LVM_ID) == 0 &&
		    find_extents(header, group, &extents) && extents.start >= data->start &&
		    (data->length == 0 ||
		     range_ok(extents.start - data->start, extents.length, data->length)) &&
		    range_ok(boot->start, boot->length, header->disk_bytes) &&
		    !overlap(boot, &extents);

	for (size_t i = 0; good && i < header->n_metadata; i++)
		good = !overlap(&header->metadata[i], &extents);
	return good ? ST_OK : lvm_damaged(why);
}

static enum status read_areas(struct blk *blk, const struct lvm_header *header, uint8_t *text,
			      size_t *ret_n, struct error *why)
{
	struct area_header area = { 0 };
	struct place first = { 0 };
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < header->n_metadata; i++) {
		st = take_area(blk, &header->metadata[i], &area, why);
		if (st == ST_OK)
			st = read_text(blk, &header->metadata[i], &area.committed, text, why);
		if (i == 0)
			first = area.committed;
		else if (st == ST_OK &&
			 (le64_get(area.committed.length) != le64_get(first.length) ||
			  le32_get(area.committed.crc) != le32_get(first.crc)))
			st = fail(why, ST_UNSUPPORTED,
				  "the copies of its metadata differ: run vgck");
	}
	*ret_n = (size_t)le64_get(area.committed.length);
	return st;
}

enum status lvm_read_group(struct blk *blk, const struct lvm_header *header, struct lvm_group *ret,
			   struct error *why)
{
	uint8_t *text;
	size_t n;
	enum status st;

	if (header->disk_bytes > blk->size)
		return fail(why, ST_UNSUPPORTED, "it is larger than the space it is in");
	text = mem_alloc(LVM_TEXT + 1);
	if (text == NULL)
		return ST_NO_MEMORY;
	st = read_areas(blk, header, text, &n, why);
	if (st == ST_OK)
		st = lvm_parse((const char *)text, n, ret, why);
	if (st == ST_OK)
		st = check_group(header, ret, why);
	mem_free(text);
	return st;
}
