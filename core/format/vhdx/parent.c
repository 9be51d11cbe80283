/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parent of a differencing image ([MS-VHDX] 2.6.2.6): pairs of keys and values in UTF-16, which
 * say where it is, and which DataWriteGuid it must have. A parent that was written to since has
 * another one, and what the image shows through would be wrong: it is refused.
 *
 * Of the paths, the relative one counts before those of Windows volumes, as the specification wants
 * it. Its separators are '\', which may be part of a name on other systems, so they become '/',
 * which UEFI understands as well.
 */
#include "base/memory.h"
#include "base/range.h"
#include "base/text.h"
#include "base/utf.h"
#include "format/vhdx/image.h"

const struct guid vhdx_locator_type = { { 0xb7, 0xef, 0x4a, 0xb0, 0x9e, 0xd1, 0x81, 0x4a, 0xb7,
					  0x89, 0x25, 0xb8, 0xe9, 0x44, 0x59, 0x13 } };

enum key { LINKAGE, LINKAGE2, RELATIVE, VOLUME, ABSOLUTE, N_KEYS };

static const char *const keys[N_KEYS] = {
	[LINKAGE] = "parent_linkage",       [LINKAGE2] = "parent_linkage2",
	[RELATIVE] = "relative_path",       [VOLUME] = "volume_path",
	[ABSOLUTE] = "absolute_win32_path",
};

/* The UTF-8 of `n` bytes of UTF-16LE, to be freed; NULL: no memory. */
static char *take_text(const uint8_t *bytes, size_t n)
{
	size_t n_units = n / 2;
	uint16_t *units = mem_alloc(n_units * sizeof *units);
	char *text = NULL;

	if (units == NULL)
		return NULL;
	for (size_t i = 0; i < n_units; i++)
		units[i] = (uint16_t)bytes_from_le(bytes + 2 * i, 2);
	text = mem_alloc(utf8_length_of_utf16(units, n_units) + 1);
	if (text != NULL)
		utf8_from_utf16(text, units, n_units);
	mem_free(units);
	return text;
}

static enum status take_pair(const uint8_t *item, size_t n, size_t i, char *value[static N_KEYS],
			     struct error *err)
{
	struct vhdx_disk_locator_entry disk;
	uint32_t key_at, value_at;
	uint16_t key_bytes, value_bytes;
	enum key k = 0;
	char *key;

	memcpy(&disk, item + sizeof(struct vhdx_disk_locator) + i * sizeof disk, sizeof disk);
	key_at = le32_get(disk.key_offset);
	value_at = le32_get(disk.value_offset);
	key_bytes = le16_get(disk.key_bytes);
	value_bytes = le16_get(disk.value_bytes);
	if (!range_ok(key_at, key_bytes, n) || !range_ok(value_at, value_bytes, n))
		return fail(err, ST_CORRUPT,
			    "its parent locator, entry %zu: a key of %u bytes at 0x%x and a value "
			    "of %u bytes at 0x%x are not in its %zu bytes",
			    i, key_bytes, key_at, value_bytes, value_at, n);
	key = take_text(item + key_at, key_bytes);
	if (key == NULL)
		return fail_no_memory(err);
	while (k < N_KEYS && !text_equal(key, keys[k]))
		k++;
	mem_free(key);
	if (k == N_KEYS)
		return ST_OK;
	if (value[k] != NULL)
		return fail(err, ST_CORRUPT, "its parent locator, entry %zu: a second %s", i,
			    keys[k]);
	value[k] = take_text(item + value_at, value_bytes);
	return value[k] != NULL ? ST_OK : fail_no_memory(err);
}

/* "{83ed0ec3-24c8-49a6-a959-5e4bf1288bfb}", with braces or without */
static bool read_guid(const char *text, struct guid *ret)
{
	/* where in the bytes the digits go */
	static const uint8_t order[] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
	size_t n = 0;

	text += *text == '{';
	for (; n < sizeof order && text[0] != '\0' && text[1] != '\0'; text += 2, n++) {
		int high, low;

		text += *text == '-';
		high = text_hex_digit(text[0]);
		low = high >= 0 ? text_hex_digit(text[1]) : -1;
		if (low < 0)
			return false;
		ret->b[order[n]] = (uint8_t)(high << 4 | low);
	}
	return n == sizeof order && (text_equal(text, "") || text_equal(text, "}"));
}

