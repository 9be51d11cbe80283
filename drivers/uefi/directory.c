/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lists a directory (EFI_FILE_PROTOCOL.Read() on a directory, UEFI 2.10, 13.5): each call returns
 * one entry, a size of 0 the end. Entries come in any order, with "." and ".." among them.
 */
#include <efi.h>

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "file.h"
#include "file_system.h"
#include "firmware.h"
#include "location.h"
#include "platform/files.h"
#include "status.h"
#include "text16.h"

enum { INFO_BYTES = SIZE_OF_EFI_FILE_INFO + 1024 * sizeof(CHAR16) };

static enum status add_entry(struct file_list *list, const EFI_FILE_INFO *info, size_t bytes)
{
	struct file_entry *entry = &list->entry[list->n];
	const EFI_TIME *time = &info->ModificationTime;

	entry->name = text16_to_utf8_n(info->FileName,
				       (bytes - SIZE_OF_EFI_FILE_INFO) / sizeof(CHAR16));
	if (entry->name == NULL)
		return ST_NO_MEMORY;
	if (entry->name[0] == '\0' || text_equal(entry->name, ".") ||
	    text_equal(entry->name, "..")) {
		mem_free(entry->name);
		entry->name = NULL;
		return ST_OK;
	}
	entry->directory = (info->Attribute & EFI_FILE_DIRECTORY) != 0;
	entry->size_bytes = info->FileSize;
	entry->changed.year = time->Year;
	entry->changed.month = time->Month;
	entry->changed.day = time->Day;
	entry->changed.hour = time->Hour;
	entry->changed.minute = time->Minute;
	list->n++;
	return ST_OK;
}

/*
 * An entry whose name does not fit into INFO_BYTES ends the list with an error: the firmware would
 * return it again and again. No file system has such names.
 */
static enum status read_entries(EFI_FILE_PROTOCOL *directory, struct file_list *list)
{
	EFI_FILE_INFO *info = mem_alloc(INFO_BYTES);
	enum status st = ST_OK;

	list->entry = mem_alloc(FILE_LIST_MAX * sizeof *list->entry);
	if (info == NULL || list->entry == NULL)
		st = ST_NO_MEMORY;
	while (st == ST_OK && !list->more) {
		UINTN bytes = INFO_BYTES;

		st = status_from_efi(directory->Read(directory, &bytes, info));
		if (st != ST_OK || bytes == 0)
			break;
		if (bytes < SIZE_OF_EFI_FILE_INFO)
			st = ST_IO;
		else if (list->n == FILE_LIST_MAX)
			list->more = true;
		else
			st = add_entry(list, info, bytes);
	}
	mem_free(info);
	return st;
}

static enum status list_directory(EFI_FILE_PROTOCOL *directory, const struct location *location,
				  struct file_list *ret, struct error *err)
{
	EFI_FILE_INFO *info;
	enum status st = file_info(directory, &info);

	if (st != ST_OK)
		return fail(err, st, "%s: %s", location->full, status_text(st));
	if ((info->Attribute & EFI_FILE_DIRECTORY) == 0)
		st = fail(err, ST_INVALID, "%s is a file, not a directory", location->full);
	else if ((st = read_entries(directory, ret)) != ST_OK)
		error_set(err, "%s: reading the directory: %s", location->full, status_text(st));
	mem_free(info);
	return st;
}

static enum status open_directory(const struct location *location, EFI_FILE_PROTOCOL **ret)
{
	CHAR16 *path = text16_from_utf8(location->path);
	EFI_FILE_PROTOCOL *root;
	enum status st = path != NULL ? file_system_root(location->device, &root) : ST_NO_MEMORY;

	if (st == ST_OK) {
		st = status_from_efi(root->Open(root, ret, path, EFI_FILE_MODE_READ, 0));
		(void)root->Close(root); /* nothing was written */
	}
	mem_free(path);
	return st;
}

enum status platform_list(const char *name, struct file_list *ret, struct error *err)
{
	EFI_FILE_PROTOCOL *directory;
	struct location location;
	enum status st;

	*ret = (struct file_list){ 0 };
	st = location_find(name, &location, err);
	if (st == ST_OK && location.path == NULL)
		st = fail(err, ST_INVALID, "%s is a device, not a directory", location.full);
	else if (st == ST_OK && (st = open_directory(&location, &directory)) != ST_OK)
		error_set(err, "%s: %s", location.full, status_text(st));
	else if (st == ST_OK) {
		st = list_directory(directory, &location, ret, err);
		(void)directory->Close(directory); /* nothing was written */
	}
	location_free(&location);
	return st;
}
