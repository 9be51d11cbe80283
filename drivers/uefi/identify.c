/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * The identity of files (platform/files.h), and the permit that compares it (platform/permit.h).
 *
 * FAT, UDF and ISO 9660 have no links: a file has one name in one directory, so that volume and
 * path are its identity, once the path has a canonical spelling. A volume is known by its device
 * path, which stays the same where its handle does not: when a disk is opened for writing, the
 * firmware closes its partitions, and finds them anew afterwards. EFI_FILE_INFO.FileName of an
 * opened file (UEFI 2.10, 13.5) is its long name, whether it was opened by a short name or in
 * another case. A file that does not exist is spelled as FAT would store its name, without dots and
 * blanks at its end (FAT specification 1.03, section 7). All is put in lower case, because U-Boot
 * returns a name as it was asked for.
 */
#include <efi.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "device_path.h"
#include "file_path.h"
#include "file_system.h"
#include "firmware.h"
#include "platform/files.h"
#include "platform/permit.h"
#include "status.h"
#include "text16.h"

enum { PATH_BYTES = 8192 };

static void put_lower(struct out *out, const char *text)
{
	for (; *text != '\0'; text++)
		out_printf(out, "%c", text_lower(*text));
}

/*
 * Returns the name of the component that ends at `end`, in the spelling of its directory.
 */
static enum status spell(const struct file_path *path, size_t end, char **ret)
{
	EFI_FILE_PROTOCOL *file;
	EFI_FILE_INFO *info;
	enum status st = file_path_look(path->root, path->location.path, end, EFI_FILE_MODE_READ,
					&file, &info);

	if (st != ST_OK)
		return st;
	*ret = text16_to_utf8(info->FileName);
	mem_free(info);
	(void)file->Close(file); /* always succeeds; nothing was written */
	return *ret != NULL ? ST_OK : ST_NO_MEMORY;
}

/* Prints the name as FAT would store it for a new file. */
static void put_new_name(struct out *out, const char *name)
{
	size_t n = text_length(name);

	while (n > 0 && (name[n - 1] == '.' || name[n - 1] == ' '))
		n--;
	for (size_t i = 0; i < n; i++)
		out_printf(out, "%c", text_lower(name[i]));
}

static enum status print_path(const struct file_path *path, struct out *out, struct error *err)
{
	const char *text = path->location.path;

	for (size_t i = 1, start = 1;; i++) {
		bool last = text[i] == '\0';
		char *name = NULL;
		enum status st;

		if (!last && text[i] != '\\')
			continue;
		st = spell(path, i, &name);
		if (st == ST_NOT_FOUND && last) {
			out_text(out, "\\");
			put_new_name(out, text + start);
			return ST_OK;
		}
		if (st == ST_NOT_FOUND)
			return file_path_check_directories(path, err);
		if (st != ST_OK)
			return fail(err, st, "cannot open %s: %s", path->location.full,
				    status_text(st));
		out_text(out, "\\");
		put_lower(out, name);
		mem_free(name);
		if (last)
			return ST_OK;
		start = i + 1;
	}
}

/* Prints what tells a volume from others. Without a device path that is its handle. */
static void put_volume(struct out *out, EFI_HANDLE volume)
{
	const EFI_DEVICE_PATH_PROTOCOL *path = device_path_of(volume);
	size_t n = device_path_length(path);

	for (size_t i = 0; i < n; i++)
		out_printf(out, "%02x", ((const uint8_t *)path)[i]);
	if (n == 0)
		out_printf(out, "%jx", (uintmax_t)(uintptr_t)volume);
	out_text(out, ":");
}

static enum status identify(const struct file_path *path, struct file_identity *ret,
			    struct error *err)
{
	char *text = mem_alloc(PATH_BYTES);
	struct out_buffer out;
	enum status st;

	*ret = (struct file_identity){ 0 };
	if (text == NULL)
		return fail_no_memory(err);
	out_buffer_init(&out, text, PATH_BYTES);
	put_volume(&out.out, path->location.device);
	st = print_path(path, &out.out, err);
	if (st == ST_OK && out.out.failed)
		st = fail(err, ST_INVALID, "%s: the path is longer than %d bytes",
			  path->location.full, PATH_BYTES);
	ret->entry = st == ST_OK ? text_copy(text) : NULL;
	mem_free(text);
	if (st == ST_OK && ret->entry == NULL)
		st = fail_no_memory(err);
	return st;
}

enum status platform_identify(const char *name, struct file_identity *ret, struct error *err)
{
	struct file_path path = { 0 };
	enum status st = file_path_open(name, &path, err);

	*ret = (struct file_identity){ 0 };
	if (st == ST_OK)
		st = identify(&path, ret, err);
	file_path_close(&path);
	return st;
}

enum status platform_full_name(const char *name, char **ret, struct error *err)
{
	struct file_path path = { 0 };
	enum status st = file_path_open(name, &path, err);

	if (st == ST_OK) {
		*ret = text_copy(path.location.full);
		if (*ret == NULL)
			st = fail_no_memory(err);
	}
	file_path_close(&path);
	return st;
}

