/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"

/*
 * Where a name leads: "fs0:\dir\a.raw", "a.raw" (from the shell's current directory; without a
 * shell from the root of the volume that efi-img was started from), "fs1:a.raw" (from the shell's
 * current directory there), or "blk2:", a device itself.
 */
struct location {
	EFI_HANDLE device; /* that the name of the volume or device stands for */
	char *volume;      /* that name in lower case: "fs0:" */
	/* absolute: "\dir\a.raw", "\" for the root; NULL: the device itself is meant */
	char *path;
	char *full; /* both together, for messages */
};

/*
 * Errors: ST_NOT_FOUND (no such volume or device; nothing to be relative to), ST_INVALID (empty, or
 * a character that no name may have), ST_NO_MEMORY. Whether the file or its directory exists is not
 * looked at. The caller frees, on failure too.
 */
enum status location_find(const char *name, struct location *ret, struct error *);
void location_free(struct location *);

/*
 * The volume that efi-img was started from: "fs0:"; the caller frees it. Errors: ST_NOT_FOUND,
 * ST_NO_MEMORY.
 */
enum status location_home(char **ret, struct error *);
