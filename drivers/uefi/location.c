/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resolves names to a device and an absolute path.
 *
 * The rules are those of the UEFI shell: a name without a volume belongs to the current one, a name
 * without a leading separator to the current directory of its volume; '/' and '\' both separate;
 * "." and ".." are taken out of the path here, because FAT drivers differ in how they treat them.
 * Without a shell there is no current directory, and the root of the volume that efi-img was
 * started from takes its place. If no device has the name, all drivers are connected, and it is
 * looked up once more.
 */
#include <efi.h>

#include "location.h"

#include <stdbool.h>

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "connect.h"
#include "firmware.h"
#include "names.h"
#include "platform/path.h"
#include "text16.h"

static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

/* ---- The start of a relative name ---- */

/*
 * Returns the shell's current directory, "FS0:\dir", of a volume ("fs0:"), or with NULL that of the
 * current volume. The caller frees *ret. NULL: there is none.
 */
static enum status shell_directory(const char *volume, char **ret, struct error *err)
{
	CHAR16 *volume16 = volume != NULL ? text16_from_utf8(volume) : NULL;
	const CHAR16 *directory;

	*ret = NULL;
	if (volume != NULL && volume16 == NULL)
		return fail_no_memory(err);
	directory = firmware.shell->GetCurDir(volume16);
	mem_free(volume16);
	if (directory == NULL)
		return ST_OK;
	*ret = text16_to_utf8(directory);
	return *ret != NULL ? ST_OK : fail_no_memory(err);
}

enum status location_home(char **ret, struct error *err)
{
	const struct named_device *device = NULL;
	struct names names;
	enum status st = names_load(&names);

	if (st == ST_OK && firmware.loaded != NULL)
		device = names_of(&names, firmware.loaded->DeviceHandle);
	if (st != ST_OK)
		st = fail_no_memory(err);
	else if (device == NULL)
		st = fail(err, ST_NOT_FOUND,
			  "the volume that efi-img was started from has no name");
	else if ((*ret = text_copy(device->names[0])) == NULL)
		st = fail_no_memory(err);
	names_free(&names);
	return st;
}

/* The volume of a name without one, where there is no current directory. */
static enum status started_volume(const char *name, char **ret, struct error *err)
{
	enum status st = location_home(ret, err);

	return st != ST_NOT_FOUND
		       ? st
		       : fail(err, st,
			      "%s: there is no current volume; name the volume, as in fs0:\\%s",
			      name, name);
}

/*
 * Returns the name of the volume, and the directory that a relative path starts from ("\dir" or
 * ""). `rest` is the name without its volume. The caller frees both, on failure as well.
 */
static enum status start_of(const char *name, const char *rest, char **ret_volume,
			    char **ret_directory, struct error *err)
{
	size_t length = path_volume_length(name);
	char *current = NULL;
	enum status st = ST_OK;

	*ret_directory = NULL;
	*ret_volume = length > 0 ? text_copy_n(name, length) : NULL;
	if (length > 0 && *ret_volume == NULL)
		return fail_no_memory(err);
	if (firmware.shell != NULL && (length == 0 || !is_separator(rest[0])))
		st = shell_directory(*ret_volume, &current, err);
	if (st == ST_OK && length == 0 && current == NULL)
		st = started_volume(name, ret_volume, err);
	if (st == ST_OK && *ret_volume == NULL)
		*ret_volume = text_copy_n(current, path_volume_length(current));
	if (st == ST_OK && !is_separator(rest[0]) && current != NULL)
		*ret_directory = text_copy(current + path_volume_length(current));
	else if (st == ST_OK)
		*ret_directory = text_copy("");
	if (st == ST_OK && (*ret_volume == NULL || *ret_directory == NULL))
		st = fail_no_memory(err);
	mem_free(current);
	return st;
}

/* ---- Paths ---- */

/*
 * Appends the components of `from` to a path of `n` bytes, without "." and with ".." removing the
 * last one; returns the new length.
 */
