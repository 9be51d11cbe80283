/*
 * SPDX-License-Identifier: BSD-2-Clause
 *
 * Renaming a file within its directory (platform/files.h): SetInfo() with another FileName (UEFI
 * 2.10, 13.5). EDK2's FAT driver removes the old entry of the directory before it makes the new
 * one, and does not undo that where the directory has no room: the file would be lost. So a file of
 * the new name is made and removed first. A directory does not shrink, so that afterwards there is
 * room for just this name; a name that exists, is invalid, or does not fit is found there, too.
 */
#include <efi.h>

#include "base/memory.h"
#include "base/text.h"
#include "blk/blk.h"
#include "disk.h"
#include "file.h"
#include "file_path.h"
#include "platform/path.h"
#include "status.h"
#include "text16.h"

/* Makes room for the name `to`, and leaves no file of that name. */
static enum status make_room(const char *to, struct error *err)
{
	struct blk *file;
	enum status st = platform_create(to, false, &file, err);

	if (st != ST_OK)
		return st;
	blk_close(file);
	return platform_remove(to, err);
}

static enum status set_name(EFI_FILE_PROTOCOL *file, const EFI_FILE_INFO *old, const char *leaf)
{
	CHAR16 *name = text16_from_utf8(leaf);
	EFI_FILE_INFO *info;
	size_t n = 0, bytes;
	enum status st;

	if (name == NULL)
		return ST_NO_MEMORY;
	while (name[n++] != 0)
		;
	bytes = SIZE_OF_EFI_FILE_INFO + n * sizeof *name;
	info = mem_alloc(bytes);
	if (info == NULL) {
		mem_free(name);
		return ST_NO_MEMORY;
	}
	memcpy(info, old, SIZE_OF_EFI_FILE_INFO);
	memcpy(info->FileName, name, n * sizeof *name);
	info->Size = bytes;
	st = status_from_efi(file->SetInfo(file, &(EFI_GUID)EFI_FILE_INFO_ID, bytes, info));
	mem_free(info);
	mem_free(name);
	return st;
}

/* Whether a file of that name and size is there now. */
static bool is_there(const struct file_path *target, uint64_t size)
{
	EFI_FILE_PROTOCOL *file;
	EFI_FILE_INFO *info;
	bool ret;

	if (file_path_look(target->root, target->location.path, text_length(target->location.path),
			   EFI_FILE_MODE_READ, &file, &info) != ST_OK)
		return false;
	ret = info->FileSize == size;
	mem_free(info);
	(void)file->Close(file); /* always succeeds; nothing was written */
	return ret;
}

static enum status explain(enum status st, const char *name, struct error *err)
{
	/*
	 * The file was opened for writing, and a file of the new name could be made: it is the
	 * change of the name that is refused, as by U-Boot.
	 */
	if (st == ST_DENIED || st == ST_UNSUPPORTED)
		return fail(err, ST_UNSUPPORTED,
			    "%s keeps its name: the firmware's file system does not rename files; "
			    "rename it on another machine, or copy it with 'efi-img convert'",
			    name);
	return fail(err, st, "%s cannot be renamed: %s", name, status_text(st));
}

static enum status rename_opened(const struct file_path *from, const struct file_path *to,
				 struct error *err)
{
	const char *name = from->location.full;
	EFI_FILE_PROTOCOL *file;
	EFI_FILE_INFO *info;
	uint64_t size;
	enum status st = file_path_look(from->root, from->location.path,
					text_length(from->location.path),
					EFI_FILE_MODE_READ | EFI_FILE_MODE_WRITE, &file, &info);

	if (st != ST_OK)
		return fail(err, st, "%s cannot be renamed: %s", name, status_text(st));
	size = info->FileSize;
	disk_count_write(from->location.device);
	st = set_name(file, info, path_leaf(to->location.path));
	mem_free(info);
	(void)file->Close(file); /* always succeeds; what it should have written is looked at */
	if (st != ST_OK)
		return explain(st, name, err);
	if (is_there(to, size))
		return ST_OK;
	return fail(err, ST_MISMATCH,
		    "%s was renamed, as the firmware reports, but is not there as %s; look for it "
		    "on another machine",
		    name, to->location.full);
}

enum status platform_rename(const char *name, const char *to_name, struct error *err)
{
	struct file_path from, to = { 0 };
	enum status st = file_path_open(name, &from, err);

	if (st == ST_OK)
		st = file_path_open(to_name, &to, err);
	if (st == ST_OK)
		st = file_path_permitted(&from, err);
	if (st == ST_OK)
		st = file_path_permitted(&to, err);
	if (st == ST_OK)
		st = make_room(to_name, err);
	if (st == ST_OK)
		st = rename_opened(&from, &to, err);
	file_path_close(&to);
	file_path_close(&from);
	return st;
}
