/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Where the tables of chunks of a dmg image are: in an XML property list, as the base64 of "Data"
 * in the dictionaries of the array "blkx"; or in a resource fork, as the resources of the type
 * "blkx" (Inside Macintosh: More Macintosh Toolbox, 1-121). Of both only that is read.
 *
 * The whole description is in memory meanwhile, at most DMG_DESCRIPTION_MAX; base64 is decoded in
 * place.
 */
#include "base/base64.h"
#include "base/memory.h"
#include "base/range.h"
#include "base/xml.h"
#include "format/dmg/dmg.h"

static enum status read_description(struct dmg *dmg, const char *what, uint64_t offset,
				    uint64_t bytes, uint8_t **ret, struct error *err)
{
	enum status st;

	if (!range_ok(offset, bytes, dmg_file(dmg)->size))
		return fail(err, ST_CORRUPT,
			    "the %s (offset %ju, %ju bytes) ends past the end of the file (size "
			    "%ju)",
			    what, offset, bytes, dmg_file(dmg)->size);
	if (bytes > DMG_DESCRIPTION_MAX)
		return fail(err, ST_TOO_LARGE, "the %s has %ju bytes; at most %d are supported",
			    what, bytes, DMG_DESCRIPTION_MAX);
	*ret = mem_alloc((size_t)bytes);
	if (*ret == NULL)
		return fail_no_memory(err);
	st = blk_read(dmg_file(dmg), offset, *ret, (size_t)bytes);
	if (st == ST_OK)
		return ST_OK;
	mem_free(*ret);
	return fail(err, st, "reading the %s: %s", what, status_text(st));
}

/* ---- property list ---- */

/* Reads on up to the text of a <key>, and past it. */
static bool find_key(struct xml *xml, const char *key)
{
	while (xml_next(xml)) {
		if (!xml_opens(xml, "key") || !xml_next(xml) || !xml_has_text(xml, key))
			continue;
		return xml_next(xml) && xml_closes(xml, "key");
	}
	return false;
}

/* Reads on to the next element. */
static bool next_element(struct xml *xml)
{
	while (xml_next(xml))
		if (xml->kind != XML_TEXT)
			return true;
	return false;
}

/* Takes the table that the text of <data> is. */
static enum status take_data(struct dmg *dmg, struct xml *xml, struct error *err)
{
	uint8_t *to;
	size_t n;

	if (!next_element(xml) || !xml_opens(xml, "data") || !xml_next(xml) ||
	    xml->kind != XML_TEXT)
		return fail(err, ST_CORRUPT, "table %zu of chunks has no data", dmg->n_tables);
	to = (uint8_t *)(uintptr_t)xml->text; /* of our own copy */
	if (!base64_decode(xml->text, xml->text_length, to, &n))
		return fail(err, ST_CORRUPT, "table %zu of chunks is no base64", dmg->n_tables);
	return dmg_add_table(dmg, to, n, err);
}

/* Takes all tables of the array that is opened. */
static enum status take_array(struct dmg *dmg, struct xml *xml, struct error *err)
{
	enum status st = ST_OK;

	while (st == ST_OK && xml_next(xml) && !xml_closes(xml, "array"))
		if (xml_opens(xml, "key") && xml_next(xml) && xml_has_text(xml, "Data"))
			st = xml_next(xml) ? take_data(dmg, xml, err) : ST_OK;
	if (st == ST_OK && xml->kind == XML_END)
		return fail(err, ST_CORRUPT, "the property list ends within the tables of chunks");
	return st;
}

enum status dmg_read_list(struct dmg *dmg, uint64_t offset, uint64_t bytes, struct error *err)
{
	uint8_t *list;
	struct xml xml;
	enum status st = read_description(dmg, "property list", offset, bytes, &list, err);

	if (st != ST_OK)
		return st;
	xml_begin(&xml, (const char *)list, (size_t)bytes);
	if (find_key(&xml, "blkx") && next_element(&xml) && xml_opens(&xml, "array"))
		st = take_array(dmg, &xml, err);
	else
		st = fail(err, ST_CORRUPT, "the property list has no tables of chunks (blkx)");
	mem_free(list);
	return st;
}

/* ---- resource fork ---- */

enum {
	TYPES_AT = 24, /* in the map: the offset of the list of types */
	TYPE_BYTES = 8,
	REFERENCE_BYTES = 12,
};

/* The number of `n` bytes at `at` of the fork; past its end, zeros. */
static uint64_t number_at(const uint8_t *fork, size_t bytes, uint64_t at, size_t n)
{
	return range_ok(at, n, bytes) ? bytes_from_be(fork + at, n) : 0;
}

/* Takes the resource whose reference is at `at`. */
static enum status take_resource(struct dmg *dmg, const uint8_t *fork, size_t bytes, uint64_t at,
				 struct error *err)
{
	uint64_t data = number_at(fork, bytes, 0, 4) + number_at(fork, bytes, at + 5, 3);
	uint64_t n = number_at(fork, bytes, data, 4);

	if (!range_ok(at, REFERENCE_BYTES, bytes) || !range_ok(data, 4, bytes) ||
	    !range_ok(data + 4, n, bytes))
		return fail(err, ST_CORRUPT,
			    "table %zu of chunks (offset %ju, %ju bytes) ends past the end of the "
			    "resource fork (%zu bytes)",
			    dmg->n_tables, data, n, bytes);
	return dmg_add_table(dmg, fork + data + 4, (size_t)n, err);
}

static enum status take_resources(struct dmg *dmg, const uint8_t *fork, size_t bytes,
				  struct error *err)
{
	uint64_t map = number_at(fork, bytes, 4, 4);
	uint64_t types = map + number_at(fork, bytes, map + TYPES_AT, 2);
	uint64_t n_types = (number_at(fork, bytes, types, 2) + 1) & 0xffff;

	for (uint64_t i = 0; i < n_types; i++) {
		uint64_t type = types + 2 + i * TYPE_BYTES;
		uint64_t n = number_at(fork, bytes, type + 4, 2) + 1;
		uint64_t at = types + number_at(fork, bytes, type + 6, 2);
		enum status st = ST_OK;

		if (!range_ok(type, TYPE_BYTES, bytes) || memcmp(fork + type, "blkx", 4) != 0)
			continue;
		for (uint64_t k = 0; st == ST_OK && k < n; k++)
			st = take_resource(dmg, fork, bytes, at + k * REFERENCE_BYTES, err);
		return st;
	}
	return fail(err, ST_CORRUPT, "the resource fork has no tables of chunks (blkx)");
}

enum status dmg_read_resources(struct dmg *dmg, uint64_t offset, uint64_t bytes, struct error *err)
{
	uint8_t *fork;
	enum status st = read_description(dmg, "resource fork", offset, bytes, &fork, err);

	if (st != ST_OK)
		return st;
	st = take_resources(dmg, fork, (size_t)bytes, err);
	mem_free(fork);
	return st;
}