/* ---- The permit ---- */

static const struct permit *permitted; /* the one that platform_permit() has set */

const struct permit *platform_permit(const struct permit *permit)
{
	const struct permit *before = permitted;

	permitted = permit;
	return before;
}

enum status file_path_permitted(const struct file_path *path, struct error *err)
{
	struct file_identity file;
	enum status st = identify(path, &file, err);

	if (st != ST_OK)
		return st;
	if (permitted == NULL || !permitted->allows_file(permitted, &file))
		platform_panic("only what is in the access set is changed", __FILE__, __LINE__);
	mem_free(file.entry);
	return ST_OK;
}

void device_permitted(uintptr_t id)
{
	if (permitted == NULL || !permitted->allows_device(permitted, id))
		platform_panic("only what is in the access set is changed", __FILE__, __LINE__);
}

/* ---- Redirected output ---- */

/* The description of the volume that a file is on; NULL: not available. */
static EFI_FILE_SYSTEM_INFO *volume_of(EFI_FILE_PROTOCOL *file)
{
	void *info;
	size_t n;

	if (file_get_info(file, &(EFI_GUID)EFI_FILE_SYSTEM_INFO_ID, &info, &n) != ST_OK)
		return NULL;
	if (n >= SIZE_OF_EFI_FILE_SYSTEM_INFO)
		return info;
	mem_free(info);
	return NULL;
}

/*
 * Whether a file may be on a volume. The shell does not tell, only the numbers of the volume, which
 * two volumes may have in common.
 */
static bool may_be_on(const EFI_FILE_SYSTEM_INFO *of_file, EFI_HANDLE volume)
{
	EFI_FILE_SYSTEM_INFO *info;
	EFI_FILE_PROTOCOL *root;
	bool same;

	if (file_system_root(volume, &root) != ST_OK)
		return false;
	info = volume_of(root);
	(void)root->Close(root); /* nothing was written */
	same = info != NULL && info->VolumeSize == of_file->VolumeSize &&
	       info->FreeSpace == of_file->FreeSpace && info->BlockSize == of_file->BlockSize;
	mem_free(info);
	return same;
}

/* The identity of "\log.txt" on a volume. */
static char *entry_of(EFI_HANDLE volume, const char *name)
{
	char *text = mem_alloc(PATH_BYTES), *ret = NULL;
	struct out_buffer out;

	if (text == NULL)
		return NULL;
	out_buffer_init(&out, text, PATH_BYTES);
	put_volume(&out.out, volume);
	out_text(&out.out, "\\");
	put_lower(&out.out, name);
	if (!out.out.failed)
		ret = text_copy(text);
	mem_free(text);
	return ret;
}

/* The name of the file that a stream is redirected to; NULL: it is not redirected. */
static char *name_of(EFI_FILE_PROTOCOL *file)
{
	EFI_FILE_INFO *info;
	size_t n;
	char *name = NULL;

	if (file_get_info(file, &(EFI_GUID)EFI_FILE_INFO_ID, (void **)&info, &n) != ST_OK)
		return NULL;
	if (n > SIZE_OF_EFI_FILE_INFO && (info->Attribute & EFI_FILE_DIRECTORY) == 0 &&
	    info->FileName[0] != 0)
		name = text16_to_utf8(info->FileName);
	mem_free(info);
	return name;
}

/*
 * Finds the volume with number *index among those that the file may be on. False: there are fewer;
 * *index is reduced by their number.
 */
static bool find_volume(EFI_FILE_PROTOCOL *file, unsigned *index, EFI_HANDLE *ret)
{
	EFI_FILE_SYSTEM_INFO *info = volume_of(file);
	EFI_HANDLE *handles = NULL;
	size_t n = 0;
	bool found = false;

	if (info != NULL && firmware_handles(&(EFI_GUID)EFI_SIMPLE_FILE_SYSTEM_PROTOCOL_GUID,
					     &handles, &n) != ST_OK)
		n = 0;
	for (size_t i = 0; !found && i < n; i++) {
		if (!may_be_on(info, handles[i]))
			continue;
		found = *index == 0;
		*ret = handles[i];
		*index -= found ? 0 : 1;
	}
	firmware_free(handles);
	mem_free(info);
	return found;
}

bool platform_output(unsigned index, struct file_identity *ret, uintptr_t *ret_device_id)
{
	for (unsigned i = 0; firmware.parameters != NULL && i < 2; i++) {
		EFI_FILE_PROTOCOL *file = i == 0 ? firmware.parameters->StdOut
						 : firmware.parameters->StdErr;
		char *name = file != NULL ? name_of(file) : NULL;
		EFI_HANDLE volume;

		*ret = (struct file_identity){ .any_directory = true };
		if (name != NULL && find_volume(file, &index, &volume)) {
			ret->entry = entry_of(volume, name);
			*ret_device_id = (uintptr_t)
				device_path_locate(device_path_of(volume),
						   &(EFI_GUID)EFI_BLOCK_IO_PROTOCOL_GUID);
			mem_free(name);
			return ret->entry != NULL;
		}
		mem_free(name);
	}
	return false;
}
