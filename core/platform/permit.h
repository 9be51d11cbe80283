/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * The last guard of the access set (storage/access.h): what may be changed, by identity.
 *
 * platform_create(), platform_open() for writing, platform_check_rewrite(), platform_remove(),
 * platform_rename() and platform_open_target() end the program (platform_panic()) if they are asked
 * for anything else. That is a mistake in efi-img: something is about to be changed that no check
 * has compared with the user's data.
 */

struct file_identity;

struct permit {
	bool (*allows_file)(const struct permit *, const struct file_identity *);
	bool (*allows_device)(const struct permit *, uintptr_t id); /* id of struct device */
};

/*
 * Sets what may be changed from now on; NULL, as at the start: nothing. Returns the former permit.
 * The caller keeps ownership and replaces the permit before freeing it.
 */
const struct permit *platform_permit(const struct permit *);
