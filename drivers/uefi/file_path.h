/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"
#include "location.h"

/* The way to a file: where its name leads, and the open root of its volume. */
struct file_path {
	struct location location;
	EFI_FILE_PROTOCOL *root;
};

/* Finds where a file is or would be, and opens its volume. The caller closes it, on failure too. */
enum status file_path_open(const char *name, struct file_path *ret, struct error *);
void file_path_close(struct file_path *);

/*
 * Opens the file or directory that the first `length` bytes of `path` lead to from the root, and
 * looks at it. Both results are the caller's. No words are written.
 */
enum status file_path_look(EFI_FILE_PROTOCOL *root, const char *path, size_t length, uint64_t mode,
			   EFI_FILE_PROTOCOL **ret, EFI_FILE_INFO **ret_info);

/* ST_OK when every directory on the way to the file is there. */
enum status file_path_check_directories(const struct file_path *, struct error *);

/* Ends the program if the file is not one that may be changed (platform_permit()). Errors: those of
 * platform_identify(). */
enum status file_path_permitted(const struct file_path *, struct error *);

/* The same for a device of platform_devices(). */
void device_permitted(uintptr_t id);
