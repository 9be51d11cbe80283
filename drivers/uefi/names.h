/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/*
 * The map names of devices and volumes: those of the UEFI shell ("fs0:", "blk1:", and its
 * "consistent" names), or without a shell the ones that it would assign. In lower case and with
 * their colon, the preferred one first. A device that was connected after the shell has made its
 * map has none.
 */
struct named_device {
	EFI_HANDLE handle;
	char **names;
	size_t n_names;
};

/* Sorted by the preferred name. Devices without a name are not in it. */
struct names {
	struct named_device *device;
	size_t n;
};

/*
 * Reads all names. Without a shell, connects all devices first, because the numbers depend on how
 * many there are. The caller frees *ret with names_free(), on failure as well. Statuses:
 * ST_NO_MEMORY, ST_IO.
 */
[[nodiscard]] enum status names_load(struct names *ret);
void names_free(struct names *);

/* Returns the device with a name ("fs0:", in upper or lower case); NULL: none. ST_NO_MEMORY. */
[[nodiscard]] enum status names_find(const char *name, EFI_HANDLE *ret);

/* Returns the entry of a handle; NULL: it has no name. */
const struct named_device *names_of(const struct names *, EFI_HANDLE);
