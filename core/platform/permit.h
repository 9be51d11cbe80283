/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* The last guard of the access set (storage/access.h). */

struct file_identity;

/*
 * What may be changed. platform_create(), platform_open() for writing, platform_remove() and
 * platform_open_target() end the program if they are asked to change something that is not
 * permitted: the check that nothing is lost has missed it.
 */
struct permit {
	bool (*allows_file)(const struct permit *, const struct file_identity *);
	bool (*allows_device)(const struct permit *, uintptr_t id); /* of struct device */
};

/* From now on, this is what may be changed; NULL: nothing. Returns what was permitted before. */
const struct permit *platform_permit(const struct permit *);