static size_t append_components(char *path, size_t n, const char *from)
{
	while (*from != '\0') {
		size_t length = 0;

		if (is_separator(*from)) {
			from++;
			continue;
		}
		while (from[length] != '\0' && !is_separator(from[length]))
			length++;
		if (length == 2 && from[0] == '.' && from[1] == '.') {
			while (n > 0 && path[--n] != '\\')
				continue;
		} else if (length != 1 || from[0] != '.') {
			path[n++] = '\\';
			memcpy(path + n, from, length);
			n += length;
		}
		from += length;
	}
	return n;
}

/*
 * Joins directory and name. A separator at the end is kept: the name can only be that of a
 * directory, and is refused where a file is needed.
 */
static char *join(const char *directory, const char *rest)
{
	size_t length = text_length(rest), n;
	char *path = mem_alloc(text_length(directory) + length + 3);

	if (path == NULL)
		return NULL;
	n = append_components(path, 0, directory);
	n = append_components(path, n, rest);
	if (n == 0 || is_separator(rest[length - 1]))
		path[n++] = '\\';
	path[n] = '\0';
	return path;
}

/* Characters that neither FAT (specification 1.03, section 7) nor UDF have in names. */
static enum status check_characters(const struct location *location, struct error *err)
{
	for (const char *s = location->path; *s != '\0'; s++) {
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return fail(err, ST_INVALID,
				    "%s: file names cannot have control characters",
				    location->full);
		if (text_find("\"*:<>?|", *s) != NULL)
			return fail(err, ST_INVALID, "%s: file names cannot have a %c",
				    location->full, *s);
	}
	return ST_OK;
}

/* ---- Devices ---- */

static enum status no_such_device(const struct location *location, struct error *err)
{
	bool volume = location->path != NULL;
	const char *what = volume ? "volume" : "device";
	char list[256];
	struct out_buffer out;
	struct names names;
	enum status st = names_load(&names);

	out_buffer_init(&out, list, sizeof list);
	for (size_t i = 0; i < names.n; i++)
		if (!volume || text_starts_with(names.device[i].names[0], "fs"))
			out_printf(&out.out, " %s", names.device[i].names[0]);
	names_free(&names);
	if (st != ST_OK)
		return fail_no_memory(err);
	if (out.length == 0)
		return fail(err, ST_NOT_FOUND, "%s is not a %s; there is no %s", location->volume,
			    what, what);
	return fail(err, ST_NOT_FOUND, "%s is not a %s; the %ss are%s%s", location->volume, what,
		    what, list,
		    firmware.shell != NULL ? " (the shell names new ones after \"map -r\")" : "");
}

/* Finds the device of a name, connecting all drivers if there is none at first. */
static enum status find_device(struct location *location, struct error *err)
{
	enum status st = names_find(location->volume, &location->device);

	if (st == ST_OK && location->device == NULL) {
		connect_all();
		st = names_find(location->volume, &location->device);
	}
	if (st != ST_OK)
		return fail_no_memory(err);
	return location->device != NULL ? ST_OK : no_such_device(location, err);
}

enum status location_find(const char *name, struct location *ret, struct error *err)
{
	const char *rest = name + path_volume_length(name);
	char *directory = NULL;
	enum status st;

	*ret = (struct location){ 0 };
	if (name[0] == '\0')
		return fail(err, ST_INVALID, "a file name is empty");
	st = start_of(name, rest, &ret->volume, &directory, err);
	if (st != ST_OK)
		goto done;
	for (char *s = ret->volume; *s != '\0'; s++)
		*s = text_lower(*s);
	if (rest[0] != '\0') {
		ret->path = join(directory, rest);
		ret->full = mem_alloc(text_length(ret->volume) +
				      text_length(ret->path != NULL ? ret->path : "") + 1);
	} else {
		ret->full = text_copy(ret->volume);
	}
	if (ret->full == NULL || (rest[0] != '\0' && ret->path == NULL)) {
		st = fail_no_memory(err);
		goto done;
	}
	if (ret->path != NULL) {
		size_t n = text_length(ret->volume);

		memcpy(ret->full, ret->volume, n);
		memcpy(ret->full + n, ret->path, text_length(ret->path));
		st = check_characters(ret, err);
	}
	if (st == ST_OK)
		st = find_device(ret, err);
done:
	mem_free(directory);
	return st;
}

void location_free(struct location *location)
{
	mem_free(location->volume);
	mem_free(location->path);
	mem_free(location->full);
	*location = (struct location){ 0 };
}
