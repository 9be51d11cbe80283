/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/status.h"

/*
 * Files by name. Names of files and devices are UTF-8, as the person wrote them:
 * "fs0:\dir\a.qcow2", "a.qcow2", "blk2:"; on the host, paths.
 */

struct blk;

enum open_mode {
	OPEN_READ, /* the blk has no write: nothing can be written through it */
	OPEN_WRITE,
};

/*
 * Opens an existing file, or a device by its map name, as a blk that the caller closes. Errors:
 * ST_NOT_FOUND, ST_INVALID (a directory), ST_NO_MEDIUM, ST_READ_ONLY, ST_DENIED, ST_IO, ST_CORRUPT,
 * ST_NO_MEMORY; a device for writing, which is platform_open_target(): ST_UNSUPPORTED.
 */
enum status platform_open(const char *name, enum open_mode, struct blk **ret, struct error *);

/* What the making of a file of some name would meet. */
struct place {
	bool exists; /* there is such a file already */
	/* what it occupies on the volume, free again once it is emptied */
	uint64_t existing_bytes;
	uint64_t free_bytes;       /* on the volume */
	uint64_t file_limit_bytes; /* the largest file that the file system can hold */
	uint32_t cluster_bytes;    /* files occupy multiples of this, > 0 */
	bool sparse;               /* zeros at the end of a growing file take no space here */
	uintptr_t volume;          /* equal for places on the same volume */
	char volume_name[64];      /* for messages: "fs0:" */
};

/*
 * Looks, without changing anything, at where a file of this name would be. Errors: ST_NOT_FOUND
 * (volume or directory), ST_INVALID (a device, a directory, no file name, a character that no name
 * may have), ST_READ_ONLY (the volume), ST_NO_MEDIUM, ST_IO, ST_CORRUPT.
 */
enum status platform_look(const char *name, struct place *ret, struct error *);

/*
 * Makes an empty file, opened for writing. An existing file is ST_EXISTS and untouched, unless
 * `replace`: then it is emptied. Otherwise the errors of platform_look(), and ST_NO_SPACE,
 * ST_DENIED.
 */
enum status platform_create(const char *name, bool replace, struct blk **ret, struct error *);

/*
 * Makes sure that a file of this name, whether it is there or not, can be written to other than at
 * its end: the file systems of some firmware cut a file off after whatever is written to it. It is
 * found by trial, with a small file beside it that is removed, once for each volume. To be called
 * before the first byte of what is written so, and not where nothing is to be written. Errors:
 * ST_UNSUPPORTED (the file system is one of these), those of platform_look(), platform_create() and
 * platform_remove().
 */
enum status platform_check_rewrite(const char *name, struct error *);

/* Removes a file. The caller has closed its blk. */
enum status platform_remove(const char *name, struct error *);

/*
 * Which file a name leads to, however it is written: upper or lower case, short names, ".", hard
 * and symbolic links. It need not be there yet. Two names lead to the same file if their entries
 * are equal, or if both have a node and the nodes are equal.
 */
struct file_identity {
	/* its volume, up to the first ':', the directory, and the name in it, spelled in one way */
	char *entry;
	/* what it is whatever its names are; NULL: it is not there, or its volume has no links */
	char *node;
	bool any_directory; /* the directory is not known: the entry is the volume and the name */
};

/*
 * The identity of a file, existing or not, in a directory that exists. Both texts are the caller's,
 * who frees them with mem_free(). Errors: those of platform_look().
 */
enum status platform_identify(const char *name, struct file_identity *ret, struct error *);

/*
 * The name of a file, existing or not, that leads to it from any directory: "fs0:\dir\a.qcow2"; on
 * the host, an absolute path. The caller's, freed with mem_free(). Errors: those of
 * platform_look().
 */
enum status platform_full_name(const char *name, char **ret, struct error *);

/*
 * Files that the standard and the error output go to, from index 0 on, as far as it can be told:
 * where only the name of a file and the numbers of its volume are known, there is one for each
 * volume that has them. The identity is the caller's then. False: there are no more.
 */
bool platform_output(unsigned index, struct file_identity *ret, uintptr_t *ret_device_id);

/* One of the files and directories in a directory. */
struct file_entry {
	char *name; /* UTF-8, without the directory */
	bool directory;
	uint64_t size_bytes;
	struct {
		uint16_t year; /* 0: nobody knows */
		uint8_t month, day, hour, minute;
	} changed; /* in whatever time the file system has */
};

enum { FILE_LIST_MAX = 2000 };

struct file_list {
	struct file_entry *entry; /* in any order, without "." and ".." */
	size_t n;
	bool more; /* there are more than FILE_LIST_MAX */
};

/*
 * What is in a directory: "fs0:\", "fs0:\dir". The names and the array are the caller's then, on
 * failure too, who frees them with mem_free(). Errors: those of platform_open(); ST_INVALID (it is
 * none).
 */
enum status platform_list(const char *name, struct file_list *ret, struct error *);

/*
 * The folder for logs, made where it is missing: its name, up to and with the separator behind it.
 * It is on the volume that efi-img was started from. Freed with mem_free(). Errors: ST_NOT_FOUND
 * (that volume is not known), ST_READ_ONLY, ST_NO_SPACE, and others of platform_create().
 */
enum status platform_logs(char **ret, struct error *);
