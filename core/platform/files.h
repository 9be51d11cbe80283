/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/status.h"

/*
 * Files by name. Names are UTF-8, as the user wrote them: "fs0:\dir\a.qcow2", "a.qcow2" (in the
 * current directory), "blk2:" (a device); on Linux, paths.
 *
 * Where a function below changes something, that must be permitted (platform/permit.h).
 */

struct blk;

enum open_mode {
	OPEN_READ, /* the blk has no write operation */
	OPEN_WRITE,
};

/*
 * Opens an existing file, or a device by its map name, as a blk that the caller closes. Devices are
 * opened for reading only; for writing there is platform_open_target(). Statuses: ST_NOT_FOUND,
 * ST_INVALID (a directory), ST_UNSUPPORTED (a device, for writing), ST_NO_MEDIUM, ST_READ_ONLY,
 * ST_DENIED, ST_IO, ST_CORRUPT, ST_NO_MEMORY.
 */
enum status platform_open(const char *name, enum open_mode, struct blk **ret, struct error *);

/* What creating a file of a certain name has to reckon with. */
struct place {
	bool exists;               /* there is a file of this name */
	uint64_t existing_bytes;   /* that it occupies on the volume, and frees when emptied */
	uint64_t free_bytes;       /* on the volume */
	uint64_t file_limit_bytes; /* the largest file that the file system can hold */
	uint32_t cluster_bytes;    /* files occupy multiples of this, > 0 */
	bool sparse;               /* a file that grows by zeros takes no space for them */
	uintptr_t volume;          /* equal for places on the same volume */
	char volume_name[64];      /* for messages: "fs0:" */
};

/*
 * Looks up the place where a file of this name is or would be created. Changes nothing. Statuses:
 * ST_NOT_FOUND (volume or directory), ST_INVALID (a device, a directory, no file name, a character
 * that file names cannot have), ST_READ_ONLY (the volume), ST_NO_MEDIUM, ST_IO, ST_CORRUPT.
 */
enum status platform_look(const char *name, struct place *ret, struct error *);

/*
 * Creates an empty file and opens it for writing; the caller closes *ret. An existing file is
 * emptied if `replace`, otherwise left as it is, with ST_EXISTS. Other statuses: those of
 * platform_look(), ST_NO_SPACE, ST_DENIED.
 */
enum status platform_create(const char *name, bool replace, struct blk **ret, struct error *);

/*
 * Checks that a file of this name, existing or not, can be written before its end: some firmware's
 * file system truncates a file after each write. Finds out by writing and removing a small
 * temporary file beside it, once per volume; `name` must be permitted. Call it before the first
 * write to such a file, and only if there will be one. Statuses: ST_UNSUPPORTED (the file system
 * truncates), those of platform_look(), platform_create() and platform_remove().
 */
enum status platform_check_rewrite(const char *name, struct error *);

/* Removes a file that no blk has open. Statuses: those of platform_open(), ST_DENIED. */
enum status platform_remove(const char *name, struct error *);

/*
 * Gives a file that no blk has open another name in its directory. `to` is the whole new name, with
 * the same directory; no file has it, and none is ever replaced. On failure the file has its old
 * name, as far as the firmware can tell. Statuses: ST_EXISTS; ST_UNSUPPORTED, the firmware's file
 * system does not rename; those of platform_create() and platform_remove().
 */
enum status platform_rename(const char *name, const char *to, struct error *);

/*
 * Which file a name refers to, however it is written: in upper or lower case, as a short name, with
 * ".", over hard and symbolic links. Two names refer to the same file if their entries are equal,
 * or if both have a node and the nodes are equal.
 */
struct file_identity {
	/* volume (up to the first ':'), directory and name, in a canonical spelling */
	char *entry;
	/* the file itself, under any name; NULL: it does not exist, or its volume has no links */
	char *node;
	/*
	 * the directory is unknown; `entry` is volume and name, and equals those in any directory
	 */
	bool any_directory;
};

/*
 * Returns the identity of a file, existing or not, in a directory that exists. The caller frees
 * both texts with mem_free(). Statuses: those of platform_look().
 */
enum status platform_identify(const char *name, struct file_identity *ret, struct error *);

/*
 * Returns the name of a file, existing or not, that is valid in any current directory:
 * "fs0:\dir\a.qcow2"; on Linux, an absolute path. The caller frees it with mem_free(). Statuses:
 * those of platform_look().
 */
enum status platform_full_name(const char *name, char **ret, struct error *);

/*
 * Enumerates the files that standard output and standard error are redirected to, from index 0 on.
 * Where the shell tells only the file's name and the size of its volume, every volume that matches
 * is returned. The caller frees the texts of *ret with mem_free(). False: there are no more.
 */
bool platform_output(unsigned index, struct file_identity *ret, uintptr_t *ret_device_id);

/* A file or directory in a directory. */
struct file_entry {
	char *name; /* UTF-8, without the directory */
	bool directory;
	uint64_t size_bytes;
	struct {
		uint16_t year; /* 0: the time is unknown */
		uint8_t month, day, hour, minute;
	} changed; /* last written; in the time zone of the file system, usually local time */
};

enum { FILE_LIST_MAX = 2000 };

struct file_list {
	struct file_entry *entry; /* in any order, without "." and ".." */
	size_t n;
	bool more; /* the directory has more than FILE_LIST_MAX entries; the rest is left out */
};

/*
 * Lists a directory: "fs0:\", "fs0:\dir". The caller frees the array and each name with mem_free(),
 * on failure as well. Statuses: those of platform_open(); ST_INVALID (not a directory).
 */
enum status platform_list(const char *name, struct file_list *ret, struct error *);

/*
 * Returns the name of the directory for logs, with a separator at its end, and creates the
 * directory if it is missing. It is on the volume that efi-img was started from. The caller frees
 * the name with mem_free(). Statuses: ST_NOT_FOUND (that volume is unknown), ST_READ_ONLY,
 * ST_NO_SPACE, and others of platform_create().
 */
enum status platform_logs(char **ret, struct error *);
