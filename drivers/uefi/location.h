/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include "base/error.h"

/*
 * A resolved name. Names are "fs0:\dir\a.raw"; "a.raw", relative to the shell's current directory,
 * without a shell to the root of the volume that efi-img was started from; "fs1:a.raw", relative to
 * the shell's current directory on fs1:; or "blk2:", a device.
 */
struct location {
	EFI_HANDLE device; /* of the volume or device */
	char *volume;      /* its name in lower case: "fs0:" */
	/* absolute: "\dir\a.raw", "\" for the root; NULL: the name is that of a device */
	char *path;
	char *full; /* volume and path together, for messages */
};

/*
 * Resolves a name, without looking whether file or directory exist. The caller frees *ret with
 * location_free(), on failure as well. Statuses: ST_NOT_FOUND (no such volume or device; no current
 * volume for a relative name), ST_INVALID (empty, or with a character that names cannot have),
 * ST_NO_MEMORY.
 */
enum status location_find(const char *name, struct location *ret, struct error *);
void location_free(struct location *);

/*
 * Returns the name of the volume that efi-img was started from: "fs0:". The caller frees it with
 * mem_free(). Statuses: ST_NOT_FOUND, ST_NO_MEMORY.
 */
enum status location_home(char **ret, struct error *);
