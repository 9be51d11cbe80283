/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files by name (platform/files.h): opening, creating, looking up and removing them.
 *
 * A name is resolved once (location.h), then opened from the root of its volume. Every change is
 * preceded by file_path_permitted(). There is no atomic replacement: FAT's rename onto an existing
 * name fails, so a file that is replaced is emptied and written. Renaming is in rename.c.
 *
 * EFI_FILE_PROTOCOL.Open() with CREATE does not truncate, and Delete() reports failure as a
 * warning: sizes are checked, and results compared with EFI_SUCCESS (UEFI 2.10, 13.5).
 */
#include <efi.h>

#include "base/memory.h"
#include "base/out.h"
#include "base/text.h"
#include "disk.h"
#include "file.h"
#include "file_path.h"
#include "file_system.h"
#include "firmware.h"
#include "location.h"
#include "platform/files.h"
#include "rewrite.h"
#include "status.h"
#include "text16.h"

#define MODE_READ ((uint64_t)EFI_FILE_MODE_READ)
/* Open() has no mode for writing alone. */
#define MODE_WRITE (MODE_READ | EFI_FILE_MODE_WRITE)

/* ---- Errors ---- */

/* Writes what could not be done with the file or device, why, and what helps. */
static void say_failed(const struct location *location, const char *what, enum status st,
		       struct error *err)
{
	const char *full = location->full, *volume = location->volume;
	/* the name of a device ends in one */
	const char *colon = location->path != NULL ? ":" : "";

	switch (st) {
	case ST_NO_MEMORY:
		(void)fail_no_memory(err);
		break;
	case ST_INVALID:
		error_set(err, "%s%s cannot %s: the file system does not accept this name", full,
			  colon, what);
		break;
	case ST_READ_ONLY:
		error_set(err, "%s%s cannot %s: %s is write-protected", full, colon, what, volume);
		break;
	case ST_NO_SPACE:
		error_set(err, "%s%s cannot %s: %s is full", full, colon, what, volume);
		break;
	case ST_DENIED:
		error_set(err,
			  "%s%s cannot %s: it is read-only (\"attrib -r\" in the shell changes "
			  "that) or in use",
			  full, colon, what);
		break;
	case ST_CORRUPT:
		error_set(err,
			  "%s%s cannot %s: the file system of %s is damaged; repair it from "
			  "another system",
			  full, colon, what, volume);
		break;
	case ST_IO:
		/* after one error, EDK2's FAT driver refuses a volume until it is mounted anew */
		error_set(err,
			  "%s%s cannot %s: the device reports an error; if %s stays like this, "
			  "remove and reinsert the medium, or restart",
			  full, colon, what, volume);
		break;
	default:
		error_set(err, "%s%s cannot %s: %s", full, colon, what, status_text(st));
	}
}

/* A macro, as fail() is, so that analysers see that such a return is a failure. */
#define failed(location, what, st, err) (say_failed(location, what, st, err), (st))

static enum status is_directory(const struct location *location, struct error *err)
{
	return fail(err, ST_INVALID, "%s is a directory, not a file", location->full);
}

/* ---- Resolved names ---- */

void file_path_close(struct file_path *target)
{
	if (target->root != NULL)
		/* nothing was written */
		(void)target->root->Close(target->root);
	target->root = NULL;
	location_free(&target->location);
}

/* Opens the volume of a file whose name was resolved. */
static enum status open_root(struct file_path *target, struct error *err)
{
	const struct location *location = &target->location;
	enum status st;

	if (location->path == NULL)
		return fail(err, ST_INVALID, "%s is a device, not a file", location->full);
	st = file_system_root(location->device, &target->root);
	if (st == ST_UNSUPPORTED)
		return fail(err, ST_NOT_FOUND,
			    "%s: %s has no file system that the firmware can read; it reads FAT",
			    location->full, location->volume);
	if (st != ST_OK)
		return failed(location, "open its volume", st, err);
	if (location->path[text_length(location->path) - 1] == '\\')
		return is_directory(location, err);
	return ST_OK;
}

enum status file_path_open(const char *name, struct file_path *ret, struct error *err)
{
	enum status st;

	ret->root = NULL;
	st = location_find(name, &ret->location, err);
	return st == ST_OK ? open_root(ret, err) : st;
}

/* Opens what the first `length` bytes of `path` lead to. */
static enum status open_path(EFI_FILE_PROTOCOL *root, const char *path, size_t length,
			     uint64_t mode, EFI_FILE_PROTOCOL **ret)
{
	char *part = text_copy_n(path, length);
	CHAR16 *name = part != NULL ? text16_from_utf8(part) : NULL;
	enum status st = ST_NO_MEMORY;

	if (name != NULL)
		st = status_from_efi(root->Open(root, ret, name, mode, 0));
	mem_free(name);
	mem_free(part);
	return st;
}