static enum status take_linkage(struct vhdx_image *v, char *const value[static N_KEYS],
				struct error *err)
{
	if (value[LINKAGE] == NULL)
		return fail(err, ST_CORRUPT,
			    "its parent locator does not say which parent it is "
			    "(%s)",
			    keys[LINKAGE]);
	for (enum key k = LINKAGE; k <= LINKAGE2; k++)
		if (value[k] != NULL && !read_guid(value[k], &v->linkage[k - LINKAGE]))
			return fail(err, ST_CORRUPT, "its parent locator: %s is no GUID: \"%s\"",
				    keys[k], value[k]);
	return ST_OK;
}

/* The name of the parent: the first of the paths that there is. */
static enum status take_path(struct vhdx_image *v, char *const value[static N_KEYS],
			     struct error *err)
{
	const char *path = NULL;

	for (enum key k = RELATIVE; path == NULL && k <= ABSOLUTE; k++)
		path = value[k];
	if (path == NULL || path[0] == '\0')
		return fail(err, ST_CORRUPT, "its parent locator does not say where the parent is");
	if (text_starts_with(path, "\\\\?\\"))
		path += 4;
	while (text_starts_with(path, ".\\"))
		path += 2;
	v->image.backing_name = text_copy(path);
	v->image.backing_format = text_copy(v->image.format->name);
	if (v->image.backing_name == NULL || v->image.backing_format == NULL)
		return fail_no_memory(err);
	for (char *c = v->image.backing_name; *c != '\0'; c++)
		if (*c == '\\')
			*c = '/';
	return ST_OK;
}

enum status vhdx_locator_read(struct vhdx_image *v, const uint8_t *item, size_t n,
			      struct error *err)
{
	struct vhdx_disk_locator disk;
	char *value[N_KEYS] = { 0 };
	enum status st = ST_OK;
	char id[GUID_TEXT];
	size_t n_entries;

	if (n < sizeof disk)
		return fail(err, ST_CORRUPT, "its parent locator has %zu bytes", n);
	memcpy(&disk, item, sizeof disk);
	n_entries = le16_get(disk.n_entries);
	guid_print(&disk.type, id);
	if (!guid_equal(&disk.type, &vhdx_locator_type))
		return fail(err, ST_UNSUPPORTED,
			    "its parent locator is of the type {%s}, which is not that of VHDX "
			    "files",
			    id);
	if (n_entries > (n - sizeof disk) / sizeof(struct vhdx_disk_locator_entry))
		return fail(err, ST_CORRUPT, "its parent locator of %zu bytes has %zu entries", n,
			    n_entries);
	for (size_t i = 0; st == ST_OK && i < n_entries; i++)
		st = take_pair(item, n, i, value, err);
	if (st == ST_OK)
		st = take_linkage(v, value, err);
	if (st == ST_OK)
		st = take_path(v, value, err);
	for (enum key k = 0; k < N_KEYS; k++)
		mem_free(value[k]);
	return st;
}

enum status vhdx_parent_check(const struct vhdx_image *v, struct error *err)
{
	const struct image *parent = v->image.backing;
	const struct vhdx_image *p = (const struct vhdx_image *)parent;
	char is[GUID_TEXT], wanted[GUID_TEXT];

	if (!v->has_parent || parent == NULL)
		return ST_OK;
	if (parent->format != v->image.format)
		return fail(err, ST_CORRUPT, "its parent, %s, is no VHDX image", parent->name);
	if (p->sector_bytes != v->sector_bytes)
		return fail(err, ST_CORRUPT,
			    "its disk has sectors of %u bytes, but that of its parent, %s, of %u",
			    v->sector_bytes, parent->name, p->sector_bytes);
	if (guid_equal(&p->header.data_write, &v->linkage[0]) ||
	    (!guid_is_zero(&v->linkage[1]) && guid_equal(&p->header.data_write, &v->linkage[1])))
		return ST_OK;
	guid_print(&p->header.data_write, is);
	guid_print(&v->linkage[0], wanted);
	return fail(err, ST_CORRUPT,
		    "its parent, %s, was changed since, or is another image: its DataWriteGuid is "
		    "{%s}, and {%s} is wanted",
		    parent->name, is, wanted);
}
