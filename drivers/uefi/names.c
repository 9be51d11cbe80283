/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Map names of devices: "fs0:", "blk1:".
 *
 * With a shell, its map decides: GetMapFromDevicePath() gives all names of a device,
 * GetDevicePathFromMap() the device of a name (UEFI Shell 2.2, 3.7). Without a shell, the names are
 * those that EDK2's shell would assign at its start: handles are sorted by the text of their device
 * paths, file systems are numbered as fs0:, fs1: ..., and all handles with Block I/O as blk0:,
 * blk1: ... So a name means the same device in the menu and in the shell, as long as no device is
 * added.
 */
#include <efi.h>

#include "names.h"

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "connect.h"
#include "device_path.h"
#include "firmware.h"
#include "protocol/unicode_collation2.h"
#include "text16.h"

enum { NAMES_MAX = 8 }; /* of one device; the shell assigns three or four */

static void lower(char *s)
{
	for (; *s != '\0'; s++)
		*s = text_lower(*s);
}

/* File systems before blocks, the numbered names before the shell's "consistent" ones. */
static int rank(const char *name)
{
	if (text_starts_with(name, "fs") && text_is_digit(name[2]))
		return 0;
	if (text_starts_with(name, "blk") && text_is_digit(name[3]))
		return 1;
	return 2;
}

static enum status add_name(struct named_device *device, const char *name, size_t length)
{
	char *copy;
	size_t at;

	if (device->n_names == NAMES_MAX)
		return ST_OK;
	if (device->names == NULL)
		device->names = mem_alloc(NAMES_MAX * sizeof *device->names);
	copy = text_copy_n(name, length);
	if (device->names == NULL || copy == NULL) {
		mem_free(copy);
		return ST_NO_MEMORY;
	}
	lower(copy);
	for (at = device->n_names; at > 0 && rank(device->names[at - 1]) > rank(copy); at--)
		device->names[at] = device->names[at - 1];
	device->names[at] = copy;
	device->n_names++;
	return ST_OK;
}

/* The entry of a handle, added if it is missing; the table has room for all. */
static struct named_device *entry_of(struct names *names, EFI_HANDLE handle)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->device[i].handle == handle)
			return &names->device[i];
	names->device[names->n].handle = handle;
	return &names->device[names->n++];
}

/* ---- With a shell ---- */

/* Adds the names that the shell has for a device: "FS0:;F0:;BLK0:". */
static enum status add_shell_names(struct names *names, EFI_HANDLE handle)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(handle);
	EFI_DEVICE_PATH_PROTOCOL *copy, *moving;
	const CHAR16 *map;
	char *list;
	enum status st = ST_OK;

	if (path == NULL)
		return ST_OK;
	/* a copy: the shell advances the pointer, and writes to the path */
	copy = moving = device_path_copy(path, device_path_length(path));
	if (copy == NULL)
		return ST_NO_MEMORY;
	map = firmware.shell->GetMapFromDevicePath(&moving);
	list = text16_to_utf8(map != NULL ? map : L"");
	if (list == NULL)
		st = ST_NO_MEMORY;
	for (const char *s = list; st == ST_OK && *s != '\0';) {
		size_t n = 0;

		while (s[n] != '\0' && s[n] != ';')
			n++;
		if (n > 0)
			st = add_name(entry_of(names, handle), s, n);
		s += n + (s[n] == ';');
	}
	mem_free(list);
	mem_free(copy);
	return st;
}

static enum status load_from_shell(struct names *names, const EFI_HANDLE *handles, size_t n)
{
	enum status st = ST_OK;

	for (size_t i = 0; st == ST_OK && i < n; i++) {
		const struct named_device *known = names_of(names, handles[i]);

		if (known == NULL)
			st = add_shell_names(names, handles[i]);
	}
	return st;
}

/* ---- Without a shell ---- */

static bool goes_before(const char *a, const char *b)
{
	EFI_UNICODE_COLLATION2_PROTOCOL *collation = LOCATE(EFI_UNICODE_COLLATION2_PROTOCOL);
	CHAR16 *a16 = text16_from_utf8(a), *b16 = text16_from_utf8(b);
	bool before = text_compare(a, b) < 0;

	if (collation != NULL && a16 != NULL && b16 != NULL)
		before = collation->StriColl(collation, a16, b16) < 0;
	mem_free(a16);
	mem_free(b16);
	return before;
}

/*
 * Numbers handles in the order of their device paths as text. Handles without a path come first;
 * they take a number, but get no name, as in EDK2's shell.
 */