enum status file_path_look(EFI_FILE_PROTOCOL *root, const char *path, size_t length, uint64_t mode,
			   EFI_FILE_PROTOCOL **ret, EFI_FILE_INFO **ret_info)
{
	EFI_FILE_PROTOCOL *file;
	enum status st = open_path(root, path, length, mode, &file);

	if (st != ST_OK)
		return st;
	st = file_info(file, ret_info);
	if (st != ST_OK) {
		/* always succeeds; nothing was written */
		(void)file->Close(file);
		return st;
	}
	*ret = file;
	return ST_OK;
}

enum status file_path_check_directories(const struct file_path *target, struct error *err)
{
	const struct location *location = &target->location;
	const char *path = location->path;

	for (size_t i = 1; path[i] != '\0'; i++) {
		EFI_FILE_PROTOCOL *file;
		EFI_FILE_INFO *info;
		bool directory;
		enum status st;

		if (path[i] != '\\')
			continue;
		st = file_path_look(target->root, path, i, MODE_READ, &file, &info);
		if (st == ST_NOT_FOUND)
			return fail(err, st, "%s: there is no directory %s%.*s", location->full,
				    location->volume, (int)i, path);
		if (st != ST_OK)
			return failed(location, "look at its directory", st, err);
		directory = (info->Attribute & EFI_FILE_DIRECTORY) != 0;
		mem_free(info);
		(void)file->Close(file); /* always succeeds; nothing was written */
		if (!directory)
			return fail(err, ST_NOT_FOUND, "%s: %s%.*s is a file, not a directory",
				    location->full, location->volume, (int)i, path);
	}
	return ST_OK;
}

/*
 * Opens an existing file. An error of ST_NOT_FOUND names the directory that is missing, if one is.
 */
static enum status open_file(const struct file_path *target, uint64_t mode, EFI_FILE_PROTOCOL **ret,
			     EFI_FILE_INFO **ret_info, struct error *err)
{
	const struct location *location = &target->location;
	enum status st = file_path_look(target->root, location->path, text_length(location->path),
					mode, ret, ret_info);

	if (st == ST_NOT_FOUND) {
		st = file_path_check_directories(target, err);
		if (st != ST_OK)
			return st;
		return fail(err, ST_NOT_FOUND, "%s: there is no such file", location->full);
	}
	if (st != ST_OK)
		return failed(location, mode == MODE_READ ? "open it" : "open it for writing", st,
			      err);
	if (((*ret_info)->Attribute & EFI_FILE_DIRECTORY) == 0)
		return ST_OK;
	mem_free(*ret_info);
	(void)(*ret)->Close(*ret); /* always succeeds; nothing was written */
	return is_directory(location, err);
}

/* Makes the blk of an open file; closes the file on failure. */
static enum status give_blk(EFI_FILE_PROTOCOL *file, const struct file_path *target, uint64_t size,
			    enum open_mode mode, struct blk **ret, struct error *err)
{
	*ret = file_blk(file, target->location.device, size, mode);
	if (*ret != NULL)
		return ST_OK;
	(void)file->Close(file); /* always succeeds; nothing was written */
	return fail_no_memory(err);
}

/* ---- platform/files.h ---- */

static enum status open_device(const struct location *location, enum open_mode mode,
			       struct blk **ret, struct error *err)
{
	EFI_BLOCK_IO_PROTOCOL *io = PROTOCOL(location->device, EFI_BLOCK_IO_PROTOCOL);
	enum status st;

	if (mode == OPEN_WRITE)
		return fail(err, ST_UNSUPPORTED,
			    "%s is a device; only convert and dd write to devices, as their target",
			    location->full);
	if (io == NULL)
		return fail(err, ST_INVALID,
			    "%s is a volume without a disk of its own; name a file on it",
			    location->full);
	st = disk_open(location->device, ret);
	if (st == ST_UNSUPPORTED)
		return fail(err, st, "%s has blocks of %u bytes; efi-img cannot read those",
			    location->full, (unsigned)io->Media->BlockSize);
	return st == ST_OK ? ST_OK : failed(location, "open it", st, err);
}

enum status platform_open(const char *name, enum open_mode mode, struct blk **ret,
			  struct error *err)
{
	struct file_path target = { 0 };
	EFI_FILE_PROTOCOL *file;
	EFI_FILE_INFO *info;
	enum status st;

	st = location_find(name, &target.location, err);
	if (st == ST_OK && target.location.path == NULL) {
		st = open_device(&target.location, mode, ret, err);
		goto done;
	}
	if (st == ST_OK)
		st = open_root(&target, err);
	if (st == ST_OK && mode == OPEN_WRITE)
		st = file_path_permitted(&target, err);
	if (st == ST_OK)
		st = open_file(&target, mode == OPEN_WRITE ? MODE_WRITE : MODE_READ, &file, &info,
			       err);
	if (st == ST_OK) {
		st = give_blk(file, &target, info->FileSize, mode, ret, err);
		mem_free(info);
	}
done:
	file_path_close(&target);
	return st;
}

