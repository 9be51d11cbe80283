/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/*
 * The map names of devices and volumes: the UEFI shell's own ("fs0:", "blk1:", and its "consistent"
 * ones), or without a shell those that it would give. In lower case and with their colon, the best
 * one first. A device that was connected after the shell made its map has none.
 */
struct named_device {
	EFI_HANDLE handle;
	char **names;
	size_t n_names;
};

/* Sorted by the best name; every device in it has one. */
struct names {
	struct named_device *device;
	size_t n;
};

/*
 * Without a shell this connects all devices first, because the numbers depend on how many there
 * are. The caller frees, on failure too.
 */
[[nodiscard]] enum status names_load(struct names *ret);
void names_free(struct names *);

/* The device of that name in any case ("fs0:"), NULL: there is none. ST_NO_MEMORY. */
[[nodiscard]] enum status names_find(const char *name, EFI_HANDLE *ret);

/* The entry of a handle, NULL: it has no name. */
const struct named_device *names_of(const struct names *, EFI_HANDLE);