static enum status number_all(struct names *names, EFI_HANDLE *handles, size_t n,
			      const char *prefix)
{
	char **text = mem_alloc((n + 1) * sizeof *text);
	enum status st = text != NULL ? ST_OK : ST_NO_MEMORY;

	for (size_t i = 0; st == ST_OK && i < n; i++) {
		char *mine = device_path_text(device_path_of(handles[i]));
		EFI_HANDLE handle = handles[i];
		size_t at = i;

		if (mine == NULL) {
			st = ST_NO_MEMORY;
			break;
		}
		for (; at > 0 && goes_before(mine, text[at - 1]); at--) {
			text[at] = text[at - 1];
			handles[at] = handles[at - 1];
		}
		text[at] = mine;
		handles[at] = handle;
	}
	for (size_t i = 0; st == ST_OK && i < n; i++) {
		char name[32];
		struct out_buffer buffer;

		out_buffer_init(&buffer, name, sizeof name);
		out_printf(&buffer.out, "%s%zu:", prefix, i);
		if (text[i][0] != '\0')
			st = add_name(entry_of(names, handles[i]), name, buffer.length);
	}
	for (size_t i = 0; text != NULL && i < n; i++)
		mem_free(text[i]);
	mem_free(text);
	return st;
}

/* ---- Both ---- */

/* "fs2:" before "fs10:" before "blk0:". */
static bool sorts_before(const char *a, const char *b)
{
	size_t n_a = text_length(a), n_b = text_length(b);

	if (rank(a) != rank(b))
		return rank(a) < rank(b);
	return n_a != n_b ? n_a < n_b : text_compare(a, b) < 0;
}

static void sort(struct names *names)
{
	for (size_t i = 1; i < names->n; i++) {
		struct named_device device = names->device[i];
		size_t at = i;

		for (; at > 0 && sorts_before(device.names[0], names->device[at - 1].names[0]);
		     at--)
			names->device[at] = names->device[at - 1];
		names->device[at] = device;
	}
}

enum status names_load(struct names *ret)
{
	EFI_HANDLE *volumes = NULL, *blocks = NULL;
	size_t n_volumes, n_blocks = 0;
	enum status st;

	*ret = (struct names){ 0 };
	if (firmware.shell == NULL)
		connect_all();
	st = firmware_handles(&(EFI_GUID)EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID, &volumes,
			      &n_volumes);
	if (st == ST_OK)
		st = firmware_handles(&(EFI_GUID)EFI_BLOCK_IO_PROTOCOL_GUID, &blocks, &n_blocks);
	if (st != ST_OK)
		goto done;
	ret->device = mem_alloc((n_volumes + n_blocks + 1) * sizeof *ret->device);
	if (ret->device == NULL) {
		st = ST_NO_MEMORY;
		goto done;
	}
	if (firmware.shell != NULL) {
		st = load_from_shell(ret, volumes, n_volumes);
		if (st == ST_OK)
			st = load_from_shell(ret, blocks, n_blocks);
	} else {
		st = number_all(ret, volumes, n_volumes, "fs");
		if (st == ST_OK)
			st = number_all(ret, blocks, n_blocks, "blk");
	}
	if (st == ST_OK)
		sort(ret);
done:
	firmware_free(blocks);
	firmware_free(volumes);
	return st;
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		for (size_t k = 0; k < names->device[i].n_names; k++)
			mem_free(names->device[i].names[k]);
		mem_free(names->device[i].names);
	}
	mem_free(names->device);
	*names = (struct names){ 0 };
}

/* Looks a name up in the shell's map. */
static EFI_HANDLE find_in_shell(const CHAR16 *name)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = firmware.shell->GetDevicePathFromMap(name);
	EFI_HANDLE handle = device_path_locate(path,
					       &(EFI_GUID)EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID);

	if (handle == NULL ||
	    device_path_length(device_path_of(handle)) != device_path_length(path))
		handle = device_path_locate(path, &(EFI_GUID)EFI_BLOCK_IO_PROTOCOL_GUID);
	/* the nearest handle may be one above it: then the device itself is gone */
	return handle != NULL && device_path_length(device_path_of(handle)) ==
					 device_path_length(path)
		       ? handle
		       : NULL;
}

enum status names_find(const char *name, EFI_HANDLE *ret)
{
	struct names names;
	enum status st;

	*ret = NULL;
	if (firmware.shell != NULL) {
		CHAR16 *name16 = text16_from_utf8(name);

		if (name16 == NULL)
			return ST_NO_MEMORY;
		*ret = find_in_shell(name16);
		mem_free(name16);
		return ST_OK;
	}
	st = names_load(&names);
	for (size_t i = 0; st == ST_OK && i < names.n; i++)
		for (size_t k = 0; k < names.device[i].n_names; k++)
			if (text_equal_nocase(names.device[i].names[k], name))
				*ret = names.device[i].handle;
	names_free(&names);
	return st;
}

const struct named_device *names_of(const struct names *names, EFI_HANDLE handle)
{
	for (size_t i = 0; i < names->n; i++)
		if (names->device[i].handle == handle)
			return &names->device[i];
	return NULL;
}