/* As file_system_look(), of a volume that can be written; ST_READ_ONLY: it cannot. */
static enum status look_at_writable(const struct file_path *target, struct file_system *ret)
{
	enum status st = file_system_look(target->location.device, target->root, ret);

	if (st == ST_OK && ret->read_only)
		st = ST_READ_ONLY;
	if (st != ST_OK)
		file_system_free(ret);
	return st;
}

static enum status look_at_volume(const struct file_path *target, struct place *ret,
				  struct error *err)
{
	const struct location *location = &target->location;
	struct out_buffer out;
	struct file_system volume;
	enum status st = look_at_writable(target, &volume);

	if (st != ST_OK)
		return failed(location, "make a file", st, err);
	*ret = (struct place){
		.free_bytes = volume.free_bytes,
		.file_limit_bytes = volume.file_limit_bytes,
		.cluster_bytes = volume.cluster_bytes,
		.sparse = false,
		.volume = (uintptr_t)location->device,
	};
	file_system_free(&volume);
	out_buffer_init(&out, ret->volume_name, sizeof ret->volume_name);
	out_text(&out.out, location->volume);
	return ST_OK;
}

enum status platform_look(const char *name, struct place *ret, struct error *err)
{
	struct file_path target;
	EFI_FILE_PROTOCOL *file;
	EFI_FILE_INFO *info;
	enum status st;

	st = file_path_open(name, &target, err);
	if (st == ST_OK)
		st = look_at_volume(&target, ret, err);
	if (st != ST_OK)
		goto done;
	st = file_path_look(target.root, target.location.path, text_length(target.location.path),
			    MODE_READ, &file, &info);
	if (st == ST_NOT_FOUND) {
		st = file_path_check_directories(&target, err);
		goto done;
	}
	if (st != ST_OK) {
		st = failed(&target.location, "make it", st, err);
		goto done;
	}
	ret->exists = true;
	ret->existing_bytes = info->PhysicalSize;
	if ((info->Attribute & EFI_FILE_DIRECTORY) != 0)
		st = is_directory(&target.location, err);
	mem_free(info);
	(void)file->Close(file); /* always succeeds; nothing was written */
done:
	file_path_close(&target);
	return st;
}

/*
 * Opens and empties an existing file, if `replace`. ST_NOT_FOUND: there is no such file; no error
 * text is written then.
 */
static enum status open_to_replace(const struct file_path *target, bool replace,
				   EFI_FILE_PROTOCOL **ret, struct error *err)
{
	const struct location *location = &target->location;
	EFI_FILE_PROTOCOL *file;
	EFI_FILE_INFO *info;
	bool directory;
	enum status st;

	st = file_path_look(target->root, location->path, text_length(location->path),
			    replace ? MODE_WRITE : MODE_READ, &file, &info);
	if (st == ST_NOT_FOUND)
		return st;
	if (st != ST_OK)
		return failed(location, "make it", st, err);
	directory = (info->Attribute & EFI_FILE_DIRECTORY) != 0;
	mem_free(info);
	if (directory)
		st = is_directory(location, err);
	else if (!replace)
		st = fail(err, ST_EXISTS, "%s exists already", location->full);
	else if ((st = file_shrink(file, 0)) != ST_OK)
		st = failed(location, "empty it", st, err);
	if (st == ST_OK)
		*ret = file;
	else
		(void)file->Close(file); /* always succeeds; nothing was written */
	return st;
}

/*
 * Checks that a file just created is empty: the file system may have opened one that it did not
 * find a moment ago. Closes the file on failure.
 */
static enum status check_new(const struct location *location, EFI_FILE_PROTOCOL *file,
			     struct error *err)
{
	EFI_FILE_INFO *info;
	bool is_empty;
	enum status st = file_info(file, &info);

	if (st == ST_OK) {
		is_empty = info->FileSize == 0;
		mem_free(info);
		if (is_empty)
			return ST_OK;
		st = fail(err, ST_EXISTS, "%s: exists already", location->full);
	} else {
		st = failed(location, "make it", st, err);
	}
	(void)file->Close(file); /* always succeeds; nothing was written */
	return st;
}

enum status platform_create(const char *name, bool replace, struct blk **ret, struct error *err)
{
	struct file_path target;
	EFI_FILE_PROTOCOL *file;
	enum status st;

