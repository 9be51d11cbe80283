/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"
#include "location.h"

/* A file's name, resolved: volume and path, and the root directory of the volume, opened. */
struct file_path {
	struct location location;
	EFI_FILE_PROTOCOL *root;
};

/*
 * Resolves the name of a file, existing or not, and opens its volume. The caller closes *ret with
 * file_path_close(), on failure as well. Statuses: those of location_find(); ST_INVALID (a device,
 * a directory).
 */
enum status file_path_open(const char *name, struct file_path *ret, struct error *);
void file_path_close(struct file_path *);

/*
 * Opens the file or directory that the first `length` bytes of `path` lead to, and gets its
 * attributes. The caller closes *ret and frees *ret_info with mem_free(). No error text is written.
 */
enum status file_path_look(EFI_FILE_PROTOCOL *root, const char *path, size_t length, uint64_t mode,
			   EFI_FILE_PROTOCOL **ret, EFI_FILE_INFO **ret_info);

/* Returns ST_OK if all directories of the path exist, otherwise ST_NOT_FOUND and which one. */
enum status file_path_check_directories(const struct file_path *, struct error *);

/*
 * Ends the program if the file may not be changed (platform/permit.h). Statuses: those of
 * platform_identify().
 */
enum status file_path_permitted(const struct file_path *, struct error *);

/* Ends the program if the device of platform_devices() with this id may not be changed. */
void device_permitted(uintptr_t id);
