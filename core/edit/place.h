/* SPDX-License-Identifier: BSD-2-Clause */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "blk/blk.h"
#include "platform/files.h"

/* A file that is about to be made, or to get longer. */
struct place_need {
	const char *name;
	uint64_t size; /* bytes in the end */
	enum prealloc prealloc;
	/* an existing file grows from `old_size`; otherwise it is replaced */
	bool grows;
	uint64_t old_size;
	struct place place; /* what platform_look() has returned for the name */
};

/*
 * Whether its place has room for need[i], besides the files before it: the largest file of the file
 * system, and the space of the volume. ST_TOO_LARGE, ST_NO_SPACE, with the free space in the
 * message.
 */
enum status place_check(const struct place_need need[], size_t i, struct error *);