	st = file_path_open(name, &target, err);
	if (st == ST_OK)
		st = file_path_permitted(&target, err);
	if (st != ST_OK)
		goto done;
	st = open_to_replace(&target, replace, &file, err);
	if (st == ST_NOT_FOUND) {
		const char *path = target.location.path;

		st = file_path_check_directories(&target, err);
		if (st != ST_OK)
			goto done;
		st = open_path(target.root, path, text_length(path),
			       MODE_WRITE | EFI_FILE_MODE_CREATE, &file);
		st = st == ST_OK ? check_new(&target.location, file, err)
				 : failed(&target.location, "make it", st, err);
	}
	if (st == ST_OK)
		st = give_blk(file, &target, 0, OPEN_WRITE, ret, err);
done:
	file_path_close(&target);
	return st;
}

/* Tries it in the directory of the file. */
static enum status check_rewrite(const struct file_path *target, struct error *err)
{
	const struct location *location = &target->location;
	char name[REWRITE_NAME_BYTES], *directory;
	size_t n = text_length(location->path);
	enum status st;

	while (n > 0 && location->path[n - 1] != '\\')
		n--;
	directory = text_copy_n(location->path, n);
	if (directory == NULL)
		return fail_no_memory(err);
	st = rewrite_probe(location->device, target->root, directory, name);
	mem_free(directory);
	if (name[0] != '\0')
		return fail(err, st,
			    "%s: the temporary file %s%s could not be removed (%s); remove it",
			    location->full, location->volume, name, status_text(st));
	if (st == ST_NO_SPACE) /* the driver that truncates reports a full volume in another way */
		return ST_OK;
	if (st == ST_UNSUPPORTED)
		return fail(err, st,
			    "%s: the firmware's file system of %s truncates a file after each "
			    "write, and efi-img writes the first sector last; use another volume "
			    "or another firmware",
			    location->full, location->volume);
	return st == ST_OK ? ST_OK : failed(location, "write to it", st, err);
}

enum status platform_check_rewrite(const char *name, struct error *err)
{
	struct file_path target;
	enum status st = file_path_open(name, &target, err);

	if (st == ST_OK)
		st = file_path_check_directories(&target, err);
	if (st == ST_OK)
		st = file_path_permitted(&target, err);
	if (st == ST_OK)
		st = check_rewrite(&target, err);
	file_path_close(&target);
	return st;
}

enum status platform_remove(const char *name, struct error *err)
{
	struct file_path target;
	EFI_FILE_PROTOCOL *file;
	EFI_FILE_INFO *info;
	enum status st;

	st = file_path_open(name, &target, err);
	if (st == ST_OK)
		st = file_path_permitted(&target, err);
	if (st == ST_OK)
		st = open_file(&target, MODE_WRITE, &file, &info, err);
	if (st == ST_OK) {
		mem_free(info);
		/*
		 * closes the file in any case, and reports failure as a warning (UEFI 2.10, 13.5)
		 */
		st = status_from_efi(file->Delete(file));
		if (st != ST_OK)
			st = failed(&target.location, "delete it", st, err);
	}
	file_path_close(&target);
	return st;
}

/* Creates a directory unless it exists. */
static enum status make_directory(EFI_FILE_PROTOCOL *root, CHAR16 *name)
{
	EFI_FILE_PROTOCOL *directory;
	EFI_STATUS efi = root->Open(root, &directory, name, MODE_WRITE | EFI_FILE_MODE_CREATE,
				    EFI_FILE_DIRECTORY);

	if (efi == EFI_SUCCESS)
		/* always succeeds; nothing was written */
		(void)directory->Close(directory);
	return status_from_efi(efi);
}

enum status platform_logs(char **ret, struct error *err)
{
	static const char folder[] = "\\efi-img\\logs\\";
	struct file_path target = { 0 };
	struct file_system volume = { 0 };
	char *home = NULL, *name = NULL;
	size_t n;
	enum status st = location_home(&home, err);

	if (st != ST_OK)
		return st;
	n = text_length(home);
	name = mem_alloc(n + sizeof folder);
	if (name == NULL) {
		st = fail_no_memory(err);
		goto done;
	}
	memcpy(name, home, n);
	memcpy(name + n, folder, sizeof folder);
	st = location_find(home, &target.location, err);
	if (st != ST_OK)
		goto done;
	st = file_system_root(target.location.device, &target.root);
	if (st == ST_OK)
		st = look_at_writable(&target, &volume);
	file_system_free(&volume);
	if (st == ST_OK)
		st = make_directory(target.root, L"\\efi-img");
	if (st == ST_OK)
		st = make_directory(target.root, L"\\efi-img\\logs");
	if (st != ST_OK)
		st = fail(err, st, "cannot create %s: %s", name, status_text(st));
done:
	if (st == ST_OK)
		*ret = name;
	else
		mem_free(name);
	mem_free(home);
	file_path_close(&target);
	return st;
}
